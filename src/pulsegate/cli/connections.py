"""Gunicorn's threaded worker, made so that slow and greedy clients can't keep others from being served.

Four things are different from ``gunicorn.workers.gthread``:

- A request is received in the main loop, TLS handshake included, and costs a thread only when it is there (or its
  first 128 kB are). Half a request holds a few octets of memory, for 30 s at most.
- Requests for pages, which wait for another process, have threads of their own, so that no poll waits for them.
- A client's address has at most half of the threads at a time; what it asks for beyond that waits for its turn.
- A thread waits for a slow client no longer than ``PatientSocket`` does, and an answer that could not be sent whole
  ends with a reset, never like a whole one.

One that is told to end takes in who has connected already and closes its listener at once, so that others are refused
and turn to another server. Connections that clients may use once more are kept a little; the next answer closes them.
"""

from __future__ import annotations

import errno
import selectors
import socket
import ssl
import time
from collections import Counter, defaultdict, deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any

import structlog
from gunicorn import http
from gunicorn.http import wsgi
from gunicorn.http.errors import NoMoreData, ParseException
from gunicorn.sock import ssl_context
from gunicorn.workers.gthread import TConn, ThreadWorker

from pulsegate.cli.arrival import BUFFER, Arrival
from pulsegate.cli.patience import ClientGoneError, ClientTooSlowError, PatientSocket
from pulsegate.model.network import Networks, one_client
from pulsegate.taxii.app import MOUNT
from pulsegate.taxii.edge import PEER_CERTIFICATE

log = structlog.get_logger(__name__)

LINGER = 2.0  # seconds for which a closed connection is still read, so that the client gets its answer's end
LAST_CHANCE = 2.0  # seconds for which a process that ends waits for requests on connections that it has
WAITING = 30.0  # seconds for which a request may wait until its address has a thread again
_PIECE = 64 * 1024
_WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
_NO_MORE_FILES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_TOO_MANY = ("503 Service Unavailable", "Too many requests from this address at once; try again in a moment.")
_TOO_SLOW = ("408 Request Timeout", "The request did not come in in time.")
_PLAIN = ("HTTP_REQUEST", "WRONG_VERSION_NUMBER")  # what OpenSSL says of a client that does not speak TLS
_NO_TLS = ("400 Bad Request", "This port speaks HTTPS; write https:// before the address.")


class Connection(TConn):  # type: ignore[misc]  # gunicorn is not typed
    """A client's connection: what came in of its next request, and what it is waited for."""

    def __init__(self, cfg: Any, sock: socket.socket, client: Any, server: Any, max_body: int) -> None:
        self._is_shaking_hands = bool(cfg.is_ssl)
        if cfg.is_ssl:
            sock.setblocking(False)
            sock = ssl_context(cfg).wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        super().__init__(cfg, PatientSocket(sock), client, server)
        self.address = one_client(client[0])
        self.share: tuple[str, bool] = self.address, False  # whose threads it takes, and of which: those for pages
        self.arrival = Arrival(max_body)
        self.since = time.monotonic()  # when it began to wait for what it waits for

    def init(self) -> None:
        """Make the parser, in the thread that takes the request over, and give it what came in."""
        if self.parser is None:
            self.parser: Any = http.get_parser(self.cfg, self.sock, self.client)
        self.parser.unreader.unread(self.arrival.take())
        self.sock.setblocking(True)

    def receive(self) -> bool | None:
        """Read what is there, without waiting. True: a thread should take over; None: the client has closed."""
        now = time.monotonic()
        patience = self.sock.receiving
        patience.spend(now - self.since, 0)
        self.since = now
        try:
            if self._is_shaking_hands:
                self.sock.inner.do_handshake()
                self._is_shaking_hands = False
            while octets := self.sock.recv(_PIECE):
                patience.spend(0.0, len(octets))
                if self.arrival.add(octets):
                    return True
        except _WOULD_BLOCK:
            return False
        return None

    def has_more(self) -> bool:
        """Whether octets wait that the poller can't see: read ahead by the parser, or decrypted by TLS."""
        pending = getattr(self.sock.inner, "pending", None)
        return bool(self.parser.unreader.buf.getvalue()) or bool(pending and pending())

    def certificate(self) -> Any:
        """The client's verified certificate (DER); None without one."""
        if not isinstance(self.sock.inner, ssl.SSLSocket):
            return None
        return self.sock.inner.getpeercert(binary_form=True)

    def say_goodbye(self) -> None:
        """Tell a TLS client that nothing was cut off (close_notify); the close itself is not waited for."""
        if isinstance(self.sock.inner, ssl.SSLSocket):
            with suppress(OSError, ValueError):
                self.sock.inner.unwrap()

    def say(self, status: str, text: str, *more: str) -> None:
        """Answer in a few words without waiting; the connection must be closed after that."""
        lines = [f"HTTP/1.1 {status}", "Connection: close", "Content-Type: text/plain", *more]
        answer = "\r\n".join([*lines, f"Content-Length: {len(text) + 1}", "", text + "\n"]).encode("ascii")
        try:
            self.sock.inner.settimeout(0.0)
            self.sock.inner.send(answer)
        except (OSError, ValueError):
            return  # it has gone, or does not read

    def say_plainly(self, status: str, text: str) -> None:
        """The same on a TLS connection whose client does not speak TLS."""
        answer = f"HTTP/1.1 {status}\r\nConnection: close\r\nContent-Type: text/plain\r\n\r\n{text}\n"
        try:
            socket.socket.send(self.sock.inner, answer.encode("ascii"))
        except OSError:
            return


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn is not typed
    """A server process. Everything but ``handle`` and what it calls runs in the main thread."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._proxies: Networks = self.app.proxies
        self._max_body: int = self.app.max_body
        self._per_address = max(1, self.cfg.threads // 2)
        self._most_connections = max(1, self.cfg.worker_connections // 4)
        self._open: Counter[str] = Counter()  # connections of each address
        self._page_threads = ThreadPoolExecutor(self.cfg.threads, "pages")
        self._busy: Counter[tuple[str, bool]] = Counter()  # threads of each share
        self._receiving: dict[Connection, None] = {}
        self._lingering: dict[Connection, int] = {}  # and how much was read and thrown away
        self._waiting: defaultdict[tuple[str, bool], deque[Connection]] = defaultdict(deque)
        self._ending = 0.0  # since when it is told to end

    def is_parent_alive(self) -> bool:
        """Whether the master is there; without it the process ends as if it had been told to."""
        if not super().is_parent_alive():
            self.alive = False
        return self.alive

    def set_accept_enabled(self, enabled: bool) -> None:
        """Gunicorn calls this, too, when it begins to end."""
        super().set_accept_enabled(enabled)
        if not self.alive and not self._ending:  # once: it is called again while it ends
            self._ending = time.monotonic()
            for listener in self.sockets:
                while self.accept(listener):
                    pass
                listener.close()  # what waits in an open one would be reset at the end

    def accept(self, listener: Any) -> bool:
        """Take in one connection; false when none waits."""
        try:
            sock, client = listener.accept()
        except OSError as error:
            if error.errno in _NO_MORE_FILES:
                log.error("connection.not_accepted", reason=error.strerror, hint="raise the limit of open files")  # noqa: TRY400
                time.sleep(0.1)
            elif error.errno not in (errno.EAGAIN, errno.ECONNABORTED, errno.EWOULDBLOCK):
                raise
            return False
        try:
            conn = Connection(self.cfg, sock, client, listener.getsockname(), self._max_body)
        except OSError:  # closed already
            sock.close()
            return True
        self.nr_conns += 1
        self._open[conn.address] += 1
        if self._open[conn.address] > self._most_connections and not self._is_proxy(conn):
            conn.say(*_TOO_MANY, "Retry-After: 5")
            self._close(conn)
        else:
            self._receive(conn)
        return True

    def _is_proxy(self, conn: Connection) -> bool:
        return conn.client[0] in self._proxies

    def _receive(self, conn: Connection) -> None:
        """Wait in the main loop for the next request."""
        conn.sock.setblocking(False)
        conn.since = time.monotonic()
        self._receiving[conn] = None
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._on_readable, conn))
        self._on_readable(conn, conn.sock)

    def _on_readable(self, conn: Connection, _socket: Any) -> None:
        then = self._close
        try:
            is_ready = conn.receive()
        except (OSError, ValueError) as error:
            is_ready = None
            log.debug("connection.failed", client=conn.client[0], reason=str(error))
            if getattr(error, "reason", None) in _PLAIN:
                conn.say_plainly(*_NO_TLS)
                then = self._linger
        if is_ready is False:
            return
        self._leave(self._receiving, conn)
        if is_ready:
            then = self.enqueue_req
        then(conn)

    def _leave(self, state: dict[Connection, Any], conn: Connection) -> None:
        del state[conn]
        self.poller.unregister(conn.sock)

    def on_client_socket_readable(self, conn: Connection, client: Any) -> None:
        """A connection that was kept open: its next request comes."""
        self.poller.unregister(client)
        self.keepalived_conns.remove(conn)
        self._receive(conn)

    def enqueue_req(self, conn: Connection) -> None:
        """Give the request a thread, or let it wait while its address has its share of them."""
        conn.share = conn.address, conn.arrival.is_for(MOUNT)
        if self._busy[conn.share] >= self._per_address and not self._is_proxy(conn):
            conn.since = time.monotonic()
            self._waiting[conn.share].append(conn)
        else:
            self._answer(conn)

    def _answer(self, conn: Connection) -> None:
        self._busy[conn.share] += 1
        _, is_page = conn.share
        done = (self._page_threads if is_page else self.tpool).submit(self.handle, conn)
        done.add_done_callback(lambda done: self.method_queue.defer(self.finish_request, conn, done))

    def finish_request(self, conn: Connection, fs: Future[bool]) -> None:
        """A thread is done with the connection."""
        self._busy[conn.share] -= 1
        self._next_of(conn.share)
        is_kept = not fs.cancelled() and fs.exception() is None and fs.result()
        if is_kept:
            conn.sock.receiving.renew()
            if conn.has_more():
                self._take_pending(conn)
                return
            conn.sock.setblocking(False)
            conn.set_timeout()
            if not self.alive:
                conn.timeout = min(conn.timeout, time.monotonic() + LAST_CHANCE)
            self.keepalived_conns.append(conn)
            self.poller.register(conn.sock, selectors.EVENT_READ, partial(self.on_client_socket_readable, conn))
        elif conn.sock.is_doomed:
            self._close(conn)
        else:
            self._linger(conn)

    def _take_pending(self, conn: Connection) -> None:
        ahead = conn.parser.unreader.take_buffered()
        if conn.arrival.add(ahead):
            self.enqueue_req(conn)
        else:
            self._receive(conn)

    def _next_of(self, share: tuple[str, bool]) -> None:
        if self._busy[share] <= 0:
            del self._busy[share]
        if self._waiting.get(share):
            self._answer(self._waiting[share].popleft())
        elif share in self._waiting:
            del self._waiting[share]

    def _linger(self, conn: Connection) -> None:
        """Close what we send, and read on a little (RFC 9112, section 9.6), without keeping anybody waiting."""
        try:
            conn.sock.setblocking(False)
            conn.say_goodbye()
            socket.socket.shutdown(conn.sock.inner, socket.SHUT_WR)
            conn.since = time.monotonic()
            self._lingering[conn] = 0
            self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._on_lingering, conn))
        except (OSError, ValueError):
            self._lingering.pop(conn, None)
            self._close(conn)

    def _on_lingering(self, conn: Connection, _socket: Any) -> None:
        try:
            if socket.socket.recv(conn.sock.inner, _PIECE):
                return
        except BlockingIOError:
            return
        except OSError as error:
            log.debug("connection.failed", client=conn.client[0], reason=str(error))
        self._leave(self._lingering, conn)
        self._close(conn)

    def _close(self, conn: Connection) -> None:
        self.nr_conns -= 1
        self._open[conn.address] -= 1
        if not self._open[conn.address]:
            del self._open[conn.address]
        conn.close()

    def murder_keepalived(self, force: bool = False) -> None:
        """Called about every second, and with ``force`` at the end."""
        now = time.monotonic()
        while self.keepalived_conns and (force or self.keepalived_conns[0].timeout <= now):
            conn = self.keepalived_conns.popleft()
            self.poller.unregister(conn.sock)
            self._close(conn)

    def murder_pending(self) -> None:
        """Called about every second: give up what has been waited for long enough."""
        now = time.monotonic()
        for conn in [one for one in self._receiving if self._is_given_up(one, now)]:
            self._leave(self._receiving, conn)
            if conn.arrival.received:
                log.warning("connection.cut", client=conn.client[0], reason="its request came too slowly")
                conn.say(*_TOO_SLOW)
                self._linger(conn)
            else:
                self._close(conn)
        for conn in [one for one in self._lingering if now - one.since > LINGER]:
            self._leave(self._lingering, conn)
            self._close(conn)
        for queue in self._waiting.values():
            while queue and now - queue[0].since > WAITING:
                conn = queue.popleft()
                log.warning("connection.cut", client=conn.client[0], reason="too many requests of its address at once")
                conn.say(*_TOO_MANY, "Retry-After: 30")
                self._linger(conn)

    def _is_given_up(self, conn: Connection, now: float) -> bool:
        if now - conn.since > conn.sock.receiving.left:
            return True
        return not self.alive and not conn.arrival.received and now - self._ending > LAST_CHANCE

    # From here on: in a thread.

    def handle(self, conn: Connection) -> bool:
        """Read one request and answer it. True: the connection may be used for another one."""
        request = None
        try:
            conn.init()
            request = next(conn.parser)
            return self.handle_request(request, conn) and self._is_read(conn)
        except (NoMoreData, StopIteration):
            return False
        except ClientTooSlowError:
            log.warning("connection.cut", client=conn.client[0], reason="too slow")
            conn.sock.doom()
        except ClientGoneError:
            log.info("connection.lost", client=conn.client[0])
            conn.sock.doom()
        except Exception as error:  # noqa: BLE001 - of the application, or of the parser about what it was sent
            self.handle_error(request, conn.sock, conn.client, error)
        return False

    def _is_read(self, conn: Connection) -> bool:
        """Whether the request's body is read to its end, if need be now; if not, the next request can't be found."""
        try:
            return bool(self._keepalive_after(conn, keepalive=True))
        except (OSError, ParseException):
            return False

    def handle_request(self, req: Any, conn: Connection) -> bool:
        """Let the application answer. True when the client knows that it may send another request."""
        conn.sock.sending.renew()
        answer, environ = wsgi.create(req, conn.sock, conn.client, conn.server, self.cfg, response_class=_Answer)
        environ["wsgi.multithread"] = True
        environ["wsgi.input"] = _Input(req.body)
        environ[PEER_CERTIFICATE] = conn.certificate()
        if not self.alive or len(self.keepalived_conns) >= self.max_keepalived:
            answer.force_close()
        try:
            self._send(self.wsgi(environ, answer.start_response), answer)
        except ClientGoneError:
            raise
        except Exception:
            if not answer.headers_sent:
                raise
            log.exception("answer.broken_off", client=conn.client[0], path=environ["PATH_INFO"])
            conn.sock.doom()
            return False
        if answer.is_short():
            log.error("answer.broken_off", client=conn.client[0], path=environ["PATH_INFO"], reason="it was too short")
            conn.sock.doom()
            return False
        return not answer.should_close()

    def _send(self, chunks: Any, answer: _Answer) -> None:
        """PEP 3333: ``close`` is called whatever happens."""
        try:
            for chunk in chunks:
                answer.write(chunk)
            answer.close()
        finally:
            if hasattr(chunks, "close"):
                chunks.close()


class _Answer(wsgi.Response):  # type: ignore[misc]  # gunicorn is not typed
    """An answer that says so when the connection ends with it, because much of the request's body stays unread."""

    def start_response(self, status: str, headers: Sequence[tuple[str, str]], exc_info: Any = None) -> Any:
        reader = self.req.body.reader
        if self.req.body.failed or getattr(reader, "length", 0) > BUFFER or getattr(reader, "parser", None):
            self.force_close()
        return super().start_response(status, headers, exc_info)

    def is_short(self) -> bool:
        """Whether fewer octets were sent than the header section told."""
        return self.response_length is not None and not self._omits_body and self.sent < self.response_length


class _Input:
    """The request's body, whose faults are ValueErrors: Werkzeug takes them for what they are, the client's."""

    def __init__(self, body: Any) -> None:
        self._body = body

    def __iter__(self) -> Any:
        return iter(self.readline, b"")

    def read(self, size: int | None = None) -> bytes:
        return self._checked(self._body.read, size)

    def readline(self, size: int | None = None) -> bytes:
        return self._checked(self._body.readline, size)

    def readlines(self, _hint: int | None = None) -> list[bytes]:
        return list(self)

    def _checked(self, read: Any, size: int | None) -> bytes:
        try:
            octets: bytes = read(size)
        except ParseException as error:
            raise ValueError(str(error)) from error
        return octets

"""The way of a request from a server process to the process of the pages, and of the answer back.

A server process receives the whole request, makes a pair of connected Unix sockets, and passes one of them through the
channel: nothing of it has a name in the file system, so nobody else can get at it, and nothing is left behind. On the
pair it speaks HTTP. What waits in the channel stays there while the process of the pages is started, or started again.
"""

from __future__ import annotations

import json
import select
import shutil
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from http.client import HTTPConnection, HTTPException, HTTPResponse
from tempfile import SpooledTemporaryFile
from typing import IO, Any

import structlog
from structlog.contextvars import bind_contextvars, clear_contextvars
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge
from werkzeug.wrappers import Response
from werkzeug.wsgi import ClosingIterator

from pulsegate.taxii.edge import REQUEST_ID, WSGI, Environment

log = structlog.get_logger(__name__)

HELD = 256_000  # octets of a body that are kept in memory
PATIENCE = 120.0  # seconds for which a page may say nothing
LONGEST = 1_000_000  # octets of a packed environment; the parser that receives requests takes fewer
_ENVIRONMENT = "X-Environment"
_PIECE = 64 * 1024
_OF_A_HOP = frozenset({"connection", "date", "keep-alive", "server", "transfer-encoding"})  # each hop has its own
_PAGE = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Pulsegate</title></head><body>{}</body></html>\n'
)
_NOTICE = '<div class="notice bad" role="alert"><p>{}</p><p lang="ja">{}</p></div>'
_STARTING = (
    "The administration pages are starting. Reload in a moment.",
    "管理ページを起動しています。しばらくしてから再読み込みしてください。",
)
_LOST = (
    "The administration pages are starting. Look whether what you did was saved before you do it again.",
    "管理ページを起動しています。もう一度操作する前に、変更が保存されているかどうかを確認してください。",
)
_UNREADABLE = ("The request can't be read.", "リクエストを読み取れません。")


class Channel:
    """Through which requests come to the process of the pages; make it before any fork."""

    def __init__(self) -> None:
        self.outlet, self._inlet = socket.socketpair()
        self._inlet.setblocking(False)

    def pass_on(self, end: socket.socket) -> None:
        """Let the process of the pages have that end of a pair. OSError: too many wait."""
        socket.send_fds(self._inlet, [b"."], [end.fileno()])

    def is_asked(self) -> bool:
        """Whether a request waits."""
        return bool(select.select([self.outlet], [], [], 0)[0])

    def refuse(self) -> None:
        """Close what waits, so that nobody waits for an answer."""
        while self.is_asked():
            for end in received(self.outlet) or ():
                end.close()

    def close_inlet(self) -> None:
        """In the process of the pages: it sees the end when all others have closed theirs."""
        self._inlet.close()


def received(outlet: socket.socket) -> list[socket.socket] | None:
    """The next end of a pair, without waiting; empty when there is none, None when nobody can pass on any more."""
    try:
        octets, descriptors, _, _ = socket.recv_fds(outlet, 1, 1, socket.MSG_DONTWAIT)
    except BlockingIOError:
        return []
    return [socket.socket(fileno=one) for one in descriptors] if octets else None


class Front:
    """The WSGI application that stands for the pages in a server process.

    ``wake``: has the master look whether a request waits. ``max_body``: the longest body, in octets.
    """

    def __init__(self, channel: Channel, wake: Callable[[], object], max_body: int) -> None:
        self._channel = channel
        self._wake = wake
        self._max_body = max_body
        self._is_up = False

    def __call__(self, environment: Environment, start_response: Callable[..., Any]) -> Iterable[bytes]:
        with SpooledTemporaryFile(HELD) as body:  # a slow client must hold nothing of the pages
            try:
                self._receive(environment, body)
            except ClientDisconnected:
                return _said(400, _UNREADABLE, environment)(environment, start_response)
            try:
                answer = self._ask(environment, body)
            except (OSError, HTTPException) as error:
                self._is_up = False
                log.warning("pages.unanswered", path=environment.get("PATH_INFO"), reason=repr(error))
                text = _STARTING if environment["REQUEST_METHOD"] in ("GET", "HEAD") else _LOST
                return _said(503, text, environment)(environment, start_response)
        self._is_up = True
        headers = [pair for pair in answer.getheaders() if pair[0].lower() not in _OF_A_HOP]
        start_response(f"{answer.status} {answer.reason}", headers)
        return ClosingIterator(iter(partial(answer.read1, _PIECE), b""), answer.close)

    def _receive(self, environment: Environment, body: IO[bytes]) -> None:
        """Take the body in. One that is too long is not, and the pages, which refuse it, are told its length."""
        length = environment.get("CONTENT_LENGTH") or "0"
        if length.isascii() and length.isdigit() and int(length) > self._max_body:
            return
        try:
            shutil.copyfileobj(environment["wsgi.input"], body)
        except RequestEntityTooLarge:
            body.truncate(0)
            environment.pop("HTTP_TRANSFER_ENCODING", None)
            environment["CONTENT_LENGTH"] = str(self._max_body + 1)

    def _ask(self, environment: Environment, body: IO[bytes]) -> HTTPResponse:
        ours, theirs = socket.socketpair()
        connection = HTTPConnection("pages", blocksize=_PIECE)
        connection.sock = ours
        ours.settimeout(PATIENCE)
        try:
            with theirs:
                self._channel.pass_on(theirs)
            if not self._is_up:
                self._wake()
            _send(connection, environment, body)
            return connection.getresponse()
        except BaseException:
            connection.close()
            raise


def _send(connection: HTTPConnection, environment: Environment, body: IO[bytes]) -> None:
    """Send the request; what the pages are told is the environment, so they see what they would see here."""
    length = body.seek(0, 2)
    body.seek(0)
    method = "HEAD" if environment["REQUEST_METHOD"] == "HEAD" else "POST"  # of this hop: whether a body comes back
    packed = json.dumps({key: value for key, value in environment.items() if isinstance(value, str)})
    headers = {_ENVIRONMENT: packed, "Content-Length": str(length), "Connection": "close"}
    with suppress(ConnectionError):  # refused before it was read: the answer is there
        connection.request(method, "/", body, headers)


def unpacked(application: WSGI) -> WSGI:
    """The application, which gets the environment of the server process, with the input of this one.

    The lines of a long table go back in pieces of some size: taking each of them would cost the server process more
    than a poll.
    """
    name = "HTTP_" + _ENVIRONMENT.upper().replace("-", "_")

    def call(environment: Environment, start_response: Callable[..., Any]) -> Iterable[bytes]:
        here = {key: value for key, value in environment.items() if key.startswith("wsgi.")}
        whole = here | json.loads(environment[name])
        clear_contextvars()
        bind_contextvars(request=whole.get(REQUEST_ID, ""))  # what this thread logs bears the server process's id
        answer = application(whole, start_response)
        if type(answer) is here["wsgi.file_wrapper"]:  # sent by the system, not by us
            return answer
        return ClosingIterator(_gathered(answer), getattr(answer, "close", None))

    return call


def _gathered(pieces: Iterable[bytes]) -> Iterator[bytes]:
    held = bytearray()
    for piece in pieces:
        held += piece
        if len(held) >= _PIECE:
            yield bytes(held)
            held.clear()
    yield bytes(held)


def _said(status: int, text: tuple[str, str], environment: Environment) -> Response:
    """A few words in place of a page, or in place of the part of one that htmx asks for."""
    notice = _NOTICE.format(*text)
    is_part = "HTTP_HX_REQUEST" in environment
    headers = {"Cache-Control": "no-store", "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'"}
    if status == 503:  # noqa: PLR2004 - as HTTP numbers it
        headers["Retry-After"] = "3"
    return Response(notice if is_part else _PAGE.format(notice), status, headers, mimetype="text/html")

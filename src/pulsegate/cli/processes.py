"""The processes of ``serve``: gunicorn with its server processes, and beside them the worker and the pages."""

from __future__ import annotations

import mmap
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import structlog
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.glogging import Logger

from pulsegate.cli.certificate import Reminder
from pulsegate.cli.connections import Worker as ServerProcess
from pulsegate.cli.hop import Channel, Front
from pulsegate.cli.setup import Installation
from pulsegate.cli.tls import Renewal
from pulsegate.errors import PulsegateError
from pulsegate.model.network import Networks
from pulsegate.taxii import app as taxii_app
from pulsegate.taxii.app import Service
from pulsegate.taxii.edge import Edge
from pulsegate.taxii.metrics import Certificate

log = structlog.get_logger(__name__)

WORKER_PAUSE = 5.0  # seconds before a worker that ended is started again
STEADY = 60.0  # seconds that the process of the pages lasts when nothing is wrong with it
LONGEST_PAUSE = 60.0  # seconds before it is started again
GRACE = 30  # seconds that answers may take to their end once the server is told to end


def run(where: Installation, listener: socket.socket, *, with_worker: bool, on_ready: Callable[[], bool]) -> None:
    """Serve on ``listener`` until a signal ends it. ``on_ready`` is called about every second until it gives true."""
    side = _Worker(where) if with_worker else None
    pages = _Pages(where) if where.settings.pages.enabled else None
    where.database.close()  # connections must not cross a fork
    try:
        _SidedArbiter(_Application(where, listener, pages), side, pages, on_ready).run()
    finally:
        for one in (side, pages):
            if one is not None:
                one.stop()


class _Application(BaseApplication):  # type: ignore[misc]  # gunicorn is not typed
    """Gunicorn's settings, and the WSGI application, made anew in each server process."""

    def __init__(self, where: Installation, listener: socket.socket, pages: _Pages | None) -> None:
        self._where = where
        self._listener = listener
        self._pages = pages
        self.drain = where.settings.drain.total_seconds()
        self._tls = Renewal(where.settings.tls) if where.settings.tls.is_on else None
        self.remind: Callable[[], None] | None = Reminder(self._tls) if self._tls is not None else None
        self.proxies = Networks.of(where.settings.proxies)
        self.max_body = where.settings.taxii.max_body
        self.stopping = mmap.mmap(-1, 1)  # shared with the processes that are forked: 1: this server is about to stop
        super().__init__()

    def load_config(self) -> None:
        settings = self._where.settings
        values: dict[str, Any] = {
            "bind": f"fd://{self._listener.fileno()}",
            "workers": settings.workers,
            "threads": settings.threads,
            "worker_class": ServerProcess,
            "keepalive": 5,
            "timeout": 120,
            "graceful_timeout": GRACE,
            "loglevel": "warning",
            "logger_class": PassingLogger,
            "forwarded_allow_ips": "",  # taxii/edge.py believes proxies, gunicorn nobody
            "control_socket_disable": True,
            "proc_name": "pulsegate",
        }
        if self._tls is not None:
            renewal = self._tls
            values["certfile"], values["keyfile"] = str(settings.tls.certificate), str(settings.tls.key)
            values["ssl_context"] = lambda _config, _default: renewal.current()
        for key, value in values.items():
            self.cfg.set(key, value)

    def load(self) -> Any:
        settings = self._where.settings
        edge = Edge(self.proxies, client_header=settings.tls.client_header, max_body=self.max_body)
        return taxii_app.create(
            Service(
                settings.database_url,
                settings.domain,
                skew=settings.skew,
                open_after=settings.open_after,
                results_kept=settings.results_kept,
                gzip=settings.taxii.gzip,
                max_block=settings.taxii.max_block,
                token_life=settings.taxii.token_life,
                threads=settings.threads,
                metrics_allow=Networks.of(settings.metrics.allow),
                edge=edge,
                certificate=self._certificate,
                stopping=lambda: self.stopping[0] == 1,
            ),
            None if self._pages is None else self._pages.front(),
        )

    def _certificate(self) -> Certificate | None:
        """The one that this process uses for new connections."""
        if self._tls is None:
            return None
        self._tls.current()
        used = self._tls.used
        return Certificate(used.end, is_refused=used.refused is not None)


class PassingLogger(Logger):  # type: ignore[misc]  # gunicorn is not typed
    """Gunicorn's lines go the way of all others, in their form."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True


class _SidedArbiter(Arbiter):  # type: ignore[misc]  # gunicorn is not typed
    """Gunicorn's master, which also keeps worker and pages running and says when everything is ready."""

    def __init__(
        self, application: _Application, side: _Worker | None, pages: _Pages | None, on_ready: Callable[[], bool]
    ) -> None:
        super().__init__(application)
        self._side = side
        self._pages = pages
        self._stopping, self._drain = application.stopping, application.drain
        self._remind: Callable[[], None] | None = application.remind
        self._on_ready = on_ready
        self._is_ready = False

    def manage_workers(self) -> None:
        """Called about every second, and after each signal."""
        super().manage_workers()
        if self._remind is not None:
            self._remind()
        if self._side is not None:
            self._side.keep_running()
        if self._pages is not None:
            self._pages.keep_running(self.LISTENERS)
        if not self._is_ready:
            self._is_ready = self._on_ready()

    def stop(self, graceful: bool = True) -> None:
        """A proxy learns first that it is to send its requests elsewhere."""
        if graceful and self._drain:
            self._stopping[0] = 1
            time.sleep(self._drain)
        super().stop(graceful)


class _Worker:
    """The worker process. It ends by itself when this one is gone."""

    def __init__(self, where: Installation) -> None:
        self._apart = where.apart
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0

    def keep_running(self) -> None:
        if self._process is not None and self._process.poll() is None:
            return
        if self._process is not None:
            if time.monotonic() - self._started < WORKER_PAUSE:
                return
            log.error("worker.ended", hint="it is started again")
        self._started = time.monotonic()
        demo = ["--demo"] if self._apart else []
        command = [sys.executable, "-m", "pulsegate", *demo, "worker", "--parent", str(os.getpid())]
        self._process = subprocess.Popen(command)  # noqa: S603 - our own program

    def stop(self) -> None:
        """Ask it to end; a pull that takes too long to notice is ended, and resumes at the next start."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()


class _Pages:
    """The process of the pages: forked when a request for one waits, so that a server that nobody browses has none.

    It knows what this process knows, whatever the settings' file says by then. It ends by itself when this one is gone.
    """

    def __init__(self, where: Installation) -> None:
        self._where = where
        self._channel = Channel()
        self._master = os.getpid()
        self._process: int | None = None
        self._life = -1  # of a pipe whose other end only the process has; closed when that has ended
        self._started = self._not_before = 0.0
        self._early = 0  # how often in a row it ended soon

    def front(self) -> Front:
        """What stands for the pages in a server process."""
        wake = partial(os.kill, self._master, signal.SIGCHLD)  # the master looks after its processes then
        return Front(self._channel, wake, self._where.settings.taxii.max_body)

    def keep_running(self, listeners: Sequence[Any]) -> None:
        """Start it when it is asked for; ``listeners``: the master's sockets, which are not its business."""
        if self._process is not None and self._has_ended():
            self._clear_away()
        if self._process is not None or not self._channel.is_asked():
            return
        if time.monotonic() < self._not_before:
            self._channel.refuse()
        else:
            self._start(listeners)

    def _has_ended(self) -> bool:
        return bool(select.select([self._life], [], [], 0)[0])

    def _clear_away(self) -> None:
        """It ended. The next request starts it at once; if it goes on ending soon, only after more and more time."""
        now = time.monotonic()
        self._early = self._early + 1 if now - self._started < STEADY else 0
        self._not_before = now + min(2.0 ** (self._early - 2), LONGEST_PAUSE) if self._early > 1 else now
        os.close(self._life)
        self._process = None
        log.error("pages.ended", hint="they are started again when they are asked for")

    def _start(self, listeners: Sequence[Any]) -> None:
        self._started = time.monotonic()
        self._life, its_life = os.pipe()
        self._process = os.fork()
        if self._process:
            os.close(its_life)
            return
        try:
            for one in listeners:
                one.close()
            from pulsegate.cli import pages

            pages.run(self._where, self._channel, self._master)
        except PulsegateError as error:
            log.error("pages.failed", reason=str(error))  # noqa: TRY400 - the reason is the whole story
        except Exception:
            log.exception("pages.failed")
        finally:
            os._exit(0)

    def stop(self) -> None:
        """Tell it to end; gunicorn's children come by here, too, and it is none of theirs."""
        if self._process is None or os.getpid() != self._master or self._has_ended():
            return
        os.kill(self._process, signal.SIGTERM)
        if not select.select([self._life], [], [], 5)[0]:
            os.kill(self._process, signal.SIGKILL)

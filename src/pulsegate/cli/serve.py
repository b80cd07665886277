"""``pulsegate serve``: the TAXII server, and beside it the worker."""

from __future__ import annotations

import errno
import socket
import time
from typing import Annotated

import typer

from pulsegate.cli import banner
from pulsegate.cli.feeding import api_key, pulls
from pulsegate.cli.migrating import NoBackup
from pulsegate.cli.options import Options
from pulsegate.cli.setup import (
    load_settings,
    make_first_accounts,
    open_collections,
    open_installation,
    prepare,
)
from pulsegate.errors import PulsegateError, UsageError

PATIENCE = 4.0  # seconds to wait for the port


def serve(
    context: typer.Context,
    demo_without_key: Annotated[
        bool, typer.Option("--demo-without-key", help="Demo mode when no OTX API key is set; what 'make run' uses.")
    ] = False,
    host: Annotated[str | None, typer.Option(help="The address to listen at.")] = None,
    port: Annotated[int | None, typer.Option(help="The port to listen at.", min=0, max=65535)] = None,
    workers: Annotated[int | None, typer.Option(help="Server processes.", min=1, max=64)] = None,
    no_worker: Annotated[
        bool, typer.Option("--no-worker", help="Serve only; 'pulsegate worker' runs elsewhere.")
    ] = False,
    no_backup: NoBackup = False,
) -> None:
    """Serve TAXII and, unless --no-worker is given, pull and publish on schedule.

    With --demo: invented pulses from the built-in OTX simulator.
    """
    from pulsegate.cli import processes, tls

    options: Options = context.obj
    demo = options.demo or (demo_without_key and _has_no_key())
    given = {"host": host, "port": port, "workers": workers}
    settings = load_settings(demo=demo)
    settings = settings.model_copy(update={key: value for key, value in given.items() if value is not None})
    if settings.tls.is_on:
        tls.context(settings.tls)  # says what is wrong with the files before anything is touched
    listener = _take(settings.host, settings.port)
    settings = settings.model_copy(update={"port": listener.getsockname()[1]})
    where = open_installation(settings, demo=demo, upgrade=True, backup=not no_backup)
    prepare(where)
    if not pulls(where):
        open_collections(where)
    passwords = make_first_accounts(where)
    banner.starting(where)
    _listen(listener)
    processes.run(where, listener, with_worker=not no_worker, on_ready=lambda: banner.ready(where, passwords))


def _has_no_key() -> bool:
    found = load_settings()
    return found.otx.enabled and not any(api_key(one) for one in (found.otx, *found.sources) if one.enabled)


def _bind(listener: socket.socket, host: str, port: int) -> None:
    """Bind, waiting a little: the processes of a server that was killed let its port go within seconds."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            listener.bind((host, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return


def _advice(number: int | None) -> str:
    if number == errno.EADDRNOTAVAIL:
        return "This machine has no such address; choose another one with --host or PULSEGATE_HOST (0.0.0.0: every one)"
    if number == errno.EACCES:
        return "Ports below 1024 need more rights; choose another one with --port or PULSEGATE_PORT"
    return "End what uses the port, or choose another one with --port or PULSEGATE_PORT"


def _take(host: str, port: int) -> socket.socket:
    """The address, not open yet; PulsegateError that says what to do when it can't be had.

    Until the server is ready clients are refused, so that a proxy turns to another one instead of waiting.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        _bind(listener, host, port)
    except socket.gaierror as error:
        listener.close()
        raise UsageError("is no address of this machine", resource=host, hint="Set --host or PULSEGATE_HOST") from error
    except OSError as error:
        listener.close()
        raise _refused(f"{host}:{port}", error) from error
    return listener


def _listen(listener: socket.socket) -> None:
    try:
        listener.listen(2048)
    except OSError as error:  # another one that was started at the same time was faster
        raise _refused("{}:{}".format(*listener.getsockname()), error) from error


def _refused(address: str, error: OSError) -> PulsegateError:
    return PulsegateError(f"can't listen there: {error.strerror}", resource=address, hint=_advice(error.errno))

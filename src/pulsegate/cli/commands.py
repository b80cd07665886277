"""The commands, and what every one of them ends with: an exit code, and a line that says what to do."""

from __future__ import annotations

import io
import logging
import os
import sys
from typing import Annotated

import structlog
import typer

from pulsegate import __version__
from pulsegate.cli import (
    account,
    allow,
    audit,
    changing,
    check,
    collection,
    config,
    db,
    esa,
    explain,
    export,
    forcing,
    indicator,
    lists,
    logs,
    moving,
    polls,
    preview,
    pull,
    pulse,
    quarantine,
    relay,
    reviewing,
    serve,
    source,
    status,
    worker,
)
from pulsegate.cli.options import Options
from pulsegate.cli.output import errors
from pulsegate.errors import PulsegateError, UsageError
from pulsegate.values.text import is_unicode

app = typer.Typer(
    name="pulsegate",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="A self-hosted TAXII 1.1 server that republishes AlienVault OTX pulses to a Cisco Secure Email Gateway.",
    epilog="Settings: section 'pulsegate:' of opentaxii.yml (or the file in PULSEGATE_CONFIG), PULSEGATE_… variables.",
)


_serves = False  # whether it runs until it is ended


def _print_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"pulsegate {__version__}\n")
        raise typer.Exit


@app.callback()
def common(
    context: typer.Context,
    demo: Annotated[
        bool, typer.Option("--demo", help="Work on the demo's data (DATA_DIR/demo), not on real data.")
    ] = False,
    verbose: Annotated[int, typer.Option("-v", "--verbose", count=True, help="Log more; -vv logs everything.")] = 0,
    _version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    global _serves  # noqa: PLW0603 - main() knows nothing of the context when it has failed
    _serves = context.invoked_subcommand in ("serve", "worker")
    level = logging.DEBUG if verbose > 1 else logging.INFO if verbose or _serves else logging.WARNING
    logs.configure(level)
    context.obj = Options(demo=demo, verbose=verbose)


app.command()(serve.serve)
app.command()(worker.worker)
app.command()(pull.pull)
app.command()(pull.publish)
app.command()(status.status)
app.command()(polls.polls)
app.command()(explain.explain)
app.command()(preview.preview)
app.command()(esa.esa)
app.command()(check.check)
app.command()(audit.audit)
for whole in (moving.copy, moving.backup, moving.restore):
    db.app.command()(whole)
collection.app.command()(changing.add)
collection.app.command()(changing.edit)
collection.app.command()(export.export)
for decide in (reviewing.approve, reviewing.reject, reviewing.hold, reviewing.undo):
    pulse.app.command()(decide)
for decide_author in (reviewing.trust, reviewing.distrust, reviewing.trusted):
    pulse.app.command()(decide_author)
indicator.app.command("force-in")(forcing.force_in)
indicator.app.command("force-out")(forcing.force_out)
indicator.app.command()(forcing.unforce)
indicator.app.command()(forcing.forced)
app.add_typer(collection.app, name="collection")
app.add_typer(source.app, name="source")
app.add_typer(pulse.app, name="pulse")
app.add_typer(indicator.app, name="indicator")
app.add_typer(allow.app, name="allow")
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(relay.app, name="relay")
app.add_typer(lists.app, name="lists")
app.add_typer(account.app, name="account")
app.add_typer(db.app, name="db")
app.add_typer(config.app, name="config")


def _with_demo_first(words: list[str]) -> list[str]:
    """``--demo`` belongs before the command's name, and is understood behind it too."""
    end = words.index("--") if "--" in words else len(words)
    if "--demo" in words[:end]:
        return ["--demo", *(word for word in words[:end] if word != "--demo"), *words[end:]]
    return words


def main() -> None:
    """Run; every failure is one line on stderr that says what to do: exit 1, or 2 for wrong usage or settings."""
    os.umask(0o077)  # what is written holds password hashes and signing secrets
    _open_streams()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal that has no such letter is no reason to fail
    logs.configure(logging.WARNING)
    try:
        try:
            app(_with_demo_first(_words()))
        finally:
            sys.stdout.flush()
    except PulsegateError as error:
        _tell(str(error))
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        _drop_output()
        sys.exit(1)
    except Exception as error:  # noqa: BLE001 - the last resort: a bug must not spill a traceback over an administrator
        structlog.get_logger(__name__).debug("command.failed", exc_info=error)
        told = _outside(error)
        report = "Please report it with the output of the same command and 'pulsegate -vv …'"
        _drop_output()
        _tell(str(told or f"an unexpected error, {type(error).__name__}: {error}. {report}"))
        sys.exit(told.exit_code if told else 1)


def _open_streams() -> None:
    """Where a stream is closed (``>&-``): a database that got its number would be written to by what prints."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            handle = os.open(os.devnull, os.O_RDWR)
            if handle != number:
                os.dup2(handle, number)
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115


def _drop_output() -> None:
    """What could not be written isn't tried once more as Python ends, which would tell so in words of its own."""
    with open(os.devnull, "wb") as nothing:  # noqa: PTH123
        os.dup2(nothing.fileno(), 1)


def _tell(what: str) -> None:
    """Why it ends: for people, or as one more line of the log where programs read what ``serve`` and ``worker`` log."""
    if logs.is_json() and _serves:
        structlog.get_logger(__name__).critical("command.failed", reason=what)
    else:
        errors.print(f"pulsegate: {what}", markup=False)


def _outside(error: Exception) -> PulsegateError | None:
    """What the system refused, where nothing more can be said of it; None: it is a bug."""
    if isinstance(error, OSError) and error.strerror:
        named = str(error.filename) if error.filename is not None else None
        return PulsegateError(error.strerror, resource=named, hint="Check the path, its rights, and the disk")
    return None


def _words() -> list[str]:
    """What was typed. UsageError: a word can't be read; with what is odd in it left out it would be another value."""
    for word in sys.argv[1:]:
        if not is_unicode(word):
            hint = "Type it in the encoding of the terminal; it is best to have a UTF-8 locale, as LANG=C.UTF-8"
            raise UsageError(f"is no {sys.getfilesystemencoding()} text", resource=ascii(word), hint=hint)
    return sys.argv[1:]

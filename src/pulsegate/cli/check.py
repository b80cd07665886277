"""``pulsegate check``: polls any TAXII 1.1 server as a mail gateway does, and says what is wrong with it."""

from __future__ import annotations

import getpass
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import typer

from pulsegate.cli.output import AsJSON, people, print_json, print_table
from pulsegate.errors import UsageError
from pulsegate.settings.duration import format_duration, parse_duration
from pulsegate.values.text import clean_line, is_fit_for_xml

if TYPE_CHECKING:  # imported when it is needed, so that other commands start fast
    from pulsegate.checking.findings import Finding
    from pulsegate.checking.report import Report

PASSWORD = "PULSEGATE_CHECK_PASSWORD"  # noqa: S105 - the variable's name
USERNAME = "PULSEGATE_CHECK_USERNAME"  # on OTX the key, which has no place in a shell's history
_LONGEST = timedelta(days=36_500)


def check(
    url: Annotated[str, typer.Argument(help="The poll address; or one of discovery or collections, which tells it.")],
    collection: Annotated[
        str, typer.Option("--collection", help="The collection's name, as typed into the appliance.")
    ],
    username: Annotated[
        str | None,
        typer.Option("--username", envvar=USERNAME, help="Without it the server is polled without an account."),
    ] = None,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help=f"Read the password from standard input; else {PASSWORD} has it.")
    ] = False,
    age: Annotated[str, typer.Option("--age", metavar="DURATION", help="Age of threat feeds.")] = "30d",
    segment: Annotated[str, typer.Option("--segment", metavar="DURATION", help="Time span of each poll.")] = "1d",
    ca_file: Annotated[
        Path | None, typer.Option("--ca-file", help="PEM file of the authorities that are trusted, and no others.")
    ] = None,
    no_wrong_password: Annotated[
        bool, typer.Option("--no-wrong-password", help="Don't try once what the server says to a wrong password.")
    ] = False,
    timeout: Annotated[str, typer.Option("--timeout", metavar="DURATION", help="For all of it.")] = "30m",
    as_json: AsJSON = False,
) -> None:
    """Poll any TAXII 1.1 server as a Secure Email Gateway does: its age in segments, then what is new.

    It says what the appliance would use and what it would ignore, and what is wrong with the server. It needs no
    database and no settings. A proxy is taken from the environment.
    """
    from pulsegate.checking.run import Target, check
    from pulsegate.checking.windows import MOST, count

    span, whole, longest = _duration("--segment", segment), _duration("--age", age), _duration("--timeout", timeout)
    if count(whole, span) > MOST:
        raise UsageError(f"makes more than {MOST:,} polls of the age", resource="--segment", hint="Take longer ones")
    if not is_fit_for_xml(collection):
        raise UsageError("has a character that no name of a collection can have", resource="--collection")
    target = Target(
        address=_address(url),
        collection=collection,
        account=_account(username, password_stdin),
        age=whole,
        segment=span,
        seconds=longest.total_seconds(),
        ca_file=_certificates(ca_file),
        wrong_password=not no_wrong_password,
    )
    with _alarm(longest):
        report = check(target, lambda line: None if as_json else people.print(clean_line(line), markup=False))
    if as_json:
        print_json(report.as_json())
    else:
        _show(report)
    if not report.is_good:
        sys.exit(1)


def _duration(option: str, text: str) -> timedelta:
    try:
        found = parse_duration(text)
    except ValueError as error:
        raise UsageError(str(error), resource=option) from error
    if not timedelta(seconds=1) <= found <= _LONGEST:
        raise UsageError(f"takes 1s to {format_duration(_LONGEST)}", resource=option)
    return found


def _address(url: str) -> str:
    """The address, checked. UsageError: it is none, or has a password in it."""
    url = url.strip()
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise UsageError(f"it is no address: {error}", resource="URL") from error
    if parts.scheme not in ("http", "https") or not host:
        raise UsageError("is no http or https address", resource="URL", hint="As https://taxii.example.com/taxii/poll")
    if parts.username is not None or parts.password is not None:
        hint = f"Use --username and --password-stdin, or {PASSWORD}"
        raise UsageError("a user name or password in it is not taken", resource="URL", hint=hint)
    return parts._replace(fragment="", path=parts.path or "/").geturl()


def _account(username: str | None, from_stdin: bool) -> tuple[str, str] | None:
    """User name and password. UsageError: one of them is empty; clients such as Cabby send neither then."""
    if not username:
        if from_stdin:
            raise UsageError("is of no use without --username", resource="--password-stdin")
        return None
    if ":" in username:
        raise UsageError("can't have a colon: HTTP Basic has no way to write it", resource="--username")
    password = _password(username, from_stdin)
    if not password:
        hint = "Clients such as Cabby send no user name then; leave --username out to poll without an account"
        raise UsageError("the password is empty", resource="--username", hint=hint)
    return username, password


def _password(username: str, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if PASSWORD in os.environ:
        return os.environ[PASSWORD]
    if sys.stdin.isatty():
        return getpass.getpass(f"Password of {username}: ")
    raise UsageError(
        "the password is missing", resource="--username", hint=f"Give it with --password-stdin, or in {PASSWORD}"
    )


def _certificates(path: Path | None) -> Path | None:
    import ssl

    if path is None:
        return None
    try:
        ssl.create_default_context(cafile=str(path))
    except (OSError, ssl.SSLError) as error:
        raise UsageError(f"{path} holds no certificates that can be read", resource="--ca-file") from error
    return path


@contextmanager
def _alarm(longest: timedelta) -> Iterator[None]:
    """Break off what takes longer all the same, as a server may send its headers byte by byte for ever."""
    from pulsegate.checking.client import OutOfTimeError

    def ring(_number: int, _frame: Any) -> None:
        raise OutOfTimeError

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, longest.total_seconds() + 1)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _show(report: Report) -> None:
    people.print()
    if report.segments:
        _show_counts(report)
    _list("Problems", report.problems, "No problem was found." if report.finished else "")
    if report.warnings:
        people.print()
    _list("Warnings", report.warnings, "")


def _show_counts(report: Report) -> None:
    used = report.tally.used
    kinds = f"{used['ip']} addresses, {used['domain']} domains, {used['url']} URLs, {used['hash']} hashes"
    filled = f"{report.filled} of {report.segments} segments"
    people.print(f"{report.blocks} blocks in {filled}, {report.bytes:,} bytes, {report.seconds:.1f} s", markup=False)
    people.print(f"The appliance would use {report.tally.uses} observables: {kinds}", markup=False)
    people.print(f"It would ignore {report.tally.ignores}", markup=False)
    if report.tally.ignores:
        rows = [(count, reason, text) for reason, count, text in report.tally.sorted()]
        print_table(("Ignored", "Why", "Example"), rows, empty="")
    people.print()


def _list(title: str, findings: list[Finding], none: str) -> None:
    if not findings:
        if none:
            people.print(none, markup=False)
        return
    people.print(title, style="bold")
    for one in findings:
        people.print(f"- {one.seen}", markup=False)
        people.print(f"  {one.meaning}", markup=False)

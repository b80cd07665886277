"""Alarms about sources and the certificate: in the log, and to whom the settings name."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

import structlog

from pulsegate.cli import certificate, relaying
from pulsegate.cli.feeding import Feeding
from pulsegate.cli.setup import Installation, read_secrets
from pulsegate.errors import PulsegateError, SettingsError
from pulsegate.settings import Settings
from pulsegate.store import alarms, sources, state
from pulsegate.store.alarms import CERTIFICATE
from pulsegate.store.database import Connection, now
from pulsegate.store.sources import RELAYED
from pulsegate.sync.alarm import STALE, cleared, complaints

if TYPE_CHECKING:
    import apprise

log = structlog.get_logger(__name__)

RAISED, CLEARED, TEST = "failure", "success", "info"  # Apprise's kinds of messages
TRIES = 3
PAUSE = 5.0  # seconds between them
INTERVAL = timedelta(minutes=1)
_TOLD = "alarms.certificate"  # state key: the kinds of alarms about it that people know of
_LONGEST_SILENCE = 3600.0  # seconds until it is tried again to tell people, while nobody can be told


@dataclass(frozen=True, slots=True)
class _Subject:
    """What alarms are about. ``told``: the kinds that people know of. ``over``: the text when one of a kind is over."""

    name: str
    told: frozenset[str]
    over: Callable[[str], str]


class Watch:
    """Raises what is due and clears what is over. People are told of each once; until one can be told, again."""

    def __init__(self, where: Installation, found: Sequence[Feeding]) -> None:
        self._where = where
        self._found = found
        files = where.settings.tls  # a host that only has a worker may not have them
        serves = files.certificate is not None and os.path.exists(files.certificate)  # noqa: PTH110 - unreadable: no
        self._certificate = certificate.Complaints(files) if serves else None
        self._logged: set[tuple[str, str]] = set()
        self._silence = 0.0  # seconds
        self._silent_until = 0.0

    @property
    def interval(self) -> timedelta:
        """How often to look: no alarm is to come much later than the settings say."""
        times = [one.settings.stale_after for one in self._found]
        return min([INTERVAL, self._where.settings.relay.stale_after, *times])

    def __call__(self) -> None:
        for one in self._found:
            self._try(one.name, partial(complaints, stale_after=one.settings.stale_after, brings=one.settings.brings))
        if self._where.settings.relay.inbox is not None:
            self._senders()
        if self._certificate is not None:
            self._guarded(CERTIFICATE, partial(self._look_at_certificate, self._certificate, certificate.cleared))
        elif not self._where.settings.tls.is_on:  # it was on once: nothing else would end what was raised then
            self._guarded(CERTIFICATE, partial(self._look_at_certificate, lambda _now: {}, lambda _kind: "TLS is off"))

    def _senders(self) -> None:
        """Those whose bundles are taken."""
        told = relaying.complaints(self._where)
        with self._where.database.read() as connection:
            names = [one.name for one in sources.every(connection) if one.name.startswith(RELAYED)]
        for name in names:
            due = {STALE: told[name]} if name in told else {}
            self._try(name, lambda _source, now, due=due: due)  # noqa: ARG005 - it is judged already

    def _try(self, name: str, judge: Callable[..., dict[str, str]]) -> None:
        self._guarded(name, partial(self._look, name, judge))

    @staticmethod
    def _guarded(name: str, look: Callable[[], None]) -> None:
        try:
            look()
        except PulsegateError as error:
            log.error("alarms.failed", source=name, reason=str(error))  # noqa: TRY400 - the whole story

    def _look(self, name: str, judge: Callable[..., dict[str, str]]) -> None:
        database = self._where.database
        with database.read() as connection:
            source, moment = sources.get(connection, name), now(connection)
        if source is None:
            return
        subject = _Subject(name, frozenset(source.alarms.split()), partial(cleared, source))
        self._pass_on(
            subject, judge(source, now=moment), lambda connection, told: sources.update(connection, name, alarms=told)
        )

    def _look_at_certificate(self, judge: Callable[[datetime], dict[str, str]], over: Callable[[str], str]) -> None:
        with self._where.database.read() as connection:
            told, moment = state.get(connection, _TOLD) or "", now(connection)
        subject = _Subject(CERTIFICATE, frozenset(told.split()), over)
        self._pass_on(subject, judge(moment), lambda connection, told: state.put(connection, _TOLD, told))

    def _pass_on(self, subject: _Subject, due: dict[str, str], note: Callable[[Connection, str], None]) -> None:
        self._keep(subject, due)
        told = self._settle(subject, due)
        if told != subject.told:
            with self._where.database.write() as connection:  # only now: who dies before this tells it twice
                note(connection, " ".join(sorted(told)))

    def _settle(self, subject: _Subject, due: dict[str, str]) -> set[str]:
        """The alarms that people know of when all is said that can be."""
        self._log(subject, due)
        told = set(subject.told)
        for kind in sorted(due.keys() - told):
            if self._tell(f"{subject.name}: {kind}", due[kind], RAISED):
                told.add(kind)
        for kind in sorted(told - due.keys()):
            if self._tell(f"{subject.name}: well again", subject.over(kind), CLEARED):
                told.remove(kind)
        return told

    def _keep(self, subject: _Subject, due: dict[str, str]) -> None:
        """What the pages show: each from when it is raised until it is over."""
        with self._where.database.read() as connection:
            known = alarms.open_kinds(connection, subject.name)
        if known == due.keys():
            return
        with self._where.database.write() as connection:
            for kind in sorted(due.keys() - known):
                alarms.raise_(connection, subject.name, kind, due[kind])
            for kind in sorted(known - due.keys()):
                alarms.clear(connection, subject.name, kind)

    def _log(self, subject: _Subject, due: dict[str, str]) -> None:
        known = {kind for name, kind in self._logged if name == subject.name} | subject.told
        for kind in sorted(due.keys() - known):
            log.error("alarm.raised", source=subject.name, alarm=kind, reason=due[kind])
        for kind in sorted(known - due.keys()):
            log.info("alarm.cleared", source=subject.name, alarm=kind)
        self._logged = {one for one in self._logged if one[0] != subject.name} | {(subject.name, kind) for kind in due}

    def _tell(self, title: str, text: str, kind: str) -> bool:
        """Whether somebody knows now, or nobody wants to. After a failure it is not tried for a while."""
        if time.monotonic() < self._silent_until:
            return False
        addressed, reached = tell(self._where.settings, title, text, kind)
        if reached or not addressed:
            self._silence = 0.0
            return True
        self._silence = min(max(INTERVAL.total_seconds(), 2 * self._silence), _LONGEST_SILENCE)
        self._silent_until = time.monotonic() + self._silence
        return False


def addresses(settings: Settings) -> list[str]:
    """Who is told: Apprise addresses, which hold secrets."""
    found = [one.get_secret_value().strip() for one in settings.alarms.notify]
    file = settings.alarms.notify_file
    if file is not None:
        lines = read_secrets(file, "alarms.notify_file").splitlines()
        found += [line for line in map(str.strip, lines) if not line.startswith("#")]
    return [one for one in found if one]


def check(settings: Settings) -> int:
    """How many are told; SettingsError where an address is none. It is named by its place: it may be a secret."""
    found = addresses(settings)
    for number, address in enumerate(found, 1):
        if _messenger(address) is None:
            raise SettingsError(
                f"address {number} is none that Apprise knows",
                resource="alarms",
                hint="They read like jsons://host/path; https://github.com/caronc/apprise lists them",
            )
    return len(found)


def tell(settings: Settings, title: str, text: str, kind: str) -> tuple[int, int]:
    """Send it to everybody in ``alarms``; gives how many they are, and how many of them were reached."""
    found = dict(enumerate(addresses(settings), 1))
    left = dict(found)
    for attempt in range(TRIES):
        if attempt and left:
            time.sleep(PAUSE)
        left = {number: address for number, address in left.items() if not _send(address, title, text, kind)}
    for number in left:
        hint = "'pulsegate config check --notify' tries it"
        log.error("alarm.not_sent", address=number, title=title, hint=hint)
    return len(found), len(found) - len(left)


def _send(address: str, title: str, text: str, kind: str) -> bool:
    messenger = _messenger(address)
    if messenger is None:
        return False
    head = f"Pulsegate on {socket.gethostname()}: {title}"
    return bool(messenger.notify(body=text, title=head, notify_type=kind, body_format="text"))


def _messenger(address: str) -> apprise.Apprise | None:
    """Sends to that address; None where it is none. Apprise's own complaints about it may hold the secret in it."""
    import apprise

    noise = logging.getLogger("apprise")
    level = noise.level
    noise.setLevel(logging.CRITICAL + 1)
    messenger = apprise.Apprise()
    try:
        return messenger if messenger.add(address) else None
    finally:
        noise.setLevel(level)

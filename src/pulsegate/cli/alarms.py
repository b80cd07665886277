"""Alarms about sources: in the log, and to whom the settings name."""

from __future__ import annotations

import time

import structlog

from pulsegate.cli import feeding
from pulsegate.cli.setup import Installation
from pulsegate.errors import PulsegateError, SettingsError
from pulsegate.settings import Settings
from pulsegate.store import sources
from pulsegate.store.database import now
from pulsegate.store.sources import Source
from pulsegate.sync.alarm import cleared, complaints

log = structlog.get_logger(__name__)

TRIES = 3
PAUSE = 5.0  # seconds between them


def check(where: Installation) -> None:
    """Raise what is due and clear what is over, each once."""
    try:
        for one in feeding.active(where):
            with where.database.read() as connection:
                source, moment = sources.get(connection, one.name), now(connection)
            if source is not None:
                _settle(where, source, complaints(source, one.settings.stale_after, moment))
    except PulsegateError as error:
        log.error("alarms.failed", reason=str(error))  # noqa: TRY400 - the reason is the whole story


def _settle(where: Installation, source: Source, due: dict[str, str]) -> None:
    raised = set(source.alarms.split())
    if raised == due.keys():
        return
    with where.database.write() as connection:
        sources.update(connection, source.name, alarms=" ".join(sorted(due)))
    for kind in sorted(due.keys() - raised):
        log.error("alarm.raised", source=source.name, alarm=kind, reason=due[kind])
        notify(where.settings, f"Pulsegate: {source.name}: {kind}", due[kind])
    for kind in sorted(raised - due.keys()):
        log.info("alarm.cleared", source=source.name, alarm=kind)
        notify(where.settings, f"Pulsegate: {source.name}: well again", cleared(source, kind))


def addresses(settings: Settings) -> list[str]:
    """Who is told: Apprise addresses, which hold secrets."""
    found = [one.get_secret_value().strip() for one in settings.alarms.notify]
    file = settings.alarms.notify_file
    if file is not None:
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "not UTF-8 text"
            raise SettingsError(f"alarms.notify_file can't be read: {reason}", resource=str(file)) from error
        found += [line.strip() for line in lines if not line.startswith("#")]
    return [one for one in found if one]


def notify(settings: Settings, title: str, text: str) -> bool:
    """Tell those that ``alarms.notify`` names. False, and a line in the log, when not all could be told."""
    found = addresses(settings)
    if not found:
        return True
    import apprise

    messenger = apprise.Apprise()
    known = [messenger.add(address) for address in found]
    for attempt in range(TRIES):
        if attempt:
            time.sleep(PAUSE)
        if messenger.notify(body=text, title=title, body_format=apprise.NotifyFormat.TEXT):
            return all(known)
    log.error("alarm.not_sent", title=title, hint="check alarms.notify; 'pulsegate config check --notify' tries it")
    return False

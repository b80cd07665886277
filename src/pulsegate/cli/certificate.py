"""The server's certificate: when it ends, and what people must be told of it before that."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from pulsegate.cli import tls
from pulsegate.errors import SettingsError
from pulsegate.settings import TLSSettings

log = structlog.get_logger(__name__)

WARNING = timedelta(days=30)
DAY = 86_400.0  # seconds
ENDS, REFUSED = "ends", "refused"


def complaint(certificate: Path, end: datetime, now: datetime) -> str | None:
    """What people must know of a certificate that ends then; None as long as there is time."""
    left = end - now
    if left > WARNING:
        return None
    if left <= timedelta():
        state = "has ended"
    elif left < timedelta(days=2):
        state = f"ends in {left // timedelta(hours=1)} hours"
    else:
        state = f"ends in {left.days} days"
    return (
        f"The certificate {certificate} {state}, at {end:%Y-%m-%d %H:%M} UTC; clients refuse it from then on. "
        "Put a new one in its place, with its key: it is taken without a start."
    )


class Complaints:
    """What is wrong with the files now, by kind of alarm. They are no alarm while they are being renewed."""

    def __init__(self, settings: TLSSettings) -> None:
        self._settings = settings
        self._was_refused = False
        self._end: datetime | None = None

    def __call__(self, now: datetime) -> dict[str, str]:
        certificate = self._settings.certificate
        assert certificate is not None
        self._end = tls.end(certificate) or self._end
        told = complaint(certificate, self._end, now) if self._end is not None else None
        found = {ENDS: told} if told is not None else {}
        try:
            tls.context(self._settings)
        except SettingsError as error:
            if self._was_refused:
                found[REFUSED] = _refused(str(error))
            self._was_refused = True
        else:
            self._was_refused = False
        return found


def _refused(reason: str) -> str:
    return (
        f"The certificate can't be used: {reason}. "
        "Servers that run go on with the one before; one that is started now does not start."
    )


def cleared(kind: str) -> str:
    """That it is well again."""
    return "The certificate's files can be used again" if kind == REFUSED else "A new certificate is in its place"


class Reminder:
    """Takes renewed files also while nobody connects, and says once a day in the log what is wrong with them."""

    def __init__(self, renewal: tls.Renewal, clock: Callable[[], float] = time.monotonic) -> None:
        self._renewal = renewal
        self._clock = clock
        self._said = -DAY

    def __call__(self) -> None:
        self._renewal.current()
        if self._clock() - self._said < DAY:
            return
        used, told = self._renewal.used, None
        if used.end is not None:
            told = complaint(used.certificate, used.end, datetime.now(UTC))
        if told is not None:
            log.warning("tls.certificate_ends", certificate=str(used.certificate), reason=told)
        if used.refused is not None:
            log.error("tls.certificate_refused", reason=used.refused, hint=tls.KEPT)
        if told is not None or used.refused is not None:
            self._said = self._clock()

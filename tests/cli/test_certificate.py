"""What people are told of a certificate that ends, or whose files are broken."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog

from pki import Authority
from pulsegate.cli import tls
from pulsegate.cli.certificate import DAY, ENDS, REFUSED, Complaints, Reminder, complaint
from pulsegate.settings import TLSSettings

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
FILE = Path("/etc/pulsegate/tls.pem")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "pki")


@pytest.mark.parametrize(
    ("left", "state"),
    [
        (timedelta(days=30, seconds=1), None),
        (timedelta(days=30), "ends in 30 days"),
        (timedelta(days=2), "ends in 2 days"),
        (timedelta(hours=47, minutes=59), "ends in 47 hours"),
        (timedelta(minutes=59), "ends in 0 hours"),
        (timedelta(), "has ended"),
        (timedelta(days=-400), "has ended"),
    ],
)
def test_end_is_told_thirty_days_before(left: timedelta, state: str | None) -> None:
    told = complaint(FILE, NOW + left, NOW)
    if state is None:
        assert told is None
        return
    assert told == (
        f"The certificate /etc/pulsegate/tls.pem {state}, at {NOW + left:%Y-%m-%d %H:%M} UTC; clients refuse it from then "
        "on. Put a new one in its place, with its key: it is taken without a start."
    )


def settings(authority: Authority, days: str) -> TLSSettings:
    pair = authority.issue("server", "/CN=localhost", days=days)
    return TLSSettings(certificate=pair.certificate, key=pair.key)


def test_end_of_the_chain_counts_where_it_is_earlier(authority: Authority) -> None:
    pair = authority.issue("server", "/CN=localhost", days="365")
    alone = tls.end(pair.certificate)
    pair.certificate.write_bytes(pair.certificate.read_bytes() + authority.ca.read_bytes())
    assert alone - tls.end(pair.certificate) > timedelta(days=270)
    pair.certificate.write_text("no certificate")
    assert tls.end(pair.certificate) is None


def test_broken_files_are_an_alarm_when_they_stay_so(authority: Authority) -> None:
    found = settings(authority, "20")
    judge, moment = Complaints(found), datetime.now(UTC)
    assert list(judge(moment)) == [ENDS]
    found.key.write_text("half a file")
    assert list(judge(moment)) == [ENDS]  # it may be about to be written
    found.certificate.write_text("half a file")
    told = judge(moment)
    assert list(told) == [ENDS, REFUSED]
    assert "no certificate and key that can be used" in told[REFUSED]
    settings(authority, "60")
    assert judge(moment) == {}


def test_server_reminds_of_it_once_a_day_and_keeps_the_one_before(authority: Authority) -> None:
    found = settings(authority, "20")
    renewal, passed = tls.Renewal(found), [0.0]
    remind = Reminder(renewal, lambda: passed[0])

    def said(after: float) -> list[str]:
        passed[0] += after
        with structlog.testing.capture_logs() as logged:
            remind()
        return [one["event"] for one in logged]

    structlog.reset_defaults()
    assert said(0) == ["tls.certificate_ends"]
    assert said(DAY - 1) == []
    assert said(1) == ["tls.certificate_ends"]
    before, good = renewal.current(), found.key.read_text()
    found.key.write_text("half a file")
    assert said(1) == ["tls.certificate_refused"]
    assert renewal.current() is before
    assert said(DAY) == ["tls.certificate_ends", "tls.certificate_refused"]
    found.key.write_text(good)
    assert said(1) == ["tls.certificate_renewed"]
    settings(authority, "60")
    assert said(DAY) == ["tls.certificate_renewed"]
    assert said(DAY) == []

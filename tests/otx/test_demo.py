"""The demo's pulses."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from pulsegate.model.indicator import IndicatorType
from pulsegate.model.tlp import TLP
from pulsegate.otx import demo
from pulsegate.otx.parse import read_pulse

NOW = datetime(2024, 5, 17, 12, 0, tzinfo=UTC)
# RFC 2606, RFC 5737, RFC 3849 and the Bitcoin address of BIP 173.
RESERVED_NAME = re.compile(r"(?:.*\.)?(?:example|test|example\.(?:com|net|org))\.?", re.IGNORECASE)
RESERVED_ADDRESS = re.compile(r"(?:192\.0\.2|198\.51\.100|203\.0\.113|999\.0\.113)\.\d+(?:/\d+)?|2001:db8:[0-9a-f:]+")


def read_all():
    return [read_pulse(data) for data in demo.demo_pulses(NOW)]


def test_every_type_is_shown():
    types = {indicator.type for read in read_all() for indicator in read.indicators}
    assert types == {kind.value for kind in IndicatorType}


def test_everything_is_read_and_dated_within_20_days():
    pulses = read_all()
    moments = [moment for read in pulses for moment in (read.pulse.created, read.pulse.modified)]
    assert all(NOW - timedelta(days=20) < moment < NOW for moment in moments)
    assert [(read.unreadable, read.more_indicators) for read in pulses] == [((), False)] * 10
    assert [read.pulse.modified for read in pulses] == sorted((read.pulse.modified for read in pulses), reverse=True)


def test_what_the_demo_has_to_show():
    pulses = read_all()
    rows = [indicator for read in pulses for indicator in read.indicators]
    expirations = [row.expiration for row in rows if row.expiration]
    shared = Counter(row.value for row in rows)
    assert {read.pulse.tlp for read in pulses} == {TLP.WHITE, TLP.GREEN, TLP.AMBER}
    assert {read.pulse.author for read in pulses} == {"AlienVault", "Pulsegate Demo", "harbor-cert", "mika_demo"}
    assert sum(not row.active for row in rows) == 1
    assert (sum(moment < NOW for moment in expirations), any(moment > NOW for moment in expirations)) == (1, True)
    assert shared["192.0.2.44"] == 3


def test_only_documentation_addresses_and_names():
    for read in read_all():
        for row in read.indicators:
            value = row.value.replace("[.]", ".").strip()
            host = re.search(r"(?:://|@)([^/:@?&]+)", value)
            if row.type in ("IPv4", "IPv6", "CIDR"):
                assert RESERVED_ADDRESS.fullmatch(value), row
            elif host or row.type in ("domain", "hostname"):
                assert RESERVED_NAME.fullmatch(host[1] if host else value), row


def test_ids_are_stable_and_unique():
    first, second = demo.demo_pulses(NOW), demo.demo_pulses(NOW + timedelta(days=9))
    ids = [pulse["id"] for pulse in first]
    assert (ids, len(set(ids))) == ([pulse["id"] for pulse in second], 10)
    assert [[row["id"] for row in pulse["indicators"]] for pulse in first] == [
        [row["id"] for row in pulse["indicators"]] for pulse in second
    ]


def test_age_written_otherwise():
    with pytest.raises(ValueError, match=r"^'yesterday' is no age such as -2d3h$"):
        demo._date("yesterday", NOW)

"""Taking raw pulses in: cleaned, stored, what is none in quarantine."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from pulsegate.curation.policy import Policy
from pulsegate.intake.taking import Claim, Intake, clean, take
from pulsegate.model.indicator import RawIndicator, Rejection
from pulsegate.publication.marking import Marker
from pulsegate.store import pulses, quarantine
from sync.fakes import pulse_id, raw, row

CLAIM = Claim("otx", "subscription")
EARLY, LATE = datetime(2024, 7, 1, tzinfo=UTC), datetime(2024, 8, 1, tzinfo=UTC)


def take_all(database, *raw_pulses):
    intake = Intake()
    take(database, raw_pulses, intake, CLAIM, Marker(database, Policy()))
    return intake


def values(database, number=1):
    with database.read() as connection:
        stored = pulses.get(connection, pulse_id(number))
        assert stored is not None
        return [one.indicator.value for one in pulses.indicators_of(connection, stored.pk)]


def quarantined(database, identity):
    with database.read() as connection:
        found = quarantine.of_pulse(connection, identity)
    return [(one.kind, one.type, one.value, one.reason) for one in found]


def test_pulses_are_stored_and_counted(database):
    assert take_all(database, raw(1, "a.example", "b.example"), raw(2)) == Intake(pulses=2, indicators=2, new=2)
    assert take_all(database, raw(1, "a.example"), raw(2)) == Intake(pulses=2, indicators=1, changed=1)
    assert (values(database), values(database, 2)) == (["a.example"], [])


def test_counts_go_on_from_page_to_page(database):
    intake = Intake()
    take(database, [raw(1, "a.example")], intake, CLAIM, Marker(database, Policy()))
    take(database, [raw(2, "a.example")], intake, CLAIM, Marker(database, Policy()))
    assert intake == Intake(pulses=2, indicators=2, new=2)


def test_value_that_comes_twice_in_a_pulse_is_stored_once(database):
    found = raw(1, indicators=[row("A.example"), row("a[.]example", "hostname"), row("b.example")])
    assert take_all(database, found) == Intake(pulses=1, indicators=2, new=1)
    assert values(database) == ["a.example", "b.example"]


def a_raw(**fields):
    return RawIndicator("domain", "a.example", **fields)


@pytest.mark.parametrize(
    ("lesser", "better"),
    [
        (a_raw(active=False), a_raw()),
        (a_raw(active=False), a_raw(expiration=EARLY)),
        (a_raw(expiration=LATE), a_raw()),
        (a_raw(expiration=EARLY), a_raw(expiration=LATE)),
        (a_raw(active=False, expiration=LATE), a_raw(active=True, expiration=EARLY)),
    ],
)
def test_better_of_two_that_are_one_value_wins(lesser, better):
    for order in ((lesser, better), (better, lesser)):
        found, rejections = clean(order)
        assert ([one.raw for one in found], rejections) == ([better], [])


def test_first_of_two_that_are_equally_good_wins():
    first, second = a_raw(title="first"), a_raw(title="second")
    assert [one.raw for one in clean([first, second])[0]] == [first]


def test_values_keep_their_order():
    found, _ = clean(replace(a_raw(), value=f"{letter}.example") for letter in "cabca")
    assert [one.value for one in found] == ["c.example", "a.example", "b.example"]


def test_rejection_of_the_parser_is_handed_on():
    rejection = Rejection(RawIndicator("", "x"), "not an object with a type and a value")
    assert clean([rejection, a_raw()])[1] == [rejection]


def test_indicators_that_are_no_values_are_quarantined(database):
    rows = [row("a.example"), row("999.1.1.1", "IPv4"), row("x", "Nonsense"), row(""), "text", None]
    assert take_all(database, raw(1, indicators=rows)) == Intake(pulses=1, indicators=1, new=1, rejected=5)
    found = quarantined(database, pulse_id(1))
    assert [(kind, type_, value) for kind, type_, value, _ in found] == [
        ("indicator", "IPv4", "999.1.1.1"),
        ("indicator", "Nonsense", "x"),
        ("indicator", "domain", ""),
        ("indicator", "", "text"),
        ("indicator", "", "null"),
    ]
    assert found[1][3] == '"Nonsense" is no indicator type that Pulsegate knows'
    assert values(database) == ["a.example"]


def test_quarantine_of_a_pulse_is_what_is_wrong_with_it_now(database):
    take_all(database, raw(1, indicators=[row("999.1.1.1", "IPv4"), row("999.2.2.2", "IPv4")]))
    take_all(database, raw(1, indicators=[row("999.2.2.2", "IPv4")]))
    assert [value for _, _, value, _ in quarantined(database, pulse_id(1))] == ["999.2.2.2"]
    take_all(database, raw(1, "a.example"))
    assert quarantined(database, pulse_id(1)) == []


def test_pulse_that_can_not_be_read_stops_nothing_else(database):
    unreadable = {"id": pulse_id(2), "name": "No time", "indicators": []}
    intake = take_all(database, raw(1, "a.example"), unreadable, "text", None, [], raw(3, "c.example"))
    assert intake == Intake(pulses=2, indicators=2, new=2, unreadable=4)
    assert (values(database), values(database, 3)) == (["a.example"], ["c.example"])
    assert quarantined(database, pulse_id(2)) == [
        ("pulse", "pulse", pulse_id(2), "tells no time: neither created nor modified is a date")
    ]


def test_pulse_that_can_be_read_later_leaves_the_quarantine(database):
    take_all(database, raw(1, indicators="text"))
    assert quarantined(database, pulse_id(1)) == [("pulse", "pulse", pulse_id(1), "its indicators are no list")]
    take_all(database, raw(1, "a.example"))
    assert quarantined(database, pulse_id(1)) == []


def test_protection_of_a_value_is_stored(database):
    take_all(database, raw(1, indicators=[row("192.0.2.1", "IPv4"), row("co.uk"), row("a.example")]))
    with database.read() as connection:
        stored = pulses.get(connection, pulse_id(1))
        assert stored is not None
        found = [one.protection for one in pulses.indicators_of(connection, stored.pk)]
    assert found == ["reserved-range", "public-suffix", None]


@pytest.mark.parametrize("dirt", ["\0", "\ud800"])
def test_pulse_with_dirt_in_every_field_is_stored(database, dirt):
    found = raw(
        1,
        name=f"n{dirt}",
        author_name=f"a{dirt}",
        description=f"d{dirt}",
        tags=[f"t{dirt}"],
        indicators=[
            row(f"a.example{dirt}", title=f"t{dirt}", description=dirt, content=dirt, role=dirt),
            row(f"x{dirt}", f"Nonsense{dirt}"),
        ],
    )
    assert take_all(database, found).pulses == 1


@pytest.mark.parametrize("where", ["indicator", "pulse"])
def test_id_that_no_database_holds_stops_nothing_else(database, where):
    bad = (
        raw(1, indicators=[row("a.example", id="\ud800")])
        if where == "indicator"
        else {"id": "\ud800", "indicator": "x"}
    )
    take_all(database, bad, raw(2, "b.example"))
    assert values(database, 2) == ["b.example"]


def test_id_that_is_too_long_stops_nothing_else(database):
    assert take_all(database, raw(1, id="x" * 65), raw(2, "b.example")).unreadable == 1
    assert values(database, 2) == ["b.example"]


def test_author_with_a_very_long_name_stops_nothing_else(database):
    name = "".join(chr(0x4E00 + number * 7919 % 20_000) for number in range(6000))
    take_all(database, raw(1, author_name=name), raw(2, "b.example"))
    assert values(database, 2) == ["b.example"]

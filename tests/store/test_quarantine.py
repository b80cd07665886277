"""What could not be read, with its reason."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from pulsegate.store import quarantine
from pulsegate.store.quarantine import INDICATOR, PULSE, Quarantined
from store.conftest import NOW

PULSE_ID = "5f0c1d2e3f4a5b6c7d8e9f00"
FIRST = Quarantined(INDICATOR, PULSE_ID, "IPv4", "999.1.1.1", "not an IP address")
SECOND = Quarantined(INDICATOR, PULSE_ID, "domain", "a b", "white space inside")
LATER = NOW + timedelta(days=1)


@pytest.fixture
def at(monkeypatch):
    """Put the clock to a moment."""

    def put(moment):
        monkeypatch.setattr(quarantine, "now", lambda _: moment)

    put(NOW)
    return put


def replace_with(database, *entries, pulse_id=PULSE_ID):
    with database.write() as connection:
        quarantine.replace(connection, pulse_id, entries)


def add(database, entry):
    with database.write() as connection:
        quarantine.add(connection, entry)


def of_pulse(database, pulse_id=PULSE_ID):
    with database.read() as connection:
        return quarantine.of_pulse(connection, pulse_id)


def test_entries_of_a_pulse_are_replaced_and_keep_their_first_time(database, at):
    replace_with(database, FIRST, SECOND)
    at(LATER)
    third = replace(FIRST, value="1.2.3")
    replace_with(database, replace(SECOND, reason="several values"), third)
    assert of_pulse(database) == [
        replace(SECOND, reason="several values", since=NOW),
        replace(third, since=LATER),
    ]


def test_entries_of_another_pulse_stay(database, at):
    other = replace(FIRST, pulse_id="0" * 24)
    replace_with(database, FIRST)
    replace_with(database, other, pulse_id="0" * 24)
    replace_with(database)
    assert of_pulse(database) == []
    assert of_pulse(database, "0" * 24) == [replace(other, since=NOW)]


def test_entry_is_added_once(database, at):
    entry = Quarantined(PULSE, None, "pulse", "x", "a pulse is a JSON object", '"x"')
    add(database, entry)
    at(LATER)
    add(database, entry)
    with database.read() as connection:
        assert quarantine.count(connection) == 1


def test_entry_that_is_added_again_keeps_its_time_and_has_what_was_sent_last(database, at):
    """A later Pulsegate must not take the older state of a pulse."""
    entry = Quarantined(PULSE, PULSE_ID, "pulse", PULSE_ID, "it has no name", '{"revision": 1}', source="otx")
    add(database, entry)
    at(LATER)
    add(database, replace(entry, raw='{"revision": 2}'))
    assert of_pulse(database) == [replace(entry, raw='{"revision": 2}', since=NOW)]


def test_entry_with_another_reason_is_added(database, at):
    entry = Quarantined(PULSE, None, "pulse", "x", "a pulse is a JSON object", '"x"')
    add(database, entry)
    add(database, replace(entry, reason="its indicators are no list"))
    with database.read() as connection:
        assert quarantine.count(connection) == 2


def test_entries_of_a_value_are_those_sent_so_to_the_letter(database, at):
    replace_with(database, FIRST, SECOND)
    add(database, Quarantined(PULSE, None, "pulse", "999.1.1.1", "no pulse"))
    with database.read() as connection:
        assert quarantine.of_value(connection, "999.1.1.1") == [replace(FIRST, since=NOW)]
        assert quarantine.of_value(connection, "999.1.1.1 ") == []


@pytest.mark.parametrize("dirt", ["\0", "\ud800", "x" * 100_000])
def test_entry_with_what_a_database_can_not_hold(database, at, dirt):
    entry = Quarantined(INDICATOR, PULSE_ID, f"t{dirt}", f"v{dirt}", "no value", f"r{dirt}")
    replace_with(database, entry)
    with database.read() as connection:
        (found,) = quarantine.of_value(connection, f"v{dirt}")
    escaped = dirt.replace("\0", "\\x00").replace("\ud800", "\\ud800")
    assert found == Quarantined(INDICATOR, PULSE_ID, f"t{escaped}", f"v{escaped}", "no value", f"r{escaped}", NOW)


@pytest.mark.parametrize("pulse_id", ["x" * 65, "a\0b", "a\ud800b"])
def test_entry_of_a_pulse_with_an_impossible_id(database, at, pulse_id):
    """A pulse whose id is none is quarantined under what was sent as its id, of up to 200 characters."""
    add(database, Quarantined(PULSE, pulse_id, "pulse", pulse_id, "a pulse's id is 24 hex digits"))
    with database.read() as connection:
        assert quarantine.count(connection) == 1


def test_entry_by_its_key(database, at):
    full = replace(FIRST, raw='{"a": 1}', source="otx")
    replace_with(database, full, SECOND)
    one, two = (entry.pk for entry in of_pulse(database))
    with database.read() as connection:
        assert quarantine.get(connection, one) == replace(full, since=NOW)
        assert quarantine.get(connection, one).pk == one
        assert quarantine.get(connection, max(one, two) + 1) is None
        assert quarantine.keys(connection) == [one, two]


def test_entry_that_is_removed(database, at):
    replace_with(database, FIRST, SECOND)
    one, _ = of_pulse(database)
    with database.write() as connection:
        quarantine.remove(connection, one)
        quarantine.remove(connection, one)
    assert of_pulse(database) == [replace(SECOND, since=NOW)]


def test_entry_that_got_the_key_of_another_one_stays(database, at):
    """SQLite gives the key of a deleted row again."""
    replace_with(database, FIRST)
    (one,) = of_pulse(database)
    with database.write() as connection:
        for other in (replace(one, kind=PULSE), replace(one, value="other")):
            quarantine.remove(connection, other)
    assert of_pulse(database) == [one]


def test_entries_of_many_pulses_are_replaced_at_once(database, at):
    """A pulse that is readable now has no entry of its own any more, and one without entries none at all."""
    gone = Quarantined(PULSE, f"{1:024x}", "pulse", f"{1:024x}", "it has no name", "{}")
    add(database, gone)
    replace_with(database, FIRST, SECOND)
    other = replace(FIRST, pulse_id=f"{2:024x}")
    replace_with(database, other, pulse_id=f"{2:024x}")
    at(LATER)
    many = {f"{number:024x}": [replace(FIRST, pulse_id=f"{number:024x}")] for number in range(3, 1203)}
    with database.write() as connection:
        quarantine.replace_many(connection, {f"{1:024x}": [], PULSE_ID: [SECOND, replace(FIRST, type="IPv6")], **many})
    assert of_pulse(database, f"{1:024x}") == []
    assert of_pulse(database) == [replace(SECOND, since=NOW), replace(FIRST, type="IPv6", since=LATER)]
    assert of_pulse(database, f"{2:024x}") == [replace(other, since=NOW)]
    with database.read() as connection:
        assert quarantine.count(connection) == 1203
        assert of_pulse(database, f"{1202:024x}") == [replace(FIRST, pulse_id=f"{1202:024x}", since=LATER)]


def test_all_entries_are_listed_without_what_was_sent(database, at):
    add(database, Quarantined(PULSE, None, "pulse", "x", "a pulse is a JSON object", '"x"', source="files"))
    replace_with(database, replace(FIRST, raw="{}", source="otx"))
    with database.read() as connection:
        assert quarantine.every(connection) == [
            Quarantined(PULSE, None, "pulse", "x", "a pulse is a JSON object", since=NOW, source="files"),
            replace(FIRST, since=NOW, source="otx"),
        ]
        assert quarantine.unreadable_ids(connection) == set()
    add(database, Quarantined(PULSE, PULSE_ID, "pulse", PULSE_ID, "it has no name"))
    with database.read() as connection:
        assert quarantine.unreadable_ids(connection) == {PULSE_ID}

"""What is quarantined is tried again: by hand, and once with each version."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from pulsegate.curation.policy import Policy
from pulsegate.intake import taking
from pulsegate.intake.taking import Claim, Intake, rejected, take
from pulsegate.model.indicator import Indicator, IndicatorType, RawIndicator, Rejection
from pulsegate.publication.marking import Marker
from pulsegate.store import failures, pulses, quarantine, sources
from pulsegate.store.quarantine import INDICATOR, PULSE, Quarantined
from pulsegate.store.sources import FILE, FILES, SUBSCRIPTION
from pulsegate.sync import retrial
from pulsegate.sync.retrial import Retrial, retry, retry_after_upgrade
from sync.fakes import pulse_id, raw, row
from sync.pulls import values

OTX = Claim("otx", SUBSCRIPTION)
NO_NAME = "it has no name"


def unreadable(number, sent, source="otx", **fields):
    text = sent if isinstance(sent, str) or sent is None else json.dumps(sent)
    return Quarantined(PULSE, pulse_id(number), "pulse", pulse_id(number), NO_NAME, text, source=source, **fields)


def add(store, *entries):
    with store.write() as connection:
        for entry in entries:
            quarantine.add(connection, entry)


def entries(store):
    with store.read() as connection:
        return [(one.kind, one.value) for one in quarantine.every(connection)]


def every_key(store):
    with store.read() as connection:
        return quarantine.keys(connection)


def claims(store, source, via):
    with store.read() as connection:
        return sorted(sources.claimed(connection, source, via))


# --- Pulses ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "claim"), [("otx", ("otx", SUBSCRIPTION)), ("partner", ("partner", SUBSCRIPTION)), (FILES, (FILES, FILE)), (None, (FILES, FILE))]
)  # fmt: skip
def test_pulse_that_has_become_readable_is_taken_for_its_source(store, source, claim):
    add(store, unreadable(1, raw(1, "a.example"), source))
    assert retry(store, Policy(), every_key(store)) == Retrial(taken=1)
    assert (values(store, 1), entries(store), claims(store, *claim)) == (["a.example"], [], [pulse_id(1)])


def test_pulse_that_is_readable_with_values_that_are_none_is_taken_and_those_are_quarantined(store):
    add(store, unreadable(1, raw(1, "a.example", "a b")))
    assert retry(store, Policy(), every_key(store)) == Retrial(taken=1)
    assert (values(store, 1), entries(store)) == (["a.example"], [(INDICATOR, "a b")])


@pytest.mark.parametrize("sent", [{}, {"id": "x"}, [], "[1]", "1"])
def test_pulse_that_is_still_not_readable_stays(store, sent):
    add(store, unreadable(1, sent))
    assert retry(store, Policy(), every_key(store)) == Retrial(refused=1)
    assert (values(store, 1), entries(store)) == (None, [(PULSE, pulse_id(1))])


@pytest.mark.parametrize("sent", [None, '{"id": "5f0c1d2e3f4a5b6c7d8e9f00", "na', ""])
def test_pulse_that_was_not_kept_or_cut_stays_and_is_told(store, sent):
    """An older version cut what was too long."""
    add(store, unreadable(1, sent))
    assert retry(store, Policy(), every_key(store)) == Retrial(not_kept=1)
    assert entries(store) == [(PULSE, pulse_id(1))]


def test_only_the_entries_that_are_named_are_tried(store):
    add(store, unreadable(1, raw(1, "a.example")), unreadable(2, raw(2, "b.example")), unreadable(3, {}))
    one, two, _ = every_key(store)
    assert retry(store, Policy(), [two]) == Retrial(taken=1)
    assert retry(store, Policy(), [two, 999]) == Retrial()
    assert (values(store, 1), values(store, 2)) == (None, ["b.example"])
    assert every_key(store)[0] == one


def test_one_that_is_refused_stops_no_other(store):
    add(store, unreadable(1, {}), unreadable(2, None), unreadable(3, raw(3, "c.example")))
    assert retry(store, Policy(), every_key(store)) == Retrial(taken=1, refused=1, not_kept=1)
    assert values(store, 3) == ["c.example"]


# --- Indicators ------------------------------------------------------------------------------------------------------


@pytest.fixture
def wiser(monkeypatch):
    """A later Pulsegate, that takes ``a b`` as well: it is a.example."""

    def later(one):
        if one.value == "a b":
            return Indicator(IndicatorType.DOMAIN, "a.example", one)
        return taking.normalise(one)

    return lambda: monkeypatch.setattr(retrial, "normalise", later)


def test_indicator_that_has_become_a_value_joins_its_pulse(store, wiser):
    sent = row("a b", title="T", created="2024-05-01T10:00:00", expiration="2024-07-01T00:00:00", is_active=1)
    take(
        store, [raw(1, "b.example") | {"indicators": [row("b.example"), sent]}], Intake(), OTX, Marker(store, Policy())
    )
    assert entries(store) == [(INDICATOR, "a b")]
    wiser()
    assert retry(store, Policy(), every_key(store)) == Retrial(taken=1)
    assert entries(store) == []
    with store.read() as connection:
        found = pulses.indicators_of(connection, pulses.get(connection, pulse_id(1)).pk)
    assert [one.indicator.value for one in found] == ["b.example", "a.example"]
    joined = found[1].indicator.raw
    assert (joined.title, f"{joined.created}", f"{joined.expiration}", joined.active) == (
        "T", "2024-05-01 10:00:00+00:00", "2024-07-01 00:00:00+00:00", True,
    )  # fmt: skip


def test_indicator_that_is_still_none_stays(store):
    take(store, [raw(1, "a b")], Intake(), OTX, Marker(store, Policy()))
    assert retry(store, Policy(), every_key(store)) == Retrial(refused=1)
    assert (values(store, 1), entries(store)) == ([], [(INDICATOR, "a b")])


def test_indicator_of_a_pulse_that_is_gone_stays(store, wiser):
    add(store, rejected("otx", pulse_id(9), Rejection(RawIndicator("domain", "a b"), "white space")))
    wiser()
    assert retry(store, Policy(), every_key(store)) == Retrial(refused=1)
    assert entries(store) == [(INDICATOR, "a b")]


def test_indicator_of_an_older_version_was_not_kept(store, wiser):
    entry = rejected("otx", pulse_id(1), Rejection(RawIndicator("domain", "a b"), "white space"))
    take(store, [raw(1)], Intake(), OTX, Marker(store, Policy()))
    add(store, replace(entry, raw=None))
    wiser()
    assert retry(store, Policy(), every_key(store)) == Retrial(not_kept=1)


def test_value_that_the_pulse_has_already_stays_as_it_is(store, wiser):
    """Of two spellings an active one wins, then the first: as when a pulse is taken."""
    two = [row("a.example", title="first"), row("a b", title="second", is_active=0)]
    take(store, [raw(1) | {"indicators": two}], Intake(), OTX, Marker(store, Policy()))
    wiser()
    assert retry(store, Policy(), every_key(store)) == Retrial(taken=1)
    with store.read() as connection:
        (found,) = pulses.indicators_of(connection, pulses.get(connection, pulse_id(1)).pk)
    assert (found.indicator.raw.title, found.indicator.raw.active, entries(store)) == ("first", True, [])


# --- With each version -----------------------------------------------------------------------------------------------


def test_everything_is_tried_once_with_each_version(store, monkeypatch):
    add(store, unreadable(1, raw(1, "a.example")))
    retry_after_upgrade(store, Policy())
    assert (values(store, 1), entries(store)) == (["a.example"], [])
    add(store, unreadable(2, raw(2, "b.example")))
    retry_after_upgrade(store, Policy())
    assert values(store, 2) is None
    monkeypatch.setattr(retrial, "__version__", "99")
    retry_after_upgrade(store, Policy())
    assert values(store, 2) == ["b.example"]


def test_what_could_not_be_written_is_tried_again_with_each_version(store):
    take(store, [raw(1, "a.example")], Intake(), OTX, Marker(store, Policy()))
    with store.write() as connection:
        (found,) = pulses.indicators_of(connection, pulses.get(connection, pulse_id(1)).pk)
        failures.mark(connection, found.pk, "full", "no")
    retry_after_upgrade(store, Policy())
    with store.read() as connection:
        assert failures.every(connection) == []


def test_upgrade_that_dies_half_way_is_tried_again(store, monkeypatch):
    add(store, unreadable(1, raw(1, "a.example")), unreadable(2, raw(2, "b.example")))
    real = retrial.take

    def die(database, sent, *rest):
        if sent[0]["id"] == pulse_id(2):
            raise KeyboardInterrupt
        return real(database, sent, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(retrial, "take", die)
        with pytest.raises(KeyboardInterrupt):
            retry_after_upgrade(store, Policy())
    assert (values(store, 1), values(store, 2)) == (["a.example"], None)
    retry_after_upgrade(store, Policy())
    assert (values(store, 2), entries(store)) == (["b.example"], [])

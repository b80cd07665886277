"""Pulses and their indicators in the store."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from pulsegate.model.indicator import Indicator, IndicatorType, RawIndicator
from pulsegate.model.marks import Marks
from pulsegate.model.pulse import Pulse
from pulsegate.model.tlp import TLP
from pulsegate.store import candidates, failures, pulses, taken
from pulsegate.store.digests import digest
from pulsegate.store.pulses import StoredIndicator, StoredPulse
from pulsegate.store.taken import Change
from store.conftest import NOW

DAY = timedelta(days=1)
FAILURE = '{"full": "is no good"}'
FULL = Pulse(
    id="5f0c1d2e3f4a5b6c7d8e9f00",
    name="A pulse – 名前",
    author="some one",
    created=NOW - 2 * DAY,
    modified=NOW - DAY,
    description="What it\nis about.",
    tlp=TLP.AMBER,
    revision=7,
    public=False,
    adversary="Example Bear",
    tags=("phishing", "example"),
    references=("https://blog.example/post?a=1&b=2",),
    targeted_countries=("Japan",),
    malware_families=("ExampleRAT",),
    attack_ids=("T1566",),
    industries=("Energy",),
    extract_source=("report.pdf",),
)


def a_pulse(number, modified=NOW - DAY, **fields):
    return replace(FULL, id=f"{number:024x}", modified=modified, **fields)


def a_name(value, **raw):
    return Indicator(IndicatorType.DOMAIN, value, RawIndicator("domain", value, **raw))


def put(database, pulse, *found, protection=None, whole=True):
    with database.write() as connection:
        return taken.put(connection, pulse, found, lambda _: Marks(protection), whole=whole)


def indicators(database, pulse=FULL):
    with database.read() as connection:
        stored = pulses.get(connection, pulse.id)
        assert stored is not None
        return pulses.indicators_of(connection, stored.pk)


def keys(database, pulse=FULL):
    return {one.indicator.value: one.pk for one in indicators(database, pulse)}


def test_pulse_with_every_field_comes_back(database):
    assert put(database, FULL) is Change.NEW
    with database.read() as connection:
        stored = pulses.get(connection, FULL.id)
        assert stored == StoredPulse(stored.pk, FULL, active=True)
        assert pulses.by_pk(connection, stored.pk) == stored
        assert pulses.get(connection, "0" * 24) is None
        assert pulses.by_pk(connection, stored.pk + 1) is None


def test_indicator_with_every_field_comes_back(database):
    raw = RawIndicator(
        type="FQDN",
        value="WWW[.]Bad.example",
        otx_id="123",
        created=NOW - DAY,
        expiration=NOW + DAY,
        active=False,
        role="c2",
        title="A title",
        description="Words",
        content="More",
    )
    put(database, FULL, Indicator(IndicatorType.HOSTNAME, "www.bad.example", raw), protection="public-suffix")
    (found,) = indicators(database)
    indicator = Indicator(IndicatorType.HOSTNAME, "www.bad.example", raw)
    assert found == StoredIndicator(found.pk, found.pulse_pk, indicator, "public-suffix", None)


def test_pulse_put_again_is_unchanged(database):
    put(database, FULL, a_name("a.example"))
    before = keys(database)
    assert put(database, FULL, a_name("a.example")) is Change.UNCHANGED
    assert keys(database) == before


def test_pulse_put_again_is_active_again(database):
    put(database, FULL)
    with database.write() as connection:
        connection.execute(sa.update(pulses.pulses).values(active=False, withdrawn=NOW))
    assert put(database, FULL) is Change.UNCHANGED
    assert standing(database) == {FULL.id: (True, None)}


def standing(database):
    """By the pulses' ids: whether each is active, and since when it is not."""
    query = sa.select(pulses.pulses.c.id, pulses.pulses.c.active, pulses.pulses.c.withdrawn)
    with database.read() as connection:
        return {row.id: (row.active, row.withdrawn) for row in connection.execute(query)}


def test_pulse_that_is_withdrawn_keeps_the_time_of_it_until_it_comes_back(database, monkeypatch):
    other = a_pulse(1)
    for pulse in (FULL, other):
        put(database, pulse)
    for moment in (NOW, NOW + DAY):
        monkeypatch.setattr(taken, "now", lambda _, moment=moment: moment)
        with database.write() as connection:
            taken.withdraw(connection, [pulses.get(connection, FULL.id).pk])
            taken.withdraw(connection, [])
    assert standing(database) == {FULL.id: (False, NOW), other.id: (True, None)}
    assert put(database, replace(FULL, name="Other")) is Change.CHANGED
    assert standing(database) == {FULL.id: (True, None), other.id: (True, None)}


@pytest.mark.parametrize(
    "field",
    [
        {"name": "Other"},
        {"modified": NOW},
        {"tlp": TLP.WHITE},
        {"tags": ()},
        {"revision": 8},
        {"public": True},
        {"author": "other"},
    ],
)
def test_pulse_with_a_changed_field_is_changed_and_keeps_its_keys(database, field):
    put(database, FULL, a_name("a.example"))
    before = keys(database)
    changed = replace(FULL, **field)
    assert put(database, changed, a_name("a.example")) is Change.CHANGED
    assert keys(database) == before
    with database.read() as connection:
        stored = pulses.get(connection, FULL.id)
    assert stored is not None
    assert stored.pulse == changed


def test_set_of_indicators_is_replaced(database):
    put(database, FULL, a_name("a.example"), a_name("b.example"), a_name("c.example"))
    before = keys(database)
    found = (a_name("c.example"), a_name("b.example", title="New"), a_name("d.example"))
    assert put(database, FULL, *found) is Change.CHANGED
    after = keys(database)
    assert {value: pk for value, pk in after.items() if value != "d.example"} == {
        value: pk for value, pk in before.items() if value != "a.example"
    }
    assert {one.indicator for one in indicators(database)} == set(found)


def test_set_of_many_indicators_is_replaced(database):
    put(database, FULL, *(a_name(f"{number}.example") for number in range(1203)))
    assert put(database, FULL, a_name("1202.example")) is Change.CHANGED
    assert list(keys(database)) == ["1202.example"]


def test_set_that_is_not_whole_adds_and_changes_and_withdraws_nothing(database):
    put(database, FULL, a_name("a.example"), a_name("b.example"))
    before = keys(database)
    part = (a_name("b.example", title="New"), a_name("c.example"))
    assert put(database, FULL, *part, whole=False) is Change.CHANGED
    assert put(database, FULL, *part, whole=False) is Change.UNCHANGED
    assert [(one.indicator.value, one.indicator.raw.title) for one in indicators(database)] == [
        ("a.example", ""),
        ("b.example", "New"),
        ("c.example", ""),
    ]
    assert before.items() <= keys(database).items()
    assert put(database, FULL, *part) is Change.CHANGED
    assert list(keys(database)) == ["b.example", "c.example"]


def test_indicators_of_another_pulse_stay(database):
    put(database, FULL, a_name("a.example"))
    put(database, a_pulse(1), a_name("a.example"))
    put(database, FULL)
    assert list(keys(database, a_pulse(1))) == ["a.example"]


def test_name_that_turns_from_domain_to_hostname_keeps_its_key(database):
    put(database, FULL, a_name("a.example"))
    (before,) = indicators(database)
    turned = Indicator(IndicatorType.HOSTNAME, "a.example", RawIndicator("hostname", "a.example"))
    put(database, FULL, turned)
    (after,) = indicators(database)
    assert (after.pk, after.indicator) == (before.pk, turned)


def test_failure_is_kept_until_the_pulse_or_one_of_its_indicators_changes(database):
    """The pulse's own texts, or what else it holds, may have been the fault."""
    other, names = a_pulse(1), (a_name("a.example"), a_name("b.example"))
    for change in ((replace(FULL, name="Other"), *names), (FULL, names[0], a_name("b.example", title="New"))):
        for pulse in (FULL, other):
            put(database, pulse, *names)
            with database.write() as connection:
                for pk in keys(database, pulse).values():
                    failures.mark(connection, pk, "full", "is no good")
        assert put(database, FULL, *names) is Change.UNCHANGED
        assert [one.failure for one in indicators(database)] == [FAILURE, FAILURE]
        assert put(database, *change) is Change.CHANGED
        assert [one.failure for one in indicators(database)] == [None, None]
        assert [one.failure for one in indicators(database, other)] == [FAILURE, FAILURE]


@pytest.mark.parametrize("dirt", ["\0", "\ud800", "a\0b\udfffc", "\\x00"])
def test_raw_value_with_nul_and_lone_surrogates(database, dirt):
    indicator = Indicator(IndicatorType.DOMAIN, "a.example", RawIndicator(f"domain{dirt}", f"a.example{dirt}"))
    assert put(database, FULL, indicator) is Change.NEW
    assert put(database, FULL, indicator) is Change.UNCHANGED
    (found,) = indicators(database)
    escaped = dirt.replace("\0", "\\x00").replace("\ud800", "\\ud800").replace("\udfff", "\\udfff")
    assert (found.indicator.raw.type, found.indicator.raw.value) == (f"domain{escaped}", f"a.example{escaped}")
    before = keys(database)
    assert put(database, replace(FULL, revision=8), indicator) is Change.CHANGED
    assert keys(database) == before


@pytest.mark.parametrize("dirt", ["\0", "\ud800"])
def test_otx_id_with_nul_and_lone_surrogates(database, dirt):
    assert put(database, FULL, a_name("a.example", otx_id=f"1{dirt}")) is Change.NEW


def test_pulses_come_the_longest_unmodified_first(database):
    for number, modified in ((1, NOW), (2, NOW - 2 * DAY), (3, NOW - DAY), (4, NOW - DAY)):
        put(database, a_pulse(number, modified, author="other" if number == 3 else "someone"))
    with database.read() as connection:
        assert [int(one.pulse.id, 16) for one in pulses.every(connection)] == [2, 3, 4, 1]
        assert [int(one.pulse.id, 16) for one in pulses.every(connection, "someone")] == [2, 4, 1]
        assert pulses.authors(connection) == ["other", "someone"]


def test_counts(database):
    put(database, a_pulse(1), a_name("a.example"), a_name("b.example"))
    put(database, a_pulse(2))
    put(database, a_pulse(3), a_name("a.example"))
    with database.read() as connection:
        by_key = {number: pulses.get(connection, a_pulse(number).id) for number in (1, 3)}
        assert (pulses.count(connection), pulses.count_indicators(connection)) == (3, 3)
        assert pulses.indicator_counts(connection) == {by_key[1].pk: 2, by_key[3].pk: 1}


def test_indicators_by_their_keys_come_in_order_and_without_those_that_are_gone(database):
    put(database, FULL, *(a_name(f"{number}.example") for number in range(1100)))
    pks = list(keys(database).values())
    with database.read() as connection:
        found = list(candidates.by_keys(connection, [*reversed(pks), max(pks) + 1]))
        assert [one.pk for _, one in found] == sorted(pks)
        assert [identity for identity, _ in found] == [digest(one.indicator.identity) for _, one in found]
        assert list(candidates.by_keys(connection, [])) == []


def test_indicators_of_a_value_are_those_of_every_pulse(database):
    put(database, a_pulse(1), a_name("a.example"), a_name("b.example"))
    put(database, a_pulse(2), Indicator(IndicatorType.HOSTNAME, "a.example", RawIndicator("hostname", "a.example")))
    with database.read() as connection:
        found = pulses.indicators_of_value(connection, ["name:a.example", "uri:a.example"])
        assert [one.indicator.type for one in found] == [IndicatorType.DOMAIN, IndicatorType.HOSTNAME]
        assert pulses.indicators_of_value(connection, ["name:c.example"]) == []

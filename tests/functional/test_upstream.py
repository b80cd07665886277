"""Pulls from another Pulsegate: what is polled here afterwards is what is polled there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from functional.upstream_world import DAY, POLICY, Gate, other_gate
from pulsegate.errors import StoreError
from pulsegate.model.collection import Collection, CollectionKind
from pulsegate.store import collections, pulses, quarantine, sources
from pulsegate.store.sources import FILE, FILES
from pulsegate.sync.retrial import retry


@pytest.fixture
def here(database):
    return Gate(database)


@pytest.fixture
def there(new_database, tmp_path):
    with other_gate(new_database(tmp_path / "upstream.db")) as gate:
        yield gate


def test_packages_are_taken_and_served_once(here, there):
    there.push("a.example", "b.example", title="日本語 😀 &amp; &lt;")
    there.push("c.example", version="1.1.1")
    with there.served() as address:
        first = here.pull(address)
        again = here.pull(address)
    assert here.held() == ["a.example", "b.example", "c.example"]
    assert here.served_by("taxii_other") == there.served_by("partners")
    assert (first.intake.new, again.intake.new, again.intake.removed) == (3, 0, 0)
    assert here.quarantined() == []


def pulse(number, *values, **more):
    return {
        "id": f"{number:024x}", "name": f"Pulse {number}", "author_name": "ann", "TLP": "green",
        "created": "2026-01-01T00:00:00", "modified": datetime.now(UTC).isoformat(),
        "indicators": [{"type": "domain", "indicator": one, "created": "2026-01-01T00:00:00"} for one in values],
    } | more  # fmt: skip


def test_second_equals_first_after_additions_and_withdrawals(here, there, tmp_path):
    """A block that is rewritten keeps its label, so only the comparison sees it."""
    names = [f"n{number}.example.org" for number in range(6)]
    there.take_pulses(tmp_path, [pulse(1, *names), pulse(2, "other.example.org")])
    with there.served() as address:
        here.pull(address, "subscribed")
        assert here.served_by("taxii_other") == there.served_by("subscribed")
        there.take_pulses(tmp_path, [pulse(1, *names[:3]), pulse(3, "third.example.org")])
        with there.database.write() as connection:
            sources.release(connection, FILES, FILE, [pulses.get(connection, f"{2:024x}").pk])
        there.publish()
        outcome = here.pull(address, "subscribed", compare=True, max_removal=0.9)
    assert (outcome.intake.new, outcome.intake.removed) == (2, 2)
    assert sorted(here.served_by("taxii_other")) == sorted(there.served_by("subscribed"))
    assert here.held() == sorted([*names[:3], "third.example.org"])
    assert [(one.added, one.removed) for one in outcome.publications if one.collection == "taxii_other"] == [(0, 3)]


def test_a_chain_of_three_passes_additions_and_withdrawals_on(here, there, new_database, tmp_path):
    there.push("a.example", "b.example", "c.example")
    middle_url = new_database(tmp_path / "middle.db")
    with other_gate(middle_url) as middle, there.served() as first, middle.served() as second:
        middle.pull(first)
        here.pull(second, "taxii_other")
        there.push("d.example")
        there.withdraw("b.example")
        middle.pull(first, compare=True)
        here.pull(second, "taxii_other", compare=True)
        assert here.held() == middle.held() == there.held("partners") == ["a.example", "c.example", "d.example"]
        assert here.served_by("taxii_other") == middle.served_by("taxii_other")


def test_gates_that_pull_from_each_other_do_not_grow(here, there):
    here.push("here.example")
    there.push("there.example")
    ways = [
        (here, there, "partners", "one"), (there, here, "partners", "one"),
        (here, there, "taxii_one", "two"), (there, here, "taxii_one", "two"),
        (here, there, "taxii_two", "two"), (there, here, "taxii_two", "two"),
    ]  # fmt: skip
    with here.served() as mine, there.served() as theirs:
        for _ in range(3):
            for to, _from, collection, name in ways:
                address = theirs if to is here else mine
                into = f"taxii_{name}"
                to.pull(address, collection, name=name, into=into, compare=True, backfill=DAY, max_removal=1.0)
    assert here.held("taxii_one") == ["there.example"]
    assert there.held("taxii_one") == ["here.example"]
    for gate in (here, there):
        found = gate.held("taxii_two")
        assert len(found) == len(set(found)) <= 2


def test_many_leave_only_after_confirmation(here, there):
    there.push(*(f"n{number}.example" for number in range(6)))
    with there.served() as address:
        here.pull(address)
        there.withdraw("n0.example", "n1.example")
        here.pull(address, compare=True)
        assert (len(here.held()), here.source().held) == (6, 2)
        with here.database.read() as connection:
            shown = sources.held(connection, "other")
        assert len(shown) == 2
        there.withdraw("n2.example")
        there.push("more.example")
        here.pull(address, shown=shown)  # one more has left since: by itself it is no more than a fifth
        assert (len(here.held()), here.source().held) == (4, 0)
        there.withdraw("n3.example", "n4.example", "n5.example", "more.example")
        here.pull(address, compare=True)
        assert (len(here.held()), here.source().held) == (4, 4)  # nothing at all was sent
        here.pull(address, accept_removals=True)
        assert (here.held(), here.source().held) == ([], 0)


def test_result_in_parts_is_taken_whole(here, there):
    with there.database.write() as connection:
        collections.put(connection, Collection("partners", kind=CollectionKind.INBOX, blocks_per_part=2))
    there.push(*(f"n{number}.example" for number in range(5)))
    with there.served() as address:
        here.pull(address)
        assert here.held() == [f"n{number}.example" for number in range(5)]
        outcome = here.pull(address, compare=True)
    assert (outcome.intake.pulses, outcome.intake.removed) == (5, 0)


def test_discovery_leads_to_the_poll_service(here, there):
    there.push("a.example")
    with there.served() as address:
        here.pull(address, path="/taxii/discovery")
    assert here.held() == ["a.example"]


def test_packages_older_than_max_age_are_left_aside_and_leave(here, there):
    there.push("a.example", "b.example")
    with there.served() as address:
        here.pull(address, max_age=timedelta(minutes=1))
        assert here.held() == ["a.example", "b.example"]
        here.put_back(timedelta(hours=1))
        there.put_back(timedelta(hours=1))
        there.push("c.example")
        here.publish()
        assert here.held() == []
        here.pull(address, max_age=timedelta(minutes=1), compare=True, full=True)
    assert here.held() == ["c.example"]


def test_collection_of_another_kind_is_not_touched(here, there):
    there.push("a.example")
    here.push("mine.example")
    with there.served() as address, pytest.raises(StoreError, match="can't become one of kind inbox of the upstream"):
        here.pull(address, into="partners")
    assert here.held("partners") == ["mine.example"]


def test_nobody_can_push_into_it(here, there):
    there.push("a.example")
    with there.served() as address:
        here.pull(address)
    with here.database.read() as connection:
        assert [one.collection.name for one in collections.inboxes(connection)] == ["partners"]


def test_removed_collection_is_filled_anew(here, there):
    there.push("a.example")
    with there.served() as address:
        here.pull(address)
        with here.database.write() as connection:
            collections.remove(connection, collections.get(connection, "taxii_other").id)
        here.pull(address)
    assert here.held() == ["a.example"]


def test_quarantined_package_is_taken_with_another_try(here, there):
    there.push("a.example")
    with there.served() as address:
        here.pull(address, max_block=700)
        assert (here.held(), len(here.quarantined())) == ([], 1)
        with here.database.read() as connection:
            keys = quarantine.keys(connection)
        assert retry(here.database, POLICY, keys).taken == 1
        assert (here.held(), here.quarantined()) == (["a.example"], [])
        outcome = here.pull(address, compare=True)
    assert (outcome.intake.new, outcome.intake.removed) == (0, 0)

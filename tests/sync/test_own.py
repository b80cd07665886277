"""Own indicators: added, told apart by level, kept, moved and taken away."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from pulsegate.curation.policy import Policy
from pulsegate.model.indicator import RawIndicator
from pulsegate.model.tlp import TLP
from pulsegate.publication.publish import publish_all
from pulsegate.reports import Proposed, Refusal, read
from pulsegate.store import locks, own, pulses, quarantine, sources
from pulsegate.store.locks import hold
from pulsegate.store.tables import content_blocks
from pulsegate.sync import own as sync_own
from pulsegate.sync.own import Into, add, into, pulse_id, remove
from sync.fakes import FakeOTX, raw
from sync.fakes import pulse_id as otx_id
from sync.pulls import run, served

END = datetime(2030, 1, 1, tzinfo=UTC)


def entry(value: str, kind: str = "domain", tlp: TLP | None = None, where: str = "line 1", **fields):
    return Proposed(RawIndicator(kind, value, **fields), tlp, where)


def listed(database, name=None):
    with database.read() as connection:
        return [(one.type, one.value, one.pulse.name, one.pulse.tlp) for one in own.listed(connection, name)]


def active(database):
    with database.read() as connection:
        return {one.pulse.name: one.active for one in pulses.every(connection)}


def values(store, name="subscribed"):
    return sorted(served(store, name))


def test_indicators_get_a_pulse_of_their_own(database):
    added = add(database, Policy(), [entry("A[.]example"), entry("1.2.3.4", "ip")], Into("Mine"))
    assert (added.new, added.changed, added.there, added.rejected) == (2, 0, 0, 0)
    assert [(one.type, one.value, one.what) for one in added.lines] == [
        ("domain", "a.example", "new"),
        ("IPv4", "1.2.3.4", "new"),
    ]
    with database.read() as connection:
        stored = pulses.get(connection, pulse_id("own", "Mine", TLP.GREEN))
        assert stored is not None
        found = pulses.indicators_of(connection, stored.pk)
        assert (sources.ways(connection, "own"), sources.counts(connection)) == ({"hand"}, {"own": 1})
    assert (stored.active, stored.pulse.author, stored.pulse.name, stored.pulse.address) == (True, "own", "Mine", "")
    assert stored.pulse.id.startswith("own-")
    assert len(stored.pulse.id) == 24
    assert [one.indicator.raw.created for one in found] == [stored.pulse.created] * 2


def test_what_is_there_stays_and_says_so(database):
    add(database, Policy(), [entry("a.example", title="first", expiration=END), entry("b.example")], Into())
    with database.read() as connection:
        before = pulses.get(connection, pulse_id("own", "Own indicators", TLP.GREEN))
    added = add(database, Policy(), [entry("a.example"), entry("www.c.example", "hostname")], Into())
    assert [(one.value, one.what) for one in added.lines] == [("a.example", "there"), ("www.c.example", "new")]
    assert [one[1] for one in listed(database)] == ["a.example", "b.example", "www.c.example"]
    nothing = add(database, Policy(), [entry("a.example")], Into())
    assert (nothing.new, nothing.changed, nothing.there) == (0, 0, 1)
    with database.read() as connection:
        after = pulses.get(connection, before.pulse.id)
        (first, *_) = pulses.indicators_of(connection, before.pk)
    assert after.pulse.modified > before.pulse.modified
    assert (first.indicator.raw.title, first.indicator.raw.expiration) == ("first", END)


def test_what_is_told_more_changes_the_indicator_and_not_its_beginning(database):
    add(database, Policy(), [entry("a.example", description="old")], Into())
    added = add(database, Policy(), [entry("a.example", title="new", expiration=END)], Into())
    assert [one.what for one in added.lines] == ["changed"]
    with database.read() as connection:
        ((one,),) = own.standing(connection, [1], ["name:a.example"]).values()
        stored = pulses.by_pk(connection, 1)
    raw = one.indicator.raw
    assert (raw.title, raw.description, raw.expiration) == ("new", "old", END)
    assert raw.created == stored.pulse.created


def test_what_has_expired_begins_anew(database):
    old = datetime(2001, 1, 1, tzinfo=UTC)
    add(database, Policy(), [entry("a.example", created=old, expiration=old + timedelta(days=1), title="old")], Into())
    added = add(database, Policy(), [entry("a.example")], Into())
    assert [one.what for one in added.lines] == ["changed"]
    with database.read() as connection:
        ((one,),) = own.standing(connection, [1], ["name:a.example"]).values()
    assert (one.indicator.raw.expiration, one.indicator.raw.title) == (None, "")
    assert one.indicator.raw.created > old + timedelta(days=1)


def test_each_level_has_a_pulse(database):
    add(database, Policy(), [entry("a.example"), entry("b.example", tlp=TLP.RED)], Into("Mine", tlp=TLP.WHITE))
    assert listed(database) == [
        ("domain", "b.example", "Mine", TLP.RED),
        ("domain", "a.example", "Mine", TLP.WHITE),
    ]
    add(database, Policy(), [entry("c.example")], Into("Mine"))
    assert listed(database)[-1] == ("domain", "c.example", "Mine", TLP.RED)  # the most closed one


def test_pulses_of_one_name_by_two_authors_are_two(database):
    add(database, Policy(), [entry("a.example")], Into("Mine", "one", TLP.RED))
    added = add(database, Policy(), [entry("a.example", tlp=TLP.GREEN), entry("b.example")], Into("Mine", "two"))
    assert [(one.value, one.what, one.tlp) for one in added.lines] == [
        ("a.example", "new", TLP.GREEN),
        ("b.example", "new", TLP.GREEN),
    ]
    assert min(listed(database)) == ("domain", "a.example", "Mine", TLP.GREEN)
    assert len(listed(database)) == 3


@pytest.mark.parametrize(("old", "new"), [(TLP.GREEN, TLP.RED), (TLP.RED, TLP.GREEN)])
def test_value_that_gets_another_level_moves(database, old, new):
    add(database, Policy(), [entry("a.example", title="kept"), entry("b.example")], Into("Mine", tlp=old))
    added = add(database, Policy(), [entry("a.example", tlp=new)], Into("Mine"))
    assert [(one.what, one.tlp) for one in added.lines] == [("changed", new)]
    assert sorted(listed(database)) == [("domain", "a.example", "Mine", new), ("domain", "b.example", "Mine", old)]
    assert [one.what for one in add(database, Policy(), [entry("a.example")], Into("Mine")).lines] == ["there"]
    add(database, Policy(), [entry("b.example", tlp=new)], Into("Mine"))
    with database.read() as connection:
        states = {one.pulse.tlp: one.active for one in pulses.every(connection)}
        titles = [one.title for one in own.listed(connection)]
    assert (states, titles) == ({old: False, new: True}, ["kept", ""])


def test_of_two_levels_in_one_file_the_closed_one_counts(database):
    entries = [entry("a.example", tlp=TLP.WHITE), entry("A.example", tlp=TLP.AMBER), entry("a.example")]
    assert add(database, Policy(), entries, Into()).accepted == 1
    assert [one[3] for one in listed(database)] == [TLP.AMBER]


def test_what_is_no_value_is_refused_and_kept_with_the_pulse(database):
    added = add(database, Policy(), [entry("999.1.1.1", "IPv4", where="line 7"), Refusal("line 8", "x", "why")], Into())
    assert added.refusals == [
        Refusal("line 8", "x", "why"),
        Refusal("line 7", "999.1.1.1", "not an IP address: a number above 255"),
    ]
    assert [one.where for one in added.in_order] == ["line 7", "line 8"]
    assert (added.rejected, listed(database), active(database)) == (2, [], {})
    with database.read() as connection:
        assert quarantine.count(connection) == 0  # there is no pulse that it belongs to
    add(database, Policy(), [entry("999.1.1.1", "IPv4"), entry("a.example")], Into())
    with database.read() as connection:
        (one,) = quarantine.of_pulse(connection, pulse_id("own", "Own indicators", TLP.GREEN))
    assert (one.value, one.source) == ("999.1.1.1", "own")


def test_protection_is_told(database):
    added = add(database, Policy(), [entry("192.0.2.1", "IPv4"), entry("a.example")], Into())
    assert ([one.protection for one in added.lines], added.protected) == (["reserved-range", None], 1)


def test_dry_run_changes_nothing(database):
    add(database, Policy(), [entry("a.example")], Into())
    added = add(database, Policy(), [entry("a.example"), entry("b.example"), entry("x", "IPv4")], Into(), dry_run=True)
    assert ([one.what for one in added.lines], added.rejected) == (["there", "new"], 1)
    assert [one[1] for one in listed(database)] == ["a.example"]
    with database.read() as connection:
        assert quarantine.count(connection) == 0


def test_last_indicator_takes_the_pulse_with_it_and_another_one_brings_it_back(database):
    add(database, Policy(), [entry("a.example"), entry("b.example"), entry("x", "IPv4")], Into())
    assert remove(database, ["A[.]example"]).withdrawn == 0
    removed = remove(database, ["b.example", "c.example"])
    assert ([one[:2] for one in removed.gone], removed.unknown) == ([("domain", "b.example")], ["c.example"])
    assert (removed.withdrawn, active(database), listed(database)) == (1, {"Own indicators": False}, [])
    with database.read() as connection:
        assert quarantine.count(connection) == 0
    add(database, Policy(), [entry("c.example")], Into())
    assert (active(database), [one[1] for one in listed(database)]) == ({"Own indicators": True}, ["c.example"])


def test_only_own_indicators_are_removed_and_only_of_the_pulse_that_is_named(store):
    run(store, FakeOTX(pages=[[raw(1, "a.example")]]))
    add(store, Policy(), [entry("a.example")], Into("One"))
    add(store, Policy(), [entry("a.example")], Into("Two"))
    assert [one[2].name for one in remove(store, ["a.example"], "Two").gone] == ["Two"]
    assert [one[2] for one in listed(store)] == ["One"]
    assert [one[2].name for one in remove(store, ["a.example"]).gone] == ["One"]
    assert remove(store, ["a.example"]).unknown == ["a.example"]
    assert active(store) == {"Pulse 1": True, "One": False, "Two": False}


def test_pulls_leave_own_pulses_alone(store):
    add(store, Policy(), [entry("own.example")], Into("Mine"))
    run(store, FakeOTX(pages=[[raw(1, "a.example")]], ids=[[otx_id(1)]]))
    assert values(store) == ["a.example", "own.example"]
    run(store, FakeOTX(pages=[[]], ids=[[]]), full=True, accept=True)
    assert active(store) == {"Mine": True, "Pulse 1": False}
    assert values(store) == ["own.example"]
    with store.write() as connection:
        assert sources.forget(connection, "otx") == 0
    assert active(store)["Mine"]


def test_own_indicators_are_served_as_their_authors(store):
    add(store, Policy(), [entry("a.example")], Into("Mine", author="desk one"))
    publish_all(store, Policy())
    assert (values(store), values(store, "user_desk+one")) == (["a.example"], ["a.example"])
    with store.read() as connection:
        package = next(iter(connection.scalars(sa.select(content_blocks.c.content))))
    assert b"lienvault" not in package
    assert b"<stixCommon:Name>desk one</stixCommon:Name>" in package
    remove(store, ["a.example"])
    publish_all(store, Policy())
    assert values(store) == []


def test_pulse_is_named_by_its_id_too(database):
    add(database, Policy(), [entry("a.example")], Into("Mine", author="desk", tlp=TLP.AMBER))
    identity = pulse_id("desk", "Mine", TLP.AMBER)
    assert into(database, identity, "own", None) == Into("Mine", "desk", TLP.AMBER)
    assert into(database, identity, "own", TLP.RED) == Into("Mine", "desk", TLP.RED)
    assert into(database, "Mine", "own", None) == Into("Mine", "own", None)


def test_many_go_in_batches(database, monkeypatch):
    monkeypatch.setattr(sync_own, "BATCH", 7)
    monkeypatch.setattr(sync_own, "LISTED", 5)
    data = "".join(f"a{number}.example\n" for number in range(50)) + "a1.example\n" + "x y\n" * 9
    added = add(database, Policy(), read(data.encode()).accepted + read(data.encode()).rejected, Into())
    assert (added.new, added.there, added.rejected) == (50, 1, 9)
    assert (len(added.lines), len(added.refusals), len(listed(database))) == (5, 5, 50)


def test_addition_that_breaks_off_is_simply_done_again(database, monkeypatch):
    def entries(stop):
        for number in range(20):
            if number == stop:
                raise KeyboardInterrupt
            yield entry(f"a{number}.example")

    monkeypatch.setattr(sync_own, "BATCH", 7)
    with pytest.raises(KeyboardInterrupt):
        add(database, Policy(), entries(10), Into())
    assert len(listed(database)) == 7
    added = add(database, Policy(), entries(None), Into())
    assert (added.there, added.new, len(listed(database))) == (7, 13, 20)


def test_two_additions_do_not_meet(database, monkeypatch):
    from pulsegate.errors import BusyError

    monkeypatch.setattr(sync_own, "LOCK_WAIT", 0.0)
    with hold(database, locks.pull("own")), pytest.raises(BusyError):
        add(database, Policy(), [entry("a.example")], Into())

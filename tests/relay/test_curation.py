"""The sender's curation on the receiver: taken on demand, changed and taken away by later bundles, never over ours."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from pulsegate.curation.list_choice import ListChoice
from pulsegate.errors import RelayFormatError
from pulsegate.model.collection import Collection, CollectionKind, ReviewMode, Rule
from pulsegate.model.decisions import Allowed, Review, ReviewStatus, Trusted
from pulsegate.model.relay import Take
from pulsegate.relay import adopting, curation, importing
from pulsegate.relay.adopting import Tally
from pulsegate.relay.verify import verified
from pulsegate.store import audit, collections, decisions, pulses, sources
from pulsegate.store.collections import Origin
from pulsegate.store.database import now
from pulsegate.store.tables import relay_log
from pulsegate.sync import own
from pulsegate.sync.own import Into
from relay.gates import (
    ACCOUNT,
    EVERYTHING,
    ORIGIN,
    SINCE,
    TOOLS,
    WAVE,
    Gate,
    an_override,
    between,
    pair,
    receiver,
    sender,
)
from store.databases import database
from store.test_pulses import a_pulse

__all__ = ["database", "pair", "receiver", "sender"]
SHOP = Allowed("subtree", "shop.example", "our shop", "carol", SINCE, SINCE + timedelta(days=5000))
EXACT = Allowed("exact", "tool.example", "", "dave (host)", SINCE)
NETWORK = Allowed("network", "45.9.148.0/24", "partner", "carol", SINCE)
PHISHING = Collection(
    "phishing", description="Only phishing – 網", include=Rule(words=frozenset({"phish*"})), refresh=timedelta(days=25)
)
STRICT = Collection("strict", review=ReviewMode.CHANGES)
LOOKED_AT = Collection("looked-at", review=ReviewMode.PULSES)


def allow(gate: Gate, *entries: Allowed) -> None:
    with gate.database.write() as connection:
        decisions.allow(connection, entries)


def disallow(gate: Gate, entry: Allowed) -> None:
    with gate.database.write() as connection:
        decisions.disallow(connection, entry.kind, entry.text, "carol")


def force(gate: Gate, *overrides: decisions.Override) -> None:
    with gate.database.write() as connection:
        for one in overrides:
            decisions.force(connection, one)


def review(gate: Gate, pulse_id: str, status: ReviewStatus | None, reason: str = "seen") -> None:
    with gate.database.write() as connection:
        keys = pulses.keys_of(connection, [pulse_id]).values()
        decisions.review(connection, keys, status, reason=reason, account="carol")


def trust(gate: Gate, author: str, account: str = "carol") -> None:
    with gate.database.write() as connection:
        decisions.trust(connection, Trusted(author, "a partner", account, SINCE))


def collect(gate: Gate, *rules: Collection, origin: Origin = Origin.COMMAND) -> None:
    with gate.database.write() as connection:
        for one in rules:
            collections.put(connection, one, origin)


def fill(gate: Gate) -> None:
    """Some of everything is decided there."""
    gate.put(WAVE, "shop.example", "a.shop.example", "bad.example")
    gate.put(TOOLS, "tool.example", "other.example")
    allow(gate, SHOP, EXACT, NETWORK)
    force(gate, an_override("out.example"), an_override("tool.example", inside=True, collection="phishing"))
    review(gate, WAVE.id, ReviewStatus.APPROVED)
    review(gate, TOOLS.id, ReviewStatus.REJECTED, "no good")
    trust(gate, "alice")
    collect(gate, PHISHING)
    collect(gate, STRICT, origin=Origin.SETTINGS)
    gate.add_own("mine.example")


def theirs(found: decisions.Decisions) -> decisions.Decisions:
    """As a bundle brings it."""
    return decisions.Decisions(
        tuple(sorted((replace(one, account=ACCOUNT) for one in found.allowed), key=str)),
        tuple(sorted((replace(one, account=ACCOUNT) for one in found.overrides), key=str)),
        tuple(sorted((replace(one, account=ACCOUNT, upto=0) for one in found.reviews), key=str)),
        tuple(sorted((replace(one, account=ACCOUNT) for one in found.trusted), key=str)),
    )


def tallies(found: importing.Imported | importing.Forecast) -> dict[str, Tally]:
    return {kind: one for kind, one in found.curation.items() if one != Tally()}


def test_everything_is_taken_over_and_polls_change(sender: Gate, receiver: Gate) -> None:
    fill(sender)
    sender.publish()
    found = between(sender, receiver)
    assert tallies(found) == {
        "allow": Tally(3), "collection": Tally(2), "override": Tally(2), "review": Tally(2), "trusted": Tally(1),
        "own": Tally(1),
    }  # fmt: skip
    assert theirs(receiver.decisions()) == theirs(sender.decisions())
    assert {one.account for one in receiver.decisions().allowed} == {ACCOUNT}
    brought = receiver.collections()
    assert {name: brought[name].collection for name in ("phishing", "strict")} == {
        "phishing": PHISHING, "strict": STRICT,
    }  # fmt: skip
    assert (brought["strict"].origin, brought["strict"].sender) == (Origin.RELAY, ORIGIN)
    for name in ("subscribed", "phishing", "strict"):
        assert receiver.served(name) == sender.served(name), name
    assert receiver.served() == ["bad.example", "mine.example"]
    assert receiver.served("phishing") == ["bad.example", "tool.example"]


def test_nothing_is_taken_by_default(sender: Gate, receiver: Gate) -> None:
    fill(sender)
    found = between(sender, receiver, kinds=())
    assert tallies(found) == {}
    assert receiver.decisions() == decisions.Decisions()
    assert {"phishing", "strict"}.isdisjoint(receiver.collections())
    assert receiver.served() == ["a.shop.example", "bad.example", "other.example", "shop.example", "tool.example"]


@pytest.mark.parametrize("kind", list(Take))
def test_only_what_is_named_is_taken(sender: Gate, receiver: Gate, kind: Take) -> None:
    fill(sender)
    between(sender, receiver, kinds=[kind])
    there = receiver.decisions()
    found = {
        Take.ALLOW: bool(there.allowed),
        Take.DECISIONS: bool(there.overrides and there.reviews and there.trusted),
        Take.COLLECTIONS: "phishing" in receiver.collections(),
        Take.OWN: "mine.example" in receiver.served(),
    }
    assert found == {one: one is kind for one in Take}


def test_bundle_without_curation_leaves_what_was_brought(sender: Gate, receiver: Gate) -> None:
    fill(sender)
    between(sender, receiver)
    before, served = receiver.decisions(), receiver.served()
    sender.put(a_pulse(3, author="eve"), "new.example")
    found = receiver.take(sender.export(curation=False))
    assert tallies(found) == {}
    assert receiver.decisions() == before
    assert receiver.served() == sorted([*served, "new.example"])


def test_what_the_sender_takes_back_goes_and_what_it_changes_changes(sender: Gate, receiver: Gate) -> None:
    fill(sender)
    between(sender, receiver)
    disallow(sender, EXACT)
    allow(sender, replace(SHOP, reason="still our shop"))
    with sender.database.write() as connection:
        decisions.unforce(connection, "", an_override("out.example").identity, "carol")
        decisions.distrust(connection, "alice", "carol")
        collections.remove(connection, collections.get(connection, "phishing").id)
    review(sender, TOOLS.id, None)
    collect(sender, replace(STRICT, description="very"))
    own.remove(sender.database, ["mine.example"])
    path = sender.export()
    expected = {
        "allow": Tally(0, 1, 1, 1), "collection": Tally(0, 1, 1), "override": Tally(0, 0, 1, 1),
        "review": Tally(0, 0, 1, 1), "trusted": Tally(0, 0, 1), "own": Tally(0, 0, 1),
    }  # fmt: skip
    assert tallies(receiver.forecast(path)) == expected
    assert "phishing" in receiver.collections()  # only told
    assert tallies(receiver.take(path)) == expected
    assert theirs(receiver.decisions()) == theirs(sender.decisions())
    assert "phishing" not in receiver.collections()
    assert receiver.collections()["strict"].collection.description == "very"
    sender.publish()
    assert receiver.served() == sender.served() == ["bad.example", "other.example", "tool.example"]


def test_what_was_decided_here_stays(sender: Gate, receiver: Gate) -> None:
    fill(sender)
    receiver.put(WAVE, "shop.example", "bad.example")
    receiver.put(TOOLS, "tool.example")
    allow(receiver, replace(SHOP, reason="ours", account="erin"))
    force(receiver, an_override("out.example", inside=True, account="erin"))
    with receiver.database.write() as connection:
        keys = pulses.keys_of(connection, [TOOLS.id]).values()
        decisions.review(connection, keys, ReviewStatus.HELD, reason="mine", account="erin")
    trust(receiver, "alice", "erin")
    collect(receiver, Collection("phishing", description="ours"))
    receiver.add_own("mine-too.example")
    found = between(sender, receiver)
    assert tallies(found) == {
        "allow": Tally(2, kept=1), "collection": Tally(1, kept=1), "override": Tally(1, kept=1),
        "review": Tally(1, kept=1), "trusted": Tally(kept=1), "own": Tally(kept=1),
    }  # fmt: skip
    there = receiver.decisions()
    assert [one.reason for one in there.allowed if one.account == "erin"] == ["ours"]
    assert [one.inside for one in there.overrides if one.account == "erin"] == [True]
    assert [one.status for one in there.reviews if one.account == "erin"] == [ReviewStatus.HELD]
    assert [one.account for one in there.trusted] == ["erin"]
    assert receiver.collections()["phishing"].collection.description == "ours"
    assert "mine-too.example" in receiver.served()
    assert "mine.example" not in receiver.served()
    disallow(sender, SHOP)  # the sender's withdrawal does not concern ours
    between(sender, receiver)
    assert [one.text for one in receiver.decisions().allowed if one.account == "erin"] == ["shop.example"]


def test_kind_that_is_no_longer_taken_goes(sender: Gate, receiver: Gate) -> None:
    fill(sender)
    path = sender.export()
    receiver.take(path)
    found = receiver.take(path, [Take.ALLOW])  # the same bundle, of which nothing else is left to do
    assert found.known
    assert tallies(found) == {
        "allow": Tally(unchanged=3), "collection": Tally(going=2), "override": Tally(going=2), "review": Tally(going=2),
        "trusted": Tally(going=1), "own": Tally(going=1),
    }  # fmt: skip
    there = receiver.decisions()
    assert (len(there.allowed), there.overrides, there.reviews, there.trusted) == (3, (), (), ())
    assert "phishing" not in receiver.collections()
    assert receiver.served() == ["bad.example", "other.example"]
    again = receiver.take(path, [Take.ALLOW])
    assert (again.known, again.outcome) == (True, None)


def test_forgetting_with_withdrawal_takes_everything_away(sender: Gate, receiver: Gate) -> None:
    fill(sender)
    between(sender, receiver)
    allow(receiver, Allowed("exact", "kept.example", "", "erin", SINCE))
    with receiver.database.write() as connection:
        adopting.withdraw(connection, ORIGIN, "erin")
        sources.forget(connection, importing.source_of(ORIGIN))
    there = receiver.decisions()
    assert [one.text for one in there.allowed] == ["kept.example"]
    assert (there.overrides, there.reviews, there.trusted) == ((), (), ())
    assert {"phishing", "strict"}.isdisjoint(receiver.collections())
    receiver.publish()
    assert receiver.served() == []


def test_same_state_gives_the_same_bytes_and_another_curation_another_number(sender: Gate) -> None:
    fill(sender)
    first, second = sender.export(full=True), sender.export(full=True)
    assert first.read_bytes() == second.read_bytes()
    number = sender.exported.manifest.head.sequence
    assert sender.export(full=True, curation=False).read_bytes() != first.read_bytes()
    assert sender.exported.manifest.head.sequence == number
    disallow(sender, EXACT)
    sender.export(full=True)
    assert sender.exported.manifest.head.sequence == number + 1


def test_outdated_curation_is_not_taken_again(sender: Gate, receiver: Gate) -> None:
    fill(sender)
    old = sender.export(full=True)
    receiver.take(old)
    disallow(sender, EXACT)
    between(sender, receiver, full=True)
    found = receiver.take(old)
    assert (found.known, tallies(found)) == (True, {})
    assert EXACT.text not in {one.text for one in receiver.decisions().allowed}


def test_what_a_bundle_brought_is_not_sent_on(sender: Gate, receiver: Gate) -> None:
    fill(sender)
    between(sender, receiver)
    allow(receiver, Allowed("exact", "ours.example", "", "erin", SINCE))
    path = receiver.export(origin="south")
    with receiver.database.read() as connection:
        moment = now(connection)
    with verified(path, receiver.trust, moment) as bundle:
        assert [one.key for one in bundle.curation()] == [("exact", "ours.example")]
        assert list(bundle.own()) == []


def test_each_change_has_its_record(sender: Gate, receiver: Gate) -> None:
    fill(sender)
    between(sender, receiver)
    disallow(sender, EXACT)
    between(sender, receiver)
    with receiver.database.read() as connection:
        found = [(one.action, one.subject) for one in reversed(audit.every(connection, limit=100))]
        accounts = {one.account for one in audit.every(connection, limit=100)}
    assert accounts == {ACCOUNT}
    assert sorted(found[:-1]) == sorted([
        ("allow.add", "shop.example"), ("allow.add", "tool.example"), ("allow.add", "45.9.148.0/24"),
        ("indicator.force-out", "out.example"), ("indicator.force-in", "tool.example"),
        ("pulse.review", WAVE.id), ("pulse.review", TOOLS.id), ("author.trust", "alice"),
        ("collection.add", "phishing"), ("collection.add", "strict"),
    ])  # fmt: skip
    assert found[-1] == ("allow.remove", "tool.example")


# --- Reviews ----------------------------------------------------------------------------------------------------------


def test_approval_counts_for_what_the_bundle_has_and_later_additions_wait(sender: Gate, receiver: Gate) -> None:
    sender.put(WAVE, "one.example")
    collect(sender, STRICT)
    review(sender, WAVE.id, ReviewStatus.APPROVED)
    between(sender, receiver)
    assert receiver.served("strict") == ["one.example"]
    sender.put(replace(WAVE, revision=8), "one.example", "two.example")
    between(sender, receiver)
    assert receiver.served("strict") == ["one.example"]
    review(sender, WAVE.id, ReviewStatus.APPROVED)
    found = between(sender, receiver)
    assert found.curation["review"] == Tally(0, 1)
    assert receiver.served("strict") == ["one.example", "two.example"]


def test_decision_on_a_pulse_that_comes_later_counts_then(sender: Gate, receiver: Gate) -> None:
    sender.put(WAVE, "one.example")
    collect(sender, STRICT, LOOKED_AT)
    with sender.database.write() as connection:
        made = [Review(one.id, status, 0, "", "carol", SINCE) for one, status in _LATER]
        decisions.put_reviews(connection, made, "carol")
    between(sender, receiver)
    sender.put(TOOLS, "two.example")
    sender.put(a_pulse(3), "three.example")
    between(sender, receiver)
    assert receiver.served() == ["one.example", "three.example"]
    assert receiver.served("strict") == ["three.example"]


_LATER = [(TOOLS, ReviewStatus.REJECTED), (a_pulse(3), ReviewStatus.APPROVED)]


def test_import_that_was_broken_off_is_ended_by_the_same_bundle(
    sender: Gate, receiver: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender.put(WAVE, "bad.example")
    collect(sender, STRICT)
    review(sender, WAVE.id, ReviewStatus.APPROVED)
    path = sender.export()

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(adopting, "settle", die)
        with pytest.raises(KeyboardInterrupt):
            receiver.take(path)
    receiver.publish()
    assert receiver.served("strict") == []
    assert receiver.take(path).known
    assert receiver.served("strict") == ["bad.example"]
    assert receiver.take(path).outcome is None


def test_what_is_rejected_is_not_served_while_pulses_come(
    sender: Gate, receiver: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(sender)
    run, seen = importing._Import.run, []

    def look(self: importing._Import, imported: importing.Imported, *, restart: bool) -> None:
        """Publish as soon as the pulses are stored, as a worker may."""
        run(self, imported, restart=restart)
        receiver.publish()
        seen.append(receiver.served())

    monkeypatch.setattr(importing._Import, "run", look)
    between(sender, receiver)
    assert seen == [["bad.example"]]


# --- Own pulses -------------------------------------------------------------------------------------------------------


def test_own_pulses_follow_the_sender(sender: Gate, receiver: Gate) -> None:
    sender.add_own("a.example", "b.example")
    between(sender, receiver)
    assert receiver.served() == ["a.example", "b.example"]
    own.remove(sender.database, ["a.example"])
    sender.add_own("c.example", into=Into("Another"))
    found = between(sender, receiver)
    assert found.curation["own"] == Tally(1, 1)
    assert receiver.served() == ["b.example", "c.example"]
    with receiver.database.read() as connection:
        assert len(sources.claimed(connection, ACCOUNT, "own")) == 2


def test_large_own_pulse_comes_in_pieces(sender: Gate, receiver: Gate) -> None:
    values = [f"n{number}.example" for number in range(2_100)]
    sender.add_own(*values)
    between(sender, receiver)
    assert receiver.served() == sorted(values)


def test_own_pulse_that_somebody_here_adds_to_is_ours(sender: Gate, receiver: Gate) -> None:
    sender.add_own("a.example")
    between(sender, receiver)
    receiver.add_own("ours.example")
    own.remove(sender.database, ["a.example"])
    sender.add_own("b.example")
    found = between(sender, receiver)
    assert found.curation["own"] == Tally(kept=1)
    assert receiver.served() == ["a.example", "ours.example"]
    own.remove(receiver.database, ["a.example", "ours.example"])
    sender.add_own("c.example")
    between(sender, receiver)
    assert receiver.served() == ["b.example", "c.example"]


def test_own_pulse_that_was_withdrawn_begins_anew_by_hand(sender: Gate, receiver: Gate) -> None:
    sender.add_own("a.example")
    path = sender.export()
    receiver.take(path)
    receiver.take(path, ())
    receiver.add_own("ours.example")
    receiver.publish()
    assert receiver.served() == ["ours.example"]
    own.remove(receiver.database, ["ours.example"])
    receiver.take(path)
    assert receiver.served() == ["a.example"]


def test_own_pulse_of_two_senders_is_that_of_the_first(sender: Gate, receiver: Gate) -> None:
    sender.add_own("a.example")
    between(sender, receiver)
    with receiver.database.write() as connection:
        keys = sources.claimed(connection, ACCOUNT, "own").values()
        sources.release(connection, ACCOUNT, "own", list(keys))
        sources.claim(connection, "relay:south", "own", keys)
    sender.add_own("b.example")
    found = between(sender, receiver)
    assert found.curation["own"] == Tally(kept=1)


# --- Collections that can't be read -----------------------------------------------------------------------------------


def test_rules_that_cannot_be_read_stop_nothing_else(sender: Gate, receiver: Gate) -> None:
    sender.put(WAVE, "bad.example")
    listed = replace(PHISHING, warning_lists=frozenset({"tranco"}))
    collect(sender, listed, STRICT)
    receiver.policy = replace(receiver.policy, lists=ListChoice())
    found = between(sender, receiver)
    assert [one.partition(":")[0] for one in found.refused] == ["tranco"]
    assert tallies(found) == {"collection": Tally(1)}
    assert "phishing" not in receiver.collections()
    assert receiver.served() == ["bad.example"]
    assert "tranco" in receiver.rows(relay_log)[-1].reason


def test_earlier_rules_stay_where_the_new_ones_cannot_be_read(sender: Gate, receiver: Gate) -> None:
    collect(sender, PHISHING)
    between(sender, receiver)
    collect(sender, replace(PHISHING, warning_lists=frozenset({"tranco"})))
    assert len(between(sender, receiver).refused) == 1
    assert receiver.collections()["phishing"].collection == PHISHING


@pytest.mark.parametrize(
    ("name", "rules", "fault"),
    [
        ("new", {"colour": "red"}, "colour is no setting"),
        ("new", {"refresh": "1d"}, "refresh is at least 3d"),
        ("new", {"kind": "inbox"}, "is an inbox"),
        ("subscribed", {}, "a name that Pulsegate gives itself"),
        ("user_eve", {}, "a name that Pulsegate gives itself"),
        ("new", {"include": [[]]}, "include"),
    ],
)
def test_rules_of_no_use_are_refused(receiver: Gate, name: str, rules: dict, fault: str) -> None:
    line = curation.CollectionLine(name=name, rules=rules)
    with receiver.database.read() as connection:
        made = adopting.plan(connection, ListChoice(), ORIGIN, EVERYTHING, [line])
    assert (len(made.refused), made.collections.put) == (1, [])
    assert fault in made.refused[0]


def test_neither_built_in_collections_nor_inboxes_are_sent(sender: Gate) -> None:
    fill(sender)
    sender.publish()
    collect(sender, Collection("pushed", kind=CollectionKind.INBOX, deduplicate=False))
    assert "user_alice" in sender.collections()
    with sender.database.read() as connection:
        moment = now(connection)
    with verified(sender.export(), sender.trust, moment) as bundle:
        names = [one.name for one in bundle.curation() if isinstance(one, curation.CollectionLine)]
    assert names == ["phishing", "strict"]


def test_own_networks_here_hold_against_what_a_sender_forced_in(sender, receiver):
    """Somebody there has put it in against own networks; that says nothing about the networks here."""
    force(sender, an_override("a.example", inside=True, against_own=True))
    between(sender, receiver)
    (there,) = receiver.decisions().overrides
    assert there.inside
    assert not there.against_own


# --- Lines ------------------------------------------------------------------------------------------------------------

ENTRY = {"record": "allow", "kind": "exact", "text": "a.example", "reason": "", "since": "2024-05-01T12:30:00.000000Z",
         "expires": None}  # fmt: skip
FORCED = {"record": "override", "collection": "", "type": "domain", "value": "a.example", "inside": False,
          "reason": "", "since": "2024-05-01T12:30:00.000000Z", "expires": None}  # fmt: skip
LOOK = {"record": "review", "pulse": "0" * 24, "status": "approved", "reason": "",
        "since": "2024-05-01T12:30:00.000000Z"}  # fmt: skip
TRUST = {"record": "trusted", "author": "alice", "reason": "", "since": "2024-05-01T12:30:00.000000Z"}
RULES = {"record": "collection", "name": "new", "rules": {"profile": "esa"}}


def written(fields: dict) -> bytes:
    return json.dumps(fields, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode() + b"\n"


@pytest.mark.parametrize("fields", [ENTRY, FORCED, LOOK, TRUST, RULES], ids=lambda one: one["record"])
def test_line_is_read(fields: dict) -> None:
    assert curation.read(written(fields)).record == fields["record"]


@pytest.mark.parametrize(
    ("fields", "change"),
    [
        (ENTRY, {"account": "root"}),
        (ENTRY, {"kind": "regex"}),
        (ENTRY, {"text": ""}),
        (ENTRY, {"text": " a.example"}),
        (ENTRY, {"text": "a\0b"}),
        (ENTRY, {"text": "x" * 70_000}),
        (ENTRY, {"kind": "network", "text": "10.0.0.1/8"}),
        (ENTRY, {"kind": "network", "text": "10.0.0.1"}),
        (ENTRY, {"kind": "network", "text": "nonsense"}),
        (ENTRY, {"kind": "subtree", "text": "EXAMPLE.com"}),
        (ENTRY, {"kind": "subtree", "text": "10.0.0.1"}),
        (ENTRY, {"reason": "x" * 2_001}),
        (ENTRY, {"reason": "two\nlines"}),
        (ENTRY, {"reason": None}),
        (ENTRY, {"since": "2024-05-01T12:30:00"}),
        (ENTRY, {"since": "0001-01-01T00:00:00.000000+14:00"}),
        (ENTRY, {"since": 1714566600}),
        (ENTRY, {"expires": "never"}),
        (FORCED, {"value": "A.example"}),
        (FORCED, {"value": "no value"}),
        (FORCED, {"type": "colour"}),
        (FORCED, {"inside": 1}),
        (FORCED, {"collection": "a\nb"}),
        (FORCED, {"collection": "x" * 301}),
        (FORCED, {"identity": "00"}),
        (LOOK, {"pulse": ""}),
        (LOOK, {"pulse": "0" * 25}),
        (LOOK, {"pulse": "a'b"}),
        (LOOK, {"status": "waiting"}),
        (LOOK, {"upto": 7}),
        (TRUST, {"author": "  "}),
        (TRUST, {"author": "x" * 1_001}),
        (TRUST, {"author": "a\x01"}),
        (RULES, {"name": ""}),
        (RULES, {"name": "a\nb"}),
        (RULES, {"rules": []}),
        (RULES, {"rules": {"description": "a\x00b"}}),
        (RULES, {"rules": {"include": {"tags": ["\x1b"]}}}),
        (RULES, {"record": "user"}),
        (RULES, {"rules": {"description": "x" * 1_000_000}}),
    ],
)
def test_hostile_line_is_refused(fields: dict, change: dict) -> None:
    with pytest.raises(RelayFormatError):
        curation.read(written(fields | change))


@pytest.mark.parametrize(
    "text",
    [
        b"\n",
        b"null\n",
        b"[]\n",
        b'{"record":"allow"}\n',
        b"[" * 100_000 + b"\n",
        written(ENTRY)[:-1],
        written(ENTRY).replace(b'":', b'": '),
        written(ENTRY).replace(b'"kind":"exact"', b'"kind":"exact","kind":"exact"'),
        written(ENTRY).replace(b".000000Z", b"Z"),
        written(TRUST).replace(b"alice", b"\\u0061lice"),
        written(TRUST).replace(b"alice", b"\\ud800"),
        written(TRUST).replace(b"alice", b"\xff"),
    ],
)
def test_line_that_is_written_otherwise_is_refused(text: bytes) -> None:
    with pytest.raises(RelayFormatError):
        curation.read(text)


def test_lines_come_once_and_in_order() -> None:
    other = written(ENTRY | {"text": "b.example"})
    assert len(list(curation.read_all([written(ENTRY), other, written(RULES)]))) == 3
    twice = [written(FORCED), written(FORCED | {"type": "hostname"})]
    for wrong in ([other, written(ENTRY)], [other, other], [written(RULES), other], twice):
        with pytest.raises(RelayFormatError, match="twice, or not in its order"):
            list(curation.read_all(wrong))


def test_too_many_lines_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curation, "MAX_LINES", 2)
    every = [written(ENTRY | {"text": f"{one}.example"}) for one in "abc"]
    with pytest.raises(RelayFormatError, match="more than 2 lines"):
        list(curation.read_all(every))


def test_bundle_with_a_hostile_line_changes_nothing(
    sender: Gate, receiver: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(sender)
    hostile = written(ENTRY | {"kind": "network", "text": "nonsense"})
    monkeypatch.setattr("pulsegate.relay.export.as_lines", lambda _: ([hostile], []))
    path = sender.export()
    with pytest.raises(RelayFormatError, match="line of curation that can't be read"):
        receiver.take(path, ())
    with receiver.database.read() as connection:
        moment = now(connection)
        with pytest.raises(RelayFormatError), verified(path, receiver.trust, moment):
            pass
        assert pulses.get(connection, WAVE.id) is None
    assert receiver.decisions() == decisions.Decisions()


def test_what_no_receiver_would_take_is_left_out(sender: Gate) -> None:
    fill(sender)
    trust(sender, "x" * 2_000)
    path = sender.export()
    assert len(sender.exported.left_out) == 1
    assert "author" in sender.exported.left_out[0]
    with sender.database.read() as connection:
        moment = now(connection)
    with verified(path, sender.trust, moment) as bundle:
        assert [one.author for one in bundle.curation() if isinstance(one, curation.TrustedLine)] == ["alice"]

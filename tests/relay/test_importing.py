"""Taking bundles: what is here then is the sender's state; what is refused changes nothing."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
import structlog

from pulsegate.curation.own import Own
from pulsegate.curation.policy import Policy
from pulsegate.errors import RelayChainError, RelayError, RelayTrustError
from pulsegate.intake import running
from pulsegate.relay import importing, verify, ways
from pulsegate.relay.keys import Trust
from pulsegate.relay.records import digest, state_digest
from pulsegate.store import relay, state
from pulsegate.store.tables import relay_heads, relay_log, relay_pulses
from relay.carried import KEY, OTHER_KEY, trusted
from relay.forge import Forgery
from sync.fakes import raw, row


@pytest.fixture
def filled(sender):
    sender.pull(raw(1, "a.example", "b.example"), raw(2, "c.example"), raw(3))
    sender.publish()
    return sender


def logged(gate):
    query = sa.select(relay_log.c.direction, relay_log.c.outcome, relay_log.c.sequence, relay_log.c.reason)
    with gate.database.read() as connection:
        return [tuple(one) for one in connection.execute(query.order_by(relay_log.c.pk))]


def refused(gate, path, trust=None, **options):
    """The error; nothing but the log has changed."""
    before = gate.dump("relay_log")
    with pytest.raises(RelayError) as caught:
        gate.take(path, trust, **options)
    assert gate.dump("relay_log") == before
    assert logged(gate)[-1][:2] == ("in", "refused")
    assert logged(gate)[-1][3] == str(caught.value)
    with pytest.raises(RelayError):
        gate.forecast(path, trust, **options)
    return caught.value


def test_full_snapshot_brings_all_and_is_published(filled, receiver):
    done = receiver.take(filled.export().path)
    assert not done.differs
    assert (done.signer, done.known) == ("sender", False)
    assert (done.outcome.intake.pulses, done.outcome.intake.new, done.outcome.intake.indicators) == (3, 3, 3)
    assert receiver.state() == filled.state()
    assert receiver.state()[1] == ["a.example", "b.example", "c.example"]
    assert logged(receiver) == [("in", "taken", 1, None)]
    assert logged(filled) == [("out", "written", 1, None)]


def test_delta_brings_what_changed_and_takes_what_went(filled, receiver):
    receiver.take(filled.export().path)
    filled.pull(raw(1, "a.example", "z.example"), raw(4, "d.example"))
    filled.lose(2)
    filled.publish()
    exported = filled.export("delta")
    assert (exported.manifest.kind, exported.manifest.since, exported.manifest.removals) == ("delta", 1, 1)
    done = receiver.take(exported.path)
    assert not done.differs
    intake = done.outcome.intake
    assert (intake.pulses, intake.new, intake.changed, intake.removed) == (2, 1, 1, 1)
    assert receiver.state() == filled.state()


def test_pulse_that_returns_comes_back(filled, receiver):
    receiver.take(filled.export().path)
    filled.lose(2)
    receiver.take(filled.export("gone").path)
    assert receiver.state()[1] == ["a.example", "b.example"]
    filled.pull(raw(2, "c.example"))
    filled.publish()
    receiver.take(filled.export("back").path)
    assert receiver.state() == filled.state()


@pytest.mark.parametrize("kind", ["full", "delta"])
def test_same_bundle_again_changes_nothing(filled, receiver, kind):
    path = filled.export("first").path
    receiver.take(path)
    if kind == "delta":
        filled.pull(raw(4, "d.example"))
        path = filled.export("delta").path
        receiver.take(path)
    besides = ("relay_log", "reflections")  # the log, and as of when the collections are up to date
    before = receiver.dump(*besides)
    done = receiver.take(path)
    assert (done.known, done.outcome) == (True, None)
    assert receiver.dump(*besides) == before
    assert receiver.forecast(path).known
    assert logged(receiver)[-1][1] == "known"


def test_what_was_taken_and_not_published_is_published_by_the_next_try(filled, receiver, monkeypatch):
    path = filled.export().path

    def dies(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(running, "publish_all", dies)
        with pytest.raises(KeyboardInterrupt):
            receiver.take(path)
    assert receiver.state()[1] == []
    assert receiver.take(path).known
    assert receiver.state() == filled.state()


def test_log_tells_of_each_bundle_that_is_taken(filled, receiver):
    structlog.reset_defaults()
    file = filled.export("one").path
    with structlog.testing.capture_logs() as said:
        receiver.take(file)
        receiver.take(file)
    told = [one for one in said if one["event"].startswith("relay.")]
    assert [(one["event"], one["file"], one["origin"], one["sequence"], one["kind"]) for one in told] == [
        ("relay.taken", file.name, filled.name, 1, "full"), ("relay.known", file.name, filled.name, 1, "full"),
    ]  # fmt: skip


def test_full_snapshot_takes_what_it_does_not_bring(filled, receiver):
    receiver.take(filled.export().path)
    filled.lose(1)
    filled.publish()
    done = receiver.take(filled.export("full", full=True).path)
    assert (done.outcome.intake.removed, done.differs) == (1, False)
    assert receiver.state() == filled.state()


def test_pulse_that_another_source_has_stays(filled, receiver):
    receiver.pull(raw(2, "c.example"))
    receiver.take(filled.export().path)
    filled.lose(2)
    receiver.take(filled.export("delta").path)
    assert receiver.state()[1] == ["a.example", "b.example", "c.example"]


def test_same_pulse_from_otx_and_from_a_bundle_is_the_same(filled, receiver):
    moment = "2024-05-01T10:00:00"
    filled.pull(raw(1, indicators=[row("a.example", created=moment, expiration="2099-01-01T00:00:00")]))
    receiver.pull(raw(1, indicators=[row("a.example", created=moment, expiration="2099-01-01T00:00:00")]))
    done = receiver.take(filled.export().path)
    assert (done.outcome.intake.new, done.outcome.intake.changed) == (2, 0)


@pytest.mark.parametrize("number", [2_000, 2_001, 4_500])
def test_large_pulse_comes_in_pieces(sender, receiver, number):
    names = [f"n{one}.example" for one in range(number)]
    sender.pull(raw(1, *names), raw(2, "x.example"))
    sender.publish()
    assert not receiver.take(sender.export().path).differs
    assert receiver.state() == sender.state()
    sender.pull(raw(1, *names[5:], "new.example"), raw(2, "x.example"))
    sender.publish()
    assert not receiver.take(sender.export("delta").path).differs
    assert receiver.state() == sender.state()
    sender.pull(raw(1, "small.example"))
    sender.publish()
    receiver.take(sender.export("small").path)
    assert receiver.state() == sender.state()


def test_few_indicators_with_long_texts_come_in_pieces(sender, receiver, monkeypatch):
    monkeypatch.setattr(verify, "BYTES", 10_000)
    rows = [row(f"n{one}.example", description=f"{one} " * 1_000) for one in range(30)]
    sender.pull(
        raw(1, indicators=rows), raw(2, "b.example", description="d" * 20_000), raw(3, description="e" * 20_000)
    )
    sender.publish()
    path = sender.export().path
    with verify.verified(path, trusted(), datetime.now(UTC)) as bundle:
        sizes = [one.size for one in bundle.pulses()]
    assert len(sizes) == 10
    assert max(sizes) < 21_000
    assert not receiver.take(path).differs
    assert receiver.state() == sender.state()


def test_indicators_of_a_large_pulse_that_are_no_values_are_quarantined(sender, receiver, monkeypatch):
    names = [f"n{one}.example" for one in range(2_500)]
    sender.pull(raw(1, *names))
    forged = Forgery(sender.export().path)
    head, *lines = forged.lines["pulses.jsonl.gz"].splitlines(keepends=True)
    for one in (3, 2_400):
        lines[one] = lines[one].replace(b'"domain"', b'"Nonsense"')
    found = _digested(forged.put("pulses.jsonl.gz", [head, *lines]))
    done = receiver.take(found.write())
    assert (done.outcome.intake.rejected, done.outcome.intake.indicators) == (2, 2_498)
    assert len(receiver.dump()["quarantine"]) == 2


def _digested(forged):
    """With the digest of the state that it has now: one pulse."""
    data = forged.lines["pulses.jsonl.gz"]
    return forged.head(state=state_digest({f"{1:024x}": digest([data])}))


# --- What is refused -------------------------------------------------------------------------------------------------


def test_delta_of_an_unknown_sender_is_refused(filled, receiver):
    filled.export("first")
    filled.pull(raw(4))
    error = refused(receiver, filled.export("delta").path)
    assert isinstance(error, RelayChainError)
    assert "of which nothing was taken yet" in str(error)
    assert "--full" in str(error)


def test_gap_is_refused_and_told(filled, receiver):
    receiver.take(filled.export("1").path)
    filled.pull(raw(4))
    filled.export("2")
    filled.pull(raw(5))
    error = refused(receiver, filled.export("3").path)
    assert "builds on number 2 of north, and here is number 1" in str(error)
    assert "Bring number 2 first" in str(error)
    assert "--since 1" in str(error)
    receiver.take(filled.export("again", since=1).path)
    filled.publish()
    assert receiver.state() == filled.state()


def test_older_snapshot_is_refused(filled, receiver):
    first = filled.export("1").path
    filled.pull(raw(4))
    receiver.take(filled.export("2", full=True).path)
    assert "is older than what was taken already: number 1 of north, after number 2" in str(refused(receiver, first))
    assert receiver.take(first, restart=True).outcome is not None


def test_fork_is_refused_until_it_is_begun_anew(filled, receiver, tmp_path):
    """The sender was set back to an earlier state, and went another way."""
    receiver.take(filled.export("1").path)
    with filled.database.read() as connection:
        kept = relay.last_head(connection, relay.OWN)
    filled.pull(raw(4))
    receiver.take(filled.export("2").path)
    filled.pull(raw(5))
    receiver.take(filled.export("3").path)
    set_back(filled, kept)
    filled.lose(4)
    filled.pull(raw(6, "f.example"))
    filled.publish()
    forked = filled.export("2-again").path
    assert "north has another number 2 now" in str(refused(receiver, forked))
    assert "--restart" in str(refused(receiver, forked))
    full = filled.export("full", full=True).path
    assert "north has another number 2 now" in str(refused(receiver, full))
    assert "is a delta; only a full snapshot begins anew" in str(refused(receiver, forked, restart=True))
    assert not receiver.take(full, restart=True).differs
    assert receiver.state() == filled.state()
    filled.pull(raw(7, "g.example"))  # its number is 3, as that of the old chain
    filled.publish()
    assert not receiver.take(filled.export("3-again").path).differs
    assert receiver.state() == filled.state()


def set_back(gate, kept):
    with gate.database.write() as connection:
        connection.execute(sa.delete(relay_heads).where(relay_heads.c.sequence > kept.sequence))
        connection.execute(sa.delete(relay_pulses).where(relay_pulses.c.sequence > kept.sequence))
        key = ways._key(ways.Way.BY_HAND)
        state.put(connection, key, json.dumps(json.loads(state.get(connection, key)) | {"number": kept.sequence}))


def test_stranger_is_refused(filled, receiver):
    error = refused(receiver, filled.export().path, trusted(OTHER_KEY))
    assert isinstance(error, RelayTrustError)
    assert "is signed by nobody who is trusted here: it says that it comes from north" in str(error)
    assert KEY.fingerprint[:16] in str(error)


def test_revoked_key_is_refused(filled, receiver):
    trust = Trust(trusted().keys, frozenset({KEY.fingerprint}))
    assert "which is revoked" in str(refused(receiver, filled.export().path, trust))


def test_key_that_was_trusted_until_then_is_refused(filled, receiver):
    trust = trusted(until=datetime(2024, 1, 1, tzinfo=UTC))
    assert "which was trusted until 2024-01-01 00:00 UTC" in str(refused(receiver, filled.export().path, trust))


def test_rotation_goes_on_with_the_new_key(filled, receiver):
    receiver.take(filled.export("1").path)
    filled.pull(raw(4))
    both = trusted(KEY, OTHER_KEY)
    assert receiver.take(filled.export("2", key=OTHER_KEY).path, both).known is False
    filled.pull(raw(5))
    assert receiver.take(filled.export("3").path, both).known is False


def test_key_that_signs_for_another_sender_is_refused(filled, receiver):
    receiver.take(filled.export("1").path)
    filled.name = "south"
    error = refused(receiver, filled.export("2", full=True).path)
    assert "comes from south, but the key 'sender' signs for north" in str(error)
    assert "relay forget north" in str(error)
    bound = trusted(OTHER_KEY, origin="west")
    assert "signs for west" in str(refused(receiver, filled.export("3", full=True, key=OTHER_KEY).path, bound))


def test_missing_file_and_folder_are_refused(receiver, tmp_path):
    assert "nowhere: is not there" in str(refused(receiver, tmp_path / "nowhere"))
    (tmp_path / "folder").mkdir()
    assert "folder: is no file" in str(refused(receiver, tmp_path / "folder"))


# --- Killed half-way -------------------------------------------------------------------------------------------------


class Killed(BaseException):
    """The process ends here."""


def killed_after(patch, gate, path, steps):
    """Take it with the process ending at the so-many-th write of the import; whether it did."""
    left = [steps]
    write = type(gate.database).write

    def counted(self):
        left[0] -= 1
        if left[0] < 0:
            raise Killed
        return write(self)

    with patch.context() as context:
        context.setattr(type(gate.database), "write", counted)
        try:
            gate.take(path)
        except Killed:
            return True
    return False


@pytest.mark.parametrize("then", ["same", "later delta", "later full"])
def test_half_taken_bundle_is_ended_by_it_or_by_a_later_one(sender, receiver, monkeypatch, then):
    monkeypatch.setattr(importing, "TOGETHER", 1)
    names = [f"n{one}.example" for one in range(2_100)]
    sender.pull(raw(1, "a.example"), raw(2, *names), raw(3, "c.example"))
    receiver.take(sender.export("1").path)
    sender.pull(raw(1, "b.example"), raw(2, *names[5:], "x.example"), raw(4, "d.example"))
    sender.lose(3)
    sender.publish()
    path = sender.export("2").path
    later = path
    if then != "same":
        sender.pull(raw(2, *names[:2_050]))
        sender.pull(raw(3, "returned.example"))
        sender.lose(4)
        sender.publish()
        later = sender.export("3", full=then == "later full", since=None if then == "later full" else 1).path
    steps = 0
    while killed_after(monkeypatch, receiver, path, steps):
        steps += 1
        if then != "same" and steps == 7:
            break
    assert steps >= 7
    assert not receiver.take(later).differs
    assert receiver.state() == sender.state()


def test_part_of_a_later_bundle_is_told_until_it_is_taken(sender, receiver, monkeypatch):
    monkeypatch.setattr(importing, "TOGETHER", 1)
    sender.pull(raw(1, "a.example"), raw(2, "b.example"))
    receiver.take(sender.export("1").path)
    sender.pull(raw(2, "c.example"))
    second = sender.export("2").path
    sender.pull(raw(1, "later.example"), raw(3, "d.example"))
    sender.publish()
    third = sender.export("3", since=1).path
    assert killed_after(monkeypatch, receiver, third, 5)
    done = receiver.take(second)
    assert (done.differs, done.unfinished) == (False, 3)
    assert logged(receiver)[-1][3] == "of number 3 a part was taken before; take it again, or a later one"
    done = receiver.take(third)
    assert (done.differs, done.unfinished) == (False, None)
    assert receiver.state() == sender.state()


# --- Forecasts -------------------------------------------------------------------------------------------------------


def test_forecast_tells_and_changes_nothing(filled, receiver):
    before = receiver.dump()
    path = filled.export().path
    found = receiver.forecast(path)
    assert (found.new, found.changed, found.unchanged, found.leaving, found.indicators) == (3, 0, 0, 0, 3)
    assert found.examples == ["Pulse 1 (someone)", "Pulse 2 (someone)", "Pulse 3 (someone)"]
    assert receiver.dump() == before
    receiver.take(path)
    filled.pull(raw(1, "q.example"), raw(5))
    filled.lose(2)
    for name, options in (("delta", {}), ("full", {"full": True})):
        found = receiver.forecast(filled.export(name, **options).path)
        assert (found.new, found.changed, found.leaving) == (1, 1, 1), name
    assert found.unchanged == 1


def test_policy_is_the_receivers_own(filled, receiver):
    receiver.policy = Policy(own=Own(["a.example"]))
    receiver.take(filled.export().path)
    assert receiver.state()[1] == ["b.example", "c.example"]

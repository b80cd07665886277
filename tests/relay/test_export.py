"""Writing bundles: the same state gives the same bytes, and a delta holds exactly what changed."""

from __future__ import annotations

import json
import os
import subprocess
from datetime import UTC, datetime

import pytest

from pulsegate.errors import RelayError
from pulsegate.intake.taking import Arrived, Claim, Intake, put
from pulsegate.model.pulse import Pulse
from pulsegate.publication.marking import Marker
from pulsegate.relay import archive, keys, manifest, ways
from pulsegate.relay import export as exports
from pulsegate.relay.ways import Way
from pulsegate.store import relay
from pulsegate.store.database import Database
from relay.carried import KEY, OTHER_KEY, Gate
from relay.forge import Forgery, unpack
from store.databases import _empty
from support import BIN
from sync.fakes import pulse_id, raw, row

NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)


@pytest.fixture
def filled(sender):
    sender.pull(raw(3, "c.example"), raw(1, "b.example", "a.example"), raw(2))
    return sender


def brought(path):
    """The ids of the pulses in a bundle, and those that it removes."""
    lines = Forgery(path).lines
    pulses = [json.loads(one)["pulse"]["id"] for one in lines["pulses.jsonl.gz"].splitlines() if b'"pulse"' in one]
    removals = [json.loads(one) for one in lines.get("removals.jsonl.gz", b"").splitlines()]
    return [int(one, 16) for one in pulses], [int(one, 16) for one in removals]


def test_manifest_says_what_is_in_it(filled):
    done = filled.export()
    made = done.manifest
    assert (made.kind, made.since, made.chain, made.removals) == ("full", None, {}, 0)
    assert (made.head.origin, made.head.sequence, made.head.previous) == ("north", 1, None)
    assert (made.head.pulses, made.head.indicators, made.signer) == (3, 3, KEY.fingerprint)
    (member,) = made.members
    assert (member.name, member.lines) == ("pulses.jsonl.gz", 6)
    assert done.size == done.path.stat().st_size
    assert brought(done.path) == ([1, 2, 3], [])
    assert Forgery(done.path).lines["pulses.jsonl.gz"].count(b"\n") == 6


def test_chain_of_heads_leads_from_one_to_the_next(filled):
    first = filled.export("1").manifest
    filled.pull(raw(4))
    second = filled.export("2").manifest
    filled.pull(raw(5))
    third = filled.export("3", since=1).manifest
    assert second.head.previous == first.head.digest
    assert third.head.previous == second.head.digest
    assert third.chain == {"1": first.head.digest, "2": second.head.digest}
    assert (third.window.start, third.window.end) == (first.head.created, third.head.created)


def test_same_state_gives_the_same_bytes(filled):
    first = filled.export("1").path.read_bytes()
    assert filled.export("2", full=True).path.read_bytes() == first
    filled.pull(raw(4, "d.example"))
    filled.lose(2)
    delta = filled.export("3").path.read_bytes()
    assert delta != first
    assert filled.export("4", since=1).path.read_bytes() == delta
    full = filled.export("5", full=True).path.read_bytes()
    assert filled.export("6", full=True).path.read_bytes() == full
    filled.pull(raw(3, "c.example"))  # nothing that is new
    assert filled.export("7", full=True).path.read_bytes() == full


def test_nothing_new_is_an_empty_delta_with_a_number_of_its_own(filled):
    filled.export("1")
    done = filled.export("2")
    assert (done.manifest.head.sequence, brought(done.path)) == (2, ([], []))
    again = filled.export("3", since=1)
    assert again.path.read_bytes() == done.path.read_bytes()


def test_another_order_of_coming_gives_the_same_bytes(gates, monkeypatch):
    """Also on another database, with other keys of rows."""
    monkeypatch.setattr(exports, "now", lambda _: NOW)
    sender, receiver = gates
    rows = [row(f"n{one}.example") for one in range(50)]
    sender.pull(raw(1, indicators=rows), raw(2, "x.example"), raw(3))
    receiver.pull(raw(9, "gone.example"), raw(3), raw(2, "x.example"))
    receiver.pull(raw(1, indicators=rows[20:10:-1]))
    receiver.pull(raw(1, indicators=rows[::-1]))
    receiver.lose(9)
    assert sender.export("1").path.read_bytes() == receiver.export("2").path.read_bytes()


def test_sqlite_and_postgresql_give_the_same_bytes(sqlite_maker, tmp_path, postgresql, monkeypatch):
    monkeypatch.setattr(exports, "now", lambda _: NOW)
    found = []
    for number, url in enumerate((sqlite_maker.new(tmp_path / "one.db"), postgresql)):
        base = Database(url)
        if number:
            _empty(base)
        gate = Gate(base, tmp_path).prepare()
        moments = {"created": "2024-05-01T10:00:00.123456", "expiration": "2030-01-01T00:00:00"}
        gate.pull(*(raw(one, f"n{one}.example", f"ü{one}.example", name=f"Ä {one}") for one in range(1, 300)))
        gate.pull(raw(999, indicators=[row("m.example", **moments, title="日本", is_active=0)]))
        found.append(gate.export(f"{number}").path.read_bytes())
        gate.lose(7)
        gate.pull(raw(5, "changed.example"))
        found.append(gate.export(f"{number}").path.read_bytes())
        base.close()
    assert found[:2] == found[2:]


def test_delta_holds_exactly_what_changed(filled):
    filled.export("1")
    filled.pull(raw(1, "b.example", "a.example", "z.example"), raw(3, "c.example"), raw(4))
    filled.lose(2)
    assert brought(filled.export("2").path) == ([1, 4], [2])
    filled.pull(raw(2), raw(5))
    filled.lose(4)
    assert brought(filled.export("3").path) == ([2, 5], [4])
    assert brought(filled.export("4", since=1).path) == ([1, 2, 5], [4])
    assert brought(filled.export("5", since=2).path) == ([2, 5], [4])
    assert brought(filled.export("6", full=True).path) == ([1, 2, 3, 5], [])


def test_pulse_that_changed_and_changed_back_is_brought(filled):
    """Who took the state between has it otherwise."""
    filled.export("1")
    filled.pull(raw(3, "other.example"))
    filled.export("2")
    filled.pull(raw(3, "c.example"))
    assert brought(filled.export("3").path) == ([3], [])
    assert brought(filled.export("4", since=1).path) == ([3], [])


@pytest.mark.parametrize(("since", "told"), [(2, "the last one has number 1"), (99, "the last one has number 1")])
def test_since_a_number_that_is_none(filled, since, told):
    filled.export("1")
    with pytest.raises(
        RelayError, match=f"there is no export with number {since}: {told}. Export a full snapshot with"
    ):
        filled.export("2", since=since)
    assert not (filled.folder / "2").exists()


def test_since_a_number_before_the_first_export(filled):
    with pytest.raises(RelayError, match=r"there is no export with number 1: nothing was exported yet. Export a full"):
        filled.export("1", since=1)


def test_delta_over_too_many_exports_is_refused(filled, monkeypatch):
    monkeypatch.setattr(exports, "LONGEST_CHAIN", 3)
    for number in range(5):
        filled.export(f"{number}")
    with pytest.raises(RelayError, match=r"number 1 is more than 3 exports ago. Export a full snapshot with --full"):
        filled.export("far", since=1)
    assert filled.export("near", since=2).manifest.head.sequence == 5


@pytest.mark.parametrize("dies", ["archive.write", "replace", "fsync"])
def test_export_that_fails_leaves_nothing_and_the_next_one_leaves_no_gap(filled, receiver, monkeypatch, dies):
    receiver.take(filled.export("1").path)
    filled.pull(raw(4, "d.example"))
    filled.publish()

    def fails(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        if dies == "archive.write":
            patch.setattr(archive, "write", fails)
        elif dies == "replace":
            patch.setattr(type(filled.folder), "replace", fails)
        else:
            patch.setattr(os, "fsync", fails)
        with pytest.raises(RelayError, match="2: can't be written: No space left on device"):
            filled.export("2")
    assert sorted(one.name for one in filled.folder.iterdir() if not one.name.startswith(("sender", "receiver"))) == [
        "1"
    ]
    filled.pull(raw(5, "e.example"))
    filled.publish()
    done = filled.export("3")
    assert done.manifest.since == 1
    assert not receiver.take(done.path).differs
    assert receiver.state() == filled.state()


def test_no_room_for_what_is_packed_is_told(filled, monkeypatch):
    def full(*_args, **_words):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(exports.tempfile, "TemporaryFile", full)
    with pytest.raises(RelayError, match=r"No space left on device. Free some space there, or set TMPDIR"):
        filled.export()


@pytest.mark.parametrize(("name", "told"), [("", "is a folder"), ("nowhere/x", "is no folder. Make it, or give")])
def test_place_that_is_none_is_refused_before_anything(filled, name, told):
    before = filled.dump()
    with pytest.raises(RelayError, match=told):
        filled.export(name)
    assert filled.dump() == before


def test_file_that_is_there_is_replaced(filled):
    (filled.folder / "bundle").write_bytes(b"old")
    assert filled.export().path.read_bytes()[:13] == b"manifest.json"


def test_name_of_an_installation_is_made_up_once(filled):
    filled.name = None
    name = filled.export("1").manifest.head.origin
    assert name.startswith("gate-")
    assert filled.export("2", full=True).manifest.head.origin == name
    filled.name = "south"
    renamed = filled.export("3", full=True).manifest.head
    assert (renamed.origin, renamed.sequence) == ("south", 2)


def test_another_key_changes_the_signature_and_the_signer_alone(filled):
    first, other = filled.export("1").manifest, filled.export("2", key=OTHER_KEY, full=True).manifest
    assert first.model_copy(update={"signer": other.signer}) == other


def test_what_repeats_itself_is_packed_so_that_a_receiver_takes_it(sender, receiver):
    rows = [row(f"n{one}.example", description="the same long words " * 500) for one in range(900)]
    sender.pull(raw(1, indicators=rows))
    sender.publish()
    done = sender.export()
    member = done.manifest.pulses_member
    assert member.length > manifest.MAX_RATIO * 20_000 + manifest.SLACK  # at its best it would be a bomb
    assert not manifest.is_bomb(member.size, member.length)
    assert len(unpack(Forgery(done.path).packed["pulses.jsonl.gz"])) == member.length
    assert not receiver.take(done.path).differs
    assert receiver.state() == sender.state()
    assert sender.export("2", full=True).path.read_bytes() == done.path.read_bytes()


def test_text_that_no_receiver_reads_is_not_written(sender, monkeypatch):
    monkeypatch.setattr(archive, "MAX_LINE", 1_000)
    sender.pull(raw(1, "a.example", description="d" * 2_000))
    with pytest.raises(RelayError, match=f"{pulse_id(1)}.*there is a text of more than 1,000 bytes"):
        sender.export()
    assert not (sender.folder / "bundle").exists()


def test_own_pulses_stay(filled):
    own = Pulse("own-" + "0" * 20, "Mine", "me", NOW, NOW)
    marker = Marker(filled.database, filled.policy)
    put(filled.database, [Arrived(own, ())], Intake(), Claim("own", "hand"), marker)
    assert brought(filled.export().path) == ([1, 2, 3], [])


def test_heads_are_kept_once(filled):
    for name in ("1", "2", "3"):
        filled.export(name, full=True)
    with filled.database.read() as connection:
        assert list(relay.chain(connection, relay.OWN, 1)) == [1]
        assert ways.gone(connection, Way.BY_HAND).number == 1


# --- Processes -------------------------------------------------------------------------------------------------------


def test_processes_with_other_hash_seeds_give_the_same_bytes(gates, tmp_path):
    sender, _ = gates
    sender.pull(*(raw(one, f"n{one}.example", f"m{one}.example", tags=[f"t{one}", "a"]) for one in range(1, 120)))
    keys.generate(tmp_path / "key")
    found = []
    for seed in ("0", "1", "4711"):
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("PULSEGATE_", "OTX_"))}
        ours = {"PULSEGATE_DATABASE": sender.database.url, "PULSEGATE_DATA_DIR": str(tmp_path), "PYTHONHASHSEED": seed}
        words = ["relay", "export", "--key", "key", "--out", f"out{seed}", "--full"]
        done = subprocess.run(
            [BIN / "pulsegate", *words], env=kept | ours, cwd=tmp_path, capture_output=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stderr.decode()
        found.append((tmp_path / f"out{seed}").read_bytes())
    assert len(set(found)) == 1

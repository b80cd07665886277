"""The inbox: whole files and parts, what waits and for how long, and what is wrong here rather than with a bundle."""

from __future__ import annotations

import errno
import json
import os
import tempfile
from datetime import UTC, datetime, timedelta

import pytest

from pulsegate.errors import BusyError
from pulsegate.relay import forgetting, importing, inbox, outbox
from pulsegate.relay.importing import source_of
from pulsegate.relay.inbox import REFUSED, REPORT, TAKEN, Inbox
from pulsegate.store.locks import hold, pull
from relay.carried import KEY, trusted
from sync.fakes import raw

NAME = "north-0000000001-full.pgb"
NEXT = "north-0000000002-delta.pgb"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


@pytest.fixture
def box(receiver, folder):
    return Inbox(receiver.database, receiver.policy, folder, trusted())


@pytest.fixture
def bundle(sender):
    sender.pull(raw(1, "a.example"))
    return sender.export().path.read_bytes()


@pytest.fixture
def delta(sender, bundle):
    sender.pull(raw(2, "b.example"))
    return sender.export("next").path.read_bytes()


def put_parts(folder, data, count=3, name=NAME):
    size = -(-len(data) // count)
    for number in range(count):
        part = folder / f"{name}.{number + 1:04}-of-{count:04}"
        part.write_bytes(data[number * size : (number + 1) * size])


def settled(box):
    """What comes of what lies still: the first look only sees it."""
    first = box.look()
    assert (first.taken, first.known, first.refused) == ([], [], [])
    return box.look()


def names(folder):
    return sorted(one.name for one in folder.iterdir() if one.is_file())


def test_whole_file_is_taken_when_it_lies_still(box, folder, bundle):
    (folder / NAME).write_bytes(bundle)
    assert settled(box).taken == [NAME]
    assert (names(folder), names(folder / TAKEN)) == ([], [NAME])


def test_parts_are_put_together(box, folder, bundle):
    put_parts(folder, bundle)
    assert settled(box).taken == [NAME]
    assert (names(folder), len(names(folder / TAKEN))) == ([], 3)


def test_both_forms_of_a_bundle_are_dealt_with(box, folder, bundle):
    (folder / NAME).write_bytes(bundle)
    put_parts(folder, bundle)
    put_parts(folder, bundle, 2)
    looked = settled(box)
    assert (looked.taken, looked.known) == ([NAME], [NAME, NAME])
    assert names(folder) == []


@pytest.mark.parametrize("length", [200, 201, 230, 255])
def test_long_name_is_refused_with_a_report_and_stops_no_other(box, folder, bundle, length):
    long = "a" * (length - 4) + ".pgb"
    (folder / long).write_bytes(b"no bundle")
    (folder / NAME).write_bytes(bundle)
    looked = settled(box)
    assert (looked.refused, looked.taken) == ([long], [NAME])
    assert names(folder) == []
    (report,) = (folder / REFUSED).glob(f"*{REPORT}")
    assert json.loads(report.read_text())["file"] == long
    assert ".pgb" in report.name
    assert long in names(folder / REFUSED)


def test_refused_file_that_cannot_be_moved_waits_and_stops_no_other(box, folder, bundle):
    (folder / "a.pgb").write_bytes(b"no bundle")
    (folder / REFUSED / "a.pgb").mkdir(parents=True)
    (folder / NAME).write_bytes(bundle)
    looked = settled(box)
    assert (looked.refused, looked.taken) == ([], [NAME])
    assert "can't be moved to 'refused'" in looked.waiting["a.pgb"]
    (folder / REFUSED / "a.pgb").rmdir()
    assert box.look().refused == ["a.pgb"]


def test_taken_file_that_cannot_be_moved_is_taken_once(box, folder, bundle):
    (folder / NAME).write_bytes(bundle)
    (folder / TAKEN / NAME).mkdir(parents=True)
    assert settled(box).taken == [NAME]
    again = box.look()
    assert (again.taken, again.known, list(again.waiting)) == ([], [], [NAME])
    (folder / TAKEN / NAME).rmdir()
    assert (box.look().waiting, names(folder)) == ({}, [])


@pytest.mark.parametrize("parts", [False, True])
def test_full_temporary_folder_refuses_nothing_however_long_it_lasts(box, folder, bundle, clock, monkeypatch, parts):
    def full(*_args, **_more):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if parts:
        put_parts(folder, bundle)
    else:
        (folder / NAME).write_bytes(bundle)
    with monkeypatch.context() as patched:
        patched.setattr(tempfile, "NamedTemporaryFile" if parts else "TemporaryFile", full)
        looked = settled(box)
        assert (looked.refused, len(looked.waiting)) == ([], 1)
        assert "No space left" in next(iter(looked.waiting.values()))
        clock.move(timedelta(days=9))
        assert box.look().refused == []
    assert box.look().taken == [NAME]


@pytest.mark.parametrize("parts", [False, True])
def test_file_that_cannot_be_read_waits(box, folder, bundle, monkeypatch, parts):
    if parts:
        put_parts(folder, bundle)
    else:
        (folder / NAME).write_bytes(bundle)
    shut, real = names(folder)[-1], inbox.Path.open

    def denied(path, *words, **more):  # as root nothing is denied
        if path.name == shut:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return real(path, *words, **more)

    with monkeypatch.context() as patched:
        patched.setattr(inbox.Path, "open", denied)
        looked = settled(box)
    assert looked.refused == []
    assert "Permission denied" in next(iter(looked.waiting.values()))
    assert box.look().taken == [NAME]


class Clock:
    def __init__(self):
        self.moment = datetime(2030, 1, 1, tzinfo=UTC)

    def move(self, by):
        self.moment += by


@pytest.fixture
def clock(monkeypatch):
    """The database's, as the inbox reads it."""
    found = Clock()
    monkeypatch.setattr(inbox, "now", lambda _connection: found.moment)
    return found


def test_old_file_waits_as_long_as_a_new_one(box, folder, delta, clock):
    (folder / NEXT).write_bytes(delta)
    os.utime(folder / NEXT, (1_000_000_000, 1_000_000_000))
    looked = settled(box)
    assert (looked.refused, list(looked.waiting)) == ([], [NEXT])
    clock.move(timedelta(days=1))
    assert box.look().refused == []
    clock.move(timedelta(seconds=1))
    assert box.look().refused == [NEXT]


def test_file_of_the_future_does_not_wait_for_ever(box, folder, bundle, clock):
    put_parts(folder, bundle)
    (folder / f"{NAME}.0002-of-0003").unlink()
    for one in folder.iterdir():
        os.utime(one, (4_000_000_000, 4_000_000_000))
    assert settled(box).waiting == {f"{NAME} (3 parts)": "of its 3 parts these are missing: 2"}
    clock.move(timedelta(days=2))
    assert box.look().refused == [NAME]


def test_delta_waits_for_what_comes_before_it(box, folder, bundle, delta):
    (folder / NEXT).write_bytes(delta)
    assert list(settled(box).waiting) == [NEXT]
    (folder / NAME).write_bytes(bundle)
    box.look()
    assert box.look().taken == [NAME, NEXT]


@pytest.fixture
def looks(monkeypatch):
    """The names of the bundles that are looked into."""
    found, real = [], inbox.take

    def watched(*words, **more):
        found.append(more["name"])
        return real(*words, **more)

    monkeypatch.setattr(inbox, "take", watched)
    return found


def test_delta_that_waits_is_looked_into_again_when_something_was_taken(
    box, folder, bundle, delta, looks, receiver, tmp_path
):
    (folder / NEXT).write_bytes(delta)
    settled(box)
    box.look()
    assert list(box.look().waiting) == [NEXT]
    assert looks == [NEXT]
    (tmp_path / "by hand").write_bytes(bundle)
    importing.take(receiver.database, receiver.policy, tmp_path / "by hand", trusted())
    assert box.look().taken == [NEXT]


def test_delta_that_waits_is_looked_into_again_when_it_is_another_file(box, folder, bundle, delta, looks):
    (folder / NEXT).write_bytes(delta)
    settled(box)
    (folder / NEXT).write_bytes(bundle)
    assert settled(box).taken == [NEXT]
    assert looks == [NEXT, NEXT]


def test_refusal_names_the_bundle_and_not_a_temporary_file(box, folder, bundle, receiver):
    put_parts(folder, bundle[:-1] + b"x")
    assert settled(box).refused == [NAME]
    assert "pulsegate-" not in str(receiver.dump()["relay_log"])
    assert NAME in str(receiver.dump()["relay_log"])


def test_bundle_is_not_seen_before_it_is_split(sender, tmp_path, monkeypatch):
    seen = []
    real = outbox._split

    def watched(*words):
        seen.append(sorted(one.name for one in (tmp_path / "out").iterdir()))
        return real(*words)

    monkeypatch.setattr(outbox, "_split", watched)
    sender.pull(raw(1, "a.example"))
    made = outbox.write_next(
        sender.database, KEY, "north", outbox.Outbox(tmp_path / "out", timedelta(days=1), part_size=1_000)
    )
    assert [one for found in seen for one in found if not one.startswith(".")] == []
    assert seen
    there = names(tmp_path / "out")
    assert made.path.name == NAME
    assert there
    assert all(one.startswith(f"{NAME}.0") for one in there)


def test_outbox_builds_on_its_own_last_bundle(sender, receiver, folder, box):
    """What was exported by hand meanwhile may never have arrived."""

    def written():
        return outbox.write_next(sender.database, KEY, "north", outbox.Outbox(folder, timedelta(days=1)))

    sender.export("by-hand-first", full=True)
    sender.pull(raw(1, "a.example"))
    assert written().manifest.kind == "full"
    sender.pull(raw(2, "b.example"))
    sender.export("by-hand", full=True)
    sender.pull(raw(3, "c.example"))
    made = written().manifest
    assert (made.kind, made.since, made.head.sequence) == ("delta", 2, 4)
    assert len(settled(box).taken) == 2
    sender.publish()
    assert receiver.state() == sender.state()
    assert sender.export("by-hand-again").manifest.since == 3


def test_outbox_of_a_sender_with_another_name_repeats_what_went_under_that_one(sender, tmp_path):
    def written(name):
        sender.pull(raw(1, f"{name}.example"))
        return outbox.write_next(sender.database, KEY, name, outbox.Outbox(tmp_path, timedelta(days=1), repeat=3))

    for _ in range(3):
        written("north")
    made = [written("south").manifest for _ in range(4)]
    assert [(one.kind, one.since) for one in made] == [("full", None), ("delta", 4), ("delta", 4), ("delta", 4)]


def test_sender_is_not_forgotten_while_its_bundle_is_taken(receiver, box, folder, bundle, monkeypatch):
    (folder / NAME).write_bytes(bundle)
    assert settled(box).taken == [NAME]
    monkeypatch.setattr(forgetting, "LOCK_WAIT", 0.0)
    with hold(receiver.database, pull(source_of("north"))), pytest.raises(BusyError):
        forgetting.forget(receiver.database, "ann", "north", withdraw=True)
    assert forgetting.forget(receiver.database, "ann", "north", withdraw=True) == 1

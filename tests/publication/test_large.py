"""Large publications: written in processes, copied between collections, placed before they are published."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from publication.feeds import DAY, NOW, Feed, a_name, a_pulse
from publication.inline import small_steps, within
from pulsegate.model.collection import Collection, Profile
from pulsegate.publication import publish, writers
from pulsegate.publication.built_in import SUBSCRIBED
from pulsegate.publication.publish import Publication
from pulsegate.publication.render import write
from pulsegate.store import blocks, candidates, ledger, placing, pulses
from pulsegate.store.tables import placements

OTHER = Collection("other")
SKEW = timedelta(minutes=10)


def fill(feed: Feed, number: int = 6) -> None:
    """Pulses with values of their own, and one that all of them share."""
    for each in range(number):
        names = [f"{letter}{each}.example" for letter in "abc"]
        feed.put(a_pulse(each, NOW - (10 - each) * DAY), [*names, "shared.example"])


@pytest.fixture
def large(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> Feed:
    within(monkeypatch)
    feed.collection()
    fill(feed)
    return feed


def served(feed: Feed, name: str = "mail"):
    return [(one.label, one.content) for one in feed.served(name)]


@pytest.mark.timeout(120)
def test_processes_write_what_this_one_would(feed, monkeypatch):
    for collection in (SUBSCRIBED, Collection("esa", profile=Profile.ESA), Collection("each", deduplicate=False)):
        feed.collection(collection)
    fill(feed)
    feed.publish()
    names = ("subscribed", "user_someone", "esa", "each")
    alone = [served(feed, name) for name in names]
    placed = [feed.placed(name) for name in names]
    keep = {"database": feed.database, "clock": feed.clock}
    feed.wipe()
    again = Feed(**keep)
    for collection in (SUBSCRIBED, Collection("esa", profile=Profile.ESA), Collection("each", deduplicate=False)):
        again.collection(collection)
    fill(again)
    small_steps(monkeypatch)
    with monkeypatch.context() as patch:
        patch.setattr(writers, "write", lambda *_: pytest.fail("it was written in this process"))
        again.publish()
    assert [served(again, name) for name in names] == alone
    assert [again.placed(name) for name in names] == placed
    again.check()
    for name in names:
        assert again.publish()[name] == Publication(name)


def test_collection_of_the_same_is_copied(large, monkeypatch):
    large.collection(OTHER)
    written = counted(monkeypatch)
    large.publish()
    assert (len(written), len(set(written))) == (6, 6)
    assert served(large, "other") == served(large)
    large.check()


def test_processes_end_while_there_is_only_to_copy(large, monkeypatch):
    large.collection(OTHER)
    fill(large, 12)
    running = []
    begin = writers.Writers._begin

    def noted(self, bundle):
        begin(self, bundle)
        running.append((bool(bundle.written), self._executor is not None))

    monkeypatch.setattr(writers.Writers, "_begin", noted)
    large.publish()
    assert all(there for writes, there in running if writes)
    assert running[-1] == (False, False)
    large.check()


def test_process_is_not_started_for_a_few(feed, monkeypatch):
    small_steps(monkeypatch)
    monkeypatch.setattr(writers, "start", lambda _: pytest.fail("a process was started"))
    feed.collection()
    fill(feed, 1)
    assert feed.publish()["mail"] == Publication("mail", added=4, new_blocks=1)
    feed.check()


def counted(monkeypatch) -> list[int]:
    """The pulses that are written, as they are."""
    written: list[int] = []
    submit = writers.Writers._begin

    def begin(self, bundle):
        submit(self, bundle)
        written.extend(job.pulse_pk for job in bundle.written)

    monkeypatch.setattr(writers.Writers, "_begin", begin)
    return written


@pytest.mark.parametrize("other", [Collection("other", profile=Profile.ESA), Collection("other", deduplicate=False)])
def test_collection_of_another_form_is_written_anew(large, monkeypatch, other):
    large.collection(other)
    written = counted(monkeypatch)
    large.publish()
    assert (len(written), len(set(written))) == (12, 6)


def test_pulse_that_changed_since_it_was_written_is_written_anew(large, monkeypatch):
    """The copy is asked for after the plan; meanwhile the pulse has another name, but the same indicators."""
    large.collection(OTHER)
    read = writers.Copies.read

    def changes(self, database, jobs):
        if jobs:
            monkeypatch.setattr(writers.Copies, "read", read)
            large.clock.moment += timedelta(seconds=1)
            large.put(
                a_pulse(0, NOW - 10 * DAY, name="Renamed"), [*(f"{one}0.example" for one in "abc"), "shared.example"]
            )
        return read(self, database, jobs)

    monkeypatch.setattr(writers.Copies, "read", changes)
    large.publish()
    first, other = large.served()[0], large.served("other")[0]
    assert (b"Renamed" in first.content, b"Renamed" in other.content) == (False, True)
    assert other.values == first.values
    large.check()


def rename(feed: Feed):
    feed.clock.moment += timedelta(seconds=1)
    names = [*(f"{one}0.example" for one in "abc"), "shared.example"]
    feed.put(a_pulse(0, NOW - 10 * DAY, name="Renamed"), names)


def rewrite(feed: Feed):
    (first, *_) = feed.served()
    with feed.database.write() as connection:
        block, row = blocks.get(connection, first.id), ledger.lock(connection, "mail")
        assert block is not None
        blocks.rewrite(connection, block, row.revision + 1, first.content.replace(b"Pulse", b"Other"))
        ledger.record(connection, "mail", row.frontier)


@pytest.mark.parametrize("change", [rename, rewrite])
def test_copy_whose_source_changes_before_it_is_made_is_planned_again(large, monkeypatch, change):
    """It was looked at, and good; what is staged is another matter."""
    large.collection(OTHER)
    read, forget, conflicts = writers.Copies.read, blocks.forget_lost, []

    def changes(self, database, jobs):
        found = read(self, database, jobs)
        if jobs:
            monkeypatch.setattr(writers.Copies, "read", read)
            assert None not in found
            change(large)
        return found

    def forgotten(connection, collection_id):
        conflicts.append(collection_id)
        forget(connection, collection_id)

    monkeypatch.setattr(writers.Copies, "read", changes)
    monkeypatch.setattr(blocks, "forget_lost", forgotten)
    anew = []
    monkeypatch.setattr(writers, "write", lambda base, jobs: anew.extend(jobs) or write(base, jobs))
    done = large.publish()["other"]
    assert (len(conflicts), [job.pulse_pk for job in anew[:1]], len(anew)) == (1, [1], 2)  # for user_someone, too
    assert done == Publication("other", added=19, new_blocks=6)
    others = large.served("other")
    assert (b"Renamed" in others[0].content) == (change is rename)
    assert b"Other" not in others[0].content
    assert [one.values for one in others] == large.values()
    large.check()


def test_block_that_was_changed_since_it_was_published_is_not_copied(large):
    writing = writers.Writers(large.database)
    stored = publish.collections.every
    with large.database.read() as connection:
        (mail,) = (one for one in stored(connection) if one.collection.name == "mail")
    publish.publish(large.database, mail, large.policy, writing)
    key, parts = next(iter(writing.copies._known.items()))
    job = writers.Job(key[0], [pk for part in parts.parts for pk in part.keys], Profile.FULL, deduplicate=True)
    assert writing.copies.read(large.database, [job]) != [None]
    with large.database.write() as connection:
        block = blocks.get(connection, parts.parts[0].block_id)
        assert block is not None
        blocks.rewrite(connection, block, 99, b"<other/>")
    assert writing.copies.read(large.database, [job]) == [None]


def test_collection_that_a_poll_opens_meanwhile_gets_later_labels(large, monkeypatch):
    """What was foreseen lies behind the end that the poll was answered."""
    release = blocks.release
    ends = []

    def opened(connection, *given):
        release(connection, *given)
        if not ends:
            ends.append(None)

    monkeypatch.setattr(blocks, "release", opened)
    place = placing.place

    def poll(connection, *given):
        place(connection, *given)
        if ends == [None]:
            ledger.open_(connection, "mail")
            ends[0] = NOW - DAY
            connection.execute(
                sa.update(ledger.ledgers).where(ledger.ledgers.c.name == "mail").values(frontier=ends[0])
            )

    monkeypatch.setattr(placing, "place", poll)
    large.publish()
    before = [one.label for one in large.served()[:2]]
    after = large.served()[2:]
    assert before == [NOW - 10 * DAY, NOW - 9 * DAY]
    assert len(after) == 4
    assert all(one.label > NOW - DAY for one in after)
    query = sa.select(placements.c.content_block_id, placements.c.since)
    with large.database.read() as connection:
        since = set(map(tuple, connection.execute(query)))
    assert since == {(one.id, one.label) for name in ("mail", "user_someone") for one in large.served(name)}
    large.check()


@pytest.mark.parametrize("name", ["stage_all", "release"])
@pytest.mark.parametrize("at", [1, 2, 3])
def test_publication_that_dies_is_gone_on_with(large, monkeypatch, name, at):
    with monkeypatch.context() as patch:
        dies(patch, blocks, name, at)
        with pytest.raises(KeyboardInterrupt):
            large.publish()
    there = served(large)
    assert there == [(NOW - (10 - each) * DAY, content) for each, (_, content) in enumerate(there)]
    large.publish()
    assert served(large)[: len(there)] == there
    assert [label for label, _ in served(large)] == [NOW - (10 - each) * DAY for each in range(6)]
    large.check()


def test_publication_that_dies_while_it_places_leaves_nothing_placed(large, monkeypatch):
    with monkeypatch.context() as patch:
        dies(patch, placing, "place", 2)
        with pytest.raises(KeyboardInterrupt):
            large.publish()
    assert (large.placed(), large.served()) == (3, [])
    large.publish()
    assert (large.placed(), len(large.served())) == (19, 6)
    large.check()


def dies(patch, owner, name, at):
    real, left = getattr(owner, name), at

    def run(*given):
        nonlocal left
        left -= 1
        if not left:
            raise KeyboardInterrupt
        return real(*given)

    patch.setattr(owner, name, run)


def test_what_is_placed_and_not_published_is_nowhere_yet(large, monkeypatch):
    with monkeypatch.context() as patch:
        dies(patch, blocks, "release", 1)
        with pytest.raises(KeyboardInterrupt):
            large.publish()
    assert large.placed() > 0
    with large.database.read() as connection:
        collection = publish.collections.get(connection, "mail")
        (identity,) = connection.scalars(sa.select(placements.c.identity).limit(1))
        assert blocks.find(connection, collection.id, identity) is None
        assert list(blocks.listed(connection, collection.id)) == []


@pytest.mark.timeout(120)
def test_publication_goes_on_alone_when_a_process_is_killed(feed, monkeypatch):
    small_steps(monkeypatch)
    feed.collection()
    fill(feed, 12)
    begin = writers.Writers._begin

    def kill(self, bundle):
        begin(self, bundle)
        for pid in list(self._executor._processes if self._executor else ()):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    monkeypatch.setattr(writers.Writers, "_begin", kill)
    assert feed.publish()["mail"] == Publication("mail", added=37, new_blocks=12)
    feed.check()


LARGE = """
import sys, time
from pulsegate.publication import writers
from pulsegate.store.database import Database

if __name__ == "__main__":
    executor = writers.start(Database(sys.argv[1]))
    executor.submit(writers.work, []).result()
    print(*executor._processes, flush=True)
    time.sleep(60)
"""


@pytest.mark.timeout(120)
def test_processes_end_with_the_one_that_they_write_for(tmp_path: Path, new_database):
    script = tmp_path / "large.py"
    script.write_text(LARGE)
    command = [sys.executable, str(script), new_database(tmp_path / "a.db")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert pids
        assert all(map(runs, pids))
        parent.kill()
    deadline = time.monotonic() + 20
    while any(map(runs, pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(runs, pids))


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_mark_of_a_pulse_changes_to_and_fro(feed):
    """A fingerprint that comes again is not the same state."""
    marks = []
    for names in (["a.example"], ["b.example"], ["a.example"]):
        feed.clock.moment += DAY
        feed.put(a_pulse(1), [a_name(name) for name in names])
        with feed.database.read() as connection:
            found = pulses.get(connection, a_pulse(1).id)
            assert found is not None
            marks.append(candidates.marked(connection, [found.pk])[found.pk][1])
    assert len(set(marks)) == 3

"""Reading what a collection held at one revision, while publications go on, and forgetting it."""

from __future__ import annotations

from datetime import timedelta
from itertools import count

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pulsegate.errors import OutdatedRevisionError
from pulsegate.store import blocks, collections, contents, ledger, versions
from pulsegate.store.tables import superseded
from store.conftest import NOW
from store.shelf import MINUTE, Shelf, a_version

HOUR = timedelta(hours=1)
US = timedelta(microseconds=1)
CHUNKS = [1, 2, 50]
NAMES = count()


@pytest.fixture
def at(monkeypatch):
    """Put the clock to a moment."""

    def put(moment):
        for module in (blocks, collections, contents, ledger):
            monkeypatch.setattr(module, "now", lambda _: moment)

    put(NOW)
    return put


@pytest.fixture
def shelf(database, at):
    """Three blocks, published one after the other."""
    made = Shelf(database)
    for _ in range(3):
        made.add()
    return made


def read(shelf, revision, begin=None, end=None, chunk=versions.CHUNK):
    return list(versions.read(shelf.database, shelf.window(revision, begin, end), chunk=chunk))


def superseded_ones(shelf):
    """(block, label, from, to, ended, content) of each."""
    columns = ("content_block_id", "label", "from_revision", "to_revision", "ended", "content")
    query = sa.select(*(superseded.c[name] for name in columns)).where(superseded.c.collection_id == shelf.id)
    with shelf.database.read() as connection:
        return [tuple(row) for row in connection.execute(query.order_by(superseded.c.pk))]


def purge(shelf, before):
    with shelf.database.write() as connection:
        return versions.purge(connection, shelf.name, shelf.id, before)


@pytest.mark.parametrize("chunk", CHUNKS)
def test_each_revision_reads_as_it_stood_after_later_ones_changed_everything(shelf, chunk):
    first, second, third = shelf.now
    shelf.rewrite(0)
    shelf.relabel(1)
    shelf.delete(1)
    shelf.add()
    shelf.rewrite(1)
    shelf.relabel(0)
    shelf.delete(0)
    assert [read(shelf, revision, chunk=chunk) for revision in range(len(shelf.stood))] == shelf.stood
    rewritten = a_version(first.id, first.label, b"<rewritten at='4'/>")
    relabelled = a_version(second.id, third.label + MINUTE, second.content)
    added = a_version(shelf.stood[7][2].id, third.label + 2 * MINUTE, b"<new at='7'/>")
    assert shelf.stood == [
        [],
        [first],
        [first, second],
        [first, second, third],
        [rewritten, second, third],
        [rewritten, third, relabelled],
        [rewritten, relabelled],
        [rewritten, relabelled, added],
        [rewritten, changed := a_version(second.id, relabelled.label, b"<rewritten at='8'/>"), added],
        [changed, added, moved := a_version(first.id, third.label + 3 * MINUTE, rewritten.content)],
        [added, moved],
    ]


@pytest.mark.parametrize("chunk", CHUNKS)
def test_window_is_open_at_its_begin_and_closed_at_its_end(shelf, chunk):
    labels = [one.label for one in shelf.now]
    shelf.rewrite(0)
    shelf.relabel(1)
    shelf.delete(1)
    for revision in (3, shelf.revision):
        for begin in (None, labels[0] - US, *labels):
            for end in (None, labels[0] - US, *labels, labels[2] + HOUR):
                window = shelf.window(revision, begin, end)
                assert read(shelf, revision, begin, end, chunk) == shelf.within(window)
                assert versions.measure(shelf.database, window).blocks == len(shelf.within(window))
    assert read(shelf, 3, labels[0], labels[1], chunk) == [shelf.stood[3][1]]


@pytest.mark.parametrize("chunk", CHUNKS)
def test_reading_goes_on_as_it_began_while_everything_changes(shelf, chunk):
    found = []
    for one in versions.read(shelf.database, shelf.window(3), chunk=chunk):
        found.append(one)
        shelf.relabel(0)
        shelf.rewrite(1)
        shelf.delete(0)
        shelf.add()
        shelf.add()
    assert found == shelf.stood[3]
    assert shelf.revision == 18


@pytest.mark.parametrize("number", [49, 50, 51, 100])
def test_reading_of_about_a_chunk(database, at, number):
    shelf = Shelf(database)
    for _ in range(number):
        shelf.add()
    assert read(shelf, number) == shelf.now
    assert versions.measure(database, shelf.window(number)).blocks == number


def test_staged_block_is_in_no_reading(shelf):
    with shelf.database.write() as connection:
        blocks.stage(connection, shelf.id, None, b"<staged/>")
    assert read(shelf, 3) == shelf.now
    assert versions.measure(shelf.database, shelf.window(3)).blocks == 3


def test_other_collection_is_in_no_reading(shelf):
    other = Shelf(shelf.database, "other")
    other.add()
    other.rewrite(0)
    other.add()
    for one in (shelf, other):
        assert [read(one, revision) for revision in range(len(one.stood))] == one.stood


CHANGES = st.lists(
    st.tuples(st.sampled_from(["add", "rewrite", "relabel", "delete"]), st.integers(0, 3)), min_size=1, max_size=6
)


def apply(shelf, changes):
    for kind, place in changes:
        if kind == "add" or not shelf.now:
            shelf.add()
        else:
            getattr(shelf, kind)(place % len(shelf.now))


@given(st.data(), CHANGES, st.lists(CHANGES, max_size=4), st.sampled_from(CHUNKS))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_revision_reads_as_it_stood_while_anything_is_published(database, at, data, before, meanwhile, chunk):
    shelf = Shelf(database, f"mail {next(NAMES)}")
    apply(shelf, before)
    moments = st.none() | st.integers(0, 8).map(lambda minutes: NOW + minutes * MINUTE)
    revision = data.draw(st.integers(0, shelf.revision))
    window = shelf.window(revision, data.draw(moments), data.draw(moments))
    found = []
    for one in versions.read(database, window, chunk=chunk):
        found.append(one)
        if meanwhile:
            apply(shelf, meanwhile.pop())
            assert versions.measure(database, window).blocks == len(shelf.within(window))
    assert found == shelf.within(window)
    assert [read(shelf, each, chunk=chunk) for each in range(len(shelf.stood))] == shelf.stood


# --- What is kept, and how long ------------------------------------------------------------------------------------


def test_change_keeps_the_version_that_it_ends(shelf, at):
    first, second, third = shelf.now
    at(NOW + HOUR)
    shelf.rewrite(0)
    at(NOW + 2 * HOUR)
    shelf.relabel(0)
    shelf.delete(0)
    shelf.add()
    assert superseded_ones(shelf) == [
        (first.id, first.label, 1, 4, NOW + HOUR, first.content),
        (first.id, first.label, 4, 5, NOW + 2 * HOUR, b"<rewritten at='4'/>"),
        (second.id, second.label, 2, 6, NOW + 2 * HOUR, second.content),
    ]
    assert [one.id for one in shelf.now][:2] == [third.id, first.id]


def test_purge_forgets_what_ended_before_and_refuses_the_revisions_that_need_it(shelf, at):
    for hours in (1, 2, 3):
        at(NOW + hours * HOUR)
        shelf.rewrite(0)
    assert purge(shelf, NOW + HOUR) == 0
    assert (shelf.row().purged, len(superseded_ones(shelf))) == (0, 3)
    assert purge(shelf, NOW + 2 * HOUR + US) == 2
    assert (shelf.row().purged, [one[3] for one in superseded_ones(shelf)]) == (5, [6])
    for revision in range(5):
        for ask in (read, lambda one, at_: versions.measure(one.database, one.window(at_)).blocks):
            with pytest.raises(OutdatedRevisionError, match="what it held then is no longer kept; poll again"):
                ask(shelf, revision)
    assert [read(shelf, revision) for revision in (5, 6)] == shelf.stood[5:]
    assert [versions.measure(shelf.database, shelf.window(revision)).blocks for revision in (5, 6)] == [3, 3]


def test_purge_with_another_retention_lowers_nothing(shelf, at):
    at(NOW + HOUR)
    shelf.rewrite(0)
    assert purge(shelf, NOW + 2 * HOUR) == 1
    assert purge(shelf, NOW + 2 * HOUR) == 0
    assert shelf.row().purged == 4
    at(NOW)  # as of a host whose clock is behind
    shelf.rewrite(0)
    at(NOW + 3 * HOUR)
    shelf.rewrite(0)
    assert purge(shelf, NOW - HOUR) == 0
    assert shelf.row().purged == 4
    assert purge(shelf, NOW + US) == 1
    assert (shelf.row().purged, [one[3] for one in superseded_ones(shelf)]) == (5, [6])


@pytest.mark.parametrize("chunk", [1, 2])
def test_reading_that_a_purge_overtakes_breaks_off(shelf, at, chunk):
    reading = versions.read(shelf.database, shelf.window(3), chunk=chunk)
    assert next(reading) == shelf.stood[3][0]
    shelf.delete(2)
    assert purge(shelf, NOW + HOUR) == 1
    with pytest.raises(OutdatedRevisionError):
        list(reading)


def test_reading_that_a_purge_does_not_concern_is_finished(shelf, at):
    shelf.rewrite(0)
    reading = versions.read(shelf.database, shelf.window(4), chunk=1)
    found = [next(reading)]
    assert purge(shelf, NOW + HOUR) == 1
    assert found + list(reading) == shelf.stood[4]


def test_purge_leaves_other_collections_alone(shelf, at):
    other = Shelf(shelf.database, "other")
    other.add()
    for one in (shelf, other):
        one.rewrite(0)
    assert purge(shelf, NOW + HOUR) == 1
    assert (shelf.row().purged, other.row().purged) == (4, 0)
    assert [read(other, revision) for revision in range(3)] == other.stood


def test_reading_of_a_collection_that_is_gone_breaks_off(shelf):
    reading = versions.read(shelf.database, shelf.window(3), chunk=1)
    next(reading)
    with shelf.database.write() as connection:
        collections.remove(connection, shelf.id)
    with pytest.raises(OutdatedRevisionError):
        list(reading)
    with pytest.raises(OutdatedRevisionError):
        versions.measure(shelf.database, shelf.window(3))

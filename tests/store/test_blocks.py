"""Blocks: changes that hold against what was planned from, and roll back whole where they don't."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from pulsegate.errors import PublicationConflictError
from pulsegate.store import blocks, collections, contents, ledger, versions
from pulsegate.store.blocks import Placement, StoredBlock
from pulsegate.store.tables import content_blocks, metadata
from store.conftest import NOW
from store.shelf import Shelf, publish_one

US = timedelta(microseconds=1)


@pytest.fixture
def shelf(database, monkeypatch):
    """Three blocks, published one after the other."""
    for module in (blocks, collections, contents, ledger):
        monkeypatch.setattr(module, "now", lambda _: NOW)
    made = Shelf(database)
    for _ in range(3):
        made.add()
    return made


def everything(shelf):
    """Every row of every table."""
    with shelf.database.read() as connection:
        return {table.name: sorted(map(repr, connection.execute(sa.select(table)))) for table in metadata.sorted_tables}


def conflict(shelf, change):
    """The change, after one that went well in the same transaction, is refused and nothing of it stays."""
    before, good = everything(shelf), shelf.block(1)
    with pytest.raises(PublicationConflictError), shelf.database.write() as connection:  # noqa: PT012
        ledger.lock(connection, shelf.name)
        blocks.rewrite(connection, good, 9, b"<good/>")
        change(connection)
    assert everything(shelf) == before


CHANGES = {
    "rewrite": lambda connection, _, block: blocks.rewrite(connection, block, 9, b"<mine/>"),
    "relabel": lambda connection, _, block: blocks.relabel(connection, block, 9, NOW + timedelta(days=1)),
    "delete": lambda connection, shelf, block: blocks.delete(connection, shelf.id, block, 9),
}
BEFORE = {
    "was rewritten": lambda shelf: shelf.rewrite(0),
    "was relabelled": lambda shelf: shelf.relabel(0),
    "was deleted": lambda shelf: shelf.delete(0),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("before", BEFORE.values(), ids=BEFORE)
def test_change_of_a_block_that_another_publisher_has_changed(shelf, change, before):
    planned = shelf.block(0)
    before(shelf)
    conflict(shelf, lambda connection: change(connection, shelf, planned))


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_change_of_a_block_that_is_not_published(shelf, change):
    with shelf.database.write() as connection:
        key = blocks.stage(connection, shelf.id, None, b"<staged/>")
        assert blocks.get(connection, key) is None
    conflict(shelf, lambda connection: change(connection, shelf, StoredBlock(key, None, NOW, 0)))


def test_staged_block_that_another_publisher_has_cleared_is_not_published(shelf):
    with shelf.database.write() as connection:
        key = blocks.stage(connection, shelf.id, None, b"<staged/>")
    with shelf.database.write() as connection:
        assert blocks.clear_staged(connection, shelf.id) == 1
    conflict(shelf, lambda connection: publish_one(connection, shelf.id, key, NOW, 9, [(b"x", 1)]))


def test_block_is_published_once(shelf):
    key = shelf.block(0).id
    conflict(shelf, lambda connection: publish_one(connection, shelf.id, key, NOW, 9, [(b"x", 1)]))


def test_value_that_another_publisher_has_placed_is_not_placed_again(shelf):
    taken = f"{shelf.now[0].id}".encode()
    with shelf.database.write() as connection:
        key = blocks.stage(connection, shelf.id, None, b"<staged/>")
    conflict(shelf, lambda connection: publish_one(connection, shelf.id, key, NOW, 9, [(b"x", 1), (taken, 2)]))


def test_value_that_has_left_the_block_is_not_taken_out_again(shelf):
    block, identity = shelf.block(0), f"{shelf.now[0].id}".encode()
    with shelf.database.write() as connection:
        blocks.unplace(connection, block, [identity])
    conflict(shelf, lambda connection: blocks.unplace(connection, block, [identity]))
    conflict(shelf, lambda connection: blocks.unplace(connection, block, [f"{shelf.now[1].id}".encode()]))


@pytest.mark.parametrize("number", [499, 500, 501, 1203])
def test_many_values_are_taken_out(shelf, number):
    found = [(f"x{each}".encode(), each) for each in range(number)]
    with shelf.database.write() as connection:
        key = blocks.stage(connection, shelf.id, None, b"<many/>")
        publish_one(connection, shelf.id, key, NOW + timedelta(days=1), 4, [*found, (b"stays", 5000)])
    with shelf.database.write() as connection:
        block = blocks.get(connection, key)
        assert block == StoredBlock(key, None, NOW + timedelta(days=1), 4)
        blocks.unplace(connection, block, [identity for identity, _ in found])
        assert [one.identity for one in blocks.in_block(connection, key)] == [b"stays"]
    assert blocks_in(shelf) == 4


def blocks_in(shelf):
    return versions.measure(shelf.database, shelf.window(9)).blocks


def test_changed_block_names_its_label_and_revision(shelf):
    first = shelf.now[0]
    assert shelf.block(0) == StoredBlock(first.id, None, first.label, 1)
    shelf.rewrite(0)
    assert shelf.block(0) == StoredBlock(first.id, None, first.label, 4)
    shelf.relabel(0)
    assert shelf.block(2) == StoredBlock(first.id, None, shelf.label, 5)


def test_blocks_older_than_a_label_come_the_oldest_first(shelf):
    shelf.relabel(0)
    other = Shelf(shelf.database, "other")
    other.add()
    with shelf.database.write() as connection:
        blocks.stage(connection, shelf.id, None, b"<staged/>")
    found = [shelf.block(place) for place in range(3)]
    with shelf.database.read() as connection:
        for place, one in enumerate(found):
            assert blocks.older_than(connection, shelf.id, one.label) == found[: place + 1]
            assert blocks.older_than(connection, shelf.id, one.label - US) == found[:place]


def test_adopted_value_stands_for_the_other_indicator_in_its_block(shelf):
    key, label = shelf.now[0].id, shelf.now[0].label
    identity = f"{key}".encode()
    other = Shelf(shelf.database, "other")
    with shelf.database.write() as connection:
        mine = blocks.stage(connection, other.id, None, b"<other/>")
        publish_one(connection, other.id, mine, NOW, 1, [(identity, 5)])
    with shelf.database.write() as connection:
        blocks.adopt(connection, shelf.id, identity, 77)
    with shelf.database.read() as connection:
        assert blocks.find(connection, shelf.id, identity) == Placement(identity, key, 77, label, label, None)
        assert blocks.find(connection, other.id, identity) == Placement(identity, mine, 5, NOW, NOW, None)
        assert [one.indicator_pk for one in blocks.in_block(connection, shelf.now[1].id)] == [shelf.now[1].id]


def test_relabelled_block_has_its_values_since_its_first_label(shelf):
    first = shelf.now[0]
    identity = f"{first.id}".encode()
    shelf.relabel(0)
    with shelf.database.read() as connection:
        assert blocks.find(connection, shelf.id, identity) == Placement(
            identity, first.id, first.id, first.label, shelf.label, None
        )


def test_key_of_a_staged_block_that_was_cleared_is_given_to_no_other_one(shelf):
    """Another publisher may still hold it, and would take the other block for its own."""
    given = []
    for _ in range(3):
        with shelf.database.write() as connection:
            given += [blocks.stage(connection, shelf.id, None, b"<a/>") for _ in range(2)]
        with shelf.database.write() as connection:
            assert blocks.clear_staged(connection, shelf.id) == 2
    assert given == sorted(set(given))
    with shelf.database.read() as connection:
        empty = sa.select(sa.func.count()).select_from(content_blocks).where(content_blocks.c.content == b"")
        assert connection.scalar(empty) <= 1

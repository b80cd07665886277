"""Contents: written or copied many at once, under keys that nobody else gets."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from threading import Barrier, Thread

import pytest
import sqlalchemy as sa

from pulsegate.errors import PublicationConflictError
from pulsegate.model.collection import Collection
from pulsegate.model.pulse import Pulse
from pulsegate.store import blocks, candidates, collections, contents, taken
from pulsegate.store.contents import Original, Text
from pulsegate.store.database import Database
from pulsegate.store.tables import content_blocks, pulses
from store.conftest import NOW
from store.shelf import publish_one

ROUNDS = 20
PULSE = Pulse(id=f"{1:024x}", name="A pulse", author="someone", created=NOW, modified=NOW)


@pytest.fixture
def collection_id(database) -> int:
    with database.write() as connection:
        collections.ensure_services(connection)
        return collections.put(connection, Collection("mail")).id


def read(database) -> dict[int, bytes]:
    with database.read() as connection:
        return dict(connection.execute(sa.select(content_blocks.c.id, content_blocks.c.content)).all())


def test_publishers_at_once_never_get_the_same_key(database, collection_id):
    """Nor do they get one that a stock OpenTAXII takes, which leaves it to the database."""
    given: dict[int, bytes] = {}
    together = Barrier(3)

    def publisher(name: bytes):
        own = Database(database.url)
        together.wait()
        for turn in range(ROUNDS):
            texts = [Text(None, b"%s %d %d" % (name, turn, each)) for each in range(3)]
            with own.write() as connection:
                keys = blocks.stage_all(connection, collection_id, texts)
            given.update(zip(keys, (one.content for one in texts), strict=True))
        own.close()

    def stock():
        own = Database(database.url)
        together.wait()
        for turn in range(ROUNDS):
            with own.write() as connection:
                done = connection.execute(sa.insert(content_blocks).values(content=b"stock %d" % turn))
            given[done.inserted_primary_key[0]] = b"stock %d" % turn
        own.close()

    threads = [Thread(target=publisher, args=(name,)) for name in (b"one", b"two")] + [Thread(target=stock)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(given) == ROUNDS * 7
    assert read(database) == given


def test_keys_of_what_was_rolled_back_do_no_harm(database, collection_id):
    with database.write() as connection, connection.begin_nested() as begun:
        blocks.stage_all(connection, collection_id, [Text(None, b"<a/>")])
        begun.rollback()
    with database.write() as connection:
        (key,) = blocks.stage_all(connection, collection_id, [Text(None, b"<b/>")])
    assert read(database) == {key: b"<b/>"}


@pytest.fixture
def original(database, collection_id) -> Original:
    """A published block of a pulse."""
    with database.write() as connection:
        taken.put(connection, PULSE, [], lambda _: None)
        (pk,) = connection.scalars(sa.select(pulses.c.pk))
        ((_, mark),) = candidates.marked(connection, [pk]).values()
        (key,) = blocks.stage_all(connection, collection_id, [Text(pk, b"<original/>" * 5000)])
        publish_one(connection, collection_id, key, NOW, 1, [(b"x", 1)])
    return Original(key, 1, mark, 55_000)


def test_copies_stand_among_what_is_written(database, collection_id, original):
    label = NOW + timedelta(days=1)
    texts = [
        Text(1, b"<first/>"),
        Text(1, original, label=label, indicators=7),
        Text(None, b"<pushed/>", "urn:other", "a message"),
        Text(1, original),
    ]
    with database.write() as connection:
        keys = blocks.stage_all(connection, collection_id, texts)
    query = sa.select(
        content_blocks.c.content,
        content_blocks.c.binding_id,
        content_blocks.c.message,
        blocks.blocks.c.pulse_pk,
        blocks.blocks.c.size,
        blocks.blocks.c.label,
        blocks.blocks.c.indicators,
        blocks.blocks.c.revision,
    ).join(blocks.blocks, blocks.blocks.c.content_block_id == content_blocks.c.id)
    content = b"<original/>" * 5000
    with database.read() as connection:
        rows = [tuple(connection.execute(query.where(content_blocks.c.id == key)).one()) for key in keys]
        stamps = dict(connection.execute(sa.select(content_blocks.c.id, content_blocks.c.timestamp_label)).all())
    assert rows == [
        (b"<first/>", collections.STIX_BINDING, None, 1, 8, None, 0, None),
        (content, collections.STIX_BINDING, None, 1, 55_000, label, 7, None),
        (b"<pushed/>", "urn:other", "a message", None, 9, None, 0, None),
        (content, collections.STIX_BINDING, None, 1, 55_000, None, 0, None),
    ]
    assert stamps[keys[1]] == label


def test_what_may_be_copied_is_told_by_block(database, original):
    with database.read() as connection:
        assert contents.of_pulses(connection, [original.block_id, 77]) == {
            original.block_id: contents.PulseBlock(original, 1, PULSE.modified)
        }
        assert contents.of_pulses(connection, []) == {}


OTHERS = {
    "another version": lambda one: replace(one, revision=2),
    "another fingerprint": lambda one: replace(one, mark=one.mark._replace(fingerprint=b"other")),
    "stored at another time": lambda one: replace(
        one, mark=one.mark._replace(stored=one.mark.stored + timedelta(microseconds=1))
    ),
    "another block": lambda one: replace(one, block_id=one.block_id + 1),
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_copy_of_what_is_no_longer_so_is_a_conflict(database, collection_id, original, other):
    before = read(database)
    texts = [Text(1, original), Text(1, other(original)), Text(1, b"<new/>")]
    with pytest.raises(PublicationConflictError), database.write() as connection:
        blocks.stage_all(connection, collection_id, texts)
    assert read(database) == before


def test_copy_of_a_block_without_its_pulse_is_a_conflict(database, collection_id, original):
    with database.write() as connection:
        connection.execute(sa.delete(pulses))
    with pytest.raises(PublicationConflictError), database.write() as connection:
        blocks.stage_all(connection, collection_id, [Text(None, original)])

"""Content blocks, their versions, and the indicators placed in them.

A new block is staged first: a row that is linked to no collection, so that nobody serves it, no stock OpenTAXII either.
Publishing it gives it its label and its link, and places its indicators, in one short transaction. Each change of a
block after that ends a version of it, which is kept for a while, so that a poll reads what stood at one revision of the
ledger although publications go on meanwhile.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from pulsegate.errors import PublicationConflictError
from pulsegate.model.omission import Omission
from pulsegate.store import bulk, contents, omissions, placing
from pulsegate.store.chunks import chunks
from pulsegate.store.collections import STIX_BINDING
from pulsegate.store.contents import Text, expect
from pulsegate.store.database import now
from pulsegate.store.tables import (
    blocks,
    collection_to_content_block,
    content_blocks,
    data_collections,
    indicators,
    placements,
    pulses,
    reflections,
    superseded,
)
from pulsegate.store.withdrawals import Left

NO_INDICATOR = 0  # in place of an indicator's key, for a package that was pushed: keys begin at 1


@dataclass(frozen=True, slots=True)
class Placement:
    """An indicator's place in a collection, with the label and the pulse of the block that it is in."""

    identity: bytes
    content_block_id: int
    indicator_pk: int
    since: datetime
    label: datetime
    pulse_pk: int | None


@dataclass(frozen=True, slots=True)
class StoredBlock:
    """A published block: the pulse it belongs to (None: gone), its label, the publication that made this version.

    ``profile``: that it is written in.
    """

    id: int
    pulse_pk: int | None
    label: datetime
    revision: int
    indicators: int = field(default=0, compare=False)
    profile: str = field(default="full", compare=False)


def stage(
    connection: sa.Connection,
    collection_id: int,
    pulse_pk: int | None,
    content: bytes,
    *,
    binding: str = STIX_BINDING,
    message: str | None = None,
) -> int:
    """Store a block that nobody is served yet; gives its key."""
    return stage_all(connection, collection_id, [Text(pulse_pk, content, binding, message)])[0]


def stage_all(connection: sa.Connection, collection_id: int, texts: Sequence[Text]) -> list[int]:
    """Store blocks that nobody is served yet; gives their keys in the same order.

    PublicationConflictError when one that is to be copied, or its pulse, has changed meanwhile.
    """
    keys = contents.add(connection, texts)
    rows = [
        (key, collection_id, one.pulse_pk, one.size, one.label, one.indicators, one.profile)
        for key, one in zip(keys, texts, strict=True)
    ]
    columns = ("content_block_id", "collection_id", "pulse_pk", "size", "label", "indicators", "profile")
    bulk.insert(connection, blocks, columns, rows)
    for key, one in zip(keys, texts, strict=True):
        if one.omitted:
            omissions.put(connection, key, one.omitted)
    return keys


@dataclass(frozen=True, slots=True)
class Ready:
    """A staged block with the label it gets, and what is placed in it: pairs of identity and indicator key.

    A package that was pushed is placed as a whole, by the identity of its text with ``NO_INDICATOR``, and has its own
    number of ``indicators``.
    """

    block_id: int
    label: datetime
    placed: Sequence[tuple[bytes, int]]
    indicators: int


def publish(connection: sa.Connection, collection_id: int, revision: int, ready: Sequence[Ready]) -> None:
    """Link staged blocks of one collection under their labels and place what is in them, in a few statements.

    PublicationConflictError when another publisher has cleared a staged block or placed one of them meanwhile.
    """
    there = [
        {"b_id": one.block_id, "b_label": one.label, "b_indicators": one.indicators, "b_revision": revision}
        for one in ready
    ]
    staged = sa.and_(blocks.c.content_block_id == sa.bindparam("b_id"), blocks.c.revision.is_(None))
    values: dict[str, Any] = {column: sa.bindparam(f"b_{column}") for column in ("label", "revision", "indicators")}
    expect(connection.execute(sa.update(blocks).where(staged).values(values), there), len(ready))
    mine = content_blocks.c.id == sa.bindparam("b_id")
    connection.execute(sa.update(content_blocks).where(mine).values(timestamp_label=sa.bindparam("b_label")), there)
    link(connection, collection_id, [one.block_id for one in ready])
    rows = [(identity, one.block_id, pk, one.label) for one in ready for identity, pk in one.placed]
    placing.place(connection, collection_id, rows)


def release(connection: sa.Connection, collection_id: int, revision: int, block_ids: Sequence[int]) -> None:
    """Publish staged blocks under the labels that were foreseen for them; their indicators are placed already.

    PublicationConflictError when another publisher has cleared one of them meanwhile.
    """
    for chunk in chunks(block_ids):
        staged = sa.and_(blocks.c.content_block_id.in_(chunk), blocks.c.revision.is_(None))
        expect(connection.execute(sa.update(blocks).where(staged).values(revision=revision)), len(chunk))
    link(connection, collection_id, block_ids)


def foresee(connection: sa.Connection, block_id: int, label: datetime) -> None:
    """Foresee another label for a staged block, whose indicators are placed already."""
    connection.execute(sa.update(blocks).where(blocks.c.content_block_id == block_id).values(label=label))
    mine = content_blocks.c.id == block_id
    connection.execute(sa.update(content_blocks).where(mine).values(timestamp_label=label))
    placing.move_label(connection, block_id, label)


def link(connection: sa.Connection, collection_id: int, block_ids: Sequence[int]) -> None:
    """Let the blocks be served: what stock OpenTAXII goes by."""
    links = [{"collection_id": collection_id, "content_block_id": one} for one in block_ids]
    connection.execute(sa.insert(collection_to_content_block), links)
    _change_volume(connection, collection_id, len(block_ids))


def rewrite(
    connection: sa.Connection,
    block: StoredBlock,
    revision: int,
    content: bytes,
    omitted: Iterable[Omission] = (),
) -> None:
    """Give a published block, from which indicators were taken, new contents under its old label.

    ``omitted``: what its networks are without from now on.
    """
    _supersede(connection, block, revision)
    left = sa.select(sa.func.count()).where(placements.c.content_block_id == block.id).scalar_subquery()
    ours = {"revision": revision, "indicators": left, "size": len(content)}
    _update(connection, block, ours, {"content": content})
    omissions.put(connection, block.id, omitted)


def relabel(connection: sa.Connection, block: StoredBlock, revision: int, label: datetime) -> None:
    """Give a published block a new label, so that every client gets it again."""
    _supersede(connection, block, revision)
    _update(connection, block, {"revision": revision, "label": label}, {"timestamp_label": label})


def delete(connection: sa.Connection, collection_id: int, block: StoredBlock, revision: int) -> None:
    """Withdraw a published block."""
    _supersede(connection, block, revision)
    drop(connection, [block.id])
    _change_volume(connection, collection_id, -1)


def _supersede(connection: sa.Connection, block: StoredBlock, revision: int) -> None:
    """Keep the version that ends now. PublicationConflictError when it is no longer the one that was planned from."""
    current = (
        sa.select(
            blocks.c.collection_id,
            blocks.c.content_block_id,
            blocks.c.label,
            blocks.c.revision,
            sa.literal(revision),
            sa.literal(now(connection), blocks.c.label.type),
            blocks.c.indicators,
            blocks.c.size,
            content_blocks.c.binding_id,
            content_blocks.c.message,
            content_blocks.c.content,
        )
        .join(content_blocks, content_blocks.c.id == blocks.c.content_block_id)
        .where(blocks.c.content_block_id == block.id, blocks.c.revision == block.revision)
    )
    names = ["collection_id", "content_block_id", "label", "from_revision", "to_revision", "ended"]
    names += ["indicators", "size", "binding", "message", "content"]
    insert = sa.insert(superseded).from_select(names, current).execution_options(preserve_rowcount=True)
    expect(connection.execute(insert), 1)


def _update(
    connection: sa.Connection, block: StoredBlock, ours: dict[str, object], opentaxiis: dict[str, object]
) -> None:
    connection.execute(sa.update(blocks).where(blocks.c.content_block_id == block.id).values(ours))
    connection.execute(sa.update(content_blocks).where(content_blocks.c.id == block.id).values(opentaxiis))


def unplace(connection: sa.Connection, block: StoredBlock, identities: Sequence[bytes]) -> list[Left]:
    """Take indicators out of their places in the block; gives each with the labels that it had.

    PublicationConflictError when one of them is no longer there.
    """
    gone: list[Left] = []
    for chunk in chunks(identities):
        mine = sa.and_(placements.c.content_block_id == block.id, placements.c.identity.in_(chunk))
        ended = sa.delete(placements).where(mine).returning(placements.c.identity, placements.c.since)
        rows = connection.execute(ended).all()
        if len(rows) != len(chunk):
            raise PublicationConflictError("another publisher has taken it out meanwhile")
        gone += [(identity, since) for identity, since in rows]
        gone += [(identity, block.label) for identity, since in rows if since != block.label]  # it was published again
    return gone


def values_in(connection: sa.Connection, block_id: int) -> dict[bytes, bytes]:
    """Of what is placed in the block, by that identity, the value's own, as far as the indicators are stored still."""
    query = sa.select(placements.c.identity, indicators.c.identity).join(
        indicators, indicators.c.pk == placements.c.indicator_pk
    )
    rows = connection.execute(query.where(placements.c.content_block_id == block_id))
    return {row[0]: row[1] for row in rows}


def adopt(connection: sa.Connection, collection_id: int, identity: bytes, indicator_pk: int) -> None:
    """Let a placed value stand for another pulse's indicator of the same value."""
    mine = sa.and_(placements.c.collection_id == collection_id, placements.c.identity == identity)
    connection.execute(sa.update(placements).where(mine).values(indicator_pk=indicator_pk))


@dataclass(frozen=True, slots=True)
class Keyed:
    """A placement by its identity, with the indicator it stands for: the identity of its value, and its pulse."""

    identity: bytes
    value: bytes
    pulse_pk: int


def keyed_otherwise(
    connection: sa.Connection, collection_id: int, block_ids: Sequence[int], *, once: bool
) -> list[Keyed]:
    """What is placed in these blocks under an identity of the other rule of deduplication, the oldest pulse first.

    ``once``: the rule is that a value is placed once; those that are placed so already are left out.
    """
    found: list[tuple[datetime, Keyed]] = []
    other = placements.alias()
    already = sa.exists().where(other.c.collection_id == collection_id, other.c.identity == indicators.c.identity)
    own = placements.c.identity == indicators.c.identity
    query = (
        sa.select(placements.c.identity, indicators.c.identity, indicators.c.pulse_pk, pulses.c.modified)
        .join(indicators, indicators.c.pk == placements.c.indicator_pk)
        .join(pulses, pulses.c.pk == indicators.c.pulse_pk)
        .where(placements.c.collection_id == collection_id, sa.and_(~own, ~already) if once else own)
    )
    for chunk in chunks(block_ids):
        here = placements.c.content_block_id.in_(chunk)
        found += [(row.modified, Keyed(*row[:3])) for row in connection.execute(query.where(here))]
    return [one for _, one in sorted(found, key=lambda pair: (pair[0], pair[1].pulse_pk))]


def key_anew(connection: sa.Connection, collection_id: int, keys: Sequence[tuple[bytes, bytes]]) -> None:
    """Give placements other identities: pairs of the old and the new one."""
    mine = sa.and_(placements.c.collection_id == collection_id, placements.c.identity == sa.bindparam("old"))
    statement = sa.update(placements).where(mine).values(identity=sa.bindparam("new"))
    try:
        expect(connection.execute(statement, [{"old": old, "new": new} for old, new in keys]), len(keys))
    except sa.exc.IntegrityError as error:
        raise PublicationConflictError("an indicator was placed by another publisher") from error


def clear_staged(
    connection: sa.Connection, collection_id: int, before: datetime | None = None, limit: int | None = None
) -> int:
    """Drop the blocks that a publisher staged and, having died, never published; gives their number.

    ``before``: only those that were staged before it. ``limit``: at most so many.
    """
    mine = sa.and_(blocks.c.collection_id == collection_id, blocks.c.revision.is_(None))
    staged = sa.select(blocks.c.content_block_id).where(mine)
    if before is not None:
        staged = staged.join(content_blocks, content_blocks.c.id == blocks.c.content_block_id).where(
            content_blocks.c.date_created < before
        )
    keys = list(connection.scalars(staged.limit(limit)))
    if keys:
        drop(connection, keys)
        _bar(connection, max(keys))
    return len(keys)


def drop(connection: sa.Connection, block_ids: Sequence[int]) -> None:
    """Take blocks away, with their links and with what is placed in them."""
    for chunk in chunks(block_ids):
        for table in (placements, blocks):
            connection.execute(sa.delete(table).where(table.c.content_block_id.in_(chunk)))
        connection.execute(sa.delete(content_blocks).where(content_blocks.c.id.in_(chunk)))
    omissions.forget(connection, block_ids)


def _bar(connection: sa.Connection, key: int) -> None:
    """Let no block get a key up to this one again: another publisher may hold it, and take a new block for its own.

    SQLite gives the highest key again when its row is gone. An empty row, linked to nothing, stands in its place.
    """
    highest = connection.scalar(sa.select(sa.func.max(content_blocks.c.id))) or 0
    if connection.dialect.name != "sqlite" or highest >= key:
        return
    ours = sa.exists().where(blocks.c.content_block_id == content_blocks.c.id)
    linked = sa.exists().where(collection_to_content_block.c.content_block_id == content_blocks.c.id)
    connection.execute(sa.delete(content_blocks).where(content_blocks.c.content == b"", ~ours, ~linked))
    connection.execute(sa.insert(content_blocks).values(id=key, content=b"", date_created=now(connection)))


def drop_staged(connection: sa.Connection, block_ids: Sequence[int]) -> None:
    """Drop those of the blocks that are still staged."""
    for chunk in chunks(block_ids):
        mine = sa.and_(blocks.c.content_block_id.in_(chunk), blocks.c.revision.is_(None))
        drop(connection, list(connection.scalars(sa.select(blocks.c.content_block_id).where(mine))))


def has_lost_blocks(connection: sa.Connection) -> bool:
    """Whether blocks of ours are gone from OpenTAXII's table."""
    there = sa.exists().where(content_blocks.c.id == blocks.c.content_block_id)
    return connection.scalar(sa.select(blocks.c.content_block_id).where(~there).limit(1)) is not None


def reconcile(connection: sa.Connection) -> int:
    """Forget what was placed in blocks that are gone: ``opentaxii-delete-blocks`` deletes with SQLite's keys off."""
    there = sa.select(content_blocks.c.id)
    gone = connection.execute(sa.delete(placements).where(placements.c.content_block_id.not_in(there))).rowcount
    connection.execute(sa.delete(blocks).where(blocks.c.content_block_id.not_in(there)))
    links = collection_to_content_block
    connection.execute(sa.delete(links).where(links.c.content_block_id.not_in(there)))
    omissions.prune(connection)
    connection.execute(sa.delete(reflections))  # so that everything is looked at
    return gone


def forget_lost(connection: sa.Connection, collection_id: int) -> None:
    """Forget what was placed in blocks that another publisher had cleared."""
    there = sa.exists().where(blocks.c.content_block_id == placements.c.content_block_id)
    connection.execute(sa.delete(placements).where(placements.c.collection_id == collection_id, ~there))


def get(connection: sa.Connection, block_id: int) -> StoredBlock | None:
    query = _published().where(blocks.c.content_block_id == block_id)
    row = connection.execute(query).first()
    return StoredBlock(*row) if row else None


def older_than(connection: sa.Connection, collection_id: int, label: datetime) -> list[StoredBlock]:
    """The published blocks with a label at or before ``label``, the oldest first."""
    query = _published().where(blocks.c.collection_id == collection_id, blocks.c.label <= label)
    return [StoredBlock(*row) for row in connection.execute(query.order_by(blocks.c.label))]


def _published() -> sa.Select[Any]:
    names = ("content_block_id", "pulse_pk", "label", "revision", "indicators", "profile")
    return sa.select(*(blocks.c[name] for name in names)).where(blocks.c.revision.is_not(None))


def published(
    connection: sa.Connection, collection_id: int, block_ids: Collection[int] | None = None
) -> dict[int, StoredBlock]:
    """The published blocks (those of these keys, if given) by their keys."""
    mine = _published().where(blocks.c.collection_id == collection_id)
    if block_ids is None:
        return {row[0]: StoredBlock(*row) for row in connection.execute(mine)}
    found = {}
    for chunk in chunks(sorted(block_ids)):
        rows = connection.execute(mine.where(blocks.c.content_block_id.in_(chunk)))
        found.update({row[0]: StoredBlock(*row) for row in rows})
    return found


def packages(connection: sa.Connection, collection_id: int) -> dict[bytes, StoredBlock]:
    """The published blocks of an inbox by the identities of their packages."""
    names = ("content_block_id", "pulse_pk", "label", "revision", "indicators", "profile")
    query = (
        sa.select(placements.c.identity, *(blocks.c[name] for name in names))
        .join(blocks, blocks.c.content_block_id == placements.c.content_block_id)
        .where(placements.c.collection_id == collection_id, blocks.c.revision.is_not(None))
    )
    return {row[0]: StoredBlock(*row[1:]) for row in connection.execute(query)}


def in_block(connection: sa.Connection, block_id: int) -> list[Placement]:
    query = _placements().where(placements.c.content_block_id == block_id).order_by(placements.c.indicator_pk)
    return [Placement(*row) for row in connection.execute(query)]


def find(connection: sa.Connection, collection_id: int, identity: bytes) -> Placement | None:
    mine = sa.and_(placements.c.collection_id == collection_id, placements.c.identity == identity)
    row = connection.execute(_placements().where(mine)).first()
    return Placement(*row) if row else None


@dataclass(frozen=True, slots=True)
class Listed:
    """An indicator as a collection holds it."""

    type: str
    value: str
    pulse_id: str
    since: datetime


def listed(connection: sa.Connection, collection_id: int) -> Iterator[Listed]:
    """All that the collection holds, streamed, the longest there first."""
    query = (
        sa.select(indicators.c.type, indicators.c.value, pulses.c.id, placements.c.since)
        .select_from(placements)
        .join(indicators, indicators.c.pk == placements.c.indicator_pk)
        .join(pulses, pulses.c.pk == indicators.c.pulse_pk)
        .join(blocks, blocks.c.content_block_id == placements.c.content_block_id)
        .where(placements.c.collection_id == collection_id, blocks.c.revision.is_not(None))
        .order_by(placements.c.since, indicators.c.pk)
    )
    for row in connection.execution_options(yield_per=2000).execute(query):
        yield Listed(*row)


def _placements() -> sa.Select[Any]:
    columns = (placements.c.identity, placements.c.content_block_id, placements.c.indicator_pk, placements.c.since)
    own = (blocks.c.label, blocks.c.pulse_pk)
    query = sa.select(*columns, *own).join(blocks, blocks.c.content_block_id == placements.c.content_block_id)
    return query.where(blocks.c.revision.is_not(None))  # what is staged stands nowhere yet


def _change_volume(connection: sa.Connection, collection_id: int, by: int) -> None:
    there = data_collections.c.id == collection_id
    connection.execute(sa.update(data_collections).where(there).values(volume=data_collections.c.volume + by))

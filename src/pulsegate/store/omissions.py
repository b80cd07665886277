"""Without which of their addresses networks are written in a block: noted with the block, as long as that is there.

Few blocks have such a network, so each of them has a row in ``state``.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping

import sqlalchemy as sa

from pulsegate.model.indicator import IndicatorType
from pulsegate.model.omission import Omission, part_identity
from pulsegate.store import state
from pulsegate.store.chunks import chunks
from pulsegate.store.digests import digest, value_key
from pulsegate.store.tables import content_blocks
from pulsegate.store.tables import state as rows

_PREFIX = "omitted."
Omitted = Mapping[bytes, Omission]
"""Of one block, by the identity of the network."""


def omitted(found: Iterable[Omission]) -> dict[bytes, Omission]:
    """By the identities of the networks."""
    return {value_key(IndicatorType.CIDR, one.network): one for one in found}


def part_key(network: str, address: str) -> bytes:
    """The identity under which it is noted that the address, as a part of the network, has left a collection."""
    return digest(part_identity(network, address))


def put(connection: sa.Connection, block_id: int, found: Iterable[Omission]) -> None:
    """Note of a block what it omits, in place of what was noted before."""
    told = {one.network: sorted(one.addresses) for one in found if one.addresses}
    if told:
        state.put(connection, f"{_PREFIX}{block_id}", json.dumps(told))
    else:
        state.remove(connection, f"{_PREFIX}{block_id}")


def read(connection: sa.Connection, block_ids: Collection[int] | None = None) -> dict[int, dict[bytes, Omission]]:
    """By the blocks' keys (None: of all blocks) what they omit; those that omit nothing are not there."""
    query = sa.select(rows.c.key, rows.c.value)
    if block_ids is None:
        found = connection.execute(query.where(rows.c.key.startswith(_PREFIX, autoescape=True))).all()
    else:
        keys = sorted(f"{_PREFIX}{one}" for one in block_ids)
        found = [row for chunk in chunks(keys) for row in connection.execute(query.where(rows.c.key.in_(chunk)))]
    return {int(row.key.removeprefix(_PREFIX)): _read(row.value) for row in found}


def _read(text: str) -> dict[bytes, Omission]:
    return omitted(Omission(network, frozenset(addresses)) for network, addresses in json.loads(text).items())


def forget(connection: sa.Connection, block_ids: Collection[int]) -> None:
    """The blocks are gone."""
    for chunk in chunks(sorted(f"{_PREFIX}{one}" for one in block_ids)):
        connection.execute(sa.delete(rows).where(rows.c.key.in_(chunk)))


def prune(connection: sa.Connection) -> None:
    """Forget those whose blocks were deleted by their table: a later block may get the same key."""
    noted = set(read(connection))
    there = (
        connection.scalars(sa.select(content_blocks.c.id).where(content_blocks.c.id.in_(one)))
        for one in chunks(sorted(noted))
    )
    forget(connection, noted - {key for some in there for key in some})

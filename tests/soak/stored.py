"""What a soak leaves in the database, checked against itself."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator

import sqlalchemy as sa

from pulsegate.publication.plan import pulse_identity
from pulsegate.store.database import Connection, Database
from pulsegate.store.digests import digest
from pulsegate.store.tables import (
    blocks,
    collection_rules,
    collection_to_content_block,
    content_blocks,
    data_collections,
    placements,
    pulses,
)
from soak.world import World


def contradictions(world: World) -> list[str]:
    """Placements that are in no content or the other way round, blocks that nobody serves, volumes that don't count."""
    database = Database(world.url)
    with database.read() as connection:
        found = [*_contents(world, connection), *_links(connection)]
    database.close()
    return found


def _contents(world: World, connection: Connection) -> Iterator[str]:
    placed: dict[int, set[bytes]] = defaultdict(set)
    for row in connection.execute(sa.select(placements.c.content_block_id, placements.c.identity)):
        placed[row.content_block_id].add(row.identity)
    keys = {int(text, 16): pk for text, pk in connection.execute(sa.select(pulses.c.id, pulses.c.pk))}
    query = (
        sa.select(content_blocks.c.id, content_blocks.c.content, data_collections.c.name)
        .join(blocks, blocks.c.content_block_id == content_blocks.c.id)
        .join(data_collections, data_collections.c.id == blocks.c.collection_id)
        .join(collection_rules, collection_rules.c.collection_id == data_collections.c.id)
        .where(blocks.c.revision.is_not(None))
    )
    for row in connection.execute(query):
        content = json.loads(row.content)
        identities = {digest(f"name:{value}") for value in content["values"]}
        if not world.collections[row.name][0].deduplicate:
            identities = {pulse_identity(keys[content["pulse"]], one) for one in identities}
        if identities != placed.pop(row.id, set()):
            yield f"{row.name}: block {row.id} does not hold what is placed in it"
    if placed:
        yield f"placements in blocks that are not published: {sorted(placed)}"


def _links(connection: Connection) -> Iterator[str]:
    links = list(connection.execute(sa.select(collection_to_content_block)))
    published = set(connection.scalars(sa.select(blocks.c.content_block_id).where(blocks.c.revision.is_not(None))))
    if {row.content_block_id for row in links} != published:
        yield "linked blocks and published ones differ"
    number = Counter(row.collection_id for row in links)
    for row in connection.execute(sa.select(data_collections.c.id, data_collections.c.name, data_collections.c.volume)):
        if row.volume != number[row.id]:
            yield f"{row.name}: its volume says {row.volume}, and it has {number[row.id]} blocks"
    labels = connection.execute(
        sa.select(blocks.c.label, content_blocks.c.timestamp_label)
        .join(content_blocks, content_blocks.c.id == blocks.c.content_block_id)
        .where(blocks.c.revision > 0)
    )
    if any(ours != theirs for ours, theirs in labels):
        yield "a label differs between blocks and content_blocks"

"""Pulls from a fake OTX, and what they leave behind."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from pulsegate.curation.policy import Policy
from pulsegate.store import pulses, runs, sources
from pulsegate.store.tables import collection_to_content_block, content_blocks, data_collections
from pulsegate.sync.pull import pull
from pulsegate.sync.wanted import Pace, Wanted
from support import read_values
from sync.fakes import Naps, pulse_id

NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def run(
    store,
    otx,
    naps=None,
    *,
    progress=None,
    full=False,
    wanted=None,
    accept=False,
    shown=(),
    compare=True,
    wait=60.0,
    backfill=365 * DAY,
    **pace,
):
    wanted = wanted or Wanted(backfill=backfill)
    pace = Pace(sleep=naps or Naps(), jitter=lambda seconds: seconds, **pace)
    return pull(
        store,
        otx,
        Policy(),
        wanted,
        pace,
        full=full,
        compare=compare,
        accept_removals=accept,
        shown=shown,
        progress=progress,
        wait=wait,
    )


def served(store, name="subscribed"):
    query = (
        sa.select(content_blocks.c.content)
        .join(collection_to_content_block, collection_to_content_block.c.content_block_id == content_blocks.c.id)
        .join(data_collections, data_collections.c.id == collection_to_content_block.c.collection_id)
        .where(data_collections.c.name == name)
        .order_by(content_blocks.c.timestamp_label)
    )
    with store.read() as connection:
        return [value for content in connection.scalars(query) for _, value in read_values(content)]


def source(store, name="otx"):
    with store.read() as connection:
        return sources.get(connection, name)


def watermark(store):
    found = source(store)
    return found and found.watermark


def last(store):
    found = runs.last(store)
    assert found is not None
    return found.outcome, found.pulses, found.indicators, found.error


def values(store, number):
    with store.read() as connection:
        stored = pulses.get(connection, pulse_id(number))
        return None if stored is None else [one.indicator.value for one in pulses.indicators_of(connection, stored.pk)]

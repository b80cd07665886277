"""Subscriptions to collections: OpenTAXII's rows."""

from __future__ import annotations

import json
from dataclasses import dataclass

import sqlalchemy as sa

from pulsegate.store.database import now
from pulsegate.store.tables import subscriptions


@dataclass(frozen=True, slots=True)
class Subscription:
    """What is polled with the id. ``bindings``: content bindings with their subtypes; none: everything."""

    id: str
    collection_id: int
    service_id: str
    status: str  # ACTIVE, PAUSED or UNSUBSCRIBED
    response_type: str | None
    bindings: tuple[tuple[str, tuple[str, ...]], ...] = ()


def put(connection: sa.Connection, given: Subscription) -> None:
    """Store the subscription, new or changed, as OpenTAXII does."""
    params = {"response_type": given.response_type, "content_bindings": json.dumps(given.bindings)}
    values = {
        "collection_id": given.collection_id,
        "service_id": given.service_id,
        "status": given.status,
        "params": json.dumps(params),
    }
    changed = connection.execute(sa.update(subscriptions).where(subscriptions.c.id == given.id).values(values))
    if not changed.rowcount:
        connection.execute(sa.insert(subscriptions).values(values | {"id": given.id, "date_created": now(connection)}))

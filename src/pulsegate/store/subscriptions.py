"""Subscriptions: OpenTAXII's rows, in its own form."""

from __future__ import annotations

import json
from dataclasses import dataclass

import sqlalchemy as sa

from pulsegate.store.database import now
from pulsegate.store.digests import storable
from pulsegate.store.tables import subscriptions


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscription to a collection. ``bindings``: pairs of content binding and subtypes; empty: all."""

    id: str
    collection_id: int
    service_id: str
    status: str
    response_type: str | None
    bindings: tuple[tuple[str, tuple[str, ...]], ...] = ()


def get(connection: sa.Connection, identifier: str) -> Subscription | None:
    row = connection.execute(sa.select(subscriptions).where(subscriptions.c.id == storable(identifier))).first()
    return _subscription(row) if row else None


def of_service(connection: sa.Connection, service_id: str) -> list[Subscription]:
    query = sa.select(subscriptions).where(subscriptions.c.service_id == service_id).order_by(subscriptions.c.id)
    return [_subscription(row) for row in connection.execute(query)]


def put(connection: sa.Connection, subscription: Subscription) -> None:
    """Add the subscription, or change the one of its id."""
    params = {"response_type": subscription.response_type, "content_bindings": json.dumps(subscription.bindings)}
    values = {
        "collection_id": subscription.collection_id,
        "service_id": subscription.service_id,
        "status": subscription.status,
        "params": json.dumps(params),
    }
    there = subscriptions.c.id == subscription.id
    if connection.execute(sa.update(subscriptions).where(there).values(values)).rowcount == 0:
        row = values | {"id": subscription.id, "date_created": now(connection)}
        connection.execute(sa.insert(subscriptions).values(row))


def _subscription(row: sa.Row[*tuple[object, ...]]) -> Subscription:
    found = row._mapping  # noqa: SLF001 - the public name of a row's mapping
    params = json.loads(found["params"] or "{}")
    bindings = json.loads(params.get("content_bindings") or "[]")
    return Subscription(
        id=found["id"],
        collection_id=found["collection_id"],
        service_id=found["service_id"],
        status=found["status"],
        response_type=params.get("response_type"),
        bindings=tuple((binding, tuple(subtypes or ())) for binding, subtypes in bindings),
    )

"""Subscriptions, as a stock OpenTAXII reads them."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import sqlalchemy as sa

from pulsegate.publication.built_in import SUBSCRIBED
from pulsegate.store import collections
from pulsegate.store.subscriptions import Subscription, get, of_service, put
from pulsegate.store.tables import subscriptions


@pytest.fixture
def given(database):
    with database.write() as connection:
        collections.ensure_services(connection)
        identifier = collections.put(connection, SUBSCRIBED).id
    return Subscription("s1", identifier, "collections", "ACTIVE", "FULL", (("urn:a", ("b",)), ("urn:c", ())))


def stored(database):
    columns = (subscriptions.c.id, subscriptions.c.service_id, subscriptions.c.status, subscriptions.c.params)
    with database.read() as connection:
        return [(*row[:3], json.loads(row.params)) for row in connection.execute(sa.select(*columns))]


def test_subscription_is_stored_and_then_changed(database, given):
    with database.write() as connection:
        put(connection, given)
        put(connection, replace(given, status="PAUSED"))
    params = {"response_type": "FULL", "content_bindings": '[["urn:a", ["b"]], ["urn:c", []]]'}
    assert stored(database) == [("s1", "collections", "PAUSED", params)]
    with database.read() as connection:
        assert get(connection, "s1") == replace(given, status="PAUSED")
        assert of_service(connection, "collections") == [replace(given, status="PAUSED")]
        assert get(connection, "\0") is None
        assert of_service(connection, "poll") == []


def test_subscription_without_bindings_is_to_everything(database, given):
    with database.write() as connection:
        put(connection, replace(given, bindings=(), response_type=None))
    assert stored(database) == [("s1", "collections", "ACTIVE", {"response_type": None, "content_bindings": "[]"})]

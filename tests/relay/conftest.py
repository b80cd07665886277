"""A sender and a receiver, each with a database of either kind."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from pulsegate.store.database import Database
from relay.carried import Gate
from store.databases import KINDS, _empty


def _second(url: str) -> Database:
    """Another database of the same server."""
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        if not connection.scalar(sa.text("SELECT count(*) FROM pg_database WHERE datname = 'receiver'")):
            connection.execute(sa.text("CREATE DATABASE receiver"))
    engine.dispose()
    return Database(sa.make_url(url).set(database="receiver").render_as_string(hide_password=False))


@pytest.fixture(params=KINDS)
def gates(request, tmp_path):
    """The sender and the receiver."""
    if request.param == "sqlite":
        maker = request.getfixturevalue("sqlite_maker")
        bases = [Database(maker.new(tmp_path / f"{name}.db")) for name in ("sender", "receiver")]
    else:
        url = request.getfixturevalue("postgresql")
        bases = [Database(url), _second(url)]
        for base in bases:
            _empty(base)
    yield tuple(Gate(base, tmp_path).prepare() for base in bases)
    for base in bases:
        base.close()


@pytest.fixture
def sender(gates):
    return gates[0]


@pytest.fixture
def receiver(gates):
    return gates[1]

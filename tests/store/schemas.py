"""What a database's tables look like, whoever made them: names and types, keys, indexes by their columns."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from opentaxii.auth.sqldb.models import Base as AuthBase
from opentaxii.persistence.sqldb.models import Base

Columns = tuple[str, ...]
STOCK = (Base.metadata, AuthBase.metadata)
STOCK_TABLES = sorted(name for metadata in STOCK for name in metadata.tables)


def make_stock(connection: sa.Connection) -> None:
    """The tables as OpenTAXII 0.9.3 makes them (create_tables: yes)."""
    for metadata in STOCK:
        metadata.create_all(connection)


def describe(connection: sa.Connection, table: str) -> dict[str, Any]:
    found = sa.inspect(connection)
    dialect = connection.dialect
    indexes = found.get_indexes(table)
    uniques = {columns(one) for one in found.get_unique_constraints(table)}
    return {
        "columns": {
            one["name"]: (one["type"].compile(dialect), one["nullable"], one["default"] is not None)
            for one in found.get_columns(table)
        },
        "primary key": found.get_pk_constraint(table)["constrained_columns"],
        "foreign keys": sorted(
            (columns(one, "constrained_columns"), one["referred_table"], columns(one, "referred_columns"), options(one))
            for one in found.get_foreign_keys(table)
        ),
        "unique": sorted(uniques | {columns(one) for one in indexes if one["unique"]}),
        "indexes": sorted(columns(one) for one in indexes if not one["unique"]),
    }


def columns(one: Any, key: str = "column_names") -> Columns:
    return tuple(one[key])


def options(one: Any) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(one["options"].items()))

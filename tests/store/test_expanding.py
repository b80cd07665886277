"""Migrations only add: servers of the release before go on serving while a host that has been upgraded migrates."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from pulsegate.store import migrate

FIRST = "0006"  # older ones were never part of a rolling upgrade
ADDS = {"create_table", "create_index", "add_column", "bulk_insert", "f", "get_bind", "get_context"}
CONTRACTS: dict[str, str] = {}  # revision: why the release before does without what goes


def breaking(source: str) -> Iterator[str]:
    """What a migration does that a server of the release before may not survive."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        owner, name = node.func.value, node.func.attr
        if isinstance(owner, ast.Name) and owner.id not in ("sa", "postgresql") and name not in ADDS:
            yield f"line {node.lineno}: {owner.id}.{name}"
        elif name == "execute":
            yield f"line {node.lineno}: a statement that nobody has looked at"
        if name == "add_column" and not _may_be_left_out(node):
            yield f"line {node.lineno}: a column that the release before does not fill"
        if name == "create_index" and _is_true(node, "unique"):
            yield f"line {node.lineno}: a unique index, which the release before knows nothing of"


def _may_be_left_out(added: ast.Call) -> bool:
    columns = [one for one in ast.walk(added) if isinstance(one, ast.Call) and one is not added]
    column = next(one for one in columns if getattr(one.func, "attr", "") == "Column")
    words = {word.arg: word.value for word in column.keywords}
    nullable = words.get("nullable")
    return "server_default" in words or nullable is None or getattr(nullable, "value", None) is True


def _is_true(call: ast.Call, word: str) -> bool:
    return any(one.arg == word and getattr(one.value, "value", None) is True for one in call.keywords)


def files() -> list[Path]:
    return [one for one in sorted((migrate.folder() / "versions").glob("*.py")) if one.name[:4] >= FIRST]


@pytest.mark.parametrize("file", files(), ids=lambda one: one.stem)
def test_migration_breaks_no_server_of_the_release_before(file: Path) -> None:
    found = list(breaking(file.read_text()))
    assert not found or file.name[:4] in CONTRACTS, f"{file.name}: {found}; docs/architecture.md, 'A table or column'"


def test_newest_migration_is_looked_at() -> None:
    assert files()[-1].name.startswith(migrate.HEAD)


@pytest.mark.parametrize(
    "statement",
    [
        'op.drop_column("polls", "request")',
        'op.drop_table("polls")',
        'op.drop_index("ix", "polls")',
        'op.rename_table("polls", "fetches")',
        'op.alter_column("polls", "request", nullable=False)',
        'op.create_unique_constraint("uq", "polls", ["request"])',
        'op.create_index("ix", "polls", ["request"], unique=True)',
        'op.execute("DELETE FROM polls")',
        'op.get_bind().execute(sa.text("DELETE FROM polls"))',
        'op.add_column("polls", sa.Column("more", sa.Text(), nullable=False))',
        'with op.batch_alter_table("polls") as batch:\n    batch.drop_column("request")',
    ],
)
def test_what_breaks_is_found(statement: str) -> None:
    assert list(breaking(statement))


@pytest.mark.parametrize(
    "statement",
    [
        'op.create_table("more", sa.Column("pk", sa.Integer(), nullable=False))',
        'op.add_column("polls", sa.Column("more", sa.Text(), nullable=True))',
        'op.add_column("polls", sa.Column("more", sa.Integer(), server_default="0", nullable=False))',
        'op.create_index(op.f("ix"), "polls", ["request"], sqlite_where=sa.text("x IS NOT NULL"))',
    ],
)
def test_what_adds_is_let_pass(statement: str) -> None:
    assert not list(breaking(statement))

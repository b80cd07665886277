"""A database of either kind that nobody has migrated yet, and one of a stock OpenTAXII beside it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from werkzeug.security import generate_password_hash

from pulsegate.store import accounts
from pulsegate.store.database import Database
from store.databases import KINDS, bare

NOW = datetime(2024, 6, 1, 12, 0, 0, 123456, tzinfo=UTC)


@pytest.fixture(params=KINDS)
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """No table at all."""
    base = bare(request, tmp_path / "empty.db")
    yield base
    base.close()


@pytest.fixture
def quick_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hash that is as good as any for a test, without its tenth of a second."""
    monkeypatch.setattr(
        accounts, "generate_password_hash", lambda password: generate_password_hash(password, "pbkdf2:sha256:1")
    )

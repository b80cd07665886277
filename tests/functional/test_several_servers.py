"""Several servers on one database, as a proxy with two servers behind it has them: started at once, and one by one."""

from __future__ import annotations

import re
from contextlib import ExitStack
from pathlib import Path

import pytest

import support
from pulsegate.store import accounts
from pulsegate.store.database import Database
from store.databases import KINDS, bare

SECRET = "s3cret p/a:s@s%0123"


@pytest.fixture(params=KINDS)
def empty(request: pytest.FixtureRequest, tmp_path: Path):
    """A database without a table."""
    made = bare(request, tmp_path / "several.db")
    yield made
    made.close()


def test_servers_that_start_at_once_make_the_first_accounts_once(empty: Database, serve) -> None:
    empty.close()
    with ExitStack() as stack:
        given = {"PULSEGATE_DATABASE": empty.url, "PULSEGATE_OTX__ENABLED": "false"}
        servers = [stack.enter_context(serve("--no-worker", **given)) for _ in range(3)]
        outputs = [server.wait_for("Stop with Ctrl-C") for server in servers]
        told = [one for one in outputs if "Accounts, made now" in one]
        assert len(told) == 1, outputs
        password = re.search(r"^  gateway +(\S+)", told[0], re.MULTILINE)[1]
        for server in servers:  # the one password holds on each
            assert support.poll(server.address, "subscribed", "gateway", password) == []
    with empty.read() as connection:
        assert [one.name for one in accounts.every(connection)] == ["admin", "gateway"]


def test_first_admins_password_comes_from_a_file_and_is_not_printed(serve, tmp_path: Path) -> None:
    (tmp_path / "admin").write_text(SECRET + "\n")
    given = {"PULSEGATE_ADMIN_PASSWORD_FILE": str(tmp_path / "admin"), "PULSEGATE_OTX__ENABLED": "false"}
    with serve("--no-worker", **given) as server:
        output = server.wait_for("Stop with Ctrl-C")
        assert support.poll(server.address, "subscribed", "admin", SECRET) == []
    assert "  admin     (as you have set it)" in output
    assert SECRET not in output

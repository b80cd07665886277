"""A stock OpenTAXII 0.9.3 on our database: the same blocks, and its own commands work."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cabby.exceptions import UnsuccessfulStatusError
from lxml import etree

import support
from packages import package
from pulsegate.curation.policy import Policy
from pulsegate.model.collection import Collection, CollectionKind
from pulsegate.otx.demo import demo_pulses
from pulsegate.otx.simulator import now as present
from pulsegate.publication.built_in import SUBSCRIBED
from pulsegate.publication.inbox import Pushed, receive
from pulsegate.stix import Package
from pulsegate.store import accounts, collections
from pulsegate.store.database import Database
from pulsegate.sync.pull import pull_files

SERVE = """
import sys, threading
from werkzeug.serving import make_server
from opentaxii.config import ServerConfig
from opentaxii.middleware import create_app
from opentaxii.server import TAXIIServer
server = make_server("127.0.0.1", 0, create_app(TAXIIServer(ServerConfig())), threaded=True)
print("PORT", server.server_port, flush=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.stdin.read()
"""


@pytest.fixture
def filled(database: Database, tmp_path: Path) -> Database:
    (tmp_path / "pulses.json").write_text(json.dumps(demo_pulses(present())))
    with database.write() as connection:
        collections.ensure_services(connection)
        collections.put(connection, SUBSCRIBED)
        partners = collections.put(connection, Collection("partners", kind=CollectionKind.INBOX))
        accounts.add(connection, "admin", "secret-of-admin", is_admin=True)
    pull_files(database, [tmp_path / "pulses.json"], Policy(disabled=frozenset({"reserved-range"})))
    contents = [
        package(f"n{number}.example", version=version) for number, version in enumerate(("1.1.1", "1.2", "1.2"))
    ]
    packages = [Package(content, "1.2" if b'version="1.2"' in content else "1.1.1", 1) for content in contents]
    receive(database, [partners], [Pushed(one) for one in packages])
    return database


def configuration(database: Database, tmp_path: Path) -> dict[str, str]:
    parameters: dict[str, Any] = {
        "db_connection": database.url.replace("+psycopg:", "+psycopg2:"),
        "create_tables": False,
    }
    config = {
        "domain": "127.0.0.1",
        "auth_api": {
            "class": "opentaxii.auth.sqldb.SQLDatabaseAPI",
            "parameters": parameters | {"secret": "any", "token_ttl_secs": 60},
        },
        "taxii1": {
            "persistence_api": {"class": "opentaxii.persistence.sqldb.SQLDatabaseAPI", "parameters": parameters},
        },
    }
    path = tmp_path / "stock.yml"
    path.write_text(json.dumps(config))  # JSON is YAML
    return {"OPENTAXII_CONFIG": str(path), "PATH": str(Path(sys.executable).parent), "PYTHONWARNINGS": "ignore"}


def without_indentation(content: bytes) -> bytes:
    """The canonical form; a stock OpenTAXII indents the packages with its answer, and declares what they don't use."""
    root = etree.fromstring(content, etree.XMLParser(remove_blank_text=True))
    etree.cleanup_namespaces(root)
    return bytes(etree.tostring(root, method="c14n"))


def test_stock_opentaxii_serves_the_same_blocks(filled: Database, tmp_path: Path) -> None:
    def blocks(address: str, collection: str) -> list[tuple[Any, bytes]]:
        found = support.poll(address, collection, "admin", "secret-of-admin")
        return [(one.timestamp, without_indentation(one.content)) for one in found]

    process = subprocess.Popen(
        [sys.executable, "-c", SERVE], env=configuration(filled, tmp_path), stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    with process, support.serving(support.application(filled.url)) as ours:
        assert process.stdout is not None
        port = next(line.split()[1] for line in process.stdout if line.startswith("PORT"))
        stock = f"http://127.0.0.1:{port}"
        for collection in ("subscribed", "partners", "user_AlienVault", "user_Pulsegate+Demo"):
            served = blocks(stock, collection)
            assert len(served) >= 3
            assert blocks(ours, collection) == served
        middle = blocks(ours, "subscribed")[3][0]
        window = {"begin_date": middle - timedelta(days=6), "end_date": middle}
        first = support.poll(stock, "subscribed", "admin", "secret-of-admin", **window)
        second = support.poll(ours, "subscribed", "admin", "secret-of-admin", **window)
        assert (
            [without_indentation(one.content) for one in first]
            == [without_indentation(one.content) for one in second]
            != []
        )
        with pytest.raises(UnsuccessfulStatusError, match="not available"):  # it would go past our checks
            support.client(stock, "admin", "secret-of-admin").push(
                package("a.example").decode(), "urn:stix.mitre.org:xml:1.2", ["partners"], uri=f"{stock}/taxii/inbox"
            )
        process.communicate("")


def test_commands_of_stock_opentaxii_work_on_our_database(filled: Database, tmp_path: Path) -> None:
    environment = configuration(filled, tmp_path)

    def run(program: str, *words: str) -> None:
        command = [Path(sys.executable).parent / program, *words]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr

    run("opentaxii-create-account", "-u", "made-by-stock", "-p", "its-password")
    run("opentaxii-update-account", "-u", "made-by-stock", "-f", "admin", "-v", "yes")
    with filled.read() as connection:
        account = accounts.verify(connection, "made-by-stock", "its-password")
        before = collections.sizes(connection)["subscribed"]
    assert account is not None
    assert account.is_admin
    run("opentaxii-delete-blocks", "-c", "subscribed", "--begin", "2020-01-01")
    (tmp_path / "none.json").write_text("[]")
    pull_files(filled, [tmp_path / "none.json"], Policy(disabled=frozenset({"reserved-range"})))
    with filled.read() as connection:  # what was deleted behind our back is published again
        after = collections.sizes(connection)["subscribed"]
    assert (after.indicators, after.blocks) == (before.indicators, before.blocks)

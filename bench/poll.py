"""Polls against a stock OpenTAXII on the same database, in one run."""

from __future__ import annotations

import base64
import json
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import libtaxii.messages_11 as tm11
import requests
from libtaxii.constants import VID_TAXII_SERVICES_11, VID_TAXII_XML_11
from opentaxii.middleware import create_app
from opentaxii.server import TAXIIServer
from werkzeug.serving import WSGIRequestHandler, make_server

from bench.pulses import invent
from pulsegate.curation.policy import Policy
from pulsegate.publication.built_in import SUBSCRIBED
from pulsegate.store import accounts, collections, migrate
from pulsegate.store.database import Database
from pulsegate.sync.pull import pull_files
from pulsegate.taxii import app

AUTHORIZATION = "Basic " + base64.b64encode(b"admin:of-the-bench").decode()
HEADERS = {
    "Content-Type": "application/xml",
    "Accept": "application/xml",
    "X-TAXII-Content-Type": VID_TAXII_XML_11,
    "X-TAXII-Services": VID_TAXII_SERVICES_11,
    "Authorization": AUTHORIZATION,
}


class _Quiet(WSGIRequestHandler):
    def log(self, *_: Any) -> None:
        """Say nothing."""


def run(size: int) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        url = _fill(Path(folder), size)
        ours = app.create(app.Service(url))
        for what, begin in (("full", None), ("delta", datetime.now(UTC) - timedelta(minutes=1))):
            with _serving(ours) as here, _serving(_stock(url)) as there:
                mine, stock = _measure(here, begin), _measure(there, begin)
            print(f"{what} poll: {_figures(mine)}; stock {_figures(stock)}; {stock[1] / mine[1]:.1f} times as fast")


def _figures(measured: tuple[float, float, int]) -> str:
    first, whole, size = measured
    return f"{whole * 1000:,.0f} ms, first byte after {first * 1000:,.0f} ms, {size / 1e6:,.1f} MB"


def _fill(folder: Path, size: int) -> str:
    database = Database(f"sqlite:///{folder}/feed.db")
    migrate.upgrade(database)
    with database.write() as connection:
        collections.ensure_services(connection)
        collections.put(connection, SUBSCRIBED)
        accounts.add(connection, "admin", "of-the-bench", is_admin=True)
    file = folder / "pulses.json"
    with file.open("w") as stream:
        stream.writelines(json.dumps(one) + "\n" for one in invent(max(1, size // 50), 50))
    pull_files(database, [file], Policy())
    database.close()
    return database.url


def _stock(url: str) -> Any:
    parameters = {"db_connection": url, "create_tables": False}
    auth = {"class": "opentaxii.auth.sqldb.SQLDatabaseAPI", "parameters": parameters | {"secret": "any"}}
    taxii1 = {
        "persistence_api": {"class": "opentaxii.persistence.sqldb.SQLDatabaseAPI", "parameters": parameters},
        "hooks": None, "xml_parser_supports_huge_tree": True, "count_blocks_in_poll_responses": False,
        "unauthorized_status": "UNAUTHORIZED", "save_raw_inbox_messages": False,
    }  # fmt: skip
    return create_app(TAXIIServer({"domain": "x", "support_basic_auth": True, "auth_api": auth, "taxii1": taxii1}))


@contextmanager
def _serving(application: Any) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/taxii/poll"
    server.shutdown()


def _measure(address: str, begin: datetime | None) -> tuple[float, float, int]:
    """Seconds to the first byte and to the last, and bytes: the best of three."""
    request = tm11.PollRequest(
        "1", collection_name="subscribed", exclusive_begin_timestamp_label=begin, poll_parameters=tm11.PollParameters()
    ).to_xml()
    best: tuple[float, float, int] | None = None
    for _ in range(3):
        start = time.perf_counter()
        with requests.post(address, data=request, headers=HEADERS, stream=True, timeout=300) as answer:
            chunks = answer.iter_content(1 << 20)
            size = len(next(chunks))
            first = time.perf_counter() - start
            size += sum(len(chunk) for chunk in chunks)
        whole = time.perf_counter() - start
        if best is None or whole < best[1]:
            best = (first, whole, size)
    assert best is not None
    return best

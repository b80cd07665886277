"""Polls of ours, of a stock OpenTAXII on the same database, and of nginx with the same bytes in a file; in one run."""

from __future__ import annotations

import base64
import http.client
import shutil
import statistics
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import libtaxii.messages_11 as tm11
from libtaxii.constants import VID_TAXII_SERVICES_11, VID_TAXII_XML_11

from bench.servers import Server, gunicorn, nginx
from pulsegate.model.collection import Profile
from pulsegate.model.indicator import Indicator, IndicatorType, RawIndicator
from pulsegate.model.pulse import Pulse
from pulsegate.publication.built_in import SUBSCRIBED
from pulsegate.stix import Block, blocks
from pulsegate.store import accounts, collections, ledger, migrate
from pulsegate.store import blocks as stored_blocks
from pulsegate.store.blocks import Ready
from pulsegate.store.database import Database

BLOCK = 46_000  # bytes of a content block, about
BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
HEADERS = {
    "Content-Type": "application/xml",
    "Accept": "application/xml",
    "X-TAXII-Content-Type": VID_TAXII_XML_11,
    "X-TAXII-Services": VID_TAXII_SERVICES_11,
    "Authorization": "Basic " + base64.b64encode(b"admin:of-the-bench").decode(),
}


@dataclass(frozen=True)
class Timing:
    """Seconds to the first byte and to the last, and bytes."""

    first: float
    whole: float
    bytes: int

    def __str__(self) -> str:
        return f"{self.whole * 1000:,.0f} ms, first byte after {self.first * 1000:,.1f} ms"


def run(size: int) -> None:
    """Full polls of 91 MB and 295 MB, whatever ``size``; a delta with nothing in it."""
    del size
    for megabytes in (91, 295):
        with tempfile.TemporaryDirectory(dir="/tmp") as name:
            folder = Path(name)
            url = _fill(folder, megabytes)
            print(f"{megabytes} MB", flush=True)
            found = {which: _full(which, url, folder) for which in ("ours", "stock")}
            print(
                f"  a stock OpenTAXII takes {found['stock'].whole / found['ours'].whole:.1f} times as long", flush=True
            )
            if shutil.which("nginx"):
                file = _nginx(folder)
                print(f"  ours takes {found['ours'].whole / file.whole:.1f} times as long as nginx", flush=True)
            if megabytes == 91:
                deltas = {which: _deltas(which, url) for which in ("ours", "stock")}
                print(f"  a stock OpenTAXII takes {deltas['stock'] / deltas['ours']:.1f} times as long", flush=True)


def _full(which: str, url: str, folder: Path) -> Timing:
    body = request(None)
    with gunicorn(which, url) as server:
        idle = server.peak
        best = min((_timed(server, body) for _ in range(3)), key=lambda one: one.whole)
        print(
            f"  full poll, {which}: {best}, {best.bytes / 1e6:,.1f} MB; memory {server.peak:,.0f} MB ({idle:,.0f} idle)"
        )
        if which == "ours":
            _timed(server, body, folder / "poll.xml")
    return best


def _nginx(folder: Path) -> Timing:
    with nginx(folder) as server:
        best = min((_timed(server, b"", path="/poll.xml", method="GET") for _ in range(5)), key=lambda one: one.whole)
    print(f"  the same bytes from a file by nginx: {best}")
    return best


def _deltas(which: str, url: str) -> float:
    """Seconds of one poll that finds nothing, with Basic auth and a connection of its own: the median."""
    body = request(datetime.now(UTC) - timedelta(minutes=1))
    with gunicorn(which, url) as server:
        number = 200 if which == "ours" else 20
        taken = [_timed(server, body).whole for _ in range(number + 5)][5:]
    print(f"  delta poll with nothing new, {which}: {statistics.median(taken) * 1000:,.2f} ms", flush=True)
    return statistics.median(taken)


def request(begin: datetime | None) -> bytes:
    """A poll of ``subscribed``; None: for everything."""
    message = tm11.PollRequest(
        "1", collection_name="subscribed", exclusive_begin_timestamp_label=begin, poll_parameters=tm11.PollParameters()
    )
    return bytes(message.to_xml())


def _timed(
    server: Server, body: bytes, save: Path | None = None, path: str = "/taxii/poll", method: str = "POST"
) -> Timing:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=600)
    start = time.perf_counter()
    connection.request(method, path, body, HEADERS)
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()
    buffer = bytearray(1 << 20)
    size = answer.readinto(memoryview(buffer)[:1])
    first = time.perf_counter() - start
    stream = save.open("wb") if save else None
    if stream:
        stream.write(buffer[:1])
    while number := answer.readinto(buffer):
        size += number
        if stream:
            stream.write(memoryview(buffer)[:number])
    whole = time.perf_counter() - start
    if stream:
        stream.close()
    connection.close()
    return Timing(first, whole, size)


def _fill(folder: Path, megabytes: int) -> str:
    """A feed of blocks that are all alike, each with its label."""
    database = Database(f"sqlite:///{folder}/feed.db")
    migrate.upgrade(database)
    with database.write() as connection:
        collections.ensure_services(connection)
        collections.put(connection, SUBSCRIBED)
        accounts.add(connection, "admin", "of-the-bench", is_admin=True)
    block = _a_block()
    with database.write() as connection:
        row = ledger.lock(connection, SUBSCRIBED.name)
        stored = collections.get(connection, SUBSCRIBED.name)
        assert stored is not None
        for number in range(megabytes * 1_000_000 // len(block.content)):
            key = stored_blocks.stage(connection, stored.id, None, block.content)
            label = BEGINNING + timedelta(minutes=number)
            placed = [(b"%d %d" % (number, place), 1) for place in range(len(block.indicators))]
            ready = [Ready(key, label, placed, len(placed))]
            stored_blocks.publish(connection, stored.id, row.revision + 1, ready)
        ledger.record(connection, SUBSCRIBED.name, label)
        ledger.open_(connection, SUBSCRIBED.name)
    database.close()
    return database.url


def _a_block() -> Block:
    pulse = Pulse("1" * 24, "A pulse of the benchmark", "someone", BEGINNING, BEGINNING)
    number = 25
    while True:
        names = [f"bad{place}.example.org" for place in range(number)]
        members = [Indicator(IndicatorType.DOMAIN, name, RawIndicator("domain", name)) for name in names]
        found = next(iter(blocks(pulse, members, Profile.FULL)))
        assert isinstance(found, Block)
        if len(found.content) > BLOCK:
            return found
        number += 1

"""What clients of several hosts see: the collections, who polls them, the OTX that changes, and what was pulled when."""

from __future__ import annotations

import random
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.sax.saxutils import escape

import requests
from lxml import etree

import support
from pulsegate.model.collection import Collection
from pulsegate.otx.dates import write_date
from pulsegate.otx.simulator import Simulator
from pulsegate.store import ledger, runs
from pulsegate.store.database import Database
from soak.work import FAR, Feeder
from soak.world import NEVER, SLACK, Client, World, utc_now

PASSWORD = "a-password-of-the-soak"
TAXII = "{http://taxii.mitre.org/messages/taxii_xml_binding-1.1}"
HEADERS = {
    "Content-Type": "application/xml", "Accept": "application/xml", "X-TAXII-Protocol": "urn:taxii.mitre.org:protocol:http:1.0",
    "X-TAXII-Content-Type": "urn:taxii.mitre.org:message:xml:1.1", "X-TAXII-Accept": "urn:taxii.mitre.org:message:xml:1.1",
    "X-TAXII-Services": "urn:taxii.mitre.org:services:1.1",
}  # fmt: skip


class HostsWorld(World):
    """A soak over HTTP: the labels of its collections never grow old enough to move."""

    @property
    def collections(self) -> dict[str, tuple[Collection, timedelta]]:
        every = Collection("subscribed"), Collection("each", deduplicate=False)
        return {collection.name: (collection, NEVER) for collection in every}

    def clients(self, kind: str) -> dict[str, Client]:
        return {
            "answered": dict.fromkeys(self.collections, Client("answered", pause=(0.1, 0.5))),
            "clock": {
                "subscribed": Client("clock", "clock", -self.skew, pause=(0.1, 0.5)),
                "each": Client("clock", "clock", self.skew, pause=(0.1, 0.5)),
            },
            "slow": dict.fromkeys(self.collections, Client("slow", "far", pause=(1.0, 3.0))),
            "whole": dict.fromkeys(self.collections, Client("whole", whole=True, pause=(0.2, 1.0))),
        }[kind]


# --- OTX -------------------------------------------------------------------------------------------------------------


class OTXFeeder(Feeder):
    """Changes what the simulator has, about twice a second."""

    def __init__(self, world: World, otx: Simulator) -> None:
        super().__init__(world)
        self.otx = otx

    def run(self) -> None:
        while not self.world.stopped:
            self.commit(*self.change())
            time.sleep(self.random.expovariate(2))

    def store(self, numbers: list[int]) -> None:
        for number in numbers:
            identity = f"{number:024x}"
            if number not in self.active:
                self.otx.unsubscribe(identity)
                continue
            rows = [{"id": place, "type": "domain", "indicator": f"{value}.org"}
                    for place, value in enumerate(sorted(self.values[number]))]  # fmt: skip
            self.otx.put({
                "id": identity, "name": f"Pulse {number}", "author_name": "author", "created": "2026-01-01T00:00:00",
                "modified": write_date(utc_now()), "indicators": rows,
            })  # fmt: skip
            self.otx.subscribe(identity)


# --- Publications ----------------------------------------------------------------------------------------------------


class Observer:
    """Writes down each pull once it is over, as the run of a publisher: what was there before it is served after it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.journal = world.journal("publisher-1")
        self.journal.open()
        self._done = 0  # the key of the last run that is written down
        self.database = Database(world.url)

    def look(self) -> datetime | None:
        """When the last run that is written down, and ended well, began."""
        with self.database.read() as connection:
            found = [one for one in runs.page(connection, "otx", None, limit=200) if one.pk > self._done]
        began = None
        for run in reversed(found):
            if run.finished is None:
                break
            self._done = run.pk
            good = run.outcome == runs.OK
            start = time.monotonic() - (utc_now() - run.started).total_seconds()
            end = time.monotonic() + (0.0 if good else SLACK)
            with self.database.read() as connection:
                rows = {name: ledger.get(connection, name) for name in self.world.collections}
            frontiers = {name: row.frontier.isoformat() for name, row in rows.items() if row is not None}
            self.journal.write(start=start)
            self.journal.write(
                start=start, end=end, error="" if good else run.error or run.outcome, frontiers=frontiers
            )
            began = run.started if good else began
        return began


# --- Polls -----------------------------------------------------------------------------------------------------------


class PollFailedError(Exception):
    """What a client got in place of an answer."""


class WebPoller:
    """One kind of client in every collection, over HTTP. A failed poll is written down with the moments around it."""

    def __init__(self, world: World, kind: str, address: str) -> None:
        self.world, self.kind, self.address = world, kind, address
        self.clients = world.clients(kind)
        self.random = random.Random(f"web poller {world.seed} {kind}")
        self.journal = world.journal(f"poller-{kind}")
        self.journal.open()
        self.begins: dict[str, datetime] = {}
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.auth = ("admin", PASSWORD)
        self.seconds: list[float] = []

    def run(self) -> None:
        while not self.world.stopped:
            for name in self.random.sample(sorted(self.clients), len(self.clients)):
                self.poll(name, self.clients[name])
                time.sleep(self.random.uniform(*self.clients[name].pause))

    def last(self) -> None:
        """Poll once more, up to everything."""
        for name, client in self.clients.items():
            ahead = Client(client.kind, client.asks, self.world.skew + 5, whole=client.whole)
            assert self.poll(name, ahead), f"the last poll of {self.kind} failed"

    def poll(self, name: str, client: Client) -> bool:
        begin = None if client.whole else self.begins.get(name)
        asked = {"none": None, "far": FAR, "clock": utc_now() + timedelta(seconds=client.offset)}[client.asks]
        if begin and asked and asked < begin:
            return True
        start = time.monotonic()
        try:
            body = self.ask(name, begin, asked)
            answered, moment = time.monotonic(), utc_now()
            end, found = read(body)
        except (requests.RequestException, PollFailedError, etree.XMLSyntaxError) as error:
            self.journal.write(error="failed", start=start, done=time.monotonic(), reason=f"{name}: {error}")
            return False
        self.seconds.append(answered - start)
        following = asked if client.asks == "clock" and asked else end
        self.journal.write(
            collection=name, start=start, answered=answered, done=answered, moment=moment.isoformat(),
            begin=begin and begin.isoformat(), end=end.isoformat(), next=following.isoformat(), revision=0, blocks=found,
        )  # fmt: skip
        self.begins[name] = following
        return True

    def ask(self, name: str, begin: datetime | None, end: datetime | None) -> bytes:
        answer = self.session.post(self.address, data=request(name, begin, end), headers=HEADERS, timeout=60)
        if answer.status_code != 200:
            raise PollFailedError(f"HTTP {answer.status_code}: {answer.text[:300]}")
        return answer.content


def request(name: str, begin: datetime | None, end: datetime | None) -> bytes:
    labels = "".join(
        f"<t:{tag}_Timestamp>{moment.isoformat()}</t:{tag}_Timestamp>"
        for tag, moment in (("Exclusive_Begin", begin), ("Inclusive_End", end)) if moment is not None
    )  # fmt: skip
    return (
        f'<t:Poll_Request xmlns:t="{TAXII[1:-1]}" message_id="1" collection_name="{escape(name)}">{labels}'
        f'<t:Poll_Parameters allow_asynch="false"><t:Response_Type>FULL</t:Response_Type></t:Poll_Parameters>'
        f"</t:Poll_Request>"
    ).encode()


def read(body: bytes) -> tuple[datetime, list[Any]]:
    """The end that was answered, and (label, package, pulse, values) of each block."""
    root = etree.fromstring(body)
    if root.tag != f"{TAXII}Poll_Response":
        raise PollFailedError(etree.tostring(root)[:500].decode())
    end = datetime.fromisoformat(root.findtext(f"{TAXII}Inclusive_End_Timestamp")).astimezone(UTC)
    return end, [_block(one) for one in root.iterfind(f"{TAXII}Content_Block")]


def _block(block: Any) -> Any:
    label = datetime.fromisoformat(block.findtext(f"{TAXII}Timestamp_Label")).astimezone(UTC)
    package = etree.tostring(block.find(f"{TAXII}Content")[0])
    values = [value.removesuffix(".org") for _, value in support.read_values(package)]
    return label.isoformat(), 0, int(support.pulse_id(package), 16), values


def in_thread(work: Any) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread

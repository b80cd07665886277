"""What a server says of its services: where its collections are polled, and which there are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from lxml import etree

from pulsegate.checking import messages
from pulsegate.checking.client import Client, FailedError, check_status
from pulsegate.checking.findings import Fault

MAX_BODY = 4_000_000  # bytes
_TAXII = f"{{{messages.NAMESPACE}}}"


@dataclass(frozen=True, slots=True)
class Services:
    """``polls``: (collection, or None for any, address), as they are told; ``names``: of the collections."""

    polls: tuple[tuple[str | None, str], ...] = ()
    managers: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    def poll_addresses(self, collection: str) -> list[str]:
        """Where the collection is polled, those that are told for it before those for any."""
        found = [address for name, address in self.polls if name == collection]
        return list(dict.fromkeys([*found, *(address for name, address in self.polls if name is None)]))


def ask(client: Client, address: str) -> Services:
    """What a discovery or a collection service at the address tells; nothing where there is none."""
    found = Services()
    for message in (messages.collections(), messages.discovery()):
        root = _answer(client, address, message)
        if root is not None:
            found = _joined(found, _read(root, address))
    return found


def names(client: Client, address: str) -> tuple[str, ...]:
    """The collections that there are for this account, asked where such a service may be; none: nobody told."""
    for place in _places(address):
        found = ask(client, place)
        if found.names:
            return found.names
        for manager in found.managers:
            if client.may_send(manager) and (told := ask(client, manager).names):
                return told
    return ()


def _places(address: str) -> Iterator[str]:
    yield address
    front, slash, last = address.rstrip("/").rpartition("/")
    if "poll" in last:
        for other in ("collections", "collection-management", "discovery"):
            yield f"{front}{slash}{last.replace('poll', other)}"


def _answer(client: Client, address: str, message: bytes) -> etree._Element | None:
    try:
        with client.asking(address, message) as (head, body):
            check_status(head, body)
            content = bytearray()
            while (piece := body.read()) and len(content) < MAX_BODY:
                content += piece
            return etree.fromstring(bytes(content), etree.XMLParser(resolve_entities=False, no_network=True))
    except (FailedError, etree.XMLSyntaxError):
        return None


def _read(root: etree._Element, address: str) -> Services:
    if root.tag == f"{_TAXII}Collection_Information_Response":
        every = list(root.iterchildren(f"{_TAXII}Collection"))
        polls = [
            (one.get("collection_name"), _absolute(address, text))
            for one in every
            for text in _texts(one, "Polling_Service", "Address")
        ]
        return Services(tuple(polls), (), tuple(one.get("collection_name") or "" for one in every))
    if root.tag == f"{_TAXII}Discovery_Response":
        services = [
            (one.get("service_type"), _absolute(address, text))
            for one in root.iterchildren(f"{_TAXII}Service_Instance")
            for text in _texts(one, "Address")
        ]
        polls = [(None, place) for kind, place in services if kind == "POLL"]
        return Services(tuple(polls), tuple(place for kind, place in services if kind == "COLLECTION_MANAGEMENT"))
    return Services()


def _absolute(address: str, text: str) -> str:
    """What is no URL stays as it is told; nothing is sent there."""
    try:
        return urljoin(address, text)
    except ValueError:
        return text


def _texts(element: etree._Element, *path: str) -> list[str]:
    found = element.iterfind("/".join(f"{_TAXII}{name}" for name in path))
    return [text for one in found if (text := (one.text or "").strip())]


def _joined(one: Services, other: Services) -> Services:
    return Services(one.polls + other.polls, one.managers + other.managers, one.names or other.names)


def advertised(found: Services, collection: str, client: Client, address: str) -> Iterator[Fault]:
    """What is wrong with the addresses that the server tells."""
    others = [place for place in found.poll_addresses(collection) if not client.may_send(place)]
    if others and len(others) == len(found.poll_addresses(collection)):
        parts = urlsplit(address)
        here = f"{parts.scheme}://{parts.netloc}"
        yield Fault("advertised", f"The server tells that it is polled at {others[0][:200]}, not at {here}")

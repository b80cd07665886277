"""A TAXII 1.1 server in this process that is good, or has one fault."""

from __future__ import annotations

import base64
import gzip
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from lxml import etree

from packages import TAXII_11, package

USER, PASSWORD = "gateway", "secret of the gateway"
COLLECTION = "feed"
BLOCKS = 10
_XML = "urn:taxii.mitre.org:message:xml:1.1"


class World(ThreadingHTTPServer):
    """``fault``: which one it has; "" for none. ``size``: blocks in a part, 0 for one part."""

    daemon_threads = True

    def __init__(self, fault: str = "", size: int = 0, host: str = "127.0.0.1") -> None:
        super().__init__((host, 0), _Handler)
        self.host = host
        self.fault = fault
        self.size = size
        self.polls = 0
        self.passwords: set[str] = set()
        self.scheme = "http"
        self.told = ""  # where it tells to be polled, if not at /poll
        start = datetime.now(UTC) - timedelta(hours=100)
        self.labels = [start + timedelta(hours=9 * number) for number in range(BLOCKS)]
        if fault == "one-label":
            self.labels = [start] * BLOCKS

    @property
    def address(self) -> str:
        return f"{self.scheme}://{self.host}:{self.server_port}"


@contextmanager
def world(fault: str = "", size: int = 0, host: str = "127.0.0.1") -> Iterator[World]:
    server = World(fault, size, host)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: World
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def date_time_string(self, timestamp: Any = None) -> str:
        ahead = timedelta(hours=1) if self.server.fault == "clock" else timedelta()
        return format_datetime(datetime.now(UTC) + ahead, usegmt=True)

    def do_POST(self) -> None:
        request = etree.fromstring(self.rfile.read(int(self.headers["Content-Length"])))
        with suppress(BrokenPipeError, ConnectionResetError):
            self._answer(request, self.server.fault)

    def _answer(self, request: Any, fault: str) -> None:
        kind = etree.QName(request).localname
        if not self._is_let_in(fault):
            return
        if kind == "Discovery_Request" and self.path != "/collections":
            self._send(_discovery(self.server))
        elif kind == "Collection_Information_Request" and self.path != "/discovery":
            self._send(_collections(self.server))
        elif urlsplit(self.path).path != "/poll":  # a proxy is asked for the whole address
            self._send(_status("FAILURE", "not this service's message"))
        else:
            self._poll(request, kind, fault)

    def _is_let_in(self, fault: str) -> bool:
        told = self.headers.get("Authorization", "")
        user, _, password = base64.b64decode(told.removeprefix("Basic ")).decode().partition(":")
        self.server.passwords.add(password)
        if fault == "any-password" or (user, password) == (USER, PASSWORD):
            return True
        if fault == "wrong-password":
            self._send(_status("UNAUTHORIZED", "who are you"))
        else:
            challenge = {} if fault == "no-challenge" else {"WWW-Authenticate": 'Basic realm="x"'}
            self._send(_status("UNAUTHORIZED", "who are you"), 401, challenge)
        return False

    def _poll(self, request: Any, kind: str, fault: str) -> None:
        self.server.polls += 1
        early = _EARLY.get(fault)
        if early is not None:
            early(self)
            return
        if fault == "http-once" and self.server.polls == 3:
            self._send(b"busy", 503)
            return
        if fault == "retry" and self.server.polls < 4:
            seconds = "nan" if self.server.polls == 2 else "0"
            wait = f'<t:Status_Detail><t:Detail name="ESTIMATED_WAIT">{seconds}</t:Detail></t:Status_Detail>'
            self._send(_status("RETRY", "being filled").replace(b"<t:Message>", wait.encode() + b"<t:Message>"))
        elif request.get("collection_name") != COLLECTION:
            self._send(_status("NOT_FOUND", "no such collection"))
        elif kind == "Poll_Fulfillment":
            self._fulfil(request, fault)
        else:
            self._send(_response(self.server, _window(request), _wants_older(request), 1))

    def _fulfil(self, request: Any, fault: str) -> None:
        number = int(request.get("result_part_number"))
        begin, end, older = request.get("result_id").strip("=").split("|")
        window = datetime.fromisoformat(begin), datetime.fromisoformat(end)
        is_past = (number - 1) * self.server.size >= len(_held(self.server, *window))
        if fault == "part" or (fault == "past-the-end" and is_past):
            self._send(_status("NOT_FOUND", "no such part"))
        else:
            self._send(_response(self.server, window, older == "1", 1 if fault == "same-part" else number))

    def _send(self, body: bytes, status: int = 200, more: dict[str, str] | None = None) -> None:
        fault = self.server.fault
        headers = {"X-TAXII-Content-Type": _XML, "Content-Type": "application/xml"} | (more or {})
        if fault == "not-taxii":
            del headers["X-TAXII-Content-Type"]
        if fault == "deflate":
            headers["Content-Encoding"] = "deflate"
        if fault == "taxii-version":
            headers["X-TAXII-Content-Type"] = "urn:taxii.mitre.org:message:xml:1.0"
        if fault == "content-type":
            headers["Content-Type"] = "text/\x1b[31mhtml"
        wants = "gzip" in self.headers.get("Accept-Encoding", "") and fault != "deflate"
        if wants or fault == "encoding":
            body, headers["Content-Encoding"] = gzip.compress(body), "gzip"
        self.send_response(status)
        for name, text in headers.items():
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def redirect(self, location: str = "https://elsewhere.example/taxii/poll") -> None:
        self.send_response(302)
        self.send_header("Location", location)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def break_off(self, *, chunked: bool = False) -> None:
        """The first half of an answer."""
        body = _response(self.server, (self.server.labels[0], datetime.now(UTC)), False, 1)
        self.send_response(200)
        self.send_header("X-TAXII-Content-Type", _XML)
        self.send_header("Content-Type", "application/xml")
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(f"{len(body):x}\r\n".encode() + body[: len(body) // 2])
        else:
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2])
        self.close_connection = True

    def break_off_unseen(self) -> None:
        """Half an answer that doesn't tell its length: only its XML shows it."""
        body = _response(self.server, (self.server.labels[0], datetime.now(UTC)), False, 1)
        self.send_response(200)
        self.send_header("X-TAXII-Content-Type", _XML)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body[: len(body) // 2])
        self.close_connection = True

    def drip(self) -> None:
        """A header that never ends, a byte at a time."""
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        for _ in range(600):
            self.wfile.write(b"x")
            self.wfile.flush()
            time.sleep(0.1)

    def drip_body(self) -> None:
        self.send_response(200)
        self.send_header("X-TAXII-Content-Type", _XML)
        self.send_header("Content-Type", "application/xml")
        self.end_headers()
        for _ in range(600):
            self.wfile.write(b" ")
            self.wfile.flush()
            time.sleep(0.1)

    def hang(self) -> None:
        time.sleep(4)

    def plain(self, body: bytes, status: int = 200) -> None:
        self._send(body, status)


_EARLY = {
    "redirect": _Handler.redirect,
    "redirect-nowhere": lambda handler: handler.redirect("http://[::1"),
    "cut": _Handler.break_off,
    "cut-chunked": lambda handler: handler.break_off(chunked=True),
    "cut-unseen": _Handler.break_off_unseen,
    "drip": _Handler.drip,
    "drip-body": _Handler.drip_body,
    "timeout": _Handler.hang,
    "http": lambda handler: handler.plain(b"<html>proxy error</html>", 502),
    "path": lambda handler: handler.plain(b"nothing here", 404),
    "malformed": lambda handler: handler.plain(b"<a><b></a>"),
    "html": lambda handler: handler.plain(b"<!DOCTYPE html><html><body>Log in</body></html>"),
    "doctype": lambda handler: handler.plain(
        f'<!DOCTYPE t:Poll_Response [<!ENTITY e "x">]><t:Poll_Response xmlns:t="{TAXII_11}">&e;</t:Poll_Response>'.encode()
    ),
    "not-poll": lambda handler: handler.plain(
        b'<t:Poll_Response xmlns:t="http://taxii.mitre.org/messages/taxii_xml_binding-1" message_id="1"/>'
    ),
    "no-namespace": lambda handler: handler.plain(b'<Poll_Response message_id="1"/>'),
    "status": lambda handler: handler.plain(_status("FAILURE", "the disk is full")),
}


def _status(kind: str, text: str) -> bytes:
    return (
        f'<t:Status_Message xmlns:t="{TAXII_11}" message_id="2" in_response_to="1" status_type="{kind}">'
        f"<t:Message>{text}</t:Message></t:Status_Message>"
    ).encode()


def _poll_address(server: World) -> str:
    return server.told or f"{'http://localhost:1' if server.fault == 'advertised' else server.address}/poll"


def _discovery(server: World) -> bytes:
    return (
        f'<t:Discovery_Response xmlns:t="{TAXII_11}" message_id="2" in_response_to="1"><t:Service_Instance '
        f'service_type="POLL" service_version="urn:taxii.mitre.org:services:1.1" available="true"><t:Address>'
        f"{_poll_address(server)}</t:Address></t:Service_Instance></t:Discovery_Response>"
    ).encode()


def _collections(server: World) -> bytes:
    return (
        f'<t:Collection_Information_Response xmlns:t="{TAXII_11}" message_id="2" in_response_to="1">'
        f'<t:Collection collection_name="{COLLECTION}" collection_type="DATA_FEED" available="true">'
        f"<t:Description/><t:Polling_Service><t:Protocol_Binding/><t:Address>{_poll_address(server)}</t:Address>"
        "</t:Polling_Service></t:Collection></t:Collection_Information_Response>"
    ).encode()


def _window(request: Any) -> tuple[datetime, datetime | None]:
    begin = request.findtext(f"{{{TAXII_11}}}Exclusive_Begin_Timestamp")
    end = request.findtext(f"{{{TAXII_11}}}Inclusive_End_Timestamp")
    return datetime.fromisoformat(begin), datetime.fromisoformat(end) if end else None


def _wants_older(request: Any) -> bool:
    asked = [one.get("binding_id") for one in request.iter(f"{{{TAXII_11}}}Content_Binding")]
    return asked == ["urn:stix.mitre.org:xml:1.1.1"]


def _held(server: World, begin: datetime, end: datetime | None) -> list[tuple[int, datetime]]:
    fault = server.fault
    if fault == "empty":
        return []
    if fault == "repeats" and begin > datetime.now(UTC) - timedelta(minutes=5) and server.polls > 3:
        return list(enumerate(server.labels))
    low, high = begin, end or datetime.now(UTC)
    if fault == "twice":
        low -= timedelta(hours=2)
    found = [(number, label) for number, label in enumerate(server.labels) if low < label <= high]
    if fault == "outside" and found:
        found.append((99, high + timedelta(seconds=5)))
    if fault == "future" and end is None:
        found.append((99, high + timedelta(hours=1)))
    return list(reversed(found)) if fault == "unordered" else found


def _response(server: World, window: tuple[datetime, datetime | None], older: bool, number: int) -> bytes:
    begin, end = window
    fault, answered = server.fault, end or datetime.now(UTC)
    held = _held(server, begin, end)
    more = bool(server.size) and number * server.size < len(held)
    part = held[(number - 1) * server.size : number * server.size] if server.size else held
    if fault == "same-part":
        more = bool(held)
    if fault == "empty-part" and number > 1:
        part, more = [], True
    name = f"{begin.isoformat()}|{answered.isoformat()}|{int(older)}" + ("=" * 3000 if fault == "long-result" else "")
    result = f'result_id="{"" if fault == "empty-result-id" else name}"' if fault != "no-result-id" else ""
    told = answered - timedelta(days=400) if fault == "end-before-begin" else answered
    if fault == "end-not-asked" and end and end < datetime.now(UTC) - timedelta(hours=2):
        told = end - timedelta(minutes=30)
    ends = f"<t:Inclusive_End_Timestamp>{told.isoformat()}</t:Inclusive_End_Timestamp>"
    if fault == "no-end" or (fault == "no-end-unless-asked" and end is None):
        ends = ""
    if fault == "label-form":
        ends = "<t:Inclusive_End_Timestamp>yesterday</t:Inclusive_End_Timestamp>"
    count = len(held) + (5 if fault == "record-count" else 0)
    begins = f"<t:Exclusive_Begin_Timestamp>{begin.isoformat()}</t:Exclusive_Begin_Timestamp>"
    heads = [begins, ends, f"<t:Record_Count>{count}</t:Record_Count>"]
    blocks = "".join(_block(server, *one, older) for one in part)
    if fault == "large":
        blocks = f"<t:Message>{'<b>x</b>' * 2_500_000}</t:Message>"
    inner = blocks + "".join(heads) if fault == "order" else "".join(heads) + blocks
    return (
        f'<t:Poll_Response xmlns:t="{TAXII_11}" message_id="2" in_response_to="1" collection_name="{COLLECTION}" '
        f'more="{str(more).lower()}" {result} result_part_number="{number}">{inner}</t:Poll_Response>'
    ).encode()


def _block(server: World, number: int, label: datetime, older: bool) -> str:
    fault = server.fault
    if fault == "binding-asked":
        older = False
    version = "1.0" if fault == "stix-version" else "1.1.1" if older else "1.2"
    binding = "urn:stix.mitre.org:xml:1.1.1" if fault == "binding" or older else "urn:stix.mitre.org:xml:1.2"
    turn = f"-{server.polls}" if fault == "different" else ""
    content = package(f"n{number}{turn}.example.com", version=version).decode()
    content = {
        "stix2": '{"type": "bundle", "objects": []}',
        "escaped": content.replace("<", "&lt;"),
        "no-package": '<other xmlns="urn:x"><inner/></other>',
        "unused": content.replace('type="FQDN"', 'type="TLD"'),
    }.get(fault, content)
    told = "" if fault == "no-label" else f"<t:Timestamp_Label>{label.isoformat()}</t:Timestamp_Label>"
    return (
        f'<t:Content_Block><t:Content_Binding binding_id="{binding}"/><t:Content>{content}</t:Content>{told}'
        "</t:Content_Block>"
    )

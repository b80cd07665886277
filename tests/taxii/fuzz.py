"""How requests are bent: mutations of valid messages, of HTTP headers, methods and paths, and what may come back."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st
from libtaxii.constants import VID_TAXII_XML_10, VID_TAXII_XML_11
from lxml import etree
from werkzeug.test import run_wsgi_app

from taxii import filled
from taxii.questions import INBOX_PATHS, PATHS, PUSHES, QUESTIONS

MESSAGES = [(one.version, one.to_xml()) for one in [*(pair[0] for pair in QUESTIONS.values()), *PUSHES.values()]]
ODD_DATES = [
    "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59-14:00",
    "0000-01-01T00:00:00Z", "-0001-01-01T00:00:00Z", "12026-01-01T00:00:00Z", "2026-02-30T00:00:00Z",
    "2026-01-01T24:00:00Z", "2026-01-01T00:00:60Z", "2026-01-01T00:00:00", "2026-01-01", "00:00:00Z", "now", "0",
    "2026-01-01T00:00:00.1234567890123Z", "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00+00:00:30", "1969-12-31T23:59:59Z",
    "1678-01-01T00:00:00Z", "2026-01-01t00:00:00z", " 2026-01-01T00:00:00Z\n", "2262-04-12T00:00:00Z", "2026-W01-1",
]  # fmt: skip
ODD_NUMBERS = ["0", "-1", "1.5", "1e3", "+1", " 1 ", "٣", "2147483648", "9223372036854775808", str(10**30), "9" * 5000]
ODD_TEXTS = [
    "", " ", "\n", "a" * 70_000, "日本語 😀", "\u202e", "\u0085", "%00", "../../etc/passwd", "' OR 1=1 --", "user_Some Author",
    "user_Some+Author", "subscribed ", "SUBSCRIBED", "\ufffd", "true", "urn:x", "http://[", "::::", "&amp;", "]]>", "{}", "%s",
]  # fmt: skip
ODD_NAMESPACES = [
    "",
    "urn:none",
    "http://taxii.mitre.org/messages/taxii_xml_binding-1",
    "http://taxii.mitre.org/messages/taxii_xml_binding-1.1",
]
ENCODINGS = [
    "utf-8",
    "utf-8-sig",
    "utf-16",
    "utf-16-le",
    "utf-16-be",
    "utf-32",
    "latin-1",
    "utf-7",
    "cp037",
    "shift_jis",
    "ascii",
]
ODD_METHODS = [
    "GET",
    "HEAD",
    "PUT",
    "DELETE",
    "OPTIONS",
    "PATCH",
    "TRACE",
    "CONNECT",
    "post",
    "PROPFIND",
    "X" * 3000,
    "PO\x80ST",
]
ODD_PATHS = [
    "", "/", "//", "/taxii", "/taxii/", "/taxii/poll//", "/taxii//poll", "/taxii/../taxii/poll", "/taxii/poll/..", "/TAXII/POLL",
    "/taxii/none", "/taxi", "/taxi/", "/management/auth", "/management/health", "/healthz", "/healthz/", "/taxii2/", "/taxii2/x/",
    "/static/x", "/taxii/poll\0", "/taxii/poll\xff", "/taxii/\xe6\x97\xa5", "/taxii/poll;a=b", "/taxii/poll%2f", "/" + "x" * 9000,
    "/taxii/poll\r\nX: y", "*", "taxii/poll", "/admin", "/readyz",
]  # fmt: skip
ODD_HEADER_VALUES = [
    "", " ", "x", "urn:none", VID_TAXII_XML_10, VID_TAXII_XML_11, f"{VID_TAXII_XML_11},{VID_TAXII_XML_11}",
    filled.SERVICES[VID_TAXII_XML_10], "application/xml", "application/xml; charset=utf-16", "APPLICATION/XML", "text/html",
    "text/xml", "application/xml;q=0", "*/*", "*/*;q=0", ";;;", ",,,", "=", '"', "q=x", "\x01\x1b", "\xe9\xff", "\xe6\x97\xa5",
    "a" * 70_000, "application/x-www-form-urlencoded", "multipart/form-data", "multipart/form-data; boundary=x",
    "Basic", "Basic ", "Basic Og==", "Basic %%%", "Basic \xff", "Basic /w==", "Basic AAAA", "Basic YTpiAA==", "Bearer", "Bearer x.y.z",
    "Bearer ", "Digest x", "Basic " + "QUJD" * 20_000, filled.BASIC + "," + filled.BASIC, filled.BASIC.lower(), "-1", "1", "10**9",
]  # fmt: skip
HEADER_NAMES = [*filled.headers(VID_TAXII_XML_11), "Host", "Content-Length", "Transfer-Encoding", "Content-Encoding", "X-Forwarded-For",
                "X-Forwarded-Host", "X-Forwarded-Proto", "Range", "If-None-Match", "If-Modified-Since", "Cookie", "Expect", "User-Agent",
                "Accept-Encoding", "Accept-Charset", "Upgrade", "X-HTTP-Method-Override"]  # fmt: skip
INSIDE = b"The server failed to answer"  # what is told of a fault of our own


@dataclass(frozen=True)
class Request:
    """What is sent; texts of paths and headers are WSGI's: bytes as Latin-1."""

    body: bytes
    headers: Mapping[str, str]
    method: str = "POST"
    path: str = "/taxii/poll"
    query: str = ""
    length: str | None = field(default=None)  # what Content-Length says, None: the truth

    def environment(self) -> dict[str, Any]:
        made: dict[str, Any] = {
            "REQUEST_METHOD": self.method, "SCRIPT_NAME": "", "PATH_INFO": self.path, "QUERY_STRING": self.query,
            "SERVER_NAME": "127.0.0.1", "SERVER_PORT": "9000", "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "127.0.0.1",
            "wsgi.version": (1, 0), "wsgi.url_scheme": "http", "wsgi.input": io.BytesIO(self.body),
            "wsgi.errors": io.StringIO(), "wsgi.multithread": True, "wsgi.multiprocess": True, "wsgi.run_once": False,
            "CONTENT_LENGTH": str(len(self.body)) if self.length is None else self.length,
        }  # fmt: skip
        for name, value in self.headers.items():
            key = name.upper().replace("-", "_")
            made[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = value
        return made


def judge(application: Any, request: Request) -> int:
    """Send the request; the status that came. AssertionError when the answer is none that may come."""
    chunks, status, headers = run_wsgi_app(application, request.environment(), buffered=True)
    body = b"".join(chunks)
    code = int(status.split()[0])
    assert code < 500, (status, body)
    assert INSIDE not in body, body
    version = headers.get("X-TAXII-Content-Type")
    if version is not None and body:
        checked = filled.SCHEMAS[version].validate_string(body)
        assert checked.valid, (checked.error_log, body)
    elif body and "/xml" in headers.get("Content-Type", ""):
        etree.fromstring(body)
    assert code != 401 or version is None or "WWW-Authenticate" in headers, headers
    return code


# --- Mutations of the tree -----------------------------------------------------------------------------------------

Mutation = Callable[[Any, Any], None]  # of an element, in its tree


def _delete(node: Any, _: Any) -> None:
    if node.getparent() is not None:
        node.getparent().remove(node)


def _duplicate(node: Any, _: Any) -> None:
    if node.getparent() is not None:
        node.addnext(deepcopy(node))


def _nest(node: Any, depth: int) -> None:
    for _ in range(depth):
        node = etree.SubElement(node, node.tag)


def _multiply(node: Any, times: int) -> None:
    for _ in range(times):
        _duplicate(node, None)


def _text(node: Any, text: str) -> None:
    node.text = text


def _attribute(node: Any, change: tuple[int, str]) -> None:
    if node.attrib:
        node.attrib[list(node.attrib)[change[0] % len(node.attrib)]] = change[1]


def _no_attribute(node: Any, number: int) -> None:
    if node.attrib:
        del node.attrib[list(node.attrib)[number % len(node.attrib)]]


def _new_attribute(node: Any, value: str) -> None:
    node.set("{urn:none}odd", value)


def _namespace(node: Any, namespace: str) -> None:
    name = etree.QName(node).localname
    node.tag = f"{{{namespace}}}{name}" if namespace else name


def _rename(node: Any, name: str) -> None:
    node.tag = etree.QName(etree.QName(node).namespace, name).text


def _comment(node: Any, _: Any) -> None:
    node.insert(0, etree.Comment("odd"))


def _instruction(node: Any, _: Any) -> None:
    node.insert(0, etree.ProcessingInstruction("odd", "x"))


def _swap(node: Any, _: Any) -> None:
    if node.getnext() is not None:
        node.addprevious(node.getnext())


def _child(node: Any, name: str) -> None:
    etree.SubElement(node, etree.QName(etree.QName(node).namespace, name)).text = "x"


_NAMES = [
    "Poll_Parameters",
    "Extended_Headers",
    "Extended_Header",
    "Content_Block",
    "Signature",
    "Message",
    "Query",
    "x",
]
odd_values = st.sampled_from(ODD_DATES + ODD_NUMBERS + ODD_TEXTS)
mutations: st.SearchStrategy[tuple[Mutation, Any]] = st.one_of(
    st.tuples(st.just(_text), odd_values),
    st.tuples(st.just(_attribute), st.tuples(st.integers(0, 9), odd_values)),
    st.tuples(st.sampled_from([_delete, _duplicate, _comment, _instruction, _swap]), st.none()),
    st.tuples(st.just(_no_attribute), st.integers(0, 9)),
    st.tuples(st.just(_new_attribute), odd_values),
    st.tuples(st.just(_namespace), st.sampled_from(ODD_NAMESPACES)),
    st.tuples(st.sampled_from([_rename, _child]), st.sampled_from(_NAMES)),
    st.tuples(st.just(_nest), st.sampled_from([1, 150, 300])),
    st.tuples(st.just(_multiply), st.sampled_from([2, 100])),
)  # fmt: skip


@st.composite
def trees(draw: st.DrawFn, xml: bytes) -> bytes:
    """The message with some of its elements bent, in some encoding that its declaration tells or not."""
    root = etree.fromstring(xml)
    for number, (mutate, change) in draw(st.lists(st.tuples(st.integers(0, 60), mutations), max_size=3)):
        nodes = [node for node in root.iter() if isinstance(node.tag, str)]
        mutate(nodes[number % len(nodes)], change)
    text = etree.tostring(root, encoding="unicode")
    encoding = draw(st.sampled_from(["utf-8"] * 12 + ENCODINGS))
    told = draw(st.sampled_from([None, None, encoding, "utf-8", "utf-16", "x-none"]))
    declaration = "" if told is None else f'<?xml version="1.0" encoding="{told}"?>'
    return (declaration + text).encode(encoding, "xmlcharrefreplace")


# --- Mutations of the bytes ----------------------------------------------------------------------------------------

_DOCTYPES = [
    b'<!DOCTYPE x [<!ENTITY a "b">]>',
    b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
    b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>',
]
_pieces = st.one_of(
    st.binary(max_size=8),
    st.sampled_from([b"\0", b"\xff", b"\xef\xbb\xbf", b"\xff\xfe", b"&a;", b"&c;", b"&#0;", b"&#x1F600;", b"<![CDATA[", b"]]>", b"<", b">", b"--", b"<?", *_DOCTYPES]),
)  # fmt: skip


@st.composite
def bent(draw: st.DrawFn, body: bytes) -> bytes:
    """The bytes with some of them taken out, put in or repeated."""
    for place, length, piece, again in draw(
        st.lists(st.tuples(st.floats(0, 1), st.integers(0, 40), _pieces, st.integers(0, 2)), min_size=1, max_size=3)
    ):
        at = int(place * len(body))
        body = body[:at] + piece + body[at : at + length] * again + body[at + length :]
    return body


@st.composite
def bodies(draw: st.DrawFn) -> tuple[str, bytes]:
    """The version of a message, and bytes that began as that message."""
    version, xml = draw(st.sampled_from(MESSAGES))
    body = draw(trees(xml))
    if draw(st.integers(0, 2)) == 0:
        body = draw(bent(body))
    return version, body


@st.composite
def messages(draw: st.DrawFn) -> Request:
    """A bent message, sent as it should be; at times as the other version."""
    version, body = draw(bodies())
    told = draw(st.sampled_from([version] * 6 + list(filled.SERVICES)))
    return Request(body, filled.headers(told), path=draw(st.sampled_from(PATHS + INBOX_PATHS)))


@st.composite
def requests(draw: st.DrawFn) -> Request:
    """A valid message, sent as it should not be."""
    version, body = draw(st.sampled_from(MESSAGES))
    headers = filled.headers(version)
    for name, value in draw(
        st.dictionaries(st.sampled_from(HEADER_NAMES), st.sampled_from([None, *ODD_HEADER_VALUES]), max_size=3)
    ).items():
        headers.pop(name, None)
        if value is not None and (name != "Authorization" or value.isascii()):
            headers[name] = value
    return Request(
        draw(st.sampled_from([body, body, body, b"", b"x", b"\0" * 1000, b"{}", b'{"username": 1}', b"username=a&password=b"])),
        headers,
        method=draw(st.sampled_from(["POST"] * 5 + ODD_METHODS)),
        path=draw(st.one_of(st.sampled_from(PATHS + INBOX_PATHS), st.sampled_from(ODD_PATHS), st.text(st.characters(max_codepoint=255), max_size=20).map(lambda text: f"/taxii/{text}"))),
        query=draw(st.sampled_from(["", "", "", "a=b", "%", "%00=%ff", "=&=&", "\xff", "a" * 9000])),
        length=draw(st.sampled_from([None, None, None, "", "0", "5", "-1", "x", str(10**30)])),
    )  # fmt: skip

"""The edge of the service without a socket: proxies, client certificates, bodies that are too long, hostile XML."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

import libtaxii.messages_11 as tm11
import pytest
from libtaxii.constants import VID_TAXII_HTTP_10, VID_TAXII_HTTPS_10, VID_TAXII_SERVICES_11, VID_TAXII_XML_11
from libtaxii.validation import SchemaValidator
from opentaxii.taxii.exceptions import BadMessageStatus

import support
from model import certificates
from pulsegate.model.network import Networks
from pulsegate.model.subject import normal_subject
from pulsegate.publication.built_in import SUBSCRIBED
from pulsegate.store import accounts, collections
from pulsegate.store.database import Database
from pulsegate.taxii import xml
from pulsegate.taxii.edge import CLIENT_SUBJECT, PEER_CERTIFICATE, Edge

PROXY, CLIENT, STRANGER = "10.0.0.1", "192.0.2.7", "203.0.113.9"
PROXIES = Networks.of(["10.0.0.0/8", "2001:db8:1::/48"])
HEADERS = {
    "Content-Type": "application/xml",
    "X-TAXII-Content-Type": VID_TAXII_XML_11,
    "X-TAXII-Services": VID_TAXII_SERVICES_11,
}
MAX_BODY = 20_000


def seen(edge: Edge, **given: str | Any) -> dict[str, Any]:
    """The environment that the application behind the edge gets."""
    found: dict[str, Any] = {}

    def application(environment: dict[str, Any], _start: Any) -> list[bytes]:
        found.update(environment)
        return []

    environment = {
        "REMOTE_ADDR": STRANGER, "wsgi.url_scheme": "http", "HTTP_HOST": "inside:9000", "wsgi.input": io.BytesIO(),
    } | given  # fmt: skip
    list(edge.around(application)(environment, lambda *_: None))
    return found


def who(edge: Edge, **given: str) -> tuple[str, str, str]:
    found = seen(edge, **given)
    left = [key for key in found if "FORWARDED" in key]
    assert left == [], "nobody may believe these later on"
    return found["REMOTE_ADDR"], found["wsgi.url_scheme"], found["HTTP_HOST"]


X_FORWARDED = {
    "HTTP_X_FORWARDED_FOR": CLIENT,
    "HTTP_X_FORWARDED_PROTO": "https",
    "HTTP_X_FORWARDED_HOST": "gate.example",
}


def test_stranger_is_not_believed() -> None:
    given = X_FORWARDED | {"HTTP_FORWARDED": f"for={CLIENT};proto=https;host=gate.example"}
    assert who(Edge(PROXIES), **given) == (STRANGER, "http", "inside:9000")
    assert who(Edge(), REMOTE_ADDR="127.0.0.1", **given) == ("127.0.0.1", "http", "inside:9000")


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (X_FORWARDED, (CLIENT, "https", "gate.example")),
        ({}, (PROXY, "http", "inside:9000")),
        ({"HTTP_X_FORWARDED_FOR": f"1.1.1.1, {CLIENT}, 10.2.3.4"}, (CLIENT, "http", "inside:9000")),
        ({"HTTP_X_FORWARDED_FOR": f"{CLIENT}:4711"}, (CLIENT, "http", "inside:9000")),
        ({"HTTP_X_FORWARDED_FOR": "[2001:db8::7]:4711"}, ("2001:db8::7", "http", "inside:9000")),
        ({"HTTP_X_FORWARDED_FOR": "unknown"}, (PROXY, "http", "inside:9000")),
        ({"HTTP_X_FORWARDED_PROTO": "javascript"}, (PROXY, "http", "inside:9000")),
        ({"HTTP_X_FORWARDED_HOST": "gate.example/<x>"}, (PROXY, "http", "inside:9000")),
        (X_FORWARDED | {"HTTP_X_FORWARDED_PORT": "8443"}, (CLIENT, "https", "gate.example:8443")),
        (X_FORWARDED | {"HTTP_X_FORWARDED_PORT": "443"}, (CLIENT, "https", "gate.example")),
        ({"HTTP_FORWARDED": f"for={CLIENT};proto=https;host=gate.example"}, (CLIENT, "https", "gate.example")),
        ({"HTTP_FORWARDED": f'for=1.1.1.1, FOR="{CLIENT}:80"; Host="gate:1", for=10.1.1.1;host=x'}, (CLIENT, "http", "gate:1")),
        ({"HTTP_FORWARDED": 'for="[2001:db8::7]";proto=http'}, ("2001:db8::7", "http", "inside:9000")),
        ({"HTTP_FORWARDED": "for=_hidden;proto=https"}, (PROXY, "https", "inside:9000")),
        ({"HTTP_FORWARDED": "nonsense"} | X_FORWARDED, (CLIENT, "https", "gate.example")),
    ],
)  # fmt: skip
def test_trusted_proxy_is_believed(given: dict[str, str], meant: tuple[str, str, str]) -> None:
    assert who(Edge(PROXIES), REMOTE_ADDR=PROXY, **given) == meant


def test_client_can_not_put_itself_before_the_proxys_word() -> None:
    given = {"HTTP_X_FORWARDED_FOR": f"10.9.9.9, {CLIENT}"}
    assert who(Edge(PROXIES), REMOTE_ADDR=PROXY, **given)[0] == CLIENT


def test_proxy_that_says_nothing_has_the_configured_scheme() -> None:
    edge = Edge(PROXIES, scheme="https")
    assert who(edge, REMOTE_ADDR=PROXY)[1] == "https"
    assert who(edge, REMOTE_ADDR=PROXY, HTTP_X_FORWARDED_PROTO="http")[1] == "http"
    assert who(edge)[1] == "http"


CERTIFICATE = certificates.der(certificates.MANY_NAMES)
SUBJECT = normal_subject(certificates.MANY_NAMES_SUBJECT)
HEADER = "HTTP_X_SSL_CLIENT_S_DN"


@pytest.mark.parametrize(
    ("edge", "given", "found"),
    [
        (Edge(), {PEER_CERTIFICATE: CERTIFICATE}, SUBJECT),
        (Edge(), {PEER_CERTIFICATE: None}, None),
        (Edge(), {CLIENT_SUBJECT: "CN=forged"}, None),
        (Edge(PROXIES, "X-SSL-Client-S-DN"), {HEADER: "CN=esa,O=Example", "REMOTE_ADDR": PROXY}, "CN=esa,O=Example"),
        (Edge(PROXIES, "X-SSL-Client-S-DN"), {HEADER: "CN=J\xc3\xb6rg", "REMOTE_ADDR": PROXY}, "CN=Jörg"),
        (Edge(PROXIES, "X-SSL-Client-S-DN"), {HEADER: "/O=Example/CN=esa", "REMOTE_ADDR": PROXY}, None),
        (Edge(PROXIES, "X-SSL-Client-S-DN"), {HEADER: "CN=esa"}, None),
        (
            Edge(PROXIES, "X-SSL-Client-S-DN"),
            {HEADER: "CN=x", PEER_CERTIFICATE: CERTIFICATE},
            SUBJECT,
        ),
        (Edge(PROXIES, "X-SSL-Client-S-DN"), {PEER_CERTIFICATE: CERTIFICATE, "REMOTE_ADDR": PROXY}, None),
        (Edge(PROXIES), {HEADER: "CN=esa", "REMOTE_ADDR": PROXY}, None),
    ],
)
def test_subject_of_the_client(edge: Edge, given: dict[str, Any], found: str | None) -> None:
    environment = seen(edge, **given)
    assert environment.get(CLIENT_SUBJECT) == found
    assert edge.client_header is None or HEADER not in environment


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, lasting_database: Callable[..., str]) -> str:
    """A database with a collection and an account; these tests only read."""
    database = Database(lasting_database(tmp_path_factory.mktemp("edge") / "test.db"))
    with database.write() as connection:
        collections.ensure_services(connection)
        collections.put(connection, SUBSCRIBED)
        accounts.add(connection, "gateway", "right-password")
        accounts.grant(connection, "gateway", "*", accounts.READ)
    database.close()
    return database.url


@pytest.fixture
def app(url: str) -> Iterator[Any]:
    made = support.application(url, edge=Edge(PROXIES, max_body=MAX_BODY))
    yield made
    support.close(made)


def post(app: Any, body: Any, path: str = "/taxii/discovery", peer: str = STRANGER, **headers: str) -> Any:
    body = body if isinstance(body, bytes) else body.to_xml()
    return app.test_client().post(
        path, data=body, headers=HEADERS | headers, auth=("gateway", "right-password"),
        environ_base={"REMOTE_ADDR": peer},
    )  # fmt: skip


def message(answer: Any) -> Any:
    checked = SchemaValidator(SchemaValidator.TAXII_11_SCHEMA).validate_string(answer.data)
    assert checked.valid, checked.error_log
    return tm11.get_message_from_xml(answer.data)


def advertised(app: Any, **given: str) -> set[tuple[str, str]]:
    """Protocol and beginning of every address that discovery and collection information tell."""
    told = message(post(app, tm11.DiscoveryRequest("1"), **given)).service_instances
    found = {(one.protocol_binding, one.service_address.partition("/taxii/")[0]) for one in told}
    listed = message(post(app, tm11.CollectionInformationRequest("1"), "/taxii/collections", **given))
    for one in listed.collection_informations:
        found |= {
            (poll.poll_protocol, poll.poll_address.partition("/taxii/")[0]) for poll in one.polling_service_instances
        }
    return found


VIA_TLS = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "gate.example"}


def test_addresses_are_the_public_ones_behind_a_trusted_proxy(app: Any) -> None:
    assert advertised(app, peer=PROXY, **VIA_TLS) == {(VID_TAXII_HTTPS_10, "https://gate.example")}
    assert advertised(app, **VIA_TLS) == {(VID_TAXII_HTTP_10, "http://localhost")}


@pytest.mark.parametrize(
    ("domain", "peer", "found"),
    [
        ("feeds.example:8443", STRANGER, (VID_TAXII_HTTP_10, "http://feeds.example:8443")),
        ("feeds.example:8443", PROXY, (VID_TAXII_HTTPS_10, "https://feeds.example:8443")),
        ("https://feeds.example", STRANGER, (VID_TAXII_HTTPS_10, "https://feeds.example")),
        ("http://feeds.example", PROXY, (VID_TAXII_HTTP_10, "http://feeds.example")),
    ],
)
def test_domain_wins_for_the_host_and_its_scheme_for_the_protocol(
    url: str, domain: str, peer: str, found: tuple[str, str]
) -> None:
    made = support.application(url, domain=domain, edge=Edge(PROXIES))
    assert advertised(made, peer=peer, **VIA_TLS) == {found}
    support.close(made)


@pytest.mark.parametrize(("peer", "protocol"), [(PROXY, VID_TAXII_HTTPS_10), (STRANGER, VID_TAXII_HTTP_10)])
def test_protocol_of_the_answer_is_the_requests(app: Any, peer: str, protocol: str) -> None:
    answer = post(app, tm11.DiscoveryRequest("1"), peer=peer, **VIA_TLS)
    assert answer.headers["X-TAXII-Protocol"] == protocol


class Untouched(io.RawIOBase):
    def read(self, _size: int = -1) -> bytes:
        raise AssertionError("a body that is refused is not read")


def status_of_too_long(answer: Any) -> None:
    assert (answer.status_code, answer.headers["X-TAXII-Content-Type"]) == (413, VID_TAXII_XML_11)
    found = message(answer)
    assert (found.status_type, found.message) == (
        "FAILURE", "The message is longer than 20,000 octets; send less in one message",
    )  # fmt: skip


def test_body_that_is_told_to_be_too_long_is_refused_unread_and_before_the_password(app: Any) -> None:
    answer = app.test_client().post(
        "/taxii/poll",
        headers=HEADERS,
        environ_overrides={"CONTENT_LENGTH": str(MAX_BODY + 1), "wsgi.input": Untouched()},
    )
    status_of_too_long(answer)


def test_body_that_turns_out_to_be_too_long_is_refused(app: Any) -> None:
    """As it comes from the server process, when the client sends chunks."""
    read = io.BytesIO(b" " * 50 * MAX_BODY)
    answer = app.test_client().post(
        "/taxii/poll", headers=HEADERS, auth=("gateway", "right-password"),
        environ_overrides={"CONTENT_LENGTH": "", "wsgi.input": read, "wsgi.input_terminated": True},
    )  # fmt: skip
    status_of_too_long(answer)
    assert read.tell() <= 4 * MAX_BODY


def test_body_of_just_the_right_length_is_read(app: Any) -> None:
    body = tm11.DiscoveryRequest("1").to_xml()
    body += b"\n" * (MAX_BODY - len(body))
    assert message(post(app, body)).message_type == "Discovery_Response"


def nested(depth: int) -> bytes:
    return b"<a>" * depth + b"</a>" * depth


LAUGHS = b"<!DOCTYPE l [<!ENTITY a 'ha'>" + b"".join(
    f"<!ENTITY {name} '{f'&{before};' * 10}'>".encode() for before, name in ("ab", "bc", "cd", "de", "ef", "fg", "gh")
) + b"]><l>&h;</l>"  # fmt: skip
HOSTILE = {
    "laughs": LAUGHS,
    "external entity": b"<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>",
    "external dtd": b"<!DOCTYPE a SYSTEM 'http://192.0.2.1/a.dtd'><a/>",
    "in utf-16": "<?xml version='1.0' encoding='utf-16'?><!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>".encode("utf-16"),
    "utf-7": b"<?xml version='1.0' encoding='utf-7'?>+ADw-a/+AD4-",
    "deep": nested(xml.MAX_DEPTH + 1),
    "very deep": nested(1000),
    "attributes": b"<a " + b" ".join(b"x%d='1'" % number for number in range(xml.MAX_ATTRIBUTES + 1)) + b"/>",
    "namespaces": b"<a " + b" ".join(b"xmlns:x%d='u'" % number for number in range(xml.MAX_ATTRIBUTES + 1)) + b"/>",
    "names": b"<a>" + b"".join(b"<x%d/>" % number for number in range(xml.MAX_NAMES)) + b"</a>",
    "half": b"<a><b>",
    "undefined entity": b"<a>&nothing;</a>",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_xml_is_a_bad_message(app: Any, name: str) -> None:
    with pytest.raises(BadMessageStatus) as refused:
        xml.check(HOSTILE[name])
    answer = message(post(app, HOSTILE[name]))
    assert (answer.status_type, answer.message) == ("BAD_MESSAGE", refused.value.message)


def test_deep_and_rich_xml_below_the_limits_passes() -> None:
    xml.check(nested(xml.MAX_DEPTH))
    xml.check(b"<?xml version='1.0' encoding='UTF-8'?><a>" + b"<b x='1'/>" * 1000 + b"</a>")


@pytest.mark.parametrize("method", ["get", "put", "delete", "head", "patch"])
def test_another_method_than_post_is_refused_in_words(app: Any, method: str) -> None:
    answer = getattr(app.test_client(), method)("/taxii/poll")
    assert (answer.status_code, answer.headers["Allow"], answer.mimetype) == (405, "POST, OPTIONS", "text/plain")
    assert method == "head" or answer.data.startswith(b"This is a TAXII 1.1 service")


@pytest.mark.parametrize("path", ["/nothing", "/taxii", "/taxii2/", "/taxii/poll/x"])
def test_unknown_path_is_refused_in_words(app: Any, path: str) -> None:
    answer = app.test_client().get(path)
    assert (answer.status_code, answer.mimetype) == (404, "text/plain")
    assert answer.data.startswith(b"There is nothing at this address")


def test_options_tell_what_is_served(app: Any) -> None:
    answer = app.test_client().options("/taxii/poll", auth=("gateway", "right-password"))
    assert (answer.status_code, answer.headers["Allow"]) == (200, "POST, OPTIONS")


def test_body_that_breaks_off_is_not_the_servers_failure(app: Any) -> None:
    class Broken(io.RawIOBase):
        def read(self, _size: int = -1) -> bytes:
            raise ValueError("an impossible chunk")

    answer = app.test_client().post(
        "/taxii/poll", headers=HEADERS, auth=("gateway", "right-password"),
        environ_overrides={"CONTENT_LENGTH": "", "wsgi.input": Broken(), "wsgi.input_terminated": True},
    )  # fmt: skip
    assert (answer.status_code, answer.mimetype) == (408, "text/plain")


WRITTEN = {
    "as lxml declares it": lambda text: b"<?xml version='1.0' encoding='UTF-8'?>\n" + text.encode(),
    "as most do": lambda text: b'<?xml version="1.0" encoding="utf-8"?>' + text.encode(),
    "standalone": lambda text: b"<?xml version='1.0' encoding='UTF-8' standalone='yes'?>" + text.encode(),
    "without an encoding": lambda text: b"<?xml version='1.0'?>" + text.encode(),
    "with a mark": lambda text: b"\xef\xbb\xbf" + text.encode(),
    "with a mark and a declaration": lambda text: b"\xef\xbb\xbf<?xml version='1.0' encoding='UTF-8'?>" + text.encode(),
    "utf-16": lambda text: f'<?xml version="1.0" encoding="utf-16"?>{text}'.encode("utf-16"),
    "utf-16 without a declaration": lambda text: text.encode("utf-16"),
    "latin-1": lambda text: b"<?xml version='1.0' encoding='ISO-8859-1'?>" + text.encode("latin-1"),
    "as it is": lambda text: text.encode(),
}


@pytest.mark.parametrize("how", WRITTEN)
def test_message_is_the_same_however_it_is_encoded(how):
    import libtaxii.messages_11 as tm11
    from libtaxii.constants import VID_TAXII_XML_11
    from opentaxii.taxii.utils import parse_message

    sent = tm11.PollRequest("1", collection_name="user_M\u00fcller", poll_parameters=tm11.PollParameters())
    body = WRITTEN[how](sent.to_xml().decode())
    xml.check(body)
    found = parse_message(VID_TAXII_XML_11, xml.plain(body))
    assert found.collection_name == "user_M\u00fcller"


@pytest.mark.parametrize(
    "body",
    [
        b"<?xml-stylesheet encoding=\"utf-7\"?><!-- +AC0-+AC0-+AD4-<!DOCTYPE a [<!ENTITY b 'c'>]> --><a/>",
        b'<?xml-stylesheet  encoding="rot13"?><a/>',
        b"\xef\xbb\xbf<a><![CDATA[<?xml-foo?> <?xml version='1.0'?>]]></a>",
        b"<a><?xml-foo encoding='punycode'?></a>",
    ],
)
def test_what_is_no_declaration_is_content(body):
    """What was looked at is what libtaxii gets: nothing is decoded by what isn't a declaration, and nothing cut out."""
    xml.check(body)
    assert xml.plain(body) == body.removeprefix(b"\xef\xbb\xbf")

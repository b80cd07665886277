"""The inbox, without a socket: messages in as bytes, messages out, and what polls find after that."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import libtaxii.messages_10 as tm10
import libtaxii.messages_11 as tm11
import pytest
import sqlalchemy as sa
from libtaxii.constants import VID_TAXII_SERVICES_10, VID_TAXII_SERVICES_11, VID_TAXII_XML_10, VID_TAXII_XML_11
from libtaxii.validation import SchemaValidator
from lxml import etree
from werkzeug.security import generate_password_hash

import support
from packages import NAMESPACES, TAXII_10, block_11, declared, message_10, message_11, package
from pulsegate.model.collection import Collection, CollectionKind
from pulsegate.publication.built_in import SUBSCRIBED
from pulsegate.stix import check
from pulsegate.store import accounts, collections
from pulsegate.store.database import Database
from pulsegate.store.tables import content_blocks
from pulsegate.taxii.inbox import MAX_BLOCKS

PASSWORD = "right-password"
B111, B12 = "urn:stix.mitre.org:xml:1.1.1", "urn:stix.mitre.org:xml:1.2"
INBOXES = ("partners", "team b", "closed")
ON_SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)  # where nothing reaches the store
# What each account may write, beside reading everything.
WRITERS = {"partner": ["partners"], "both": ["partners", "team b"], "reader": [], "feeds": ["subscribed"]}


@pytest.fixture
def app(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    quick = partial(generate_password_hash, method="pbkdf2:sha256:1")
    monkeypatch.setattr("pulsegate.store.accounts.generate_password_hash", quick)
    with database.write() as connection:
        collections.ensure_services(connection)
        collections.put(connection, SUBSCRIBED)
        for name in INBOXES:
            collections.put(connection, Collection(name, kind=CollectionKind.INBOX))
        for account, names in WRITERS.items():
            accounts.add(connection, account, PASSWORD)
            accounts.grant(connection, account, "*", accounts.READ)
            for name in names:
                accounts.grant(connection, account, name, accounts.WRITE)
        accounts.add(connection, "root", PASSWORD, is_admin=True)
        accounts.add(connection, "narrow", PASSWORD)
        accounts.grant(connection, "narrow", "closed", accounts.READ)
    made = support.application(database.url, max_block=200_000)
    yield made
    support.close(made)


def send(app: Any, body: bytes, account: str = "partner", path: str = "/taxii/inbox", **headers: str) -> Any:
    """The message that comes back, checked against the schema of its version."""
    old = body.startswith((b"<taxii:", f'<t:Inbox_Message xmlns:t="{TAXII_10}"'.encode()))
    given = {
        "Content-Type": "application/xml",
        "X-TAXII-Content-Type": VID_TAXII_XML_10 if old else VID_TAXII_XML_11,
        "X-TAXII-Services": VID_TAXII_SERVICES_10 if old else VID_TAXII_SERVICES_11,
        "Authorization": "Basic " + base64.b64encode(f"{account}:{PASSWORD}".encode()).decode(),
    }
    answer = app.test_client().post(path, data=body, headers=given | headers)
    old = answer.headers["X-TAXII-Content-Type"] == VID_TAXII_XML_10
    schema = SchemaValidator.TAXII_10_SCHEMA if old else SchemaValidator.TAXII_11_SCHEMA
    checked = SchemaValidator(schema).validate_string(answer.data)
    assert checked.valid, checked.error_log
    return (tm10 if old else tm11).get_message_from_xml(answer.data)


def poll(
    app: Any, collection: str = "partners", begin: datetime | None = None, account: str = "partner"
) -> list[bytes]:
    request = tm11.PollRequest(
        "1", collection_name=collection, exclusive_begin_timestamp_label=begin, poll_parameters=tm11.PollParameters()
    )
    return [one.content for one in send(app, request.to_xml(), account, "/taxii/poll").content_blocks]


def poll_10(app: Any, collection: str = "partners") -> list[bytes]:
    request = tm10.PollRequest("1", feed_name=collection)
    return [one.content for one in send(app, request.to_xml(), path="/taxii/poll").content_blocks]


def canonical(xml: bytes) -> bytes:
    """The canonical form of a document on its own; libtaxii gives it with the namespaces of the message around it."""
    root = etree.fromstring(xml)
    used = {prefix for prefix in NAMESPACES if f"{prefix}:".encode() in xml}
    etree.cleanup_namespaces(root, keep_ns_prefixes=sorted(used))
    return etree.tostring(root, method="c14n")


def same(found: list[bytes], sent: list[bytes]) -> bool:
    return [canonical(one) for one in found] == [canonical(one) for one in sent]


def stored(database: Database) -> list[tuple[bytes, str]]:
    columns = (content_blocks.c.content, content_blocks.c.binding_id)
    with database.read() as connection:
        return [tuple(row) for row in connection.execute(sa.select(*columns).order_by(content_blocks.c.id))]


def test_pushed_package_is_polled_as_it_was(app: Any, database: Database) -> None:
    sent = package("a.example", title="日本語 😀 &amp; &lt;b&gt;")
    answer = send(app, message_11(block_11(sent)))
    assert (answer.status_type, answer.in_response_to) == ("SUCCESS", "1")
    assert answer.message == "partners: 1 new, 0 there already"
    assert same(poll(app), [sent])
    assert same(poll_10(app), [sent])
    assert stored(database) == [(sent, B12)]


def test_pushed_package_of_taxii_1_0(app: Any, database: Database) -> None:
    sent = [package("a.example"), package("b.example")]
    answer = send(app, message_10(*sent))
    assert isinstance(answer, tm10.StatusMessage)
    assert (answer.status_type, answer.message) == ("SUCCESS", "partners: 2 new, 0 there already")
    assert same(poll(app), sent)
    assert stored(database) == [(one, B12) for one in sent]


def test_pushed_package_that_only_1_2_can_say_is_left_out_where_1_1_1_is_asked_for(app: Any) -> None:
    plain = package("a.example")
    only_newer = plain.replace(
        b"</stix:STIX_Package>",
        b'<stix:Reports><stix:Report xmlns:report="http://stix.mitre.org/Report-1" '
        b'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="report:ReportType" '
        b'version="1.0"/></stix:Reports></stix:STIX_Package>',
    )
    assert send(app, message_11(block_11(plain), block_11(only_newer))).status_type == "SUCCESS"
    assert len(poll(app)) == 2
    params = tm11.PollParameters(content_bindings=[tm11.ContentBinding(B111)])
    request = tm11.PollRequest("1", collection_name="partners", poll_parameters=params)
    (found,) = send(app, request.to_xml(), path="/taxii/poll").content_blocks
    assert found.content_binding.binding_id == B111
    check(etree.tostring(etree.fromstring(found.content)), "1.1.1")


@pytest.mark.parametrize("claimed", [B111, B12])
@pytest.mark.parametrize(("version", "binding"), [("1.1.1", B111), ("1.2", B12)])
def test_binding_is_that_of_the_package(app: Any, database: Database, version: str, binding: str, claimed: str) -> None:
    sent = package("a.example", version=version)
    assert send(app, message_11(block_11(sent, claimed))).status_type == "SUCCESS"
    assert stored(database) == [(sent, binding)]


def test_namespaces_that_the_message_declares_come_along(app: Any, database: Database) -> None:
    bare = package("a.example", namespaces="")
    around = declared(*NAMESPACES) + ' xmlns:unused="urn:unused"'
    assert send(app, message_11(block_11(bare), namespaces=around)).status_type == "SUCCESS"
    ((content, _),) = stored(database)
    assert etree.tostring(etree.fromstring(content), method="c14n") == etree.tostring(
        etree.fromstring(package("a.example")), method="c14n"
    )


def test_windows_hold_for_what_is_pushed(app: Any) -> None:
    first, second = package("a.example"), package("b.example")
    send(app, message_11(block_11(first)))
    request = tm11.PollRequest("1", collection_name="partners", poll_parameters=tm11.PollParameters())
    answer = send(app, request.to_xml(), path="/taxii/poll")
    label, end = answer.content_blocks[0].timestamp_label, answer.inclusive_end_timestamp_label
    assert abs(datetime.now(UTC) - label) < timedelta(minutes=1)
    assert label <= end
    send(app, message_11(block_11(second)))
    assert same(poll(app, begin=end), [second])
    assert same(poll(app, begin=label), [second])


def test_client_that_sends_its_message_again_makes_no_second_block(app: Any) -> None:
    sent = message_11(block_11(package("a.example")), block_11(package("b.example")))
    send(app, sent)
    answer = send(app, sent)
    assert (answer.status_type, answer.message) == ("SUCCESS", "partners: 0 new, 2 there already")
    assert same(poll(app), [package("a.example"), package("b.example")])


def test_message_without_blocks_is_a_success(app: Any) -> None:
    assert send(app, message_11()).status_type == "SUCCESS"
    assert send(app, message_11(to=("partners",))).status_type == "SUCCESS"
    assert send(app, message_11(), "both").status_type == "SUCCESS"


@pytest.mark.parametrize("path", ["/taxii/inbox/", "/taxi/inbox", "/taxii/poll", "/taxii/discovery"])
def test_every_path_takes_it(app: Any, path: str) -> None:
    assert send(app, message_11(block_11(package("a.example"))), path=path).status_type == "SUCCESS"
    assert len(poll(app)) == 1


# --- where it goes ---------------------------------------------------------------------------------------------------


def test_named_destinations_get_it(app: Any) -> None:
    sent = package("a.example")
    answer = send(app, message_11(block_11(sent), to=("team b", "partners", "team b")), "both")
    assert answer.status_type == "SUCCESS"
    assert answer.message == "partners: 1 new, 0 there already; team b: 1 new, 0 there already"
    assert same(poll(app), [sent])
    assert same(poll(app, "team b"), [sent])
    assert poll(app, "closed") == []


@ON_SQLITE
@pytest.mark.parametrize(
    ("account", "to", "acceptable"),
    [
        ("partner", ("team b",), "partners"),
        ("partner", ("nothing",), "partners"),
        ("partner", ("subscribed",), "partners"),
        ("partner", ("partners", "closed"), "partners"),
        ("feeds", ("subscribed",), None),
        ("reader", ("partners",), None),
        ("reader", (), None),
        ("narrow", ("closed",), None),
        ("both", (), ["partners", "team b"]),
        ("root", ("subscribed",), ["closed", "partners", "team b"]),
        ("root", (), ["closed", "partners", "team b"]),
    ],
)
def test_destination_that_is_none_for_this_account(
    app: Any, database: Database, account: str, to: tuple[str, ...], acceptable: Any
) -> None:
    answer = send(app, message_11(block_11(package("a.example")), to=to), account)
    assert answer.status_type == "DESTINATION_COLLECTION_ERROR"
    assert answer.status_detail.get("ACCEPTABLE_DESTINATION") == acceptable
    assert "closed" not in answer.message or account == "root" or "closed" in to
    assert stored(database) == []


def test_taxii_1_0_can_not_choose_among_several(app: Any, database: Database) -> None:
    answer = send(app, message_10(package("a.example")), "both")
    assert (answer.status_type, answer.status_detail) == ("FAILURE", None)
    assert "it may push to partners, team b; TAXII 1.0 can't name one of them" in answer.message
    assert stored(database) == []


def test_refusal_is_told_in_the_version_that_is_accepted(app: Any) -> None:
    refused = send(app, message_11(to=("nothing",)), **{"X-TAXII-Accept": VID_TAXII_XML_10})
    assert isinstance(refused, tm10.StatusMessage)


# --- what is refused -------------------------------------------------------------------------------------------------

GOOD = package("good.example")
ESCAPED = package("a.example").replace(b"&", b"&amp;").replace(b"<", b"&lt;").replace(b">", b"&gt;")


@ON_SQLITE
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (ESCAPED, "its content is text (escaped XML, or CDATA); send the STIX_Package as an element"),
        (b"<![CDATA[" + package("a.example") + b"]]>", "its content is text"),
        (b"just text", "its content is text"),
        (b"&lt;?xml version='1.0'?&gt;" + ESCAPED, "its content is text"),
        (package("a.example") + package("b.example"), "more than one element"),
        (b"text" + package("a.example"), "more than one element"),
        (package("a.example") + b"text", "more than one element"),
        (b"<!-- note -->" + package("a.example"), "more than one element"),
        (b"<a/>", "its root is a, not a STIX_Package"),
        (package("a.example").replace(b"//stix.mitre.org/stix-1", b"//stix.example/1"), "not a STIX_Package"),
        (package("a.example").replace(b"D:Value", b"D:Walue"), "not valid STIX 1.2, line 1"),
        (package("a.example", title="x" * 200_000), "more than the 200000 that are taken"),
        (package(title="x<?php x?>"), "processing instruction"),
        (package(title="<x>" * 150 + "</x>" * 150), "nested more than 100 deep"),
    ],
)
def test_bad_block_refuses_the_message(app: Any, database: Database, content: bytes, reason: str) -> None:
    answer = send(app, message_11(block_11(GOOD), block_11(content)))
    assert answer.status_type == "FAILURE"
    assert answer.message.startswith("Content block 2 of 2 is refused, and with it the whole message: ")
    assert reason in answer.message
    assert len(answer.message) < 400
    assert stored(database) == []
    old = send(app, message_10(content))
    assert (old.status_type, reason in old.message) == ("FAILURE", True)
    assert stored(database) == []


@ON_SQLITE
@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2.1"])
def test_other_version_is_unsupported(app: Any, database: Database, version: str) -> None:
    answer = send(app, message_11(block_11(GOOD), block_11(package("a.example", version=version))))
    assert answer.status_type == "UNSUPPORTED_CONTENT"
    assert f"it is a package of STIX version {version}; 1.1.1 and 1.2 are taken" in answer.message
    assert [str(one) for one in answer.status_detail["SUPPORTED_CONTENT"]] == [B111, B12]
    assert stored(database) == []


@ON_SQLITE
@pytest.mark.parametrize("binding", ["urn:stix.mitre.org:xml:1.1", "urn:stix.mitre.org:json:2.1", "application/x-any"])
def test_other_binding_is_unsupported(app: Any, database: Database, binding: str) -> None:
    answer = send(app, message_11(block_11(GOOD, binding)))
    assert (answer.status_type, binding in answer.message) == ("UNSUPPORTED_CONTENT", True)
    old = send(app, message_10(GOOD, binding=binding))
    assert (old.status_type, old.status_detail) == ("UNSUPPORTED_CONTENT", None)
    assert stored(database) == []


@ON_SQLITE
@pytest.mark.parametrize(
    "before",
    [
        "<!DOCTYPE x>",
        "<!DOCTYPE x [<!ENTITY e 'evil'>]>",
        "<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/hostname'>]>",
        "<!DOCTYPE x [<!ENTITY a '0123456789'><!ENTITY e '&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;'>]>",
    ],
)
@pytest.mark.parametrize("use", ["", "&e;"])
def test_entities_are_refused(app: Any, database: Database, before: str, use: str) -> None:
    answer = send(app, message_11(block_11(package("a.example", title=f"x{use}")), before=before))
    assert answer.status_type in ("FAILURE", "BAD_MESSAGE")
    assert answer.status_type == "BAD_MESSAGE" or "document type declaration" in answer.message
    assert stored(database) == []


@ON_SQLITE
@pytest.mark.parametrize(
    "dirt", [b"\x00", b"\x01", b"&#1;", b"\x1b", b"\xff", b"\xef\xbf\xbe", b"\xed\xa0\x80", b"&#xD800;"]
)
def test_characters_that_xml_has_not_are_refused(app: Any, database: Database, dirt: bytes) -> None:
    sent = package("a.example").replace(b"A package", b"A" + dirt)
    assert send(app, message_11(block_11(sent))).status_type == "BAD_MESSAGE"
    assert stored(database) == []


def test_number_of_blocks_is_bounded(app: Any, database: Database) -> None:
    blocks = [block_11(package(f"n{number}.example")) for number in range(MAX_BLOCKS + 1)]
    answer = send(app, message_11(*blocks))
    assert answer.status_type == "FAILURE"
    assert f"has {MAX_BLOCKS + 1} content blocks, more than {MAX_BLOCKS}" in answer.message
    assert stored(database) == []
    assert send(app, message_11(*blocks[1:])).status_type == "SUCCESS"
    assert len(stored(database)) == MAX_BLOCKS


def test_wrong_password_is_refused(app: Any, database: Database) -> None:
    body = message_11(block_11(GOOD))
    assert send(app, body, Authorization="Basic " + base64.b64encode(b"partner:wrong").decode()).status_type == (
        "UNAUTHORIZED"
    )
    assert stored(database) == []


# --- what is advertised ----------------------------------------------------------------------------------------------


@ON_SQLITE
@pytest.mark.parametrize(
    ("account", "offered"), [("partner", True), ("root", True), ("reader", False), ("feeds", False)]
)
def test_inbox_is_offered_to_those_who_may_push(app: Any, account: str, offered: bool) -> None:
    answer = send(app, tm11.DiscoveryRequest("1").to_xml(), account, "/taxii/discovery")
    found = [one for one in answer.service_instances if one.service_type == "INBOX"]
    assert [one.available for one in found] == [True] * offered
    assert [[one.binding_id for one in each.inbox_service_accepted_content] for each in found] == [
        [B111, B12]
    ] * offered
    assert [one.service_address for one in found] == ["http://localhost/taxii/inbox"] * offered
    old = send(app, tm10.DiscoveryRequest("1").to_xml(), account, "/taxii/discovery")
    assert sum(one.service_type == "INBOX" for one in old.service_instances) == offered


def test_collection_names_its_inbox_to_those_who_may_push(app: Any) -> None:
    def inboxes(account: str) -> dict[str, list[str]]:
        answer = send(app, tm11.CollectionInformationRequest("1").to_xml(), account, "/taxii/collections")
        return {
            one.collection_name: [each.inbox_address for each in one.receiving_inbox_services]
            for one in answer.collection_informations
        }

    address = ["http://localhost/taxii/inbox"]
    assert inboxes("partner") == {"partners": address, "team b": [], "closed": [], "subscribed": []}
    assert inboxes("root") == {"partners": address, "team b": address, "closed": address, "subscribed": []}
    assert inboxes("reader") == {"partners": [], "team b": [], "closed": [], "subscribed": []}


def test_inbox_says_which_content_it_takes(app: Any) -> None:
    answer = send(app, tm11.CollectionInformationRequest("1").to_xml(), "partner", "/taxii/collections")
    (partners,) = [one for one in answer.collection_informations if one.collection_name == "partners"]
    assert {one.binding_id for one in partners.supported_contents} == {B111, B12}
    (service,) = partners.receiving_inbox_services
    assert [one.binding_id for one in service.supported_contents] == [B111, B12]

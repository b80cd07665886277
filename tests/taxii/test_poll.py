"""Polls as they are written: their length, their forms, their parts, and what happens between the parts."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import libtaxii.messages_10 as tm10
import libtaxii.messages_11 as tm11
import pytest
import sqlalchemy as sa
from libtaxii.constants import (
    ACT_PAUSE,
    ACT_RESUME,
    ACT_STATUS,
    ACT_SUBSCRIBE,
    ACT_UNSUBSCRIBE,
    RT_COUNT_ONLY,
    RT_FULL,
    VID_TAXII_SERVICES_10,
    VID_TAXII_SERVICES_11,
    VID_TAXII_XML_10,
    VID_TAXII_XML_11,
)
from libtaxii.validation import SchemaValidator
from sdv.validators import STIXSchemaValidator
from werkzeug.security import generate_password_hash

import support
from pulsegate.curation.policy import Policy
from pulsegate.model.collection import Collection
from pulsegate.model.indicator import Indicator, IndicatorType, RawIndicator
from pulsegate.model.pulse import Pulse
from pulsegate.publication.publish import publish_all
from pulsegate.store import accounts, collections, polls, taken, versions
from pulsegate.store.database import Database
from pulsegate.store.tables import content_blocks, result_sets

PASSWORD = "right-password"
FIRST = datetime(2026, 1, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
STIX_12, STIX_111 = "urn:stix.mitre.org:xml:1.2", "urn:stix.mitre.org:xml:1.1.1"
NUMBER = 7  # blocks


class Served:
    """A feed of ``NUMBER`` blocks, each of a pulse with one domain, and an account that may read it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        with database.write() as connection:
            collections.ensure_services(connection)
            accounts.add(connection, "gateway", PASSWORD)
            accounts.grant(connection, "gateway", "*", accounts.READ)
            accounts.add(connection, "stranger", PASSWORD)
            accounts.grant(connection, "stranger", "*", accounts.READ)
        self.in_parts(0)
        for number in range(NUMBER):
            self.put(number)
        self.publish()
        self.apps: list[Any] = []
        self.app = self.start()

    def start(self, **options: Any) -> Any:
        """One more process on the same database, as it were."""
        self.apps.append(support.application(self.database.url, **options))
        return self.apps[-1]

    def in_parts(self, size: int) -> None:
        with self.database.write() as connection:
            collections.put(connection, Collection("mail", blocks_per_part=size))

    def put(self, number: int, names: tuple[str, ...] | None = None) -> None:
        moment = FIRST + number * DAY
        pulse = Pulse(f"{number:024x}", f"Pulse {number} 日本語 😀 & <b>", "", moment, moment)
        found = [
            Indicator(IndicatorType.DOMAIN, name, RawIndicator("domain", name))
            for name in (names if names is not None else (f"bad{number}.example.org",))
        ]
        with self.database.write() as connection:
            taken.put(connection, pulse, found, taken.unmarked)

    def publish(self) -> None:
        publish_all(self.database, Policy())

    def post(self, message: Any, app: Any = None, account: str = "gateway", **headers: str) -> Any:
        old = message.version == VID_TAXII_XML_10
        given = {
            "Content-Type": "application/xml",
            "X-TAXII-Content-Type": message.version,
            "X-TAXII-Services": VID_TAXII_SERVICES_10 if old else VID_TAXII_SERVICES_11,
            "Authorization": "Basic " + base64.b64encode(f"{account}:{PASSWORD}".encode()).decode(),
        }
        client = (app or self.app).test_client()
        return client.post("/taxii/poll", data=message.to_xml(), headers=given | headers, buffered=True)

    def ask(self, message: Any, app: Any = None, **options: Any) -> Any:
        return read(self.post(message, app, **options))

    def log(self) -> list[polls.PollRecord]:
        """The poll log of every process, newest first."""
        for app in self.apps:
            app.taxii_server.servers.taxii1.persistence.api.poll_log.close()
        with self.database.read() as connection:
            return polls.latest(connection)


@pytest.fixture
def served(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    quick = partial(generate_password_hash, method="pbkdf2:sha256:1")
    monkeypatch.setattr("pulsegate.store.accounts.generate_password_hash", quick)
    made = Served(database)
    yield made
    for app in made.apps:
        support.close(app)


def read(answer: Any) -> Any:
    """The message in an HTTP response, checked against the schema of its version."""
    old = answer.headers["X-TAXII-Content-Type"] == VID_TAXII_XML_10
    schema = SchemaValidator.TAXII_10_SCHEMA if old else SchemaValidator.TAXII_11_SCHEMA
    checked = SchemaValidator(schema).validate_string(answer.data)
    assert checked.valid, checked.error_log
    return (tm10 if old else tm11).get_message_from_xml(answer.data)


def poll(*bindings: str, count: bool = False, **fields: Any) -> Any:
    return tm11.PollRequest(
        "1",
        collection_name="mail",
        poll_parameters=tm11.PollParameters(
            response_type=RT_COUNT_ONLY if count else RT_FULL,
            content_bindings=[tm11.ContentBinding(one) for one in bindings],
        ),
        **{"exclusive_begin_timestamp_label": None, "inclusive_end_timestamp_label": None} | fields,
    )


def part(first: Any, number: int, collection: str = "mail") -> Any:
    return tm11.PollFulfillmentRequest(
        "1", collection_name=collection, result_id=first.result_id, result_part_number=number
    )


def contents(message: Any) -> list[bytes]:
    found = [block.content for block in message.content_blocks]
    return [one if isinstance(one, bytes) else one.encode() for one in found]


def names(message: Any) -> list[str]:
    return [value for one in contents(message) for _, value in support.read_values(one)]


def status(message: Any) -> str:
    assert isinstance(message, tm11.StatusMessage), message
    return str(message.status_type)


ALL = [f"bad{number}.example.org" for number in range(NUMBER)]


# --- One part ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bindings", [(), (STIX_12,), (STIX_111,), (STIX_111, "urn:other")])
@pytest.mark.parametrize("count", [False, True])
def test_answer_has_the_length_that_it_says(served: Served, bindings: tuple[str, ...], count: bool) -> None:
    answer = served.post(poll(*bindings, count=count))
    assert int(answer.headers["Content-Length"]) == len(answer.data)


def test_answer_to_1_0_has_the_length_that_it_says(served: Served) -> None:
    answer = served.post(tm10.PollRequest("1", feed_name="mail"))
    assert int(answer.headers["Content-Length"]) == len(answer.data)
    assert names(read(answer)) == ALL


def test_answer_says_how_many_blocks_there_are(served: Served) -> None:
    answer = served.ask(poll())
    assert (answer.record_count.record_count, answer.record_count.partial_count) == (NUMBER, False)
    assert (answer.more, answer.result_id, names(answer)) == (False, None, ALL)


def test_count_is_answered_without_reading_any_content(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    statements: list[str] = []
    api = served.app.taxii_server.servers.taxii1.persistence.api
    sa.event.listen(api.database.engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    answer = served.ask(poll(count=True, exclusive_begin_timestamp_label=FIRST))
    assert (answer.record_count.record_count, answer.content_blocks) == (NUMBER - 1, [])
    assert answer.inclusive_end_timestamp_label is not None
    assert not [one for one in statements if "content_blocks.content," in one]


def test_content_is_sent_byte_for_byte(served: Served) -> None:
    with served.database.read() as connection:
        stored = list(
            connection.scalars(sa.select(content_blocks.c.content).order_by(content_blocks.c.timestamp_label))
        )
    body = served.post(poll()).data
    at = 0
    for one in stored:
        at = body.index(one, at) + len(one)


def test_older_packages_are_the_same_ones_and_valid(served: Served) -> None:
    answer = served.ask(poll(STIX_111))
    assert names(answer) == ALL
    assert {block.content_binding.binding_id for block in answer.content_blocks} == {STIX_111}
    for one in contents(answer):
        import io

        checked = STIXSchemaValidator().validate(io.BytesIO(one), version="1.1.1")
        assert checked.is_valid, checked.as_dict()


@pytest.mark.parametrize("bindings", [(), (STIX_12,), (STIX_111, STIX_12)])
def test_newest_form_is_sent_wherever_it_is_accepted(served: Served, bindings: tuple[str, ...]) -> None:
    answer = served.ask(poll(*bindings))
    assert {block.content_binding.binding_id for block in answer.content_blocks} == {STIX_12}
    assert names(answer) == ALL


def test_other_bindings_are_refused_with_those_that_are_served(served: Served) -> None:
    answer = served.ask(poll("urn:stix.mitre.org:json:2.1"))
    assert status(answer) == "UNSUPPORTED_CONTENT"
    assert [one.binding_id for one in answer.status_detail["SUPPORTED_CONTENT"]] == [STIX_12, STIX_111]
    old = read(served.post(tm10.PollRequest("1", feed_name="mail", content_bindings=["urn:other"])))
    assert (old.status_type, old.status_detail) == ("UNSUPPORTED_CONTENT", f"{STIX_12} {STIX_111}")


def test_what_is_advertised_is_what_is_served(served: Served) -> None:
    answer = served.ask(tm11.CollectionInformationRequest("1"))
    found = {one.collection_name: one for one in answer.collection_informations}["mail"]
    assert [one.binding_id for one in found.supported_contents] == [STIX_12, STIX_111]
    assert found.collection_volume == NUMBER
    for one in found.supported_contents:
        assert names(served.ask(poll(one.binding_id))) == ALL


def test_query_is_refused(served: Served) -> None:
    assert status(served.ask(with_a_query(poll()))) == "UNSUPPORTED_QUERY"


def with_a_query(message: Any) -> Any:
    """The request, with a query in it."""
    query = (
        b'<taxii_11:Query format_id="urn:taxii.mitre.org:query:default:1.0">'
        b'<tdq:Default_Query xmlns:tdq="http://taxii.mitre.org/query/taxii_default_query-1" targeting_expression_id='
        b'"urn:stix.mitre.org:xml:1.2"><tdq:Criteria operator="AND"><tdq:Criterion><tdq:Target>**</tdq:Target>'
        b'<tdq:Test capability_id="urn:taxii.mitre.org:query:capability:core-1" relationship="equals">'
        b'<tdq:Parameter name="value">x</tdq:Parameter><tdq:Parameter name="match_type">case_sensitive_string'
        b"</tdq:Parameter></tdq:Test></tdq:Criterion></tdq:Criteria></tdq:Default_Query></taxii_11:Query>"
    )
    written = message.to_xml().replace(b"</taxii_11:Response_Type>", b"</taxii_11:Response_Type>" + query)

    class Raw:
        version = VID_TAXII_XML_11

        def to_xml(self) -> bytes:
            return written

    return Raw()


def test_answer_is_compressed_only_where_both_sides_want_it(served: Served) -> None:
    plain = served.post(poll(), **{"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in plain.headers
    squeezing = served.start(gzip=True)
    small = served.post(poll(), squeezing, **{"Accept-Encoding": "gzip, deflate"})
    assert (small.headers["Content-Encoding"], small.headers["Vary"]) == ("gzip", "Accept-Encoding")
    assert len(small.data) < len(plain.data) / 2
    assert gzip.decompress(small.data).count(b"<taxii_11:Content_Block>") == NUMBER
    unasked = served.post(poll(), squeezing)
    assert "Content-Encoding" not in unasked.headers
    assert names(read(unasked)) == ALL


def test_answer_is_read_while_it_is_sent(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is handed over in pieces; what has not been asked for has not been read."""
    monkeypatch.setattr("pulsegate.taxii.answer.PIECE", 1)
    monkeypatch.setattr(versions, "CHUNK_BYTES", 1)
    read_: list[Any] = []
    api = served.app.taxii_server.servers.taxii1.persistence.api
    sa.event.listen(
        api.database.engine,
        "before_cursor_execute",
        lambda *given: read_.append(given[2]) if "content_blocks.content," in given[2] else None,
    )
    reading = versions.read(api.database, versions.Window(1, None, None, 10**6))
    assert next(reading).content
    assert len(read_) == 1
    assert len(list(reading)) == NUMBER - 1
    assert len(read_) == NUMBER


def test_content_that_fails_in_the_middle_ends_the_answer(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    real = versions.read

    def fails(*given: Any, **options: Any) -> Iterator[versions.Version]:
        found = real(*given, **options)
        yield next(found)
        raise OSError("the disk is gone")

    monkeypatch.setattr(versions, "read", fails)
    with pytest.raises(OSError, match="the disk is gone"):
        served.post(poll())
    assert [one.outcome for one in served.log()] == ["cut"]


# --- In parts ------------------------------------------------------------------------------------------------------


def in_parts(served: Served, message: Any, *apps: Any) -> list[Any]:
    """All parts, each asked of the next of ``apps``."""
    asked = list(apps) or [served.app]
    found = [served.ask(message, asked[0])]
    while found[-1].more:
        found.append(served.ask(part(found[0], len(found) + 1), asked[len(found) % len(asked)]))
    return found


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8])
@pytest.mark.parametrize("binding", [(), (STIX_111,)])
def test_parts_hold_each_block_once_and_more_is_exact(served: Served, size: int, binding: tuple[str, ...]) -> None:
    served.in_parts(size)
    found = in_parts(served, poll(*binding))
    assert [name for one in found for name in names(one)] == ALL
    assert len(found) == -(-NUMBER // size)
    assert [one.result_part_number for one in found] == list(range(1, len(found) + 1))
    assert {one.record_count.record_count for one in found} == {NUMBER}
    assert len({(one.inclusive_end_timestamp_label, one.result_id) for one in found}) == 1
    assert {block.content_binding.binding_id for one in found for block in one.content_blocks} == {
        *(binding or (STIX_12,))
    }


def test_part_past_the_end_is_empty(served: Served) -> None:
    served.in_parts(3)
    first = served.ask(poll())
    for number in (4, 99, 10**30):
        past = served.ask(part(first, number))
        assert (past.content_blocks, past.more, past.result_id) == ([], False, first.result_id)
        assert past.inclusive_end_timestamp_label == first.inclusive_end_timestamp_label


@pytest.mark.parametrize("number", [0, -1])
def test_part_before_the_first_is_refused(served: Served, number: int) -> None:
    served.in_parts(3)
    answer = served.post(part(served.ask(poll()), number))
    assert status(read(answer)) in ("INVALID_RESPONSE_PART", "BAD_MESSAGE")


def test_parts_stay_as_they_were_whatever_is_published_between_them(served: Served) -> None:
    served.in_parts(2)
    first = served.ask(poll())
    served.put(1, ())
    served.put(4, ("bad4.example.org", "late.example.org"))
    served.put(5, ())
    served.put(NUMBER, ("new.example.org",))
    served.publish()
    with served.database.write() as connection:
        connection.execute(sa.delete(content_blocks).where(content_blocks.c.content.contains(b"late.example.org")))
    rest = [served.ask(part(first, number)) for number in (2, 3, 4)]
    assert [name for one in (first, *rest) for name in names(one)] == ALL
    assert [one.more for one in rest] == [True, True, False]
    assert names(served.ask(poll())) == ["bad0.example.org", "bad2.example.org"]  # a new result


def test_parts_of_several_processes_after_a_restart(served: Served) -> None:
    served.in_parts(2)
    other = served.start()
    found = in_parts(served, poll(), served.app, other)
    assert [name for one in found for name in names(one)] == ALL
    restarted = served.start()
    assert names(served.ask(part(found[0], 2), restarted)) == names(found[1])


def test_results_in_parts_leave_nothing_behind(served: Served) -> None:
    served.in_parts(2)
    in_parts(served, poll())
    with served.database.read() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(result_sets)) == 0


def test_result_of_somebody_else_is_not_found(served: Served) -> None:
    served.in_parts(2)
    with served.database.write() as connection:
        collections.put(connection, Collection("other"))
    served.publish()
    first = served.ask(poll())
    assert status(served.ask(part(first, 2), account="stranger")) == "NOT_FOUND"
    assert status(served.ask(part(first, 2, "other"))) == "NOT_FOUND"
    assert status(served.ask(part(first, 2, "none"))) == "NOT_FOUND"


@pytest.mark.parametrize("change", [lambda one: one[:-1], lambda one: "A" + one, lambda _: "1", lambda one: one * 2])
def test_forged_result_is_not_found(served: Served, change: Any) -> None:
    served.in_parts(2)
    first = served.ask(poll())
    first.result_id = change(first.result_id)
    answer = served.ask(part(first, 2))
    assert status(answer) == "NOT_FOUND"
    assert "poll again" in answer.message


def test_outdated_result_is_not_found(served: Served) -> None:
    served.in_parts(2)
    brief = served.start(results_kept=timedelta())
    answer = served.ask(part(served.ask(poll(), brief), 2), brief)
    assert status(answer) == "NOT_FOUND"
    assert "no longer kept" in answer.message


def test_result_whose_versions_were_purged_is_not_found(served: Served) -> None:
    served.in_parts(2)
    first = served.ask(poll())
    served.put(5, ())
    served.publish()
    publish_all(served.database, Policy(results_kept=timedelta()))
    answer = served.ask(part(first, 2))
    assert status(answer) == "NOT_FOUND"
    assert "no longer kept" in answer.message


def test_1_0_knows_no_parts(served: Served) -> None:
    served.in_parts(2)
    assert names(read(served.post(tm10.PollRequest("1", feed_name="mail")))) == ALL


# --- Subscriptions -------------------------------------------------------------------------------------------------


def manage(action: str, subscription: str | None = None, *bindings: str, count: bool = False) -> Any:
    return tm11.ManageCollectionSubscriptionRequest(
        "1",
        action=action,
        collection_name="mail",
        subscription_id=subscription,
        subscription_parameters=tm11.SubscriptionParameters(
            response_type=RT_COUNT_ONLY if count else RT_FULL,
            content_bindings=[tm11.ContentBinding(one) for one in bindings],
        )
        if action == ACT_SUBSCRIBE
        else None,
    )


def by_subscription(identifier: str, collection: str = "mail") -> Any:
    return tm11.PollRequest("1", collection_name=collection, subscription_id=identifier)


def subscribe(served: Served, *bindings: str, count: bool = False) -> str:
    answer = served.ask(manage(ACT_SUBSCRIBE, None, *bindings, count=count))
    return str(answer.subscription_instances[0].subscription_id)


def test_subscription_fixes_what_is_polled(served: Served) -> None:
    answer = served.ask(by_subscription(subscribe(served, STIX_111)))
    assert names(answer) == ALL
    assert {block.content_binding.binding_id for block in answer.content_blocks} == {STIX_111}
    counted = served.ask(by_subscription(subscribe(served, count=True)))
    assert (counted.record_count.record_count, counted.content_blocks) == (NUMBER, [])


def test_same_subscription_is_made_once(served: Served) -> None:
    assert subscribe(served) == subscribe(served)
    assert subscribe(served, STIX_111) != subscribe(served)
    found = served.ask(manage(ACT_STATUS)).subscription_instances
    assert len(found) == 2


def test_subscription_that_is_not_in_force_is_not_polled(served: Served) -> None:
    identifier = subscribe(served)
    served.ask(manage(ACT_PAUSE, identifier))
    paused = served.ask(by_subscription(identifier))
    assert (status(paused), "resume it" in paused.message) == ("DENIED", True)
    served.ask(manage(ACT_RESUME, identifier))
    assert names(served.ask(by_subscription(identifier))) == ALL
    served.ask(manage(ACT_UNSUBSCRIBE, identifier))
    assert status(served.ask(by_subscription(identifier))) == "DENIED"
    assert served.ask(manage(ACT_STATUS)).subscription_instances == []
    assert subscribe(served) != identifier


def test_subscription_that_is_unknown_or_to_another_collection_is_not_found(served: Served) -> None:
    with served.database.write() as connection:
        collections.put(connection, Collection("other"))
    served.publish()
    assert status(served.ask(by_subscription("none"))) == "NOT_FOUND"
    assert status(served.ask(by_subscription(subscribe(served), "other"))) == "NOT_FOUND"


def test_unsubscribing_what_never_was_succeeds(served: Served) -> None:
    answer = served.ask(manage(ACT_UNSUBSCRIBE, "none"))
    assert [one.subscription_id for one in answer.subscription_instances] == ["none"]


# --- The poll log --------------------------------------------------------------------------------------------------


def test_every_poll_is_in_the_log(served: Served) -> None:
    served.in_parts(4)
    first = served.post(poll(exclusive_begin_timestamp_label=FIRST), **{"User-Agent": "ESA"})
    served.ask(part(read(first), 2))
    served.ask(poll(count=True))
    served.ask(poll("urn:other"))
    found = served.log()[::-1]
    assert [(one.outcome, one.part, one.blocks, one.indicators) for one in found] == [
        ("answered", 1, 4, 4), ("answered", 2, 2, 2), ("counted", 1, 0, 0), ("UNSUPPORTED_CONTENT", None, 0, 0),
    ]  # fmt: skip
    assert {(one.account, one.collection) for one in found} == {("gateway", "mail")}
    assert (found[0].agent, found[0].begin, found[0].bytes) == ("ESA", FIRST, len(first.data))
    assert found[0].end == read(first).inclusive_end_timestamp_label
    assert found[0].end == found[1].end
    assert found[0].seconds > 0
    assert "served as" in (found[3].detail or "")

"""Every kind of TAXII message, 1.0 and 1.1, on every path: the answer is valid and of the right kind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import libtaxii.messages_10 as tm10
import libtaxii.messages_11 as tm11
import pytest
from libtaxii.constants import (
    ACT_PAUSE,
    ACT_RESUME,
    ACT_STATUS,
    ACT_SUBSCRIBE,
    ACT_UNSUBSCRIBE,
    CB_STIX_XML_12,
    RT_COUNT_ONLY,
    VID_TAXII_XML_10,
    VID_TAXII_XML_11,
)

from pulsegate.store import migrate, state
from store.databases import KINDS, bare
from taxii import filled
from taxii.questions import (
    BEGIN,
    END,
    NAME,
    PATHS,
    PUSHES,
    QUESTIONS,
    STATUS,
    STIX,
    manage10,
    manage11,
    poll10,
    poll11,
    window,
)


@pytest.fixture(scope="module", params=KINDS)
def app(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One for all messages: what they leave behind must not hurt the next ones."""
    folder = tmp_path_factory.mktemp("conformance")
    base = bare(request, folder / "test.db")
    migrate.upgrade(base)
    with filled.application(base, folder) as made:
        yield made
    base.close()


def ask(app: Any, message: Any, path: str = "/taxii/poll", **headers: str) -> Any:
    """The answer, which is valid, of the version of the message, and names it."""
    sent = filled.headers(message.version) | headers
    answer = app.test_client().post(path, data=message.to_xml(), headers=sent)
    assert answer.status_code in (200, 401), (path, answer.status_code, answer.data)
    read = filled.read(answer)
    assert read.version == message.version
    if not isinstance(read, tm10.StatusMessage | tm11.StatusMessage) or read.in_response_to != "0":
        assert read.in_response_to == message.message_id
    return read


def kind(message: Any) -> str:
    """The type of the message, or of the status that it tells."""
    return str(getattr(message, "status_type", message.message_type))


@pytest.mark.parametrize("name", QUESTIONS)
def test_question_is_answered_in_its_kind_on_every_path(app: Any, name: str) -> None:
    message, right = QUESTIONS[name]
    found = {path: kind(ask(app, message, path)) for path in PATHS}
    assert {path: one for path, one in found.items() if one not in right} == {}


@pytest.mark.parametrize("name", PUSHES)
def test_push_is_answered_with_a_status_message_on_every_path(app: Any, name: str) -> None:
    assert {ask(app, PUSHES[name], path).message_type for path in PATHS} == {STATUS}


def test_blocks_of_a_poll_are_those_of_the_window(app: Any) -> None:
    answer = ask(app, poll11(**window("exclusive")))
    (block,) = answer.content_blocks
    assert "bad1.example.org" in str(block.content)
    assert (block.content_binding.binding_id, answer.collection_name, answer.more) == (CB_STIX_XML_12, NAME, False)
    assert (answer.exclusive_begin_timestamp_label, answer.inclusive_end_timestamp_label) == (BEGIN, END)
    (old,) = ask(app, poll10(**window("exclusive"))).content_blocks
    assert (old.content_binding, old.content) == (CB_STIX_XML_12, block.content)


def test_counted_poll_tells_the_number_and_no_block(app: Any) -> None:
    answer = ask(app, poll11(parameters=tm11.PollParameters(RT_COUNT_ONLY)))
    assert answer.content_blocks == []
    assert (answer.record_count.record_count, answer.record_count.partial_count) == (3, False)


def subscribed(app: Any, message: Any) -> Any:
    (instance,) = ask(app, message, "/taxii/collections").subscription_instances
    return instance


def test_subscription_is_made_paused_resumed_and_ended(app: Any) -> None:
    made = subscribed(app, manage11(ACT_SUBSCRIBE))
    own = made.subscription_id
    assert made.status == "ACTIVE"
    assert [one.poll_address for one in made.poll_instances] == ["http://localhost/taxii/poll"]
    assert len(ask(app, poll11(subscription_id=own)).content_blocks) == 3
    after = [
        (action, subscribed(app, manage11(action, subscription_id=own)).status)
        for action in (ACT_STATUS, ACT_PAUSE, ACT_PAUSE, ACT_STATUS, ACT_RESUME, ACT_RESUME)
    ]
    assert after == [
        (ACT_STATUS, "ACTIVE"), (ACT_PAUSE, "PAUSED"), (ACT_PAUSE, "PAUSED"), (ACT_STATUS, "PAUSED"),
        (ACT_RESUME, "ACTIVE"), (ACT_RESUME, "ACTIVE"),
    ]  # fmt: skip
    listed = ask(app, manage11(ACT_STATUS), "/taxii/collections").subscription_instances
    assert own in [one.subscription_id for one in listed]
    assert subscribed(app, manage11(ACT_UNSUBSCRIBE, subscription_id=own)).status == "UNSUBSCRIBED"
    assert ask(app, poll11(subscription_id=own)).message_type == STATUS


def test_subscription_of_1_0_is_made_and_ended(app: Any) -> None:
    own = subscribed(app, manage10(ACT_SUBSCRIBE)).subscription_id
    assert len(ask(app, poll10(subscription_id=own)).content_blocks) == 3
    assert subscribed(app, manage10(ACT_STATUS, subscription_id=own)).subscription_id == own
    assert subscribed(app, manage10(ACT_UNSUBSCRIBE, subscription_id=own)).subscription_id == own
    assert ask(app, poll10(subscription_id=own)).message_type == STATUS


def test_subscription_to_counts_is_polled_as_counts(app: Any) -> None:
    parameters = tm11.SubscriptionParameters(RT_COUNT_ONLY, [STIX])
    made = subscribed(app, manage11(ACT_SUBSCRIBE, subscription_parameters=parameters))
    assert made.subscription_parameters.response_type == RT_COUNT_ONLY
    answer = ask(app, poll11(subscription_id=made.subscription_id))
    assert (answer.content_blocks, answer.record_count.record_count) == ([], 3)
    assert answer.subscription_id == made.subscription_id


@pytest.mark.parametrize(
    "message",
    [
        tm11.DiscoveryResponse("x1", in_response_to="x0"),
        tm11.StatusMessage("x1", in_response_to="x0", status_type="SUCCESS"),
        tm10.DiscoveryResponse("1", in_response_to="2"),
        tm10.StatusMessage("1", in_response_to="2", status_type="SUCCESS"),
        tm11.PollResponse("x1", in_response_to="x0", collection_name=NAME),
    ],
    ids=lambda message: f"{message.message_type} {message.version[-3:]}",
)
def test_message_that_is_no_request_is_a_failure_that_says_so(app: Any, message: Any) -> None:
    answer = ask(app, message)
    assert (answer.status_type, answer.in_response_to) == ("FAILURE", message.message_id)
    assert "not supported" in answer.message


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({"X-TAXII-Content-Type": "urn:none"}, "X-TAXII-Content-Type"),
        ({"X-TAXII-Services": "urn:none"}, "X-TAXII-Services"),
        ({"X-TAXII-Protocol": "urn:none"}, "X-TAXII-Protocol"),
        ({"Content-Type": "text/plain"}, "Content-Type"),
    ],
)
def test_header_that_names_something_unknown_is_a_status_message(app: Any, headers: dict[str, str], words: str) -> None:
    answer = app.test_client().post(
        "/taxii/poll", data=poll11().to_xml(), headers=filled.headers(VID_TAXII_XML_11) | headers
    )
    found = filled.read(answer)
    assert found.message_type == STATUS
    assert words.removeprefix("X-TAXII-").replace("-", " ") in found.message.replace("-", " ")


@pytest.mark.parametrize(("subscribe", "use"), [(manage11, poll11), (manage10, poll10), (manage11, manage11)])
def test_subscription_of_another_collection_is_not_found(app: Any, subscribe: Any, use: Any) -> None:
    own = subscribed(app, subscribe(ACT_SUBSCRIBE)).subscription_id
    action = [ACT_STATUS] if use is manage11 else []
    assert kind(ask(app, use(*action, "user_Some+Author", subscription_id=own))) == "NOT_FOUND"


def test_answer_is_in_the_version_that_the_client_accepts_also_when_it_is_refused(app: Any) -> None:
    message = poll11("nothing").to_xml().replace(b'"p1"', b'"urn:none"')
    sent = filled.headers(VID_TAXII_XML_11) | {"X-TAXII-Accept": VID_TAXII_XML_10}
    answer = filled.read(app.test_client().post("/taxii/poll", data=message, headers=sent))
    assert (answer.version, answer.status_type, answer.in_response_to) == (VID_TAXII_XML_10, "NOT_FOUND", "0")
    assert answer.status_detail == "nothing"


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("2026-01-02T03:04:05", "Request was not schema valid: "),
        ("12026-01-02T03:04:05Z", "Request was not schema valid: "),
        ("2026-01-02T24:00:00Z", "The message can't be read: "),
        ("0000-01-02T03:04:05Z", "Request was not schema valid: "),
    ],
)
def test_label_that_is_no_instant_is_a_bad_message_that_says_so(app: Any, label: str, words: str) -> None:
    body = poll11(inclusive_end_timestamp_label=END).to_xml().replace(END.isoformat().encode(), label.encode())
    answer = app.test_client().post("/taxii/poll", data=body, headers=filled.headers(VID_TAXII_XML_11))
    found = filled.read(answer)
    assert (found.status_type, found.message[: len(words)]) == ("BAD_MESSAGE", words)


def test_accept_that_leaves_xml_out_is_a_failure_that_says_so(app: Any) -> None:
    answer = ask(app, poll11(), Accept="text/html, application/json;q=0.5")
    assert (answer.status_type, answer.message) == (
        "FAILURE", "The client accepts only text/html, application/json, and this server sends application/xml",
    )  # fmt: skip


def test_subscription_is_made_while_others_write(app: Any) -> None:
    """SQLite refuses a transaction that has read, and then writes when somebody else has written in between."""
    api = app.taxii_server.servers.taxii1.persistence.api
    read = api.get_subscriptions

    def read_and_be_overtaken(service_id: str) -> Any:
        found = read(service_id=service_id)
        with api.database.write() as connection:
            state.put(connection, "test", "overtaken")
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(api, "get_subscriptions", read_and_be_overtaken)
        message = manage11(ACT_SUBSCRIBE, subscription_parameters=tm11.SubscriptionParameters(content_bindings=[STIX]))
        assert kind(ask(app, message)) == "Subscription_Management_Response"

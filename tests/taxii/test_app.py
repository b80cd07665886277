"""The WSGI application, without a socket: messages in, messages out."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import Any

import libtaxii.messages_10 as tm10
import libtaxii.messages_11 as tm11
import pytest
from libtaxii.constants import VID_TAXII_SERVICES_10, VID_TAXII_SERVICES_11, VID_TAXII_XML_10, VID_TAXII_XML_11
from libtaxii.validation import SchemaValidator
from werkzeug.security import generate_password_hash

import support
from pulsegate.curation.policy import Policy
from pulsegate.publication.built_in import SUBSCRIBED
from pulsegate.store import accounts, collections, ledger
from pulsegate.store.database import Database
from pulsegate.sync.pull import pull_files

PASSWORD = "right-password"
DAYS = [datetime(2026, 1, day, 12, tzinfo=UTC) for day in (1, 2, 3)]


def a_pulse(number: int) -> dict[str, Any]:
    return {
        "id": f"{number:024x}",
        "name": f"Pulse {number} 日本語 😀 & <b>",
        "author_name": "Some Author",
        "created": "2026-01-01T00:00:00",
        "modified": DAYS[number].isoformat(),
        "indicators": [{"type": "domain", "indicator": f"bad{number}.example.org"}],
    }


@pytest.fixture
def app(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    quick = partial(generate_password_hash, method="pbkdf2:sha256:1")
    monkeypatch.setattr("pulsegate.store.accounts.generate_password_hash", quick)
    (tmp_path / "pulses.json").write_text(json.dumps([a_pulse(0), a_pulse(1), a_pulse(2)]))
    with database.write() as connection:
        collections.ensure_services(connection)
        collections.put(connection, SUBSCRIBED)
        accounts.add(connection, "reader", PASSWORD)
        accounts.grant(connection, "reader", "subscribed", accounts.READ)
        accounts.add(connection, "gateway", PASSWORD)
        accounts.grant(connection, "gateway", "*", accounts.READ)
    pull_files(database, [tmp_path / "pulses.json"], Policy())
    made = support.application(database.url)
    yield made
    support.close(made)


class Client:
    """Posts TAXII messages as one account."""

    def __init__(self, app: Any, account: str = "gateway", password: str = PASSWORD) -> None:
        self._http = app.test_client()
        self._basic = base64.b64encode(f"{account}:{password}".encode()).decode()

    def post(self, message: Any, path: str = "/taxii/poll", **headers: str) -> Any:
        old = message.version == VID_TAXII_XML_10
        given = {
            "Content-Type": "application/xml",
            "X-TAXII-Content-Type": message.version,
            "X-TAXII-Services": VID_TAXII_SERVICES_10 if old else VID_TAXII_SERVICES_11,
            "Authorization": f"Basic {self._basic}",
        }
        return self._http.post(path, data=message.to_xml(), headers=given | headers)

    def ask(self, message: Any, path: str = "/taxii/poll", **headers: str) -> Any:
        """The message that comes back, checked against the schema of its version."""
        answer = self.post(message, path, **headers)
        old = answer.headers["X-TAXII-Content-Type"] == VID_TAXII_XML_10
        schema = SchemaValidator.TAXII_10_SCHEMA if old else SchemaValidator.TAXII_11_SCHEMA
        checked = SchemaValidator(schema).validate_string(answer.data)
        assert checked.valid, checked.error_log
        return (tm10 if old else tm11).get_message_from_xml(answer.data)


def poll(collection: str = "subscribed", begin: datetime | None = None, end: datetime | None = None) -> Any:
    return tm11.PollRequest(
        "1", collection_name=collection, exclusive_begin_timestamp_label=begin, inclusive_end_timestamp_label=end,
        poll_parameters=tm11.PollParameters(),
    )  # fmt: skip


def values(message: Any) -> list[str]:
    found = []
    for block in message.content_blocks:
        content = block.content if isinstance(block.content, bytes) else block.content.encode()
        found += [value for _, value in support.read_values(content)]
    return found


def status(message: Any) -> str:
    assert isinstance(message, tm11.StatusMessage | tm10.StatusMessage), message
    return str(message.status_type)


def test_poll_without_a_window_gives_everything_and_its_end(app: Any) -> None:
    answer = Client(app).ask(poll())
    assert values(answer) == ["bad0.example.org", "bad1.example.org", "bad2.example.org"]
    assert answer.more is False
    assert DAYS[2] <= answer.inclusive_end_timestamp_label <= datetime.now(UTC) + timedelta(seconds=1)
    title = "Pulse 0 日本語 😀 &amp; &lt;b&gt;"
    content = answer.content_blocks[0].content
    assert title in (content.decode() if isinstance(content, bytes) else content)


def test_labels_are_utc_with_six_fractional_digits(app: Any) -> None:
    text = Client(app).post(poll()).data.decode()
    labels = [part.split("<")[0] for part in text.split("Timestamp_Label>")[1:] if part.startswith("2")]
    assert labels[:-1] or labels
    for label in labels:
        assert datetime.fromisoformat(label).tzinfo is not None
        assert len(label.partition(".")[2].partition("+")[0]) == 6, label
        assert label.endswith("+00:00")


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=5, minutes=30)), timezone(timedelta(hours=-8))])
def test_window_is_the_same_instant_in_any_zone(app: Any, zone: timezone) -> None:
    answer = Client(app).ask(poll(begin=DAYS[0].astimezone(zone), end=DAYS[1].astimezone(zone)))
    assert values(answer) == ["bad1.example.org"]
    assert answer.inclusive_end_timestamp_label == DAYS[1]


def test_window_goes_on_where_the_last_one_ended(app: Any) -> None:
    client = Client(app)
    first = client.ask(poll(end=DAYS[0]))
    second = client.ask(poll(begin=first.inclusive_end_timestamp_label))
    third = client.ask(poll(begin=second.inclusive_end_timestamp_label))
    assert [values(one) for one in (first, second, third)] == [
        ["bad0.example.org"], ["bad1.example.org", "bad2.example.org"], [],
    ]  # fmt: skip


def test_block_published_after_a_poll_is_in_the_next_one(app: Any, database: Database, tmp_path: Path) -> None:
    client = Client(app)
    end = client.ask(poll()).inclusive_end_timestamp_label
    late = a_pulse(1) | {"id": "f" * 24, "indicators": [{"type": "domain", "indicator": "late.example.org"}]}
    (tmp_path / "late.json").write_text(json.dumps(late))
    pull_files(database, [tmp_path / "late.json"], Policy())
    assert values(client.ask(poll(begin=end, end=datetime.now(UTC) + timedelta(minutes=5)))) == ["late.example.org"]


def test_window_may_begin_and_end_where_no_calendar_of_ours_goes(app: Any) -> None:
    east, west = timezone(timedelta(hours=14)), timezone(timedelta(hours=-14))
    first, last = datetime(1, 1, 1, tzinfo=east), datetime(9999, 12, 31, 23, tzinfo=west)
    client = Client(app)
    assert len(values(client.ask(poll(begin=first)))) == 3
    assert len(values(client.ask(poll(begin=first, end=last)))) == 3
    assert values(client.ask(poll(end=first))) == []
    assert status(client.ask(poll(begin=last))) == "FAILURE"


def test_begin_later_than_end_is_a_failure_that_says_so(app: Any) -> None:
    answer = Client(app).ask(poll(begin=DAYS[1], end=DAYS[0]))
    assert status(answer) == "FAILURE"
    assert "begins" in answer.message


def test_end_in_the_far_future_is_answered_with_now(app: Any, database: Database) -> None:
    answer = Client(app).ask(poll(end=datetime(2099, 1, 1, tzinfo=UTC)))
    assert len(values(answer)) == 3
    assert answer.inclusive_end_timestamp_label < datetime.now(UTC) + timedelta(minutes=1)
    with database.read() as connection:
        row = ledger.get(connection, "subscribed")
    assert row is not None
    assert row.frontier < datetime.now(UTC) + timedelta(minutes=1)


def test_end_a_little_ahead_is_answered_as_asked(app: Any) -> None:
    asked = datetime.now(UTC) + timedelta(minutes=5)
    assert Client(app).ask(poll(end=asked)).inclusive_end_timestamp_label == asked


def test_begin_in_the_far_future_is_a_failure_that_says_so(app: Any) -> None:
    answer = Client(app).ask(poll(begin=datetime(2099, 1, 1, tzinfo=UTC)))
    assert status(answer) == "FAILURE"
    assert "clock" in answer.message


def test_begin_a_little_ahead_without_an_end_is_answered_from_there(app: Any) -> None:
    begin = datetime.now(UTC) + timedelta(minutes=2)
    answer = Client(app).ask(poll(begin=begin))
    assert (values(answer), answer.inclusive_end_timestamp_label) == ([], begin)


def test_collection_that_is_being_filled_asks_to_come_again(app: Any, database: Database) -> None:
    with database.write() as connection:
        collections.put(connection, SUBSCRIBED.__class__(name="fresh"))
    answer = Client(app).ask(poll("fresh"))
    assert status(answer) == "RETRY"
    assert 1 <= answer.status_detail["ESTIMATED_WAIT"] <= 30


def test_collection_is_served_after_open_after_even_if_it_is_still_being_filled(app: Any, database: Database) -> None:
    app.taxii_server.servers.taxii1.persistence.api.open_after = timedelta()
    with database.write() as connection:
        collections.put(connection, SUBSCRIBED.__class__(name="fresh"))
    assert values(Client(app).ask(poll("fresh"))) == []


@pytest.mark.parametrize("name", ["user_Some+Author", "user_Some Author"])
def test_author_with_a_space_is_found_either_way(app: Any, name: str) -> None:
    assert len(values(Client(app).ask(poll(name)))) == 3


def test_unknown_collection_is_not_found(app: Any) -> None:
    assert status(Client(app).ask(poll("nothing"))) == "NOT_FOUND"


def test_collection_without_rights_is_neither_found_nor_listed(app: Any) -> None:
    reader = Client(app, "reader")
    assert status(reader.ask(poll("user_Some+Author"))) == "NOT_FOUND"
    listed = reader.ask(tm11.CollectionInformationRequest("1"), "/taxii/collections")
    assert [one.collection_name for one in listed.collection_informations] == ["subscribed"]


@pytest.mark.parametrize("path", ["/taxii/poll", "/taxii/poll/", "/taxi/poll", "/taxi/poll/"])
def test_every_spelling_of_the_path_works(app: Any, path: str) -> None:
    assert len(values(Client(app).ask(poll(), path))) == 3


@pytest.mark.parametrize(("account", "password"), [("gateway", "wrong"), ("nobody", PASSWORD), ("gateway", "")])
def test_wrong_password_is_401_with_a_status_message(app: Any, account: str, password: str) -> None:
    client = Client(app, account, password)
    answer = client.post(poll())
    assert (answer.status_code, answer.headers["WWW-Authenticate"].split()[0]) == (401, "Basic")
    assert status(client.ask(poll())) == "UNAUTHORIZED"


@pytest.mark.parametrize("header", ["", "Basic", "Basic %%%", "Basic bm8tY29sb24=", "Bearer forged", "Digest x"])
def test_strange_authorization_is_401(app: Any, header: str) -> None:
    assert Client(app).post(poll(), Authorization=header).status_code == 401


def test_token_from_the_management_path_is_accepted(app: Any) -> None:
    got = app.test_client().post("/management/auth", json={"username": "gateway", "password": PASSWORD})
    answer = Client(app).ask(poll(), Authorization=f"Bearer {got.get_json()['token']}")
    assert len(values(answer)) == 3


def test_no_accept_header_is_answered(app: Any) -> None:
    assert Client(app).post(poll()).status_code == 200


def test_discovery_names_what_is_served_at_the_address_that_was_asked_newest_first(app: Any) -> None:
    request = tm11.DiscoveryRequest("1")
    answer = Client(app).ask(request, "/taxii/discovery", Host="gate.example.org:9000")
    assert {one.service_type: (one.service_address, one.message_bindings) for one in answer.service_instances} == {
        kind: (f"http://gate.example.org:9000/taxii/{path}", [VID_TAXII_XML_11, VID_TAXII_XML_10])
        for kind, path in (("DISCOVERY", "discovery"), ("COLLECTION_MANAGEMENT", "collections"), ("POLL", "poll"))
    }


def test_poll_of_taxii_1_0_gives_the_same(app: Any) -> None:
    answer = Client(app).ask(tm10.PollRequest("1", feed_name="subscribed"))
    assert values(answer) == ["bad0.example.org", "bad1.example.org", "bad2.example.org"]


@pytest.mark.parametrize("body", [b"", b"not XML", b"<a/>", b"\x00\x01", b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"])
def test_body_that_is_no_message_is_a_status_message(app: Any, body: bytes) -> None:
    class Raw:
        version = VID_TAXII_XML_11

        def to_xml(self) -> bytes:
            return body

    assert status(Client(app).ask(Raw())) == "BAD_MESSAGE"


def test_failure_inside_is_a_status_message_without_our_insides(app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise ValueError("/secret/path")

    monkeypatch.setattr(app.taxii_server.servers.taxii1.persistence.api, "read", fail)
    answer = Client(app).ask(poll())
    assert status(answer) == "FAILURE"
    assert "secret" not in answer.message


def test_removed_indicator_is_gone_from_the_next_full_poll(app: Any, database: Database, tmp_path: Path) -> None:
    gone = a_pulse(1) | {"indicators": []}
    (tmp_path / "gone.json").write_text(json.dumps(gone))
    pull_files(database, [tmp_path / "gone.json"], Policy())
    assert values(Client(app).ask(poll())) == ["bad0.example.org", "bad2.example.org"]


@pytest.mark.parametrize("path", ["/taxii/discovery", "/taxii/collections"])
def test_poll_on_the_path_of_another_service_is_answered(app: Any, path: str) -> None:
    assert len(values(Client(app).ask(poll(), path))) == 3

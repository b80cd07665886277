"""Who is let in: passwords, tokens, certificates, and the limits for those who guess."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import jwt
import libtaxii.messages_10 as tm10
import libtaxii.messages_11 as tm11
import pytest
import sqlalchemy as sa
import structlog
from libtaxii.constants import VID_TAXII_SERVICES_10, VID_TAXII_SERVICES_11, VID_TAXII_XML_10, VID_TAXII_XML_11
from libtaxii.validation import SchemaValidator
from structlog.testing import LogCapture
from werkzeug.security import check_password_hash, generate_password_hash

import support
from pulsegate.model.network import Networks
from pulsegate.publication.built_in import SUBSCRIBED
from pulsegate.store import accounts, collections, ledger, state
from pulsegate.store.database import Database
from pulsegate.taxii.attempts import Attempts, Hashing
from pulsegate.taxii.auth import TOKEN_SECRET, shown
from pulsegate.taxii.credentials import VerifiedCredentials
from pulsegate.taxii.edge import Edge
from pulsegate.taxii.refusals import BASIC, BEARER, BusyError

PASSWORD = "right-password"
SUBJECT = "CN=esa1,O=Example"
COLLECTION = tm11.CollectionInformationRequest("1")
POLL = tm11.PollRequest("1", collection_name="subscribed", poll_parameters=tm11.PollParameters())


class Clock:
    """A clock that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


PROXY = "198.51.100.1"


class Server:
    """One of our applications, as one server process has it, under a clock of the test's."""

    def __init__(self, url: str, **options: Any) -> None:
        edge = Edge(Networks.of([PROXY]), client_header="X-Client-Subject")
        self.app = support.application(url, edge=edge, **options)
        self.api = self.app.taxii_server.auth.api
        self.clock = Clock()
        self.api.credentials = VerifiedCredentials(clock=self.clock)
        self.api.attempts = Attempts(clock=self.clock)

    def post(
        self,
        password: str | None = PASSWORD,
        account: str = "gateway",
        *,
        message: Any = POLL,
        address: str = "192.0.2.1",
        header: str | None = None,
        subject: str | None = None,
        old: bool = False,
    ) -> Any:
        headers = {
            "Content-Type": "application/xml",
            "X-TAXII-Content-Type": VID_TAXII_XML_10 if old else VID_TAXII_XML_11,
            "X-TAXII-Services": VID_TAXII_SERVICES_10 if old else VID_TAXII_SERVICES_11,
        }
        if header is not None:
            headers["Authorization"] = header
        elif password is not None:
            headers["Authorization"] = basic(f"{account}:{password}".encode())
        if subject is not None:  # of a certificate that a trusted proxy has verified
            headers |= {
                "X-Forwarded-For": address,
                "X-Client-Subject": subject.encode("utf-8", "surrogatepass").decode("latin-1"),
            }
        environment = {"REMOTE_ADDR": PROXY if subject is not None else address}
        return self.app.test_client().post(
            "/taxii/poll", data=message.to_xml(), headers=headers, environ_overrides=environment
        )

    def status(self, *args: Any, **options: Any) -> int:
        return int(self.post(*args, **options).status_code)

    def token(self, **given: Any) -> str:
        answer = self.app.test_client().post("/management/auth", json={"username": "gateway", "password": PASSWORD})
        return str(answer.get_json()["token"])

    def bearer(self, token: str) -> int:
        return self.status(header=f"Bearer {token}")


def basic(octets: bytes) -> str:
    return f"Basic {base64.b64encode(octets).decode()}"


def refusal(answer: Any) -> tuple[int, str]:
    """The HTTP status and the type of the Status_Message, which must be valid."""
    old = answer.headers["X-TAXII-Content-Type"] == VID_TAXII_XML_10
    schema = SchemaValidator.TAXII_10_SCHEMA if old else SchemaValidator.TAXII_11_SCHEMA
    checked = SchemaValidator(schema).validate_string(answer.data)
    assert checked.valid, checked.error_log
    message = (tm10 if old else tm11).get_message_from_xml(answer.data)
    return answer.status_code, message.status_type


@pytest.fixture
def world(database: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    """A database with an account that may read everything."""
    quick = partial(generate_password_hash, method="pbkdf2:sha256:1")
    monkeypatch.setattr("pulsegate.store.accounts.generate_password_hash", quick)
    with database.write() as connection:
        collections.ensure_services(connection)
        collections.put(connection, SUBSCRIBED)
        ledger.open_(connection, "subscribed")
        accounts.add(connection, "gateway", PASSWORD)
        accounts.grant(connection, "gateway", "*", accounts.READ)
    return database


@contextmanager
def serving(database: Database, **options: Any) -> Iterator[Server]:
    made = Server(database.url, **options)
    try:
        yield made
    finally:
        support.close(made.app)


@pytest.fixture
def server(world: Database) -> Iterator[Server]:
    with serving(world) as made:
        yield made


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A letter for each password that is hashed: what was asked."""
    asked: list[str] = []

    def check(stored: str, password: str) -> bool:
        asked.append(password)
        return check_password_hash(stored, password)

    monkeypatch.setattr("pulsegate.store.accounts.check_password_hash", check)
    return asked


@pytest.fixture
def logged() -> list[Any]:
    """Everything that is logged, of any level."""
    capture = LogCapture()
    structlog.configure(processors=[capture], wrapper_class=structlog.make_filtering_bound_logger(0))
    return capture.entries


# --- Passwords ------------------------------------------------------------------------------------------------------


def test_right_password_is_hashed_once_in_five_minutes(server: Server, hashed: list[str]) -> None:
    assert [server.status() for _ in range(3)] == [200] * 3
    server.clock.now += 299
    assert server.status() == 200
    assert len(hashed) == 1
    server.clock.now += 2
    assert [server.status() for _ in range(2)] == [200] * 2
    assert len(hashed) == 2


def test_wrong_password_is_hashed_each_time_and_never_right(server: Server, hashed: list[str]) -> None:
    assert server.status() == 200
    assert [server.status("wrong") for _ in range(3)] == [401] * 3
    assert hashed == [PASSWORD, "wrong", "wrong", "wrong"]


def test_password_of_one_account_is_not_that_of_another(server: Server, world: Database) -> None:
    with world.write() as connection:
        accounts.add(connection, "other", "other-password")
    assert server.status("other-password", "other", message=COLLECTION) == 200
    assert server.status() == 200
    assert [server.status(PASSWORD, "other"), server.status("other-password", "gateway")] == [401, 401]


def test_who_is_let_in_is_one_query(server: Server) -> None:
    server.status()
    statements: list[str] = []
    engine = server.api._database.engine
    sa.event.listen(engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    server.status()
    server.bearer(server.api.token(server.api.by_password("gateway", PASSWORD, None)))
    assert [one.split()[0] for one in statements if not one.startswith("BEGIN")] == ["SELECT"] * 3


def test_changed_password_acts_on_the_next_request_of_every_process(world: Database, hashed: list[str]) -> None:
    with serving(world) as one, serving(world) as two:
        assert [server.status() for server in (one, two, one, two)] == [200] * 4
        assert len(hashed) == 2
        other = Database(world.url)
        with other.write() as connection:
            accounts.set_password(connection, "gateway", "new-password")
        other.close()
        assert [server.status() for server in (one, two)] == [401] * 2
        assert [server.status("new-password") for server in (one, two)] == [200] * 2


def test_removed_account_is_out_at_once_also_when_its_name_and_id_come_again(server: Server, world: Database) -> None:
    token = server.token()
    assert (server.status(), server.bearer(token)) == (200, 200)
    with world.write() as connection:
        accounts.remove(connection, "gateway")
    assert (server.status(), server.bearer(token)) == (401, 401)
    with world.write() as connection:
        accounts.add(connection, "gateway", "other-password")
    assert (server.status(), server.bearer(token)) == (401, 401)


def test_account_made_again_with_its_old_password_is_verified_anew(
    server: Server, world: Database, hashed: list[str]
) -> None:
    token = server.token()
    with world.write() as connection:
        accounts.remove(connection, "gateway")
        accounts.add(connection, "gateway", PASSWORD)
        accounts.grant(connection, "gateway", "*", accounts.READ)
    assert (server.status(), len(hashed), server.bearer(token)) == (200, 2, 401)


def test_changed_rights_act_on_the_next_request(server: Server, world: Database) -> None:
    assert b"Poll_Response" in server.post().data
    with world.write() as connection:
        accounts.revoke(connection, "gateway", "*")
    assert refusal(server.post()) == (200, "NOT_FOUND")


def test_no_password_stays_in_memory(server: Server) -> None:
    server.status()
    server.status("wrong-password")
    kept = repr((vars(server.api.credentials), vars(server.api.attempts), server.api.attempts._known._kept))
    with server.api._database.read() as connection:
        stored = accounts.stored_by_name(connection, "gateway")
    assert stored is not None
    assert not any(secret in kept for secret in (PASSWORD, "wrong-password", stored.password_hash))


def test_credentials_are_bounded_and_of_one_process(world: Database) -> None:
    with world.read() as connection:
        stored = accounts.stored_by_name(connection, "gateway")
    assert stored is not None
    one, two = VerifiedCredentials(size=2), VerifiedCredentials()
    digests = [one.digest(stored, password) for password in "abc"]
    assert one.digest(stored, "a") == digests[0] != two.digest(stored, "a")
    one.add(digests[0])
    one.add(digests[1])
    assert digests[0] in one  # used, so that the other one is older now
    one.add(digests[2])
    assert [digest in one for digest in digests] == [True, False, True]


@pytest.mark.parametrize(
    ("password", "charset"),
    [
        *[(one, "utf-8") for one in ("wörd", "日本語 😀", "a:b", " ")],
        *[(one, "latin-1") for one in ("wörd", "ÿ:é", " ")],
    ],
)
def test_password_in_the_charset_of_an_old_client_is_understood(
    server: Server, world: Database, password: str, charset: str
) -> None:
    with world.write() as connection:
        accounts.add(connection, "müller", password)
    octets = f"müller:{password}".encode(charset)
    assert server.status(header=basic(octets), message=COLLECTION) == 200
    assert server.status(header=basic(octets + b"x"), message=COLLECTION) == 401


# --- Refusals -------------------------------------------------------------------------------------------------------

SECRET = "s3cret-in-a-header"
GARBAGE = [
    "Basic", "Basic ", "basic %%%", f"Basic {SECRET}", f"Basic {SECRET}é", "Basic é", "Basic =", "Basic YQ",
    basic(b""), basic(b":"), basic(SECRET.encode()), basic(f":{SECRET}".encode()), basic(b"gateway:"),
    basic(b"gateway:\xff\xfe" + SECRET.encode()), basic(b"\xff:" + SECRET.encode()), basic(b"\0:" + SECRET.encode()),
    basic(b"gateway:\0" + SECRET.encode()), basic(b"a\nb:" + SECRET.encode()), basic(b"x" * 9000 + b":y"),
    basic("\ud800:a".encode("utf-8", "surrogatepass")), basic("gateway:\ud800".encode("utf-8", "surrogatepass")),
    "Bearer", "Bearer ", f"Bearer {SECRET}", "Bearer é", "Bearer a.b.c", f"Digest {SECRET}", SECRET, f"{SECRET}: x",
    "Negotiate YII=", "\t", "Basic\tZ2F0ZXdheTp4",
]  # fmt: skip


@pytest.mark.parametrize("header", GARBAGE)
def test_garbage_is_refused_with_a_body_and_never_logged(server: Server, logged: list[Any], header: str) -> None:
    answer = server.post(header=header)
    assert refusal(answer) == (401, "UNAUTHORIZED")
    challenges = answer.headers.getlist("WWW-Authenticate")
    assert challenges[0] == BASIC
    assert challenges[1].startswith(BEARER)
    lines = repr(logged)
    assert SECRET not in lines
    assert header not in lines or len(header) < 3
    assert base64.b64encode(SECRET.encode()).decode()[:12] not in lines


@pytest.mark.parametrize("old", [False, True])
def test_refusal_has_the_version_that_the_client_speaks(server: Server, old: bool) -> None:
    message = tm10.PollRequest("1", feed_name="subscribed") if old else POLL
    answer = server.post("wrong", message=message, old=old)
    assert refusal(answer) == (401, "UNAUTHORIZED")
    assert answer.headers["X-TAXII-Content-Type"] == (VID_TAXII_XML_10 if old else VID_TAXII_XML_11)


def test_request_without_credentials_is_told_to_send_some(server: Server) -> None:
    answer = server.post(None)
    assert refusal(answer) == (401, "UNAUTHORIZED")
    assert answer.headers.getlist("WWW-Authenticate") == [BASIC, BEARER]
    assert "Basic" in tm11.get_message_from_xml(answer.data).message
    plain = server.app.test_client().post("/taxii/discovery", data=b"")
    assert refusal(plain) == (401, "UNAUTHORIZED")


def test_refusal_is_one_line_with_account_and_address(server: Server, logged: list[Any]) -> None:
    server.post("wrong", address="198.51.100.7")
    assert logged == [
        {"event": "auth.refused", "log_level": "warning", "account": "gateway", "address": "198.51.100.7"}
    ]


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("gateway", "gateway"),
        ("müller", "müller"),
        ("a\nb", "'a\\nb'"),
        ("x" * 100, "x" * 63 + "…"),
        ("0123456789abcdef" * 4, "0123… (an OTX API key?)"),
    ],
)
def test_name_is_shown_as_a_log_may(name: str, line: str) -> None:
    assert shown(name) == line


def test_open_pages_answer_whatever_the_header(server: Server) -> None:
    client = server.app.test_client()
    for path in ("/healthz", "/", "/management/health"):
        assert client.get(path, headers={"Authorization": "Basic %%%"}).status_code == 200


# --- Tokens ---------------------------------------------------------------------------------------------------------


def test_token_lives_for_its_time_in_seconds(world: Database) -> None:
    with serving(world, token_life=timedelta(seconds=90)) as server:
        token = server.token()
        claims = jwt.decode(token, options={"verify_signature": False})
        assert claims["exp"] - claims["iat"] == 90
        assert server.bearer(token) == 200


def test_token_is_good_in_another_process_and_not_with_another_password(world: Database) -> None:
    with serving(world) as one, serving(world) as two:
        token = one.token()
        assert two.bearer(token) == 200
        with world.write() as connection:
            accounts.set_password(connection, "gateway", "new-password")
        assert [one.bearer(token), two.bearer(token)] == [401] * 2


@pytest.mark.parametrize(
    ("change", "algorithm"),
    [
        ({}, "HS512"),
        ({}, "none"),
        ({"exp": datetime.now(UTC) - timedelta(seconds=1)}, "HS256"),
        ({"exp": None}, "HS256"),
        ({"exp": "soon"}, "HS256"),
        ({"credential": "0" * 32}, "HS256"),
        ({"credential": None}, "HS256"),
        ({"credential": 5}, "HS256"),
        ({"account_id": None}, "HS256"),
        ({"account_id": 10**6}, "HS256"),
        ({"nbf": datetime.now(UTC) + timedelta(hours=1)}, "HS256"),
    ],
)
def test_token_that_is_not_as_we_make_it_is_refused(
    server: Server, world: Database, change: dict[str, Any], algorithm: str
) -> None:
    good = jwt.decode(server.token(), options={"verify_signature": False})
    claims = {key: value for key, value in (good | change).items() if value is not None}
    with world.write() as connection:
        secret = state.secret(connection, TOKEN_SECRET)
    assert server.bearer(jwt.encode(good, secret, algorithm="HS256")) == 200
    answer = server.post(header=f"Bearer {jwt.encode(claims, secret if algorithm != 'none' else '', algorithm)}")
    assert refusal(answer) == (401, "UNAUTHORIZED")
    assert answer.headers.getlist("WWW-Authenticate") == [BASIC, f'{BEARER}, error="invalid_token"']


def test_token_of_a_foreign_secret_is_refused(server: Server) -> None:
    good = jwt.decode(server.token(), options={"verify_signature": False})
    assert server.bearer(jwt.encode(good, "x" * 64, algorithm="HS256")) == 401


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"data": b""}, 400),
        ({"data": b"{", "content_type": "application/json"}, 400),
        ({"data": b"[" * 16_000, "content_type": "application/json"}, 400),
        ({"data": b"\xff\xfe", "content_type": "application/json"}, 400),
        ({"data": b"x" * 20_000, "content_type": "application/json"}, 413),
        ({"data": b"username=" + b"x" * 20_000, "content_type": "application/x-www-form-urlencoded"}, 413),
        ({"data": b"\xff%ff=%", "content_type": "application/x-www-form-urlencoded"}, 400),
        ({"data": b"junk", "content_type": "multipart/form-data; boundary=x"}, 400),
        ({"data": b"<a/>", "content_type": "application/xml"}, 400),
        *[({"json": body}, 400) for body in (None, [], "x", 5, {}, {"username": "gateway"}, {"password": PASSWORD})],
        *[({"json": {"username": "gateway", "password": one}}, 400) for one in (None, 5, [], {}, "", True)],
        *[({"json": {"username": one, "password": PASSWORD}}, 400) for one in (None, 5, [PASSWORD], {}, "")],
        *[({"json": {"username": "gateway", "password": one}}, 401) for one in ("x", "\ud800", "\0", "x" * 9000)],
        *[({"json": {"username": one, "password": PASSWORD}}, 401) for one in ("x", "\ud800", "\0", "a:b")],
        ({"data": {"username": "gateway", "password": "x"}}, 401),
        ({"data": {"username": "gateway", "password": PASSWORD}}, 200),
        ({"json": {"username": "gateway", "password": PASSWORD}}, 200),
    ],
)
def test_request_for_a_token_is_answered_with_json(server: Server, sent: dict[str, Any], status: int) -> None:
    answer = server.app.test_client().post("/management/auth", **sent)
    assert answer.status_code == status
    assert list(answer.get_json()) == (["token"] if status == 200 else ["message"])
    assert answer.headers.getlist("WWW-Authenticate") == ([BASIC, BEARER] if status == 401 else [])


def test_nothing_else_is_below_management(server: Server) -> None:
    rules = {rule.rule: rule.methods for rule in server.app.url_map.iter_rules() if "management" in rule.rule}
    assert rules == {"/management/auth": {"POST", "OPTIONS"}, "/management/health": {"GET", "HEAD", "OPTIONS"}}
    assert server.app.test_client().get("/management/health").get_json() == {"alive": True}


# --- Limits ---------------------------------------------------------------------------------------------------------


def test_guessing_is_stopped_while_the_appliance_at_the_same_address_goes_on(
    server: Server, hashed: list[str], logged: list[Any]
) -> None:
    assert server.status() == 200
    assert [server.status(f"guess {number}") for number in range(10)] == [401] * 10
    del hashed[:]
    for _ in range(5):
        answer = server.post("another guess")
        assert refusal(answer) == (429, "RETRY")
        assert 1 <= int(answer.headers["Retry-After"]) <= 60
        assert server.status() == 200
    assert hashed == []
    limited = {"event": "auth.limited", "log_level": "warning", "account": "gateway", "address": "192.0.2.1"}
    assert limited | {"reason": "TooManyAttemptsError"} in logged
    assert "guess" not in repr(logged)
    server.clock.now += 301  # its verified password is forgotten; whoever guesses has not stopped
    assert [server.status(f"guess {number}") for number in range(11)] == [401] * 10 + [429]
    assert server.status() == 200


def test_guessing_at_one_address_does_not_harm_another_one(server: Server) -> None:
    assert [server.status("guess") for _ in range(11)] == [401] * 10 + [429]
    assert server.status(PASSWORD, address="192.0.2.1") == 429
    assert server.status(PASSWORD, address="192.0.2.2") == 200


def test_right_password_is_let_in_when_the_minute_is_over(server: Server) -> None:
    assert [server.status("guess") for _ in range(11)] == [401] * 10 + [429]
    server.clock.now += 59
    assert server.status() == 429
    server.clock.now += 1
    assert server.status() == 200


def test_success_of_the_appliance_gives_nobody_more_guesses(server: Server) -> None:
    for _ in range(3):
        assert [server.status("guess") for _ in range(3)] == [401] * 3
        server.clock.now += 1
        assert server.status() == 200
    assert [server.status("guess"), server.status("guess")] == [401, 429]


def test_guessing_names_is_stopped_but_not_for_who_was_let_in(server: Server, hashed: list[str]) -> None:
    assert server.status() == 200
    assert {server.status("guess", f"name {number}") for number in range(60)} == {401}
    del hashed[:]
    assert server.status("guess", "one more") == 429
    assert hashed == []
    assert server.status("typo") == 401
    server.clock.now += 301
    assert server.status() == 200


def test_every_address_of_one_ipv6_network_is_one(server: Server) -> None:
    answers = [server.status("guess", address=f"2001:db8::{number:x}") for number in range(11)]
    assert answers == [401] * 10 + [429]
    assert server.status("guess", address="2001:db8:0:1::1") == 401
    assert server.status("guess", address="::ffff:192.0.2.1") == 401


def test_asking_for_tokens_is_limited_too(server: Server) -> None:
    client = server.app.test_client()
    answers = [client.post("/management/auth", json={"username": "gateway", "password": "x"}) for _ in range(11)]
    assert [one.status_code for one in answers] == [401] * 10 + [429]
    assert "Retry-After" in answers[-1].headers


def test_flood_of_strangers_is_turned_away_and_the_appliance_still_hashed(server: Server, hashed: list[str]) -> None:
    assert server.status() == 200
    server.clock.now += 301
    server.api.hashing = Hashing(waiting=0)
    with server.api.hashing.stranger():
        answer = server.post("guess")
        assert refusal(answer) == (503, "RETRY")
        assert int(answer.headers["Retry-After"]) >= 1
        assert server.status() == 200
    assert hashed == [PASSWORD, PASSWORD]
    assert [server.status("guess") for _ in range(10)] == [401] * 10
    with server.api.hashing.stranger():  # who is limited doesn't even ask for a place
        assert server.status("guess") == 429


@pytest.mark.parametrize(("password", "status", "refusals"), [(PASSWORD, 200, 0), ("wrong", 401, 1)])
def test_many_connections_of_one_client_cost_one_hash(
    server: Server, monkeypatch: pytest.MonkeyPatch, password: str, status: int, refusals: int
) -> None:
    server.api.hashing = hashing = Hashing(waiting=0)
    once, come, hashed = hashing.once, threading.Semaphore(0), []

    def counted(*args: Any) -> bool:
        come.release()
        return once(*args)

    def check(stored: str, given: str) -> bool:
        hashed.append(given)
        assert all(come.acquire(timeout=30) for _ in range(12))
        time.sleep(0.2)  # from being counted to waiting
        return check_password_hash(stored, given)

    monkeypatch.setattr(hashing, "once", counted)
    monkeypatch.setattr("pulsegate.store.accounts.check_password_hash", check)
    with ThreadPoolExecutor(12) as pool:
        answers = [pool.submit(server.status, password) for _ in range(12)]
        assert {one.result() for one in answers} == {status}
    assert hashed == [password]
    assert server.api.hashing._running == {}
    assert len(server.api.attempts._failures._kept) == 2 * refusals


def test_stranger_waits_for_a_place_only_so_long() -> None:
    hashing = Hashing(waiting=1, patience=0.05)
    with hashing.stranger():
        with pytest.raises(BusyError), hashing.stranger():
            pass
        with hashing.known():
            pass
    with hashing.stranger():
        pass


def test_limits_are_bounded_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pulsegate.taxii.attempts.PLACES", 10)
    attempts = Attempts()
    for number in range(100):
        attempts.failed((f"192.0.2.{number}", b"name"))
        attempts.succeeded((f"192.0.2.{number}", b"other"), b"credential")
    assert (len(attempts._failures._kept), len(attempts._known._kept)) == (10, 10)


# --- Certificates ---------------------------------------------------------------------------------------------------


def test_certificate_is_the_account_that_it_is_mapped_to(server: Server, world: Database) -> None:
    with world.write() as connection:
        accounts.add_certificate(connection, "gateway", SUBJECT)
    answer = server.post(None, subject="cn=esa1, O=Example")
    assert b"Poll_Response" in answer.data
    with world.write() as connection:
        accounts.remove_certificate(connection, "gateway", SUBJECT)
    assert server.status(None, subject=SUBJECT) == 401


def test_header_wins_over_the_certificate(server: Server, world: Database) -> None:
    with world.write() as connection:
        accounts.add_certificate(connection, "gateway", SUBJECT)
        accounts.add(connection, "other", "other-password")
    assert server.status("wrong", subject=SUBJECT) == 401
    assert refusal(server.post("other-password", "other", subject=SUBJECT)) == (200, "NOT_FOUND")
    assert server.status(subject="CN=unmapped") == 200


def test_certificate_of_nobody_is_told_how_it_becomes_an_account(server: Server, logged: list[Any]) -> None:
    answer = server.post(None, subject="CN=it's me,O=Example")
    assert refusal(answer) == (401, "UNAUTHORIZED")
    assert answer.headers.getlist("WWW-Authenticate") == [BASIC, BEARER]
    assert tm11.get_message_from_xml(answer.data).message == (
        "The client certificate CN=it's me,O=Example belongs to no account; the administrator gives it to one: "
        """pulsegate account certificate NAME --subject 'CN=it'"'"'s me,O=Example'"""
    )
    assert [one["event"] for one in logged] == ["auth.certificate_refused"]


@pytest.mark.parametrize("subject", ["nonsense", "CN=\x01\x02", "CN=\ufffe", "CN=\ud800", "CN=" + "x" * 9000])
def test_strange_subject_is_refused_with_a_body(server: Server, subject: str) -> None:
    assert refusal(server.post(None, subject=subject)) == (401, "UNAUTHORIZED")


def test_client_can_not_name_a_subject_in_a_header(server: Server, world: Database) -> None:
    with world.write() as connection:
        accounts.add_certificate(connection, "gateway", SUBJECT)
    headers = {"pulsegate.client_subject": SUBJECT, "Pulsegate-Client-Subject": SUBJECT}
    assert server.app.test_client().post("/taxii/poll", data=POLL.to_xml(), headers=headers).status_code == 401


# --- Rights ---------------------------------------------------------------------------------------------------------


def messages(name: str) -> list[tuple[Any, bool]]:
    """Every message that names a collection, and whether it is of TAXII 1.0."""
    subscription = {"subscription_parameters": tm11.SubscriptionParameters()}
    subscriptions: list[Any] = [
        tm11.ManageCollectionSubscriptionRequest(
            "1", action=action, collection_name=name, subscription_id=identifier,
            **(subscription if action == "SUBSCRIBE" else {}),
        )
        for action, identifier in (("SUBSCRIBE", None), ("STATUS", None), ("UNSUBSCRIBE", "1"))
    ]  # fmt: skip
    return [
        (tm11.PollRequest("1", collection_name=name, poll_parameters=tm11.PollParameters()), False),
        (tm11.PollFulfillmentRequest("1", collection_name=name, result_id="1", result_part_number=1), False),
        *[(one, False) for one in subscriptions],
        (tm10.PollRequest("1", feed_name=name), True),
        (tm10.ManageFeedSubscriptionRequest("1", feed_name=name, action="SUBSCRIBE"), True),
        (tm10.ManageFeedSubscriptionRequest("1", feed_name=name, action="STATUS"), True),
    ]


@pytest.mark.parametrize("number", range(8))
def test_collection_without_rights_is_as_if_it_were_not_there(server: Server, world: Database, number: int) -> None:
    with world.write() as connection:
        accounts.add(connection, "outsider", PASSWORD)
    hidden, old = messages("subscribed")[number]
    missing, _ = messages("unthinkable")[number]
    answers = [server.post(PASSWORD, "outsider", message=one, old=old) for one in (hidden, missing)]
    assert [refusal(one) for one in answers] == [(200, "NOT_FOUND")] * 2
    texts = [" ".join(line for line in one.text.splitlines() if "message_id" not in line) for one in answers]
    assert texts[0].replace("subscribed", "unthinkable") == texts[1]


def test_collection_without_rights_is_not_listed(server: Server, world: Database) -> None:
    with world.write() as connection:
        accounts.add(connection, "outsider", PASSWORD)
    listed = tm11.get_message_from_xml(server.post(PASSWORD, "outsider", message=COLLECTION).data)
    assert listed.collection_informations == []
    feeds = server.post(PASSWORD, "outsider", message=tm10.FeedInformationRequest("1"), old=True)
    assert tm10.get_message_from_xml(feeds.data).feed_informations == []


def test_right_to_all_holds_for_collections_to_come(server: Server, world: Database) -> None:
    with world.write() as connection:
        collections.put(connection, SUBSCRIBED.__class__(name="later"))
        ledger.open_(connection, "later")
    later = tm11.PollRequest("1", collection_name="later", poll_parameters=tm11.PollParameters())
    assert b"Poll_Response" in server.post(message=later).data


def test_log_is_json_without_secrets(server: Server, logged: list[Any]) -> None:
    server.status(SECRET)
    server.status(header=f"Bearer {SECRET}")
    server.app.test_client().post("/management/auth", json={"username": "gateway", "password": SECRET})
    assert len(logged) == 3
    assert SECRET not in json.dumps(logged)


# --- Accounts that are disabled -------------------------------------------------------------------------------------


def test_disabled_account_is_refused_whatever_it_shows_until_it_is_enabled(server: Server, world: Database) -> None:
    with world.write() as connection:
        accounts.add_certificate(connection, "gateway", SUBJECT)
    token = server.token()

    def answers() -> list[int]:
        return [server.status(), server.bearer(token), server.status(None, subject=SUBJECT)]

    assert answers() == [200, 200, 200]
    with world.write() as connection:
        accounts.disable(connection, "gateway")
    assert answers() == [401, 401, 401]
    assert b"The account is disabled" in server.post().data
    assert server.status("wrong") == 401
    assert b"disabled" not in server.post("wrong").data  # who can't prove to be it learns nothing of it
    with world.write() as connection:
        accounts.enable(connection, "gateway")
    assert answers() == [200, 200, 200]

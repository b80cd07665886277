"""Alarms, really sent: to a webhook on this machine, through Apprise."""

from __future__ import annotations

import io
import logging
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog

from functional.webhook import Webhook
from pki import Authority
from pulsegate.cli import alarms, logs
from pulsegate.cli.alarms import Watch
from pulsegate.cli.feeding import Feeding
from pulsegate.cli.setup import Installation
from pulsegate.curation.policy import Policy
from pulsegate.errors import StoreError
from pulsegate.settings import Settings
from pulsegate.store import alarms as stored
from pulsegate.store import sources
from pulsegate.store.database import Database

HOUR = timedelta(hours=1)
SECRET = "s3cret-0123456789"
ON = f"Pulsegate on {socket.gethostname()}: "
SERVED = "What is published goes on being served."
STALE = ("failure", f"{ON}otx: stale", f"The source otx was not pulled completely for 7h. {SERVED}")
WELL = ("success", f"{ON}otx: well again", "The source otx was pulled completely again")


@dataclass
class Clock:
    """Time that passes when it is told to."""

    passed: float = 1000.0
    slept: list[float] = field(default_factory=list)

    def monotonic(self) -> float:
        return self.passed

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.passed += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(alarms, "time", made)
    return made


@pytest.fixture
def hook(clock: Clock) -> Iterator[Webhook]:
    with Webhook() as made:
        yield made


@pytest.fixture
def said() -> Iterator[Callable[[], str]]:
    """What was logged since it was asked last, by Apprise too; no secret is in it."""
    handlers, level, stream = logging.root.handlers[:], logging.root.level, io.StringIO()
    logs.configure(logging.DEBUG)
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(stream))

    def text() -> str:
        read = stream.getvalue()
        stream.seek(0)
        stream.truncate()
        assert SECRET not in read
        return read

    yield text
    text()
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


class World:
    """An installation with the source otx, and those that watch over it one after the other."""

    def __init__(self, database: Database, *addresses: str, **more: Any) -> None:
        self.database = database
        found = Settings.model_validate({"alarms": {"notify": list(addresses)}} | more)
        self._where = Installation(found, database, Policy(), demo=False)
        with database.write() as connection:
            sources.ensure(connection, "otx", "shape")
        self.start()

    def start(self) -> None:
        """A worker starts."""
        self.watch = Watch(self._where, [Feeding("otx", self._where.settings.otx)])

    def put(self, age: timedelta, **values: Any) -> None:
        """It was complete so long ago."""
        with self.database.write() as connection:
            sources.update(connection, "otx", completed=datetime.now(UTC) - age, **values)

    @property
    def told(self) -> str:
        with self.database.read() as connection:
            found = sources.get(connection, "otx")
        assert found is not None
        return found.alarms


def messages(hook: Webhook) -> list[tuple[str, str, str]]:
    return [(kind, title, text) for _, kind, title, text in hook.taken]


def test_alarm_and_its_end_are_told_once(database: Database, hook: Webhook, said: Callable[[], str]) -> None:
    world = World(database, hook.address(f"/{SECRET}?+X-Key={SECRET}", f"user:{SECRET}@"))
    for age, expected in ((HOUR, []), (7.5 * HOUR, [STALE]), (8 * HOUR, [STALE]), (HOUR, [STALE, WELL])):
        world.put(age)
        for _ in range(3):
            world.watch()
        assert messages(hook) == expected
    events = [line.split("] ")[1].split(" ")[0] for line in said().splitlines() if "alarm" in line]
    assert [one for one in events if one.startswith("alarm.")] == ["alarm.raised", "alarm.cleared"]


def test_alarm_is_not_told_again_by_the_next_worker(database: Database, hook: Webhook, said: Callable[[], str]) -> None:
    world = World(database, hook.address())
    world.put(7.5 * HOUR)
    world.watch()
    said()
    world.start()
    world.watch()
    assert (messages(hook), "alarm.raised" in said()) == ([STALE], False)


def test_alarms_are_kept_from_when_they_are_raised_until_they_are_over(database: Database, clock: Clock) -> None:
    world = World(database)
    world.put(7.5 * HOUR, held=3)
    for _ in range(2):
        world.watch()
        world.start()
    world.put(HOUR, held=3)
    world.watch()
    with database.read() as connection:
        found = [(one.kind, one.text, one.cleared is not None) for one in stored.latest(connection, limit=9)]
    assert [(kind, over) for kind, _, over in found] == [("held", False), ("stale", True)]
    assert found[1][1] == STALE[2]


def test_each_kind_of_alarm_is_told_for_itself(database: Database, hook: Webhook) -> None:
    world = World(database, hook.address())
    world.put(7.5 * HOUR, held=3)
    world.watch()
    assert [title for _, title, _ in messages(hook)] == [f"{ON}otx: held", f"{ON}otx: stale"]
    assert world.told == "held stale"
    world.put(HOUR, held=3)
    world.watch()
    assert (messages(hook)[2:], world.told) == ([WELL], "held")


def test_nobody_wants_to_be_told(database: Database, clock: Clock, said: Callable[[], str]) -> None:
    world = World(database)
    world.put(7.5 * HOUR)
    world.watch()
    world.watch()
    assert (world.told, said().count("alarm.raised")) == ("stale", 1)


def test_alarm_is_told_as_soon_as_somebody_can_be_reached(
    database: Database, hook: Webhook, clock: Clock, said: Callable[[], str]
) -> None:
    """The way to OTX and the way to the mail server are often the same."""
    world = World(database, hook.address("/a"))
    hook.status["/a"] = 503
    world.put(7.5 * HOUR)
    for _ in range(60 * 24):  # a day of looks
        world.watch()
        clock.passed += 60
    assert (hook.taken, world.told, clock.slept[:2]) == ([], "", [5.0, 5.0])
    assert 3 * 24 <= len(hook.asked) <= 3 * 30
    log = said()
    assert log.count("alarm.raised") == 1
    assert log.count("alarm.not_sent") == len(hook.asked) / 3
    hook.status.clear()
    clock.passed += 3600
    world.watch()
    world.watch()
    assert (messages(hook), world.told) == ([STALE], "stale")


def test_alarm_that_is_over_before_anybody_could_be_reached_is_not_told(
    database: Database, hook: Webhook, clock: Clock
) -> None:
    world = World(database, hook.address("/a"))
    hook.status["/a"] = 503
    world.put(7.5 * HOUR)
    world.watch()
    hook.status.clear()
    world.put(HOUR)
    clock.passed += 3600
    world.watch()
    assert (hook.taken, world.told) == ([], "")


def test_end_of_an_alarm_is_told_as_soon_as_somebody_can_be_reached(
    database: Database, hook: Webhook, clock: Clock
) -> None:
    world = World(database, hook.address("/a"))
    world.put(7.5 * HOUR)
    world.watch()
    hook.status["/a"] = 503
    world.put(HOUR)
    world.watch()
    assert world.told == "stale"
    hook.status.clear()
    clock.passed += 3600
    world.watch()
    assert (messages(hook), world.told) == ([STALE, WELL], "")


def test_who_can_be_reached_is_told_once_whoever_can_not(
    database: Database, hook: Webhook, said: Callable[[], str]
) -> None:
    world = World(database, hook.address(f"/{SECRET}"), hook.address("/b"), f"nothing://{SECRET}")
    hook.status[f"/{SECRET}"] = 500
    world.put(7.5 * HOUR)
    world.watch()
    world.watch()
    assert (messages(hook), world.told) == ([STALE], "stale")
    assert hook.asked == [f"/{SECRET}", "/b", f"/{SECRET}", f"/{SECRET}"]
    log = said()
    assert [f"address={number}" in log for number in (1, 2, 3)] == [True, False, True]


def test_address_that_is_busy_for_a_moment_is_tried_again(database: Database, hook: Webhook, clock: Clock) -> None:
    world = World(database, hook.address("/a"))
    hook.status["/a"] = 503
    clock.sleep = lambda _: hook.status.clear()  # type: ignore[method-assign, assignment]
    world.put(7.5 * HOUR)
    world.watch()
    assert (messages(hook), hook.asked) == ([STALE], ["/a", "/a"])


@pytest.mark.parametrize(
    ("dies_at", "told"), [("tell", [STALE]), ("sources", [STALE, STALE])], ids=["before the message", "after it"]
)
def test_worker_that_dies_does_not_lose_an_alarm(
    database: Database, hook: Webhook, monkeypatch: pytest.MonkeyPatch, dies_at: str, told: list[Any]
) -> None:
    """Rather twice than not at all."""
    world = World(database, hook.address())
    world.put(7.5 * HOUR)

    def die(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(*((alarms, "tell") if dies_at == "tell" else (sources, "update")), die)
        with pytest.raises(KeyboardInterrupt):
            world.watch()
    assert world.told == ""
    world.start()
    world.watch()
    assert (messages(hook), world.told) == (told, "stale")


def test_database_that_can_not_be_read_is_said_and_stops_nothing(
    database: Database, hook: Webhook, monkeypatch: pytest.MonkeyPatch, said: Callable[[], str]
) -> None:
    world = World(database, hook.address())
    world.put(7.5 * HOUR)

    def fail(*_: Any) -> None:
        raise StoreError("is locked")

    with monkeypatch.context() as patch:
        patch.setattr(alarms.sources, "get", fail)
        world.watch()
    assert "is locked" in said()
    world.watch()
    assert messages(hook) == [STALE]


@pytest.mark.parametrize(("stale_after", "seconds"), [("6h", 60), ("2s", 2)])
def test_alarm_comes_no_later_than_its_own_time(database: Database, stale_after: str, seconds: int) -> None:
    settings = Settings.model_validate({"otx": {"stale_after": stale_after}})
    where = Installation(settings, database, Policy(), demo=False)
    assert Watch(where, [Feeding("otx", settings.otx)]).interval == timedelta(seconds=seconds)


def test_certificate_that_ends_is_an_alarm_as_the_others_are(database: Database, hook: Webhook, said, tmp_path) -> None:
    authority = Authority(tmp_path / "pki")
    pair = authority.issue("server", "/CN=localhost", days="12")
    world = World(database, hook.address(), tls={"certificate": pair.certificate, "key": pair.key})
    world.put(HOUR)
    for _ in range(2):
        for _ in range(2):
            world.watch()
        world.start()  # another worker knows what was told
    ((kind, title, text),) = messages(hook)
    assert (kind, title) == ("failure", f"{ON}certificate: ends")
    assert text.startswith(f"The certificate {pair.certificate} ends in 11 days, at 20")
    with database.read() as connection:
        assert [(one.source, one.kind, one.cleared) for one in stored.latest(connection, limit=9)] == [
            ("certificate", "ends", None)
        ]
    pair.key.write_text("half a file")
    for _ in range(3):
        world.watch()
    assert [(one[0], one[1]) for one in messages(hook)[1:]] == [
        ("failure", f"{ON}certificate: refused"),
    ]  # fmt: skip
    authority.issue("server", "/CN=localhost")
    for _ in range(2):
        world.watch()
    assert messages(hook)[2:] == [
        ("success", f"{ON}certificate: well again", "A new certificate is in its place"),
        ("success", f"{ON}certificate: well again", "The certificate's files can be used again"),
    ]
    with database.read() as connection:
        assert stored.open_kinds(connection, "certificate") == set()


def test_alarm_about_the_certificate_ends_when_tls_is_switched_off(
    database: Database, hook: Webhook, said, tmp_path
) -> None:
    pair = Authority(tmp_path / "pki").issue("server", "/CN=localhost", days="12")
    world = World(database, hook.address(), tls={"certificate": pair.certificate, "key": pair.key})
    world.put(HOUR)
    world.watch()
    world = World(database, hook.address())
    for _ in range(2):
        world.watch()
    assert messages(hook)[1:] == [("success", f"{ON}certificate: well again", "TLS is off")]
    with database.read() as connection:
        assert stored.open_kinds(connection, "certificate") == set()


def test_host_without_the_certificates_files_does_not_watch_them(
    database: Database, hook: Webhook, said, tmp_path
) -> None:
    world = World(database, hook.address(), tls={"certificate": tmp_path / "none.pem", "key": tmp_path / "none.key"})
    world.put(HOUR)
    for _ in range(3):
        world.watch()
    assert messages(hook) == []

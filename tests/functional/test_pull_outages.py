"""Single troubles that users of OTX have reported, one pull after the other through real HTTP.

Public reports are named where a test is about one: SDK = AlienVault-OTX/OTX-Python-SDK, conn = OpenCTI connectors.
"""

from __future__ import annotations

import contextlib
import json
import ssl
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from functional.otx_world import BACKFILL, DAY, HOUR, KEY, LONGEST, MINUTE, filled, world_of
from pki import Authority
from pulsegate.curation.policy import Policy
from pulsegate.errors import OTXError, OTXKeyError, OTXRateLimitedError, OTXUnavailableError
from pulsegate.otx.client import OTXClient
from pulsegate.otx.dates import write_date
from pulsegate.otx.simulator import Misbehaviour
from pulsegate.sync.alarm import STALE, complaints
from pulsegate.sync.pull import pull
from pulsegate.sync.wanted import Pace, Wanted
from store.databases import each_kind as database_kind
from sync.pulls import served

__all__ = ["database_kind"]

SUBSCRIBED = "/pulses/subscribed"
IDS = "/pulses/subscribed_pulse_ids"


@pytest.fixture
def world(new_database, tmp_path):
    with world_of(new_database(tmp_path / "world.db")) as made:
        yield made


def pages(world):
    """Which pages of the subscription were asked for."""
    return [int(one.query["page"]) for one in world.otx.requests if one.path == SUBSCRIBED]


# --- An outage that lasts --------------------------------------------------------------------------------------------


def test_504_on_page_400_of_500_for_an_hour(new_database, tmp_path, pulsegate):
    """SDK#82, #55, #53: the pull goes on at that page, what is there is served, and it is said what fails."""
    with world_of(new_database(tmp_path / "world.db"), page_size=1) as world:
        for number in range(1, 501):
            world.put(number, {f"{number}.example"}, age=number * MINUTE)
        world.otx.misbehave(Misbehaviour.GATEWAY_TIMEOUT, path=SUBSCRIBED, page=400)
        assert isinstance(world.run(), OTXUnavailableError)
        began, feed = world.moment, served(world.store)
        assert sorted(feed) == sorted(f"{number}.example" for number in range(1, 400))
        world.otx.forget_requests()
        wait = MINUTE
        while world.moment - began < HOUR:
            failure = world.run(pause=wait)
            assert isinstance(failure, OTXUnavailableError)
            assert world.naps == [1.0, 2.0, 4.0, 8.0]
            assert served(world.store) == feed
            wait = min(2 * wait, 15 * MINUTE)
        assert set(pages(world)) == {400}
        status(pulsegate, world, began, failure)
        stale = complaints(world.source(), HOUR, world.moment)
        assert list(stale) == [STALE]
        assert "was never pulled completely" in stale[STALE]
        assert "504" in stale[STALE]
        world.otx.behave()
        assert world.run() is None
        assert sorted(set(pages(world))) == list(range(400, 501))
        assert world.source().failing is None
        assert complaints(world.source(), HOUR, world.moment) == {}
        world.judge_end()


def status(pulsegate, world, began, failure):
    """What ``pulsegate status`` says meanwhile."""
    told = pulsegate("status", "--json", PULSEGATE_DATABASE=world.store.url, OTX_API_KEY=KEY)
    assert told.returncode == 0, told.stderr
    (source,) = [one for one in json.loads(told.stdout)["sources"] if one["name"] == "otx"]
    failing = datetime.fromisoformat(source["failing_since"])
    assert abs(failing - began) < MINUTE
    walk = source["walk"]
    assert (walk["taken"], walk["of"], source["error"], source["completed"]) == (399, 500, str(failure), None)


def test_502_then_504_then_an_empty_page(world):
    """otx_misp#37: an empty page deletes nothing."""
    filled(world)
    world.settle(1)
    before = served(world.store)
    for kind in (Misbehaviour.BAD_GATEWAY, Misbehaviour.GATEWAY_TIMEOUT, Misbehaviour.EMPTY_PAGE):
        world.otx.misbehave(kind, path=SUBSCRIBED, times=1)
    assert world.run(full=True) is None
    assert world.naps == [1.0, 2.0]
    assert served(world.store) == before
    world.settle(1)
    world.judge_end()


@pytest.mark.parametrize("page", [2, 3, 4])
def test_empty_page_in_the_middle_ends_nothing(world, page):
    filled(world)
    world.otx.misbehave(Misbehaviour.EMPTY_PAGE, path=SUBSCRIBED, page=page)
    assert isinstance(world.run(), OTXError)
    assert world.source().watermark is None
    world.otx.behave()
    assert world.run() is None
    world.judge_end()


def test_empty_whole_walk_passes_nothing_over(world):
    """Many that are new call for one; when it comes out empty, they are still new."""
    filled(world)
    world.settle(1)
    world.change("unsubscribe_user", 2)
    world.settle(1)
    world.change("subscribe_user", 2)
    world.otx.misbehave(Misbehaviour.EMPTY_PAGE, path=SUBSCRIBED)
    world.run(compare=True)
    world.settle(1)
    world.judge_end()


# --- How long it waits -----------------------------------------------------------------------------------------------


def in_two_minutes():
    return format_datetime(datetime.now(UTC) + timedelta(minutes=2), usegmt=True)


@pytest.mark.parametrize(("header", "wait"), [("86400", LONGEST), ("30", 30.0), (in_two_minutes, 119.0), (None, 1.0)])
def test_429_is_waited_for_as_it_asks_but_not_for_a_day(world, header, wait):
    filled(world)
    world.settle(1)
    retry_after = header() if callable(header) else header
    world.otx.misbehave(Misbehaviour.RATE_LIMIT, path=SUBSCRIBED, times=1, retry_after=retry_after)
    assert world.run() is None
    assert world.naps == [pytest.approx(wait, abs=3)]


def test_429_that_stays_fails_the_run_and_says_how_long_to_wait(world):
    world.otx.misbehave(Misbehaviour.RATE_LIMIT, retry_after="86400")
    failure = world.run()
    assert isinstance(failure, OTXRateLimitedError)
    assert failure.retry_after == 86_400
    assert world.naps == [LONGEST] * 12  # events, ids, walk


def test_429_that_asks_for_a_key_is_not_waited_for(world):
    filled(world)
    world.settle(1)
    world.otx.misbehave(Misbehaviour.ASKS_FOR_KEY)
    assert isinstance(world.run(), OTXKeyError)
    assert world.naps == []


# --- A list that moves while it is walked ----------------------------------------------------------------------------


@pytest.mark.parametrize(("which", "many"), [("removed", 1), ("removed", 3), ("modified", 1), ("modified", 3)])
@pytest.mark.parametrize("path", [SUBSCRIBED, IDS])
def test_rows_that_move_between_two_pages(world, which, many, path):
    filled(world)
    world.otx.misbehave(Misbehaviour.SHIFT, path=path, which=which, many=many)
    world.run()
    world.settle(2)
    world.judge_end()


@pytest.mark.parametrize("during", [
    [("unsubscribe_user", 2), ("subscribe_user", 2)], [("delete", 1), ("subscribe", 3)],
    [("unsubscribe", 1), ("unsubscribe", 2), ("subscribe", 3)], [("modify", 9), ("unsubscribe", 9), ("subscribe", 9)],
])  # fmt: skip
def test_subscription_that_changes_while_a_walk_is_broken_off(world, during):
    """What comes and goes, so that the list is as long as before, is missed by no walk that goes on after it."""
    filled(world)
    world.change("unsubscribe", 3)
    world.otx.misbehave(Misbehaviour.UNAVAILABLE, path=SUBSCRIBED, page=3)
    world.page_size = 1
    assert isinstance(world.run(), OTXUnavailableError)
    for what, number in during:
        world.change(what, number)
    world.settle(2)
    world.judge_end()


@pytest.mark.parametrize("before", [3, 6, 9, 12])
def test_author_who_is_subscribed_to_again_during_a_walk(world, before):
    """A pulse that is modified while it is in no list is not passed over for ever."""
    filled(world)
    world.settle(1)
    world.step = 10 * MINUTE
    world.put(4, {"new.example"})

    def out():
        world.change("unsubscribe_user", 2)
        world.put(4, {"newer.example"})

    world.plans = {world.asked + before: [out], world.asked + before + 3: [lambda: world.change("subscribe_user", 2)]}
    world.run(full=True)
    world.settle(2)
    world.judge_end()


def test_next_that_names_another_host_is_not_followed(world):
    filled(world)
    world.otx.misbehave(Misbehaviour.FOREIGN_NEXT)
    assert world.run() is None
    world.judge_end()
    world.otx.misbehave(Misbehaviour.FOREIGN_NEXT)
    world.change("delete", 1)
    assert world.run(compare=True) is None
    world.judge_end()


def test_answers_are_asked_for_packed(world):
    filled(world)
    world.run()
    assert {one.headers["accept-encoding"] for one in world.otx.requests} == {"gzip"}
    world.judge_end()


# --- Certificates ----------------------------------------------------------------------------------------------------


def test_certificate_that_does_not_verify_takes_nothing_away(world, tmp_path):
    filled(world)
    world.settle(1)
    before = served(world.store)
    world.put(1, {"changed.example"})
    authority = Authority(tmp_path / "ca")
    for pair, trusted in (
        (authority.issue("old", "/CN=localhost", days="-1"), False),
        (authority.issue("new", "/CN=localhost"), True),
    ):
        with speaking_tls(world, pair) as url, OTXClient(url, KEY, ca_file=authority.ca, timeout=(2, 2)) as client:
            asked = len(world.otx.requests)
            naps: list[float] = []
            outcome = (
                contextlib.nullcontext() if trusted else pytest.raises(OTXError, match="certificate isn't trusted")
            )
            with outcome:
                pull(world.store, client, Policy(), Wanted(url="", backfill=BACKFILL), Pace(sleep=naps.append), wait=0)
            assert (naps, len(world.otx.requests) > asked) == ([], trusted)
        assert (served(world.store) == before) is not trusted
    world.judge_end()


@contextlib.contextmanager
def speaking_tls(world, pair):
    """The local OTX behind a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    world.otx.stop()
    world.otx.start()
    server = world.otx._server
    server.socket = context.wrap_socket(server.socket, server_side=True)
    yield world.otx.url.replace("http:", "https:")
    world.otx.stop()
    world.otx.start()


# --- What is taken ---------------------------------------------------------------------------------------------------


def test_user_who_subscribes_to_nothing(world, pulsegate):
    """SDK#25: it says so, and how to subscribe."""
    told = pulsegate("pull", PULSEGATE_DATABASE=world.store.url, PULSEGATE_OTX__URL=world.otx.url, OTX_API_KEY=KEY)
    assert told.returncode == 0, told.stderr
    assert (
        "OTX sent no subscribed pulses. Open an author's or a pulse's page on OTX and choose Subscribe."
        in told.stderr + told.stdout
    )


def test_pulse_made_long_ago_and_modified_now_is_taken(world):
    """conn#1435."""
    world.put(1, {"old.example"})
    world.run()
    assert served(world.store) == ["old.example"]


def test_100_000_old_indicators_are_not_asked_for(world):
    """conn#751: the first pull goes as far back as is wanted, and gives no value twice."""
    for number in range(2, 22):
        world.put(number, {f"{n}.example" for n in range(5000)}, age=500 * DAY)
    world.put(1, {"1.example", "new.example"})
    world.put(22, {"2.example", "new.example"})
    world.settle(2)
    assert sorted(served(world.store)) == ["1.example", "2.example", "new.example"]
    assert [one.path for one in world.otx.requests if one.path.endswith("/indicators")] == []
    world.judge_end()


def test_indicator_that_has_expired_is_not_served_and_one_without_an_end_is(world):
    """SDK#70."""
    rows = [
        {"id": n, "type": "domain", "indicator": f"{n}.example", "expiration": expiration}
        for n, expiration in enumerate([None, write_date(world.moment), "2100-01-01T00:00:00"])
    ]
    world.otx.put({"id": f"{1:024x}", "name": "x", "modified": write_date(world.clock()), "indicators": rows})
    world.known[f"{1:024x}"] = {"0.example", "2.example"}
    with OTXClient(world.otx.url, KEY) as client:
        pull(world.store, client, Policy(), Wanted(), Pace(), wait=0)
    assert served(world.store) == ["0.example", "2.example"]

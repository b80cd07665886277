"""The page of sources: settings without keys, state, history, and what the worker is asked for."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from packages import package
from pulsegate.model.collection import Collection, CollectionKind
from pulsegate.model.marks import Marks
from pulsegate.publication import inbox
from pulsegate.publication.inbox import Pushed
from pulsegate.settings import OTXSettings, UpstreamSettings
from pulsegate.stix import Package
from pulsegate.store import audit, blocks, collections, locks, pulses, runs, sources, taken, tasks
from pulsegate.store.sources import PULSE, SUBSCRIPTION, Walk
from pulsegate.sync.standing import Feed
from pulsegate.web import app, paging
from store.test_pulses import a_name, a_pulse
from web.conftest import Browser
from web.seen import beside

EVIL = "<script>alert(1)</script>"
KEY = "s3cret-key-of-otx"
NOW = datetime.now(UTC)


@pytest.fixture
def site(site):
    """One source that is on, with everything set; one that is off."""
    full = OTXSettings(
        api_key=SecretStr(KEY), authors=["AlienVault", EVIL], pulses=["0" * 24], searches=["emotet"],
        cron="*/15 6-20 * * mon-fri", proxy="http://user:w0rd-of-the-proxy@proxy:3128",
    )  # fmt: skip
    return replace(
        site, feeds=(Feed("otx", full, is_on=True), Feed("partner", OTXSettings(enabled=False), is_on=False))
    )


def text_of(answer):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.text))


def put(site, name="otx", **values):
    with site.database.write() as connection:
        sources.ensure(connection, name, "shape")
        if values:
            sources.update(connection, name, **values)


def hold_back(site, *numbers, name="otx", via=SUBSCRIPTION):
    """So many pulses of it wait for their removal."""
    with site.database.write() as connection:
        for one in numbers:
            taken.put(connection, a_pulse(one), [a_name(f"{one}.example.net")], lambda _: Marks())
        keys = [pulses.get(connection, a_pulse(one).id).pk for one in numbers]
        sources.ensure(connection, name, "shape")
        sources.claim(connection, name, via, keys)
        sources.hold_back(connection, name, via, keys)
    return keys


def asked(site):
    with site.database.read() as connection:
        found = [(one.kind, dict(one.arguments), one.account) for one in tasks.latest(connection)]
        changes = [(one.account, one.action, one.subject) for one in audit.every(connection, limit=9)]
    return found, changes


@pytest.mark.parametrize("name", ["ann", "carl", "vera"])
def test_settings_are_shown_to_each_role_without_secrets(logged_in, name):
    answer = logged_in(name).get("/admin/sources/otx/")
    text = text_of(answer)
    for wanted in ("https://otx.alienvault.com", "AlienVault", "0" * 24, "emotet", "*/15 6-20 * * mon-fri", "Key set"):
        assert wanted in text
    assert KEY not in answer.text
    assert "w0rd-of-the-proxy" not in answer.text
    assert EVIL not in answer.text
    assert ("Pull now" in text) == (name == "ann")


def test_list_says_how_each_fares(logged_in, site):
    put(
        site,
        completed=NOW,
        failing=NOW,
        error=f"OTX answered 504 {EVIL}",
        next_try=datetime.now(UTC) + timedelta(minutes=9),
    )
    put(site, "gone")
    answer = logged_in("vera").get("/admin/sources/")
    text = text_of(answer)
    assert "failing" in text
    assert "OTX answered 504" in text
    assert "in 9 minutes" in text
    assert "Switched off (enabled: false)." in text
    assert "pulsegate source remove gone" in text
    assert EVIL not in answer.text


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({}, "not pulled yet"),
        ({"completed": NOW}, "up to date"),
        ({"completed": NOW, "held": 2}, "removals wait"),
        ({"completed": NOW - timedelta(hours=7)}, "not up to date"),
        ({"walk": Walk(NOW, NOW, offset=40, count=200)}, "not complete yet"),
        ({"completed": NOW, "failing": NOW, "held": 2}, "failing"),
    ],
)
def test_state_is_one_word(logged_in, site, values, word):
    put(site, **values)
    (found,) = re.findall(
        r'<span class="badge \w+">([^<]+)</span>', logged_in("vera").get("/admin/sources/otx/progress").text
    )
    assert found == word


def test_progress_of_a_pull_is_that_of_its_walk_and_outlives_a_reload(logged_in, site):
    put(site, walk=Walk(datetime.now(UTC) - timedelta(minutes=10), NOW, offset=500, count=2000))
    with site.database.write() as connection:
        run = runs.begin(connection, "otx")
        runs.advance(connection, run, 120, 3456)
    browser = logged_in("vera")
    with locks.hold(site.database, locks.pull("otx")):
        page, part = (
            browser.get("/admin/sources/otx/"),
            browser.get("/admin/sources/otx/progress", headers={"HX-Request": "1"}),
        )
    for answer in (page, part):
        text = text_of(answer)
        assert "500 of 2,000 pulses taken, about 30 min left" in text
        assert "120 pulses with 3,456 indicators read" in text
        assert 'value="500" max="2000"' in answer.text
        assert 'hx-trigger="every 2s"' in answer.text
    assert "<html" not in part.text
    after = browser.get("/admin/sources/otx/")
    assert "Broken off after 500 of 2,000 pulses" in text_of(after)
    assert "the process that ran it ended before it was done" in text_of(after)


@pytest.mark.parametrize(("data", "arguments"), [({}, {}), ({"full": "yes"}, {"full": True})])
def test_pull_is_asked_of_the_worker(logged_in, site, data, arguments):
    answer = logged_in("ann").post("/admin/sources/otx/pull", data)
    assert (answer.status_code, answer.location) == (303, "/admin/sources/otx/")
    assert asked(site) == ([("pull", {"source": "otx"} | arguments, "ann")], [("ann", "pull.start", "otx")])


def test_key_is_tested_by_the_worker_and_its_result_stays(logged_in, site):
    browser = logged_in("ann")
    assert browser.post("/admin/sources/otx/test").status_code == 303
    assert asked(site) == ([("key", {"source": "otx"}, "ann")], [("ann", "source.test", "otx")])
    with site.database.write() as connection:
        task = tasks.take(connection)
        tasks.finish(connection, task.pk, result={"owner": EVIL})
        sources.set_owner(connection, "otx", EVIL)
    answer = browser.get("/admin/sources/otx/")
    assert "OTX accepts the key. It belongs to the account" in text_of(answer)
    assert EVIL not in answer.text
    assert answer.text.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 3  # result, account of the key, author


@pytest.mark.parametrize("name", ["carl", "vera"])
@pytest.mark.parametrize("address", ["pull", "test"])
def test_pulls_and_tests_are_for_administrators(logged_in, site, name, address):
    assert logged_in(name).post(f"/admin/sources/otx/{address}").status_code == 403
    assert asked(site) == ([], [])


@pytest.mark.parametrize("address", ["pull", "test", "accept"])
def test_source_that_is_off_is_asked_for_nothing(logged_in, site, address):
    browser = logged_in("ann")
    answer = browser.post(f"/admin/sources/partner/{address}")
    assert answer.status_code == 409
    assert "is not pulled from" in answer.text
    assert browser.post(f"/admin/sources/nothing/{address}").status_code == 404
    assert asked(site) == ([], [])


def stamp_on(answer):
    found = re.search(r'name="stamp" value="([^"]+)"', answer.text)
    return found and found[1]


@pytest.mark.parametrize("via", [SUBSCRIPTION, PULSE])
def test_held_removals_are_shown_and_accepted_as_they_were_seen(logged_in, site, via):
    keys = hold_back(site, 1, 2, 3, via=via)
    browser = logged_in("carl")
    page = browser.get("/admin/sources/otx/held")
    assert "Take these 3 pulses away?" in page.text
    assert "3 removals wait for a decision" in browser.get("/admin/sources/").text
    assert asked(site) == ([], [])  # looking changes nothing
    stamp = stamp_on(page)
    assert browser.post("/admin/sources/otx/accept", {"stamp": stamp}).status_code == 303
    assert stamp == sources.stamp(keys)
    wanted = ("pull", {"source": "otx", "held": stamp}, "carl")
    assert asked(site) == ([wanted], [("carl", "pull.accept-removals", "otx")])


def test_removals_that_nobody_saw_are_not_accepted(logged_in, site):
    hold_back(site, 1, 2)
    browser = logged_in("carl")
    stamp = stamp_on(browser.get("/admin/sources/otx/held"))
    hold_back(site, 1, 2, 3)
    for data in ({"stamp": stamp}, {}):
        answer = browser.post("/admin/sources/otx/accept", data)
        assert answer.status_code == 409
        assert "other removals wait by now" in answer.text
    assert asked(site) == ([], [])


def test_viewer_sees_what_is_held_and_decides_nothing(logged_in, site):
    hold_back(site, 1)
    browser = logged_in("vera")
    page = browser.get("/admin/sources/otx/held")
    assert stamp_on(page) is None
    assert browser.post("/admin/sources/otx/accept", {"stamp": "x"}).status_code == 403
    assert asked(site) == ([], [])


def walked(browser, address, pattern):
    """What is found on each page, to the end and back to the front."""
    forth, back = [], []
    while address:
        answer = browser.get(address)
        forth.append(re.findall(pattern, answer.text))
        last, address = address, beside(answer, "next")
    while last:
        answer = browser.get(last)
        back.insert(0, re.findall(pattern, answer.text))
        last = beside(answer, "prev")
    return forth, back


def test_history_and_removals_are_paged_without_loss(logged_in, site, monkeypatch):
    monkeypatch.setattr(paging, "SIZE", 3)
    hold_back(site, *range(1, 9))
    with site.database.write() as connection:
        for number in range(8):
            run = runs.begin(connection, "otx" if number else "other")
            runs.finish(connection, run, runs.OK if number % 2 else runs.FAILED, f"error-{number} {EVIL}")
    browser = logged_in("vera")
    wanted = [["7", "6", "5"], ["4", "3", "2"], ["1"]]
    assert walked(browser, "/admin/sources/otx/", r"error-(\d)") == (wanted, wanted)
    forth, back = walked(browser, "/admin/sources/otx/held", r"<code>([0-9a-f]{24})</code>")
    assert forth == back
    assert [len(one) for one in forth] == [3, 3, 2]
    assert len({one for page in forth for one in page}) == 8
    assert EVIL not in browser.get("/admin/sources/otx/").text


@pytest.mark.parametrize("position", ["after=W10", "after=WyJ4Il0", "before=Wzk5OTk5OTk5OTk5OTk5OTld"])
def test_odd_position_is_the_first_page(logged_in, position):
    browser = logged_in("vera")
    assert browser.get(f"/admin/sources/otx/?{position}").status_code == 200
    assert browser.get(f"/admin/sources/otx/held?{position}").status_code == 200


def test_failed_run_is_told_in_japanese(logged_in, site):
    error = f"/api/v1/users/me: OTX refused the key with 403, saying '{EVIL}'. Check otx.proxy"
    put(site, completed=NOW, failing=NOW, error=error)
    with site.database.write() as connection:
        runs.finish(connection, runs.begin(connection, "otx"), runs.FAILED, error)
    answer = logged_in("vera").get("/admin/sources/otx/", headers={"Accept-Language": "ja"})
    told = "/api/v1/users/me: OTX がキーを拒否しました (403) (応答: &#39;&lt;script&gt;alert(1)&lt;/script&gt;&#39;)。otx.proxy を確認してください"
    assert answer.text.count(told) == 2
    assert "OTX refused the key" not in answer.text


@pytest.fixture
def browser_of():
    def make(site, name):
        made = Browser(app.create(site))
        assert made.log_in(name).status_code == 303
        made.get("/admin/me")
        return made

    return make


@pytest.fixture
def with_upstream(site):
    """An upstream that has three packages, two of which wait for their removal."""
    secret = "s3cret-of-the-upstream"
    found = UpstreamSettings(
        name="elsewhere", url="https://taxii.example.com/taxii/poll", collection=EVIL, username="reader",
        password=SecretStr(secret), max_age=timedelta(days=90),
    )  # fmt: skip
    with site.database.write() as connection:
        kept = Collection("taxii_elsewhere", kind=CollectionKind.INBOX, upstream="elsewhere")
        stored = collections.put(connection, kept)
    given = [Pushed(Package(package(f"{one}.example"), "1.2", 1)) for one in range(3)]
    inbox.receive(site.database, [stored], given)
    with site.database.write() as connection:
        keys = sorted(blocks.published(connection, stored.id))[:2]
        sources.ensure(connection, "elsewhere", "shape")
        sources.hold_packages(connection, "elsewhere", keys)
        sources.update(connection, "elsewhere", held=2)
    return replace(site, feeds=(*site.feeds, Feed("elsewhere", found, is_on=True))), keys, secret


def test_upstream_is_shown_without_its_password(with_upstream, browser_of):
    site, _, secret = with_upstream
    page = browser_of(site, "ann").get("/admin/sources/elsewhere/")
    told = text_of(page)
    for words in ("&lt;script&gt;", "taxii_elsewhere", "reader", "90 days", "2 packages are gone there at once"):
        assert words in told
    assert secret not in page.text
    assert "Test the key" not in told
    assert "<script>alert" not in page.text
    assert "2 removals wait" in text_of(browser_of(site, "vera").get("/admin/sources/"))


def test_removal_of_packages_is_accepted_as_it_was_seen(with_upstream, browser_of):
    site, keys, _ = with_upstream
    carl = browser_of(site, "carl")
    told = text_of(carl.get("/admin/sources/elsewhere/held"))
    assert "Take these 2 packages away?" in told
    assert carl.post("/admin/sources/elsewhere/accept", {"stamp": sources.stamp([*keys, 99])}).status_code == 409
    assert carl.post("/admin/sources/elsewhere/accept", {"stamp": sources.stamp(keys)}).status_code == 303
    with site.database.read() as connection:
        (task,) = (one for one in tasks.latest(connection, limit=9) if one.kind == "pull")
    assert task.arguments == {"source": "elsewhere", "held": sources.stamp(keys)}

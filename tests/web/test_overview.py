"""The overview: what is fresh, who polls and who has stopped, what is held, what waits, and what to do at first."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from pulsegate.model.collection import Collection, CollectionKind, ReviewMode
from pulsegate.model.marks import Marks
from pulsegate.publication.built_in import SUBSCRIBED
from pulsegate.publication.counting import recount
from pulsegate.publication.publish import publish_all
from pulsegate.store import accounts, alarms, collections, locks, polls, quarantine, sources, taken, tallies, tasks
from pulsegate.store.polls import PollRecord
from pulsegate.store.quarantine import INDICATOR, Quarantined
from pulsegate.store.tallies import Tally
from pulsegate.sync.standing import Feed
from pulsegate.web.chart import DAYS, HEIGHT, chart
from store.test_pulses import a_name, a_pulse

EVIL = "<script>alert(1)</script>"
MINUTE = timedelta(minutes=1)
TODAY = date(2026, 3, 1)


@pytest.fixture
def site(site):
    """With one source that is on."""
    return replace(site, feeds=(Feed("otx", site.settings.otx, is_on=True),))


def text_of(answer):
    assert answer.status_code == 200, answer.text
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.text))


def polled(site, *minutes, account="esa", collection="mail", outcome="answered", **more):
    now = datetime.now(UTC)
    records = [
        PollRecord(now - one * MINUTE, account, "10.0.0.7", "ESA", collection, None, None, None, 2, 9, 1, 0.1, outcome)
        for one in minutes
    ]
    with site.database.write() as connection:
        polls.insert_many(connection, [replace(one, **more) for one in records])


def row_of(answer, name):
    (found,) = [one for one in re.findall(r"<tr>.*?</tr>", answer.text, re.DOTALL) if f">{name}<" in one]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", found)).strip()


@pytest.mark.parametrize("name", ["ann", "carl", "vera"])
def test_overview_is_the_front_for_each_role(logged_in, name):
    answer = logged_in(name).get("/admin/")
    assert "<h1>Overview</h1>" in answer.text


def test_fresh_installation_says_what_to_do(logged_in, site, application):
    text = text_of(logged_in("vera").get("/admin/"))
    assert "not pulled yet" in text
    assert "Nobody has polled yet." in text
    assert "No worker is at work." in text
    assert "Nothing was published yet." in text
    assert "Nothing came or went in the last 30 days." in text
    assert "The worker has not counted the types yet." in text


def test_worker_that_is_at_work_is_told(logged_in, site):
    with locks.hold(site.database, locks.WORKER):
        text = text_of(logged_in("vera").get("/admin/"))
    assert "worker at work" in text
    assert "No worker is at work." not in text


def test_source_that_fails_is_told_with_its_alarm(logged_in, site):
    then = datetime.now(UTC) - timedelta(hours=9)
    with site.database.write() as connection:
        sources.ensure(connection, "otx", "shape")
        sources.update(connection, "otx", completed=then, failing=then, error=f"504 {EVIL}", held=3)
        alarms.raise_(connection, "otx", "stale", f"too old {EVIL}")
        alarms.raise_(connection, "otx", "held", "3 left")
        alarms.clear(connection, "otx", "held")
    answer = logged_in("vera").get("/admin/now", headers={"HX-Request": "true"})
    text = text_of(answer)
    assert "failing" in row_of(answer, "otx")
    assert "3 removals wait for a decision" in text
    assert "was not pulled completely for 9h" in text
    assert EVIL not in answer.text
    assert answer.text.count('class="notice bad" role="alert"') == 2  # no worker, and the alarm that is not over
    assert "<html" not in answer.text


def test_appliances_are_judged_by_their_own_interval(logged_in, site):
    polled(site, *range(3, 600, 60))
    polled(site, *range(200, 800, 60), collection="other")
    polled(site, 5, account="vera", collection=EVIL, outcome="UNAUTHORIZED", detail="may not")
    polled(site, 9000, account="carl")
    polled(site, 1, account="nobody")
    answer = logged_in("vera").get("/admin/")
    assert "stopped" in row_of(answer, "other")
    assert "1 hr" in row_of(answer, "other")
    assert "not answered" in row_of(answer, "vera")
    assert "UNAUTHORIZED may not" in row_of(answer, "vera")
    assert "polled seldom" in row_of(answer, "carl")
    assert "nobody" not in answer.text
    assert EVIL not in answer.text
    names = re.findall(r'<span class="value">(mail|other|carl|vera|esa)</span>', answer.text)
    assert names[:2] == ["esa", "other"]  # what needs a look comes first
    assert "1 stopped" in text_of(answer)


def test_collection_that_an_account_polls_no_more_is_forgotten_after_a_week(logged_in, site):
    polled(site, 3, 63, 123)
    polled(site, 11_000, 11_060, 11_120, collection="former")
    assert "former" not in logged_in("vera").get("/admin/").text


def test_spellings_of_a_collection_are_one(logged_in, site):
    polled(site, 3, 63, 123, collection="user_a b+c")
    polled(site, 183, 243, 303, collection="user_a+b+c")
    answer = logged_in("vera").get("/admin/")
    assert "polls" in row_of(answer, "user_a b+c")
    assert "1 hr" in row_of(answer, "user_a b+c")
    assert "user_a+b+c" not in answer.text


def test_what_is_served_is_counted_by_type_as_of_the_workers_count(logged_in, site):
    with site.database.write() as connection:
        collections.put(connection, SUBSCRIBED)
        taken.put(connection, a_pulse(1), [a_name("a.example.net"), a_name("b.example.net")], lambda _: Marks())
    publish_all(site.database, site.policy)
    browser = logged_in("vera")
    before = text_of(browser.get("/admin/"))
    assert "subscribed 2" in before
    assert "The worker has not counted the types yet." in before
    recount(site.database)
    after = browser.get("/admin/")
    assert re.search(r"(domain|hostname) 2", text_of(after))
    assert "Beside them: 1 collections of single authors." in text_of(after)
    assert "Published up to" in text_of(after)


def test_what_waits_for_review_is_counted_now_or_as_the_worker_did(logged_in, site, monkeypatch):
    with site.database.write() as connection:
        collections.put(connection, Collection("looked", CollectionKind.OWN, review=ReviewMode.PULSES))
        for number in range(3):
            taken.put(connection, a_pulse(number), [a_name(f"{number}.example.net")], lambda _: Marks())
    browser = logged_in("vera")
    assert re.search(r"Waits for review 3 pulses", text_of(browser.get("/admin/")))
    monkeypatch.setattr("pulsegate.web.pages.overview.FEW", 2)
    assert "Waits for review – The worker has not counted yet." in text_of(browser.get("/admin/"))
    recount(site.database)
    assert "Waits for review 3 pulses, as of" in text_of(browser.get("/admin/"))


def test_quarantine_and_tasks_are_told(logged_in, site):
    with site.database.write() as connection:
        quarantine.add(connection, Quarantined(INDICATOR, None, "IPv4", "x", "no"))
        tasks.start(connection, "pull", {"source": "otx"}, "carl")
        tasks.start(connection, EVIL[:32], {}, EVIL)
    answer = logged_in("vera").get("/admin/")
    assert "Quarantine 1 entries" in text_of(answer)
    assert "Pulling (otx), carl" in text_of(answer).replace(" ,", ",")
    assert EVIL not in answer.text


def test_part_that_refreshes_itself_keeps_nobody_logged_in(logged_in):
    text = logged_in("vera").get("/admin/").text
    (part,) = re.findall(r'<div id="now"[^>]*>', text)
    assert 'hx-trigger="every 30s"' in part
    assert "X-Background" in part


def test_chart_has_bars_a_text_and_a_table(logged_in, site):
    now = datetime.now(UTC)
    with site.database.write() as connection:
        collections.put(connection, SUBSCRIBED)
        collections.put(connection, Collection("other", CollectionKind.OWN))
        tallies.count(connection, now, "subscribed", 1234, 7)
        tallies.count(connection, now - timedelta(days=40), "subscribed", 999_999, 0)
        tallies.count(connection, now, "other", 55, 0)
    browser = logged_in("vera")
    answer = browser.get("/admin/")
    assert '<svg class="chart"' in answer.text
    assert answer.text.count('<rect class="added"') == answer.text.count('<rect class="removed"') == 1
    assert "1,234 7" in text_of(answer)
    assert "999,999" not in answer.text
    other = browser.get("/admin/?collection=other")
    assert "Indicators that came to and left other" in other.text
    assert browser.get(f"/admin/?collection={EVIL}").text.count(EVIL) == 0


def test_chart_is_linear_and_cuts_what_is_far_beyond_the_usual():
    several = [Tally(TODAY - timedelta(days=one), "a", 100 * one, 50) for one in range(1, 20)]
    plain = chart(several, TODAY)
    assert (len(plain.days), plain.days[-1].day, plain.top) == (DAYS, TODAY, 1900)
    assert plain.days[-2].up == round(HEIGHT * 100 / 1900, 1)
    assert not any(one.is_cut for one in plain.days)
    spike = chart([*several, Tally(TODAY, "a", 1_000_000, 0)], TODAY)
    assert (spike.top < 10_000, spike.days[-1].is_cut, spike.days[-1].up) == (True, True, HEIGHT)
    assert chart([], TODAY).is_empty
    alone = chart([Tally(TODAY, "a", 9, 0)], TODAY)
    assert (alone.top, alone.days[-1].up, alone.days[-1].down) == (9, HEIGHT, 0)


def test_without_a_source_the_overview_says_how_to_get_one(logged_in, site, application):
    from pulsegate.web import site as sites

    sites.bind(application, replace(site, feeds=(Feed("otx", site.settings.otx, is_on=False),)))
    assert "no API key is set" in text_of(logged_in("vera").get("/admin/"))


def test_account_without_polls_is_no_appliance(logged_in, site):
    with site.database.read() as connection:
        assert accounts.find(connection, "esa")
    assert ">esa<" not in logged_in("vera").get("/admin/").text

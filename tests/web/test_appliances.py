"""The page of appliances: what to type in, its warnings, the test of the connection, who polls, the poll log."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pulsegate.model.collection import Collection, CollectionKind, Profile
from pulsegate.settings import Settings
from pulsegate.store import accounts, collections, polls, tasks
from pulsegate.store.polls import PollRecord, Wanted
from pulsegate.web import app, rehearsal
from web.conftest import Browser

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOSTILE = "<script>alert(1)</script>"
POLL = PollRecord(
    NOW, "esa", "192.0.2.7", "cabby", "mail-gateway", NOW - MINUTE, NOW, None, 2, 30, 4567, 0.25, "answered"
)


@pytest.fixture(autouse=True)
def _collections(site):
    with site.database.write() as connection:
        collections.put(connection, Collection("subscribed", CollectionKind.SUBSCRIBED))
        collections.put(connection, Collection("mail-gateway", profile=Profile.ESA))
        accounts.grant(connection, "esa", "*", "read")
        accounts.add(connection, "other", "other word")
        accounts.grant(connection, "other", "subscribed", "read")


def with_settings(site, **given):
    browser = Browser(app.create(replace(site, settings=Settings(data_dir=site.settings.data_dir, **given))))
    browser.log_in("vera")
    return browser


def log(site, *records):
    with site.database.write() as connection:
        polls.insert_many(connection, records)


def copied(answer):
    return re.findall(r'data-copy="([^"]*)"', answer.text)


def test_fields_are_shown_in_the_order_of_the_form(site):
    answer = with_settings(site, domain="https://feed.example.org").get("/admin/appliances/?account=esa")
    assert copied(answer) == [
        "Pulsegate mail-gateway", "feed.example.org", "/taxii/poll", "mail-gateway", "60", "30", "30", "443", "esa"
    ]  # fmt: skip
    labels = re.findall(r"<dt>([^<]*)</dt>", answer.text)
    assert labels[:11] == [
        "Source Name", "Hostname", "Polling Path", "Collection Name", "Polling Interval", "Age of Threat Feeds",
        "Time Span of Poll Segment", "Use HTTPS", "Polling Port", "Configure User Credentials", "Username",
    ]  # fmt: skip
    assert 'class="notice' not in answer.text


@pytest.mark.parametrize(
    ("given", "collection", "said"),
    [
        ({}, "mail-gateway", "it means the machine itself"),
        ({}, "mail-gateway", "Plain HTTP"),
        ({"host": "0.0.0.0"}, "mail-gateway", "The settings don't name this machine"),
        ({}, "subscribed", "has the profile 'full'"),
        ({"tls": {"certificate": "a.pem", "key": "b.pem"}}, "mail-gateway", "Custom List: Enable"),
    ],
)
def test_what_speaks_against_it_is_said(site, given, collection, said):
    answer = with_settings(site, **given).get(f"/admin/appliances/?collection={collection}")
    assert said in html.unescape(answer.text)


def test_name_by_which_the_page_was_opened_is_proposed_where_the_settings_tell_none(site):
    assert copied(with_settings(site, host="0.0.0.0").get("/admin/appliances/"))[1] == "pages.test"


def test_only_accounts_that_may_read_the_collection_are_offered(logged_in):
    browser = logged_in("vera")
    offered = re.compile(r'<option[^>]* value="([^"]*)"')
    assert offered.findall(browser.get("/admin/appliances/?collection=subscribed").text)[2:] == ["ann", "esa", "other"]
    answer = browser.get("/admin/appliances/?collection=mail-gateway&account=other")
    assert offered.findall(answer.text)[2:] == ["ann", "esa"]
    assert copied(answer)[-1] == "esa"


def test_account_that_may_log_in_or_is_disabled_is_warned_of(logged_in, site):
    browser = logged_in("vera")
    assert "may log in to these pages" in browser.get("/admin/appliances/?account=ann").text
    with site.database.write() as connection:
        accounts.disable(connection, "esa")
    assert "its polls are refused" in browser.get("/admin/appliances/?account=esa").text


def test_password_is_never_there_and_renewed_by_administrators_only(logged_in):
    assert "Make a new one" in logged_in("ann").get("/admin/appliances/").text
    answer = logged_in("carl").get("/admin/appliances/")
    assert "gateway word" not in answer.text
    assert "/admin/accounts/" not in answer.text


def test_unknown_collection_is_not_found(logged_in):
    assert logged_in("vera").get("/admin/appliances/?collection=nothing").status_code == 404


def test_test_is_a_task_that_outlives_a_reload(logged_in, site):
    browser = logged_in("carl")
    browser.get("/admin/appliances/")
    answer = browser.post("/admin/appliances/test", {"collection": "mail-gateway", "account": "esa"})
    with site.database.read() as connection:
        (task,) = tasks.unfinished(connection)
    assert (task.kind, task.account) == ("try_appliance", "carl")
    assert task.arguments == {
        "address": "http://127.0.0.1:9000", "path": "/taxii/poll", "collection": "mail-gateway", "account": "esa",
        "is_ours": True,
    }  # fmt: skip
    assert answer.location == f"/admin/appliances/tests/{task.pk}"
    assert "waiting" in browser.get(f"/admin/tasks/{task.pk}").text
    step = {"name": "rights", "state": "bad", "code": "not-listed",
            "values": {"account": HOSTILE, "collection": "mail-gateway", "count": 1234}}  # fmt: skip
    with site.database.write() as connection:
        tasks.take(connection)
        tasks.finish(connection, task.pk, result={"steps": [step]})
    text = browser.get(answer.location).text
    assert "is shown 1,234 collections, and mail-gateway is none of them" in text
    assert "What was not tested" in text
    assert HOSTILE not in text
    assert "hx-trigger" not in text


def test_viewer_starts_no_test(logged_in, site):
    browser = logged_in("vera")
    answer = browser.post("/admin/appliances/test", {"collection": "mail-gateway", "account": "esa"})
    assert answer.status_code == 403
    assert "Test the connection" not in browser.get("/admin/appliances/").text
    with site.database.read() as connection:
        assert tasks.unfinished(connection) == []


@pytest.mark.parametrize(
    "data", [{}, {"collection": "x", "account": "esa"}, {"collection": "subscribed", "account": "x"}]
)
def test_senseless_test_is_refused(logged_in, data):
    assert logged_in("carl").post("/admin/appliances/test", data).status_code == 400


def test_other_tasks_are_no_tests(logged_in, site):
    with site.database.write() as connection:
        pk = tasks.start(connection, "publish", {}, "carl")
    assert logged_in("vera").get(f"/admin/appliances/tests/{pk}").status_code == 404


def test_every_step_has_words(application):
    steps = [
        *(("name", code) for code in ("", "unknown")), *(("connection", code) for code in ("", "refused")),
        *(("certificate", code) for code in ("", "plain", "self-signed", "own-ca", "expired", "not-yet-valid", "other-name",
                                             "invalid", "no-tls")),
        *(("taxii", code) for code in ("asks-for-password", "open", "not-taxii", "no-answer")),
        *(("rights", code) for code in ("", "not-listed", "refused", "no-account")),
        *(("account", code) for code in ("", "no-account", "disabled", "may-not-read", "administrator")),
        *(("content", code) for code in ("", "no-collection", "not-opened", "nothing", "ignores")),
    ]  # fmt: skip
    with application.test_request_context():
        shown = rehearsal.shown([{"name": n, "state": "bad", "code": c, "values": {}} for n, c in steps])
    assert all(" " in one.text for one in shown), [one for one in shown if " " not in one.text]


def test_who_polls_is_told_with_its_usual_interval(logged_in, site):
    times = [NOW - 30 * number * MINUTE for number in range(5)]
    log(site, *(replace(POLL, time=time) for time in times), replace(POLL, time=NOW - MINUTE, address="192.0.2.8"))
    text = logged_in("vera").get("/admin/appliances/").text
    rows = [re.sub(r"<[^>]+>|\s+", " ", row).split() for row in re.findall(r"<tr>(.*?)</tr>", text, re.DOTALL)[1:]]
    assert [row[:3] for row in rows] == [["esa", "192.0.2.7", "mail-gateway"], ["esa", "192.0.2.8", "mail-gateway"]]
    assert "30 min" in " ".join(rows[0])
    assert ["–" in row for row in rows] == [False, True]


def test_appliance_of_two_collections_has_the_interval_of_each(logged_in, site):
    for name, minute in (("mail-gateway", 0), ("subscribed", 10)):
        times = [NOW - (60 * number + minute) * MINUTE for number in range(4)]
        log(site, *(replace(POLL, time=time, collection=name) for time in times))
    browser = logged_in("vera")
    assert re.findall(r"<td>(1 hr)</td>", browser.get("/admin/appliances/").text) == ["1 hr"]
    assert re.findall(r"<td>(1 hr)</td>", browser.get("/admin/").text) == ["1 hr", "1 hr"]


def test_poll_log_says_how_each_ended_and_what_to_do(logged_in, site):
    log(
        site,
        replace(POLL, collection=HOSTILE, agent=HOSTILE),
        replace(POLL, account=None, outcome="UNAUTHORIZED", detail=HOSTILE, begin=None, end=None),
        replace(POLL, outcome="something new"),
    )
    text = logged_in("vera").get("/admin/appliances/polls").text
    assert HOSTILE not in text
    assert text.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 3
    for said in (
        "answered",
        "not let in",
        "Type them in again",
        "nobody that is known",
        "something new",
        "from the start",
    ):
        assert said in text
    assert "4,567" in text


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("account=esa", 2), ("account=-", 1), ("outcome=UNAUTHORIZED", 1), ("collection=user_A+B", 0),
        ("collection=user_A%2BB", 1), ("collection=user_A B", 1), ("account=esa&outcome=answered", 2), ("outcome=cut", 0),
        ("after=nonsense", 3), ("after=WzFd", 3),
    ],
)  # fmt: skip
def test_poll_log_is_filtered(logged_in, site, query, expected):
    log(site, POLL, replace(POLL, collection="user_A+B"), replace(POLL, account=None, outcome="UNAUTHORIZED"))
    text = logged_in("vera").get(f"/admin/appliances/polls?{query}").text
    wanted = expected if "user_A+B&" not in query + "&" else 1  # in a query a plus is a space
    assert text.count("192.0.2.7") == wanted


def test_poll_log_is_paged_to_the_end_without_loss_or_repeat(logged_in, site):
    log(site, *(replace(POLL, time=NOW - (number // 3) * MINUTE, blocks=number) for number in range(120)))
    browser = logged_in("vera")
    address, seen = "/admin/appliances/polls?account=esa", []
    while address:
        text = browser.get(address).text
        seen += [int(found) for found in re.findall(r'<td class="number">(\d+)</td><td class="number">30<', text)]
        following = re.search(r'href="([^"]+)" rel="next"', text)
        address = following[1].replace("&amp;", "&") if following else None
    assert sorted(seen) == list(range(120))
    previous = re.search(r'href="([^"]+)" rel="prev"', text)[1].replace("&amp;", "&")
    assert "account=esa" in previous
    assert browser.get(previous).text.count("192.0.2.7") == 50


def test_polls_are_read_by_key_in_both_directions(site):
    log(site, *(replace(POLL, time=NOW - (number % 3) * MINUTE, blocks=number) for number in range(9)))
    with site.database.read() as connection:
        every = polls.page(connection, Wanted(), None, limit=20)
        middle = (every[4].poll.time, every[4].pk)
        assert polls.page(connection, Wanted(), middle, limit=20) == every[5:]
        assert polls.page(connection, Wanted(), middle, limit=2, backwards=True) == [every[3], every[2]]
        assert polls.accounts(connection) == ["esa"]


def test_who_has_no_role_sees_nothing(browser):
    assert browser.log_in("esa").status_code != 303
    assert browser.get("/admin/appliances/").status_code == 303

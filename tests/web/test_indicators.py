"""One value and all that is known of it; and the list of all, filtered and paged."""

from __future__ import annotations

import re

import pytest

from pulsegate.model.indicator import IndicatorType
from pulsegate.publication import browsing
from pulsegate.store import decisions, polls
from pulsegate.store.database import now
from pulsegate.store.polls import PollRecord
from pulsegate.web import browsing as pages
from pulsegate.web import paging
from store.test_pulses import a_name, a_pulse
from web.curated import EVIL, a_value, fill, publish, put
from web.seen import beside


@pytest.fixture(autouse=True)
def filled(site):
    fill(site)


def explained(browser, value):
    return browser.get("/admin/indicators/explain", query_string={"value": value})


def row(answer, collection):
    """The text of a collection's row, without tags."""
    for found in re.findall(r"<tr>(.*?)</tr>", answer.text, re.DOTALL):
        text = " ".join(re.sub(r"<[^>]+>", " ", found).split())
        if text.startswith(f"{collection} "):
            return text
    return None


def values(answer):
    return re.findall(r'explain\?value=[^"]+">([^<]+)</a>', answer.text)


@pytest.mark.parametrize("text", ["shop.example.net", "SHOP[.]example[.]net", " shop(dot)example.net "])
def test_value_is_explained_in_any_spelling(logged_in, text):
    answer = explained(logged_in("vera"), text)
    assert answer.status_code == 200
    assert "in 4 collections" in answer.text
    assert row(answer, "subscribed").startswith("subscribed in since")
    assert "it is published" in row(answer, "mail")


def test_value_that_is_out_says_why_and_what_changes_it(logged_in):
    answer = explained(logged_in("carl"), "tool.example.org")
    said = row(answer, "mail")
    assert "out include.authors the pulse has none of these authors: alice" in said
    assert "force it in, in mail" in said
    assert "value=tool.example.org&amp;way=in&amp;collection=mail" in answer.text


def test_viewer_gets_no_links_that_decide(logged_in):
    answer = explained(logged_in("vera"), "tool.example.org")
    assert "/lists/forced/force" not in answer.text
    assert "/lists/allow/add" not in answer.text


def test_texts_of_strangers_stay_texts(logged_in):
    browser = logged_in("carl")
    for address in ("/admin/indicators/", "/admin/indicators/?collection=mail"):
        assert EVIL not in browser.get(address).text
    assert EVIL not in explained(browser, "shop.example.net").text
    answer = explained(browser, EVIL)
    assert EVIL not in answer.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in answer.text


def test_value_that_nothing_knows_says_what_can_be_done(logged_in):
    answer = explained(logged_in("carl"), "hxxp://nothing[.]example[.]com/x")
    assert "Nothing is known of this value" in answer.text
    assert "http://nothing.example.com/x" in answer.text
    assert "Allow it in advance" in answer.text
    assert "Force it out in advance" in answer.text


def test_neighbours_are_links(logged_in):
    answer = explained(logged_in("vera"), "shop.example.net")
    assert "Names below it" in answer.text
    assert 'href="/admin/indicators/explain?value=a.shop.example.net"' in answer.text


def test_withdrawn_value_tells_who_fetched_it_and_until_when_it_may_be_held(site, logged_in):
    with site.database.write() as connection:
        moment = now(connection)
        record = PollRecord(
            moment, "esa", "192.0.2.9", "", "subscribed", None, moment, None, 1, 1, 1, 0.1, polls.ANSWERED
        )
        polls.insert_many(connection, [record])
    put(site, a_pulse(2, name="Tools", author="bob"), [a_name("shop.example.net")])
    publish(site)
    answer = explained(logged_in("vera"), "tool.example.org")
    assert "in no collection" in answer.text
    assert "Withdrawn" in answer.text
    assert "<strong>esa</strong>" in answer.text
    held = (moment + pages_age()).isoformat(timespec="seconds")
    assert f'datetime="{held}"' in answer.text


def pages_age():
    from pulsegate.web.pages.indicators import AGE

    return AGE


def test_many_pulses_of_a_value_are_cut(site, logged_in):
    for number in range(3, 30):
        put(site, a_pulse(number, name=f"Pulse {number}", author="alice"), [a_name("often.example.net")])
    answer = explained(logged_in("vera"), "often.example.net")
    assert "27 pulses have it" in answer.text
    assert "and 7 more" in answer.text


# --- The list ---------------------------------------------------------------------------------------------------------

ALL = {
    "shop.example.net",
    "a.shop.example.net",
    "http://cdn.shop.example.net/x",
    "45.9.148.3",
    "10.1.2.3",
    "tool.example.org",
}


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ("", ALL),
        ("collection=mail", {"shop.example.net", "a.shop.example.net", "http://cdn.shop.example.net/x", "45.9.148.3"}),
        ("collection=mail&state=in&type=URL", {"http://cdn.shop.example.net/x"}),
        ("collection=mail&state=out", {"shop.example.net", "10.1.2.3", "tool.example.org"} - {"shop.example.net"}),
        ("collection=subscribed&state=protection", {"10.1.2.3"}),
        ("collection=subscribed&state=rules", set()),
        ("collection=mail&state=rules", {"tool.example.org"}),
        ("collection=mail&author=bob", set()),
        ("collection=subscribed&author=bob", {"tool.example.org"}),
        ("author=bob", {"shop.example.net", "10.1.2.3", "tool.example.org"}),
        ("type=IPv4", {"45.9.148.3", "10.1.2.3"}),
        ("text=shop.example.net", {"shop.example.net", "a.shop.example.net", "http://cdn.shop.example.net/x"}),
        ("text=shop[.]example.net&author=bob", {"shop.example.net"}),
        ("text=45.9", {"45.9.148.3"}),
        ("text=45.9.148.0/24", {"45.9.148.3"}),
        ("text=ool", {"tool.example.org"}),
        ("text=%25", set()),
        ("text=example.org&collection=mail", set()),
        ("order=host", ALL),
        ("since=2099-01-01", set()),
        ("collection=mail&since=2099-01-01", set()),
    ],
)
def test_filters_leave_what_fits(logged_in, filters, found):
    answer = logged_in("vera").get(f"/admin/indicators/?{filters}")
    assert answer.status_code == 200, answer.text
    assert set(values(answer)) == found


def test_state_without_a_collection_is_told_beside_the_field(logged_in):
    answer = logged_in("vera").get("/admin/indicators/?state=out")
    assert answer.status_code == 422
    assert "Choose a collection, too." in answer.text


@pytest.mark.parametrize("filters", ["state=nonsense", "collection=nothing", "type=x", "since=yesterday", "order=x"])
def test_filter_that_is_none_is_refused(logged_in, filters):
    assert logged_in("vera").get(f"/admin/indicators/?{filters}").status_code == 422


@pytest.fixture
def many(site, monkeypatch):
    """50 names below one, pages of 7 rows, and windows that end within pages."""
    for number in range(3, 8):
        names = [a_name(f"n{place}.d{number}.example.com") for place in range(10)]
        put(site, a_pulse(number, name=f"Pulse {number}", author="alice" if number % 2 else "carol"), names)
    publish(site)
    monkeypatch.setattr(paging, "SIZE", 7)
    for name in ("WINDOW", "WINDOW_JUDGED"):
        monkeypatch.setattr(browsing, name, 5)


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize("most", [1, 10, 10_000])
@pytest.mark.parametrize(
    ("filters", "number"),
    [
        ("", 57), ("order=host", 57), ("text=example.com", 50), ("author=carol", 20), ("collection=subscribed", 55),
        ("collection=mail", 34), ("collection=mail&state=out", 22), ("type=IPv4", 2), ("text=d5", 10),
        ("collection=subscribed&text=d5", 10), ("collection=mail&order=host", 35),
    ],
)  # fmt: skip
def test_pages_lead_to_the_end_and_back_without_loss_or_repeat(logged_in, monkeypatch, filters, number, most):
    monkeypatch.setattr(browsing, "MOST", most)
    monkeypatch.setattr(browsing, "MOST_JUDGED", most)
    browser = logged_in("vera")
    forth, answers = [], [browser.get(f"/admin/indicators/?{filters}")]
    while address := beside(answers[-1], "next"):
        answers.append(browser.get(address))
        assert len(answers) < 100
    forth = [one for answer in answers for one in values(answer)]
    assert len(forth) == number
    answer = next(one for one in reversed(answers) if values(one))
    back = values(answer)
    for _ in range(100):
        address = beside(answer, "prev")
        if address is None:
            break
        answer = browser.get(address)
        back = values(answer) + back
    assert back == forth


@pytest.mark.parametrize(
    "filters", ["", "collection=mail&", "order=host&", "author=bob&", "collection=mail&state=out&"]
)
@pytest.mark.parametrize(
    "key", ["%00", "W10", "e30", "Wy0xXQ", "WyJ4Il0", "Wzk5OTk5OTk5OTk5OTk5OTk5OTk5OTld", "W3siMSI6Mn1d"]
)
def test_position_that_can_not_be_read_is_the_first_page(logged_in, filters, key):
    answer = logged_in("vera").get(f"/admin/indicators/?{filters}after={key}")
    assert answer.status_code == 200
    assert values(answer)


def test_collection_is_downloaded_as_a_table(logged_in):
    answer = logged_in("vera").get("/admin/indicators/in/mail.csv")
    assert answer.headers["Content-Type"].startswith("text/csv")
    assert answer.text.startswith("type,value,")
    assert len(answer.text.splitlines()) == 5
    assert logged_in("vera").get("/admin/indicators/in/nothing.csv").status_code == 404


def test_waiting_is_what_the_next_publication_changes(site, logged_in):
    names = ["shop.example.net", "a.shop.example.net", "new.example.net"]
    put(site, a_pulse(1, name="Wave", author="alice"), [a_name(one) for one in names])
    browser = logged_in("vera")
    answer = browser.get("/admin/indicators/?collection=mail&state=waiting")
    assert values(answer) == ["new.example.net"]
    assert "out, comes" in answer.text


def test_walks_need_a_login(browser):
    for path in ("", "explain?value=x", "in/mail.csv"):
        assert browser.get(f"/admin/indicators/{path}").status_code == 303


def test_no_page_changes_anything(site, logged_in):
    with site.database.read() as connection:
        before = decisions.revision(connection)
    browser = logged_in("carl")
    for one in ("shop.example.net", "10.1.2.3", "nothing.example.com"):
        explained(browser, one)
        browser.get("/admin/lists/allow/add", query_string={"entry": one})
        browser.get("/admin/lists/forced/force", query_string={"value": one})
    with site.database.read() as connection:
        assert decisions.revision(connection) == before
        assert decisions.read(connection) == decisions.Decisions()


def test_every_state_is_of_a_group():
    named = {one for one, _ in pages.STATES} - {"", "in", "out", "waiting"}
    assert named == set(browsing.GROUPS)


def test_own_type_is_a_choice(site, logged_in):
    put(site, a_pulse(9, name="Hash", author="bob"), [a_value(IndicatorType.MD5, "a" * 32)])
    answer = logged_in("vera").get("/admin/indicators/?type=FileHash-MD5")
    assert values(answer) == ["a" * 32]

"""The page of the quarantine: filters, pages, one entry with what it would be today, and another try."""

from __future__ import annotations

import json
import re
from dataclasses import asdict

import pytest

from pulsegate.model.indicator import RawIndicator
from pulsegate.model.marks import Marks
from pulsegate.store import audit, failures, pulses, quarantine, sources, taken, tasks
from pulsegate.store.quarantine import INDICATOR, PULSE, Quarantined, Wanted
from pulsegate.web import paging
from store.test_pulses import a_name, a_pulse
from sync.fakes import pulse_id, raw
from web.seen import shown

EVIL = "<script>alert(1)</script>"
STORED = a_pulse(1).id


def indicator(value, reason, *, pulse=STORED, kind="IPv4", source="otx"):
    sent = json.dumps(asdict(RawIndicator(type=kind, value=value)), default=str)
    return Quarantined(INDICATOR, pulse, kind, value, reason, sent, source=source)


ENTRIES = [
    indicator("999.1.1.1", "not an IP address: a number above 255"),
    indicator("b.example", "not an IP address: it was so once", kind="domain"),
    indicator("a b", "not a domain name: white space inside", source="partner", kind="domain"),
    Quarantined(PULSE, pulse_id(7), "pulse", pulse_id(7), "has no name", json.dumps(raw(7)), source="otx"),
    Quarantined(PULSE, pulse_id(8), "pulse", pulse_id(8), "has no name", None, source="otx"),
    indicator(EVIL, f"the character {EVIL}", pulse=EVIL, source=EVIL),
    indicator("c.example", "not an IP address: it was so once", pulse="f" * 24, kind="domain"),
]


@pytest.fixture
def keys(site):
    """The keys of the entries, in their order."""
    with site.database.write() as connection:
        taken.put(connection, a_pulse(1), [a_name("a.example.net")], lambda _: Marks())
        sources.ensure(connection, "partner", "shape")
        for one in ENTRIES:
            quarantine.add(connection, one)
        return quarantine.keys(connection)


def values(answer):
    return re.findall(r'<a class="value" href="/admin/quarantine/\d+">([^<]*)</a>', answer.text)


def asked(site):
    with site.database.read() as connection:
        found = [(one.kind, dict(one.arguments), one.account) for one in tasks.latest(connection)]
        changes = [(one.account, one.action, one.subject) for one in audit.every(connection, limit=9)]
    return found, changes


def text_of(answer):
    assert answer.status_code == 200, answer.text
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.text))


def test_nothing_is_said_to_be_nothing(logged_in):
    assert "Nothing is quarantined." in logged_in("vera").get("/admin/quarantine/").text


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ("kind=pulse", [pulse_id(8), pulse_id(7)]),
        ("reason=not+an+IP+address", ["c.example", "b.example", "999.1.1.1"]),
        ("reason=has+no+name", [pulse_id(8), pulse_id(7)]),
        ("source=partner", ["a b"]),
        ("text=EXAMPLE", ["c.example", "b.example"]),
        ("text=1.1.1", ["999.1.1.1"]),
        ("reason=not+an+IP+address:+a+number+above+255", ["999.1.1.1"]),
        ("reason=not", []),
        (f"text={STORED}", ["a b", "b.example", "999.1.1.1"]),
        ("text=%25", []),
        ("reason=nothing", []),
        ("kind=indicator&source=otx&text=.1.", ["999.1.1.1"]),
        ("text=%00", []),
    ],
)
def test_filters_leave_what_fits(logged_in, filters, found):
    answer = logged_in("vera").get(f"/admin/quarantine/?{filters}")
    assert values(answer) == found
    assert ("No entry fits." in answer.text) == (not found)


@pytest.mark.usefixtures("keys")
def test_reasons_are_offered_in_groups_with_their_numbers(logged_in):
    answer = logged_in("vera").get("/admin/quarantine/")
    assert '<option value="not an IP address">not an IP address (3)</option>' in answer.text
    assert '<option value="partner">partner</option>' in answer.text
    assert EVIL not in answer.text


@pytest.mark.usefixtures("keys")
def test_pages_lead_to_the_end_and_back_without_loss(logged_in, monkeypatch):
    monkeypatch.setattr(paging, "SIZE", 3)
    browser, address, pages = logged_in("vera"), "/admin/quarantine/?source=otx", []
    while address:
        answer = browser.get(address)
        pages.append((address, values(answer)))
        found = re.search(r'href="([^"]+)" rel="next"', answer.text)
        address = found and found[1].replace("&amp;", "&")
    assert [one for _, page in pages for one in page] == [
        "c.example", pulse_id(8), pulse_id(7), "b.example", "999.1.1.1",
    ]  # fmt: skip
    back = re.search(r'href="([^"]+)" rel="prev"', browser.get(pages[-1][0]).text)[1].replace("&amp;", "&")
    assert values(browser.get(back)) == pages[0][1]


@pytest.mark.parametrize(
    ("place", "said"),
    [
        (0, "would be refused again not an IP address: a number above 255"),
        (1, "would be taken as domain b.example"),
        (3, "would be taken"),
        (4, "it was too long"),
        (6, "would be refused again its pulse is not stored any more"),
    ],
)
def test_entry_says_what_it_would_be_today_and_changes_nothing(logged_in, site, keys, place, said):
    answer = logged_in("vera").get(f"/admin/quarantine/{keys[place]}")
    assert said in text_of(answer)
    assert ENTRIES[place].reason in answer.text
    assert asked(site) == ([], [])
    with site.database.read() as connection:
        assert quarantine.keys(connection) == keys


def test_entry_leads_to_its_pulse_and_shows_what_was_sent(logged_in, keys):
    browser = logged_in("vera")
    assert f'href="/admin/pulses/{STORED}"' in browser.get(f"/admin/quarantine/{keys[0]}").text
    evil = browser.get(f"/admin/quarantine/{keys[5]}")
    assert EVIL not in evil.text
    assert evil.text.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 5
    assert "&#34;value&#34;" in evil.text


@pytest.mark.parametrize("pk", ["0", "999", "99999999999999"])
def test_entry_that_is_not_there(logged_in, pk):
    browser = logged_in("carl")
    assert browser.get(f"/admin/quarantine/{pk}").status_code == 404
    assert browser.post("/admin/quarantine/retry", {"entry": pk, "seen": "x"}).status_code == 409


def test_one_entry_is_tried_again_by_the_worker(logged_in, site, keys):
    browser = logged_in("carl")
    it = shown(browser.get(f"/admin/quarantine/{keys[1]}"))
    answer = browser.post("/admin/quarantine/retry", it | {"entry": keys[1]})
    assert (answer.status_code, answer.location) == (303, "/admin/quarantine/")
    with site.database.read() as connection:
        stamp = quarantine.get(connection, keys[1]).stamp
    wanted = (
        [("retry", {"entry": keys[1], "stamp": stamp}, "carl")],
        [("carl", "quarantine.retry", "indicator b.example")],
    )
    assert asked(site) == wanted


@pytest.mark.usefixtures("keys")
def test_all_of_a_filter_are_tried_again_after_a_preview(logged_in, site):
    browser = logged_in("carl")
    page = browser.get("/admin/quarantine/?reason=not+an+IP+address&source=otx")
    (address,) = re.findall(r'hx-get="([^"]+retry[^"]*)"', page.text)
    preview = browser.get(address.replace("&amp;", "&"), headers={"HX-Request": "true"})
    assert "Try 3 entries again?" in preview.text
    assert asked(site) == ([], [])
    fields = dict(re.findall(r'type="hidden" name="(reason|source)" value="([^"]*)"', preview.text))
    assert browser.post("/admin/quarantine/retry", fields).status_code == 303
    wanted = asdict(Wanted(reason="not an IP address", source="otx"))
    subject = '{"reason": "not an IP address", "source": "otx"}'
    assert asked(site) == ([("retry", {"wanted": wanted}, "carl")], [("carl", "quarantine.retry", subject)])


def test_what_can_not_be_written_is_listed_and_tried_again(logged_in, site):
    with site.database.write() as connection:
        taken.put(connection, a_pulse(1), [a_name("a.example.net")], lambda _: Marks())
        (found,) = pulses.indicators_of(connection, pulses.get(connection, STORED).pk)
        failures.mark(connection, found.pk, "full", f"no object {EVIL}")
    browser = logged_in("carl")
    assert "1 indicators are stored but can" in text_of(browser.get("/admin/quarantine/")).replace("&#39;", "'")
    answer = browser.get("/admin/quarantine/unwritten")
    assert "a.example.net" in answer.text
    assert EVIL not in answer.text
    assert browser.post("/admin/quarantine/retry", {"entry": "unwritten"}).location == "/admin/quarantine/unwritten"
    assert asked(site) == ([("retry", {"unwritten": True}, "carl")], [("carl", "quarantine.retry", "unwritten")])


def test_another_try_is_for_curators(logged_in, site, keys):
    browser = logged_in("vera")
    assert browser.get("/admin/quarantine/retry").status_code == 403
    assert browser.post("/admin/quarantine/retry", {"entry": keys[0]}).status_code == 403
    assert "Try" not in browser.get(f"/admin/quarantine/{keys[0]}").text
    assert asked(site) == ([], [])

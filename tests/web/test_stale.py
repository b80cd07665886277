"""Pages that were left open: a click acts on what they showed, or on nothing."""

from __future__ import annotations

import html
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest

from pulsegate.model.collection import Collection, CollectionKind
from pulsegate.model.decisions import Allowed, Override
from pulsegate.model.indicator import IndicatorType
from pulsegate.store import accounts, audit, collections, decisions, quarantine, tasks
from pulsegate.store.collections import Origin
from pulsegate.store.digests import value_key
from pulsegate.store.quarantine import INDICATOR, Quarantined
from pulsegate.web import previews, stale
from web.filled import pulse, put, work
from web.seen import changes, shown

NEVER_AGAIN = {"own.take", "own.drop", "collections.save"}  # on tasks, whose keys are given once


def gone(answer, name, back):
    """The page that refuses says what is gone, and leads to its list."""
    assert answer.status_code == 409
    assert "This is not what you saw" in answer.text
    assert f"{name} has been removed since the page was opened. Nothing was changed." in answer.text
    assert f'<a href="{back}">Back to the list</a>' in answer.text


def test_each_change_of_a_row_asks_what_was_shown(application, logged_in, site):
    """Whatever route comes: one that takes the key of a row, and does not ask, answers something else here."""
    browser, seen = logged_in("ann"), 0
    data = stale.seen("it") | {"role": "viewer", "collection": "*", "right": "read", "all": "1", "entry": "999"}
    for rule in application.url_map.iter_rules():
        if "POST" in rule.methods and "int:" in rule.rule and rule.endpoint not in NEVER_AGAIN:
            address = "/admin" + rule.rule.replace("<int:pk>", "999")
            gone(browser.post(address, data), "it", address.partition("/999")[0] + "/")
            seen += 1
    assert seen == 10
    gone(browser.post("/admin/quarantine/retry", data), "it", "/admin/quarantine/")
    assert changes(site) == []


@pytest.fixture
def other(site):
    """A page of an account whose key another account has got since: on SQLite by itself."""

    def replace(old, new):
        with site.database.write() as connection:
            pk = accounts.get(connection, old).id
            accounts.remove(connection, old)
            made = accounts.add(connection, new, "another word")
            if made.id != pk:  # PostgreSQL gives no key again: the check holds there, too
                connection.execute(accounts.accounts.update().where(accounts.accounts.c.id == made.id).values(id=pk))
            assert accounts.by_id(connection, pk).name == new

    return replace


@pytest.mark.parametrize(
    ("address", "data"),
    [
        ("role", {"role": "admin"}), ("grant", {"collection": "*", "right": "modify"}), ("revoke", {"collection": "*"}),
        ("disable", {}), ("enable", {}), ("password", {}), ("remove", {}),
    ],
)  # fmt: skip
def test_account_of_another_name_is_not_touched(logged_in, site, other, address, data):
    with site.database.write() as connection:
        accounts.add(connection, "zoe", "a word")
        pk = accounts.get(connection, "zoe").id
    browser = logged_in("ann")
    it = shown(browser.get(f"/admin/accounts/{pk}"))
    other("zoe", "zack")
    with site.database.read() as connection:
        before = accounts.stored_by_name(connection, "zack")
    gone(browser.post(f"/admin/accounts/{pk}/{address}", it | data), "zoe", "/admin/accounts/")
    with site.database.read() as connection:
        after = accounts.stored_by_name(connection, "zack")
    assert (after.account, after.password_hash) == (before.account, before.password_hash)
    assert changes(site) == []


def test_form_that_says_nothing_is_out_of_date(logged_in, site):
    with site.database.read() as connection:
        pk = accounts.get(connection, "esa").id
    answer = logged_in("ann").post(f"/admin/accounts/{pk}/disable")
    assert answer.status_code == 409
    assert "The form is out of date." in answer.text
    assert changes(site) == []


def test_refusal_is_a_part_for_htmx_and_shows_names_as_text(logged_in):
    evil = "<script>alert(1)</script>"
    answer = logged_in("ann").post("/admin/accounts/999/disable", stale.seen(evil), headers={"HX-Request": "true"})
    assert answer.status_code == 409
    assert "<html" not in answer.text
    assert evil not in answer.text
    assert "&lt;script&gt;" in answer.text


def put_collection(site, name, pk=None):
    with site.database.write() as connection:
        made = collections.put(connection, Collection(name), Origin.COMMAND)
        assert pk is None or made.id == pk
    return made.id


def test_collection_of_another_name_is_not_touched(logged_in, site):
    pk = put_collection(site, "first")
    browser = logged_in("carl")
    pages = {one: browser.get(f"/admin/collections/{pk}/{one}") for one in ("edit", "remove")}
    with site.database.write() as connection:
        collections.remove(connection, pk)
    if site.database.is_sqlite:
        put_collection(site, "second", pk)
    for address, page in pages.items():
        answer = browser.post(f"/admin/collections/{pk}/{address}", shown(page) | {"profile": "full"})
        gone(answer, "first", "/admin/collections/")
    with site.database.read() as connection:
        assert tasks.unfinished(connection) == []


def test_own_pulse_that_is_gone_is_told(logged_in, site):
    with site.database.write() as connection:
        collections.put(connection, Collection("subscribed", CollectionKind.SUBSCRIBED))
    browser = logged_in("carl")
    gone(browser.post("/admin/own/1/remove", stale.seen("Mine") | {"all": "1"}), "Mine", "/admin/own/")
    put(site, pulse(1, ["known.example.org"]))  # of OTX
    gone(browser.post("/admin/own/1/remove", stale.seen("Mine") | {"all": "1"}), "Mine", "/admin/own/")
    with site.database.read() as connection:
        assert tasks.unfinished(connection) == []


def entry(value):
    return Quarantined(INDICATOR, "a" * 24, "domain", value, "not a domain name", raw='{"type": "domain"}')


def test_entry_of_the_quarantine_that_was_read_again_is_another_one(logged_in, site):
    with site.database.write() as connection:
        quarantine.replace(connection, "a" * 24, [entry("a b")])
        (pk,) = quarantine.keys(connection)
    browser = logged_in("carl")
    it = shown(browser.get(f"/admin/quarantine/{pk}"))
    with site.database.write() as connection:
        quarantine.replace(connection, "a" * 24, [entry("c d")])
    gone(browser.post("/admin/quarantine/retry", it | {"entry": str(pk)}), "a b", "/admin/quarantine/")
    with site.database.read() as connection:
        assert tasks.unfinished(connection) == []
        assert audit.every(connection, limit=1) == []


def test_worker_tries_the_entry_that_was_shown_only(logged_in, site):
    with site.database.write() as connection:
        quarantine.replace(connection, "a" * 24, [entry("a b")])
        (pk,) = quarantine.keys(connection)
    browser = logged_in("carl")
    it = shown(browser.get(f"/admin/quarantine/{pk}")) | {"entry": str(pk)}
    assert browser.post("/admin/quarantine/retry", it).status_code == 303
    (task,) = work(site)
    assert (task.result["taken"], task.result["refused"]) == (0, 1)
    assert browser.post("/admin/quarantine/retry", it).status_code == 303
    with site.database.write() as connection:
        quarantine.replace(connection, "a" * 24, [entry("c d")])
    (task,) = work(site)
    assert (task.result["taken"], task.result["refused"]) == (0, 0)


# --- Decisions that were changed meanwhile ----------------------------------------------------------------------------

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
ENTRY = Allowed("exact", "shop.example.net", "a partner", "ann", NOW)
ALLOWED = {"kind": "exact", "text": "shop.example.net"}
OVERRIDE = Override("", value_key(IndicatorType.DOMAIN, "a.example.net"), "domain", "a.example.net", False, False,
                    "bad", "ann", NOW)  # fmt: skip
FORCED = {"type": "domain", "value": "a.example.net", "collection": "", "back": "1"}


def decided(site):
    with site.database.read() as connection:
        found = decisions.read(connection)
    return [*found.allowed, *found.overrides]


def decide(site, one):
    with site.database.write() as connection:
        if isinstance(one, Allowed):
            decisions.allow(connection, [one])
        else:
            decisions.force(connection, one)


CASES = [
    ("/admin/lists/allow/remove", ENTRY, ALLOWED, replace(ENTRY, reason="ours", account="vera"), "added by vera: ours"),
    ("/admin/lists/allow/remove", ENTRY, ALLOWED, replace(ENTRY, expires=NOW + timedelta(days=900)), "Until"),
    (
        "/admin/lists/forced/undo",
        OVERRIDE,
        FORCED,
        replace(OVERRIDE, inside=True, account="vera"),
        "vera forced it in.",
    ),
    ("/admin/lists/forced/undo", OVERRIDE, FORCED, replace(OVERRIDE, since=NOW + timedelta(hours=1)), "forced it out."),
]


@pytest.mark.parametrize(("address", "first", "fields", "then", "said"), CASES)
def test_decision_that_was_changed_is_shown_anew(logged_in, site, address, first, fields, then, said):
    decide(site, first)
    browser = logged_in("carl")
    it = shown(browser.get(f"{address}?{urlencode(fields)}"))
    decide(site, then)
    before = changes(site)
    answer = browser.post(address, it | fields)
    assert answer.status_code == 409
    text = html.unescape(answer.text)
    assert "It has been changed since you looked. This is what it is now." in text
    assert said in text
    assert decided(site) == [then]
    assert changes(site) == before
    assert browser.post(address, shown(answer) | fields).status_code == 303
    assert decided(site) == []


@pytest.mark.parametrize(("address", "first", "fields", "back"), [
    ("/admin/lists/allow/remove", ENTRY, ALLOWED, "/admin/lists/allow/"),
    ("/admin/lists/forced/undo", OVERRIDE, FORCED, "/admin/lists/forced/"),
])  # fmt: skip
def test_decision_that_was_taken_back_is_told(logged_in, site, address, first, fields, back):
    decide(site, first)
    browser = logged_in("carl")
    it = shown(browser.get(f"{address}?{urlencode(fields)}"))
    assert browser.post(address, it | fields).status_code == 303
    gone(browser.post(address, it | fields), it["seen_name"], back)


def test_worker_takes_back_only_what_was_shown(logged_in, site, monkeypatch):
    monkeypatch.setattr(previews, "MOST", -1)  # whatever it concerns is much
    decide(site, ENTRY)
    browser = logged_in("carl")
    it = shown(browser.get(f"/admin/lists/allow/remove?{urlencode(ALLOWED)}"))
    for then, error in ((replace(ENTRY, reason="ours"), "was changed meanwhile"), (None, None)):
        assert browser.post("/admin/lists/allow/remove", it | ALLOWED).status_code == 303
        if then:
            decide(site, then)
        (task,) = work(site)
        assert (error or "") in (task.error or "")
        assert (task.error is None) is (error is None)
        assert decided(site) == ([then] if then else [])
        it = shown(browser.get(f"/admin/lists/allow/remove?{urlencode(ALLOWED)}"))

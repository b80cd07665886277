"""What holds for every page: who may open it, headers, languages, errors, and that hostile texts stay texts."""

from __future__ import annotations

import re

import pytest

from pulsegate.model.role import Role
from pulsegate.store import audit
from pulsegate.web import access, headers
from pulsegate.web.rendering import link

EVIL = "<script>alert(1)</script>"


def test_every_view_says_whom_it_is_for(application):
    silent = [name for name, view in application.view_functions.items() if not hasattr(view, access._NEEDS)]
    assert silent == []


def test_every_view_that_changes_something_takes_a_token(application):
    assert application.extensions["csrf"]._exempt_views == set()


@pytest.mark.parametrize(
    ("name", "pages"),
    [("ann", ["Accounts", "Audit"]), ("carl", ["Audit"]), ("vera", ["Audit"])],
)
def test_navigation_lists_what_the_account_may_open(logged_in, name, pages):
    text = logged_in(name).get("/admin/me").text
    (navigation,) = re.findall(r'<nav id="navigation".*?</ul>', text, re.DOTALL)
    titles = re.findall(r"<a [^>]*>([^<]+)</a>", navigation)
    assert [one for one in titles if one in ("Accounts", "Audit")] == pages


@pytest.mark.parametrize("address", ["/admin/audit/", "/admin/nothing", "/admin/login"])
def test_every_answer_has_the_headers(logged_in, address):
    answer = logged_in("ann").get(address)
    assert answer.headers["Content-Security-Policy"] == headers.POLICY
    assert {name: answer.headers[name] for name in ("X-Content-Type-Options", "Referrer-Policy", "Cache-Control")} == {
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
    }


def test_policy_lets_nothing_in_line_and_no_page_has_it(logged_in):
    assert "unsafe" not in headers.POLICY
    browser = logged_in("ann")
    for address in ("/admin/audit/", "/admin/accounts/", "/admin/accounts/add", "/admin/accounts/1", "/admin/me"):
        text = browser.get(address).text
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|hx-on", text), address


def test_files_are_kept_for_ever_by_their_hash_only(browser):
    text = browser.get("/admin/login").text
    addresses = re.findall(r'(?:href|src)="(/admin/static/[^"]+)"', text)
    assert len(addresses) >= 5
    for address in addresses:
        answer = browser.get(address)
        assert (answer.status_code, answer.headers["Cache-Control"]) == (200, headers.FOR_EVER)
        assert "Set-Cookie" not in answer.headers
        assert browser.get(address.partition("?")[0]).headers["Cache-Control"] == "no-store"
        assert browser.get(address[:-1] + "x").headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("accepted", "language", "title"),
    [("ja,en;q=0.5", "ja", "監査"), ("de", "en", "Audit"), ("en,ja;q=0.9", "en", "Audit")],
)
def test_language_is_the_browsers(logged_in, accepted, language, title):
    text = logged_in("vera").get("/admin/audit/", headers={"Accept-Language": accepted}).text
    assert f'<html lang="{language}"' in text
    assert f"<h1>{title}</h1>" in text


def test_language_and_colours_are_remembered(logged_in):
    browser = logged_in("vera")
    answer = browser.post("/admin/preferences/", {"language": "ja", "next": "/audit/"})
    assert (answer.status_code, answer.location) == (303, "/admin/audit/")
    browser.post("/admin/preferences/", {"theme": "dark", "language": "xx"})
    text = browser.get("/admin/audit/").text
    assert '<html lang="ja" data-theme="dark">' in text
    assert "<h1>監査</h1>" in text


@pytest.mark.parametrize(
    ("address", "status", "said"),
    [
        ("/admin/nothing", 404, "Not found"),
        ("/admin/tasks/99", 404, "Not found"),
        ("/admin/accounts/", 403, "Not allowed"),
        ("/admin/logout", 405, "Not allowed"),
    ],
)
def test_errors_are_pages(logged_in, address, status, said):
    answer = logged_in("vera").get(address)
    assert answer.status_code == status
    assert f"<h1>{said}</h1>" in answer.text
    assert "<nav" in answer.text


def test_body_that_is_too_long_is_refused_in_the_form_of_a_page(logged_in, site):
    answer = logged_in("ann").post("/admin/accounts/add", {"name": "x" * site.max_body})
    assert answer.status_code == 413
    assert "<h1>Too large</h1>" in answer.text


def test_fault_is_told_without_its_details(logged_in, application):
    def broken():
        raise RuntimeError("a secret")

    application.view_functions["audit.index"] = access.needs(Role.VIEWER)(broken)
    answer = logged_in("vera").get("/admin/audit/")
    assert answer.status_code == 500
    assert "Something is broken" in answer.text
    assert "a secret" not in answer.text


def test_hostile_texts_stay_texts(logged_in, site):
    with site.database.write() as connection:
        audit.record(connection, EVIL, "allow.add", EVIL, before={EVIL: EVIL}, after="javascript:alert(1)")
    text = logged_in("vera").get("/admin/audit/").text
    assert EVIL not in text
    assert text.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 4
    assert 'href="javascript' not in text


@pytest.mark.parametrize(
    ("address", "is_link"),
    [
        ("https://example.com/a?b=c", True),
        ("HTTP://example.com", True),
        ("javascript:alert(1)", False),
        (" javascript:alert(1)", False),
        ("java\nscript:alert(1)", False),
        ("data:text/html,x", False),
        ("//example.com", False),
        ("https:///path", False),
        ("https://[broken", False),
        ("https://example.com/\x00", False),
        (None, False),
    ],
)
def test_only_addresses_of_the_web_become_links(address, is_link):
    found = str(link(address))
    assert found.startswith("<a ") == is_link
    assert ('rel="noreferrer noopener"' in found) == is_link
    assert EVIL not in str(link(EVIL))

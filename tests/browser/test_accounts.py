"""Accounts in a real browser: a page that was left open on one whose place another has taken; one's own password."""

from __future__ import annotations

import pytest
from cabby.exceptions import HTTPError

from browser.demo import log_in
from store.databases import KIND
from support import poll


def test_page_that_was_left_open_changes_nobody_else(pages, chromium):
    pages.run("account", "add", "leaver", "--password-stdin", stdin="leaver-word-1\n")
    page = pages.page(chromium, "admin")
    page.goto("/admin/accounts/")
    page.click("text=leaver")
    page.wait_for_selector("h1:text-is('leaver')")
    address = page.url
    pages.run("account", "remove", "leaver")
    pages.run("account", "add", "joiner", "--password-stdin", stdin="joiner-word-1\n")
    try:
        page.click("button:text-is('Disable')")
        page.wait_for_selector("h1:text-is('This is not what you saw')")
        assert "leaver has been removed since the page was opened." in page.inner_text("main")
        page.goto(address)
        if KIND == "postgresql":  # which gives nobody the number that another one had
            assert page.inner_text("h1") == "Not found"
            page.goto("/admin/accounts/")
            page.click("text=joiner")
            page.wait_for_url("**/admin/accounts/*")
        assert page.inner_text("h1") == "joiner"
        assert page.is_visible("button:text-is('Disable')")
        page.click("button:text-is('Disable')")
        page.wait_for_selector("button:text-is('Enable')")
    finally:
        pages.run("account", "remove", "joiner")
    page.click("button:text-is('Enable')")
    page.click("text=Back to the list")
    page.wait_for_url("**/admin/accounts/")


def test_own_password_is_changed_and_counts_everywhere(pages, chromium):
    words = "--role", "viewer", "--read", "subscribed", "--password-stdin"
    pages.run("account", "add", "pia", *words, stdin="pia-password-1\n")
    try:
        here, there = pages.page(chromium), pages.page(chromium)
        for page in (here, there):
            log_in(page, "pia", "pia-password-1")
        here.click("header >> text=Change password")
        here.fill("#current", "pia-password-1")
        here.fill("#new", "pia-password-2")
        here.fill("#again", "pia-password-3")
        here.keyboard.press("Enter")
        here.wait_for_selector("text=It is not the same.")
        assert here.input_value("#current") == ""
        for field, word in (("current", "pia-password-1"), ("new", "pia-password-2"), ("again", "pia-password-2")):
            here.fill(f"#{field}", word)
        here.click("text=Change it")
        here.wait_for_selector("text=Your password is changed.")
        assert here.inner_text("h1") == "pia"
        there.goto("/admin/audit/")
        assert "/admin/login" in there.url
        log_in(there, "pia", "pia-password-1")
        assert there.locator("[role=alert]").inner_text().startswith("The name or the password is wrong")
        log_in(there, "pia", "pia-password-2")
        there.goto("/admin/audit/?action=account")
        assert "account.password" in there.inner_text("main table")
        assert poll(pages.address, "subscribed", "pia", "pia-password-2")
        with pytest.raises(HTTPError, match="401"):
            poll(pages.address, "subscribed", "pia", "pia-password-1")
    finally:
        pages.run("account", "remove", "pia")

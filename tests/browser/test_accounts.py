"""Accounts in a real browser: a page that was left open, on an account whose place another one has taken."""

from __future__ import annotations


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
        assert page.inner_text("h1") == "joiner"
        assert page.is_visible("button:text-is('Disable')")
        page.click("button:text-is('Disable')")
        page.wait_for_selector("button:text-is('Enable')")
    finally:
        pages.run("account", "remove", "joiner")
    page.click("button:text-is('Enable')")
    page.click("text=Back to the list")
    page.wait_for_url("**/admin/accounts/")

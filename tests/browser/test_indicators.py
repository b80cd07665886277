"""A curator finds out why a value is where it is, and takes one out of the feed; an appliance polls what is left."""

from __future__ import annotations

import time
from urllib.parse import urlsplit

import pytest
from cabby import create_client


def polled(pages) -> str:
    """What an appliance gets of the collection that holds everything."""
    address = urlsplit(pages.address)
    client = create_client(address.hostname, port=address.port, discovery_path="/taxii/discovery")
    client.set_auth(username="admin", password="admin-password-1")
    blocks = client.poll("subscribed", uri=f"{pages.address}/taxii/poll")
    return "".join(block.content.decode() for block in blocks)


@pytest.fixture(scope="module")
def value(pages) -> str:
    """One that is served."""
    import json

    rows = [json.loads(line) for line in pages.run("preview", "subscribed", "--json").splitlines()]
    return next(one["value"] for one in rows if one["type"] in ("domain", "hostname"))


def test_value_is_allowed_and_leaves_the_feed(pages, chromium, value):
    assert value in polled(pages)
    page = pages.page(chromium, "carl")
    page.goto("/admin/indicators/")
    page.fill("form.search #value", value.replace(".", "[.]"))
    page.press("form.search #value", "Enter")
    page.wait_for_selector(f"h1:text-is('{value}')")
    assert page.locator(".badge.in").count() > 0
    page.keyboard.press("a")
    page.wait_for_selector(".confirm")
    assert "leaves" in page.inner_text(".confirm")
    page.fill("#reason", "a partner's")
    page.click(".confirm button:has-text('Allow')")
    page.wait_for_selector(f"h1:text-is('{value}')")
    page.wait_for_selector(".task .badge:text('done')")
    page.reload()
    assert "allow-list" in page.inner_text("table:has-text('What would change it') >> nth=0")
    assert page.locator("text=in no collection").count() == 1
    assert "a partner's" in page.inner_text("main")
    assert value not in polled(pages).replace(f".{value}", "")


def test_withdrawn_value_tells_which_account_fetched_it(pages, chromium, value):
    """The one that left in the test before, after an appliance had polled it."""
    page = pages.page(chromium, "vera")
    deadline = time.monotonic() + 10
    while True:  # the poll log is written each second
        page.goto(f"/admin/indicators/explain?value={value}")
        said = page.inner_text("main")
        if "may hold it until" in said or time.monotonic() > deadline:
            break
        time.sleep(0.5)
    assert "Withdrawn" in said
    assert "may hold it until" in said
    assert "admin" in page.inner_text("table[aria-label='Withdrawn'], .scroll[aria-label='Withdrawn']")


def test_value_is_forced_out_and_the_decision_undone_by_keys(pages, chromium, value):
    page = pages.page(chromium, "carl")
    page.goto(f"/admin/indicators/explain?value={value}")
    page.keyboard.press("o")
    page.wait_for_selector(".confirm")
    page.click(".confirm button:has-text('Force out')")
    page.wait_for_selector(f"h1:text-is('{value}')")
    page.goto("/admin/lists/forced/")
    page.click(f"tr:has-text('{value}') a:has-text('Undo')")
    page.wait_for_selector("#preview .confirm")
    page.click("#preview button:has-text('Undo')")
    page.wait_for_selector("text=The rules decide on")
    assert page.locator(f"td:has-text('{value}')").count() == 0

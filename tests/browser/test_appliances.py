"""Journeys of a real browser: setting up an appliance, changing a rule, adding an indicator; each seen in a real poll."""

from __future__ import annotations

import re

from support import poll, read_values


def polled(pages, collection, name="poller"):
    """The values that a TAXII client gets."""
    blocks = poll(pages.address, collection, name, "poller-password-1")
    return {value for block in blocks for _, value in read_values(block.content)}


def poller(pages):
    """An account that polls everything, as an appliance's does."""
    if "poller" not in pages.run("account", "list"):
        pages.run("account", "add", "poller", "--read", "*", "--password-stdin", stdin="poller-password-1\n")


def publish(page):
    """Wait for what was decided to be published."""
    page.wait_for_selector(".task .badge:text('done')")


def test_appliance_is_set_up_by_copying_tested_and_seen_in_the_log(pages, chromium):
    poller(pages)
    page = pages.page(chromium, "carl", permissions=["clipboard-read", "clipboard-write"])
    page.goto("/admin/appliances/")
    page.select_option("#collection", "subscribed")
    page.select_option("#account", "poller")
    page.click("text=Show")
    typed = {}
    for label in page.locator(".typed dt:has(+ dd [data-copy])").all():
        page.locator(f".typed dt:text-is('{label.inner_text()}') + dd [data-copy]").click()
        typed[label.inner_text()] = page.evaluate("navigator.clipboard.readText()")
    assert typed["Hostname"] == "127.0.0.1"
    assert typed["Username"] == "poller"
    address = f"http://{typed['Hostname']}:{typed['Polling Port']}"
    assert address == pages.address
    assert polled(pages, typed["Collection Name"], typed["Username"])
    page.click("text=Test the connection")
    page.wait_for_selector("text=What was not tested")
    states = dict(zip(*(page.locator(f"tbody {one}").all_inner_texts() for one in ("th", ".badge")), strict=True))
    assert states["TAXII service"] == "good"
    assert states["Collections as the account gets them"] == "good"
    assert states["Account"] == "good"
    assert states["Certificate"] == "look at it"
    page.reload()
    assert page.is_visible("text=What was not tested")
    page.goto("/admin/appliances/polls?account=poller")
    page.wait_for_selector("tbody tr")
    assert page.locator("tbody .badge").first.inner_text() == "answered"


def test_rule_is_changed_with_its_preview_and_the_feed_follows(pages, chromium):
    poller(pages)
    page = pages.page(chromium, "carl")
    page.goto("/admin/collections/")
    page.keyboard.press("n")
    page.wait_for_url("**/collections/add")
    page.fill("#name", "journey")
    page.fill("#include_words", "*")
    page.click("text=See what it would change")
    assert "is no word" in page.inner_text("#include_words-told")
    page.fill("#include_words", "Night")
    page.click("text=See what it would change")
    page.wait_for_selector("text=Save and publish")
    assert re.search(r"It would be new, with \d+ indicators", page.inner_text("main"))
    page.click("text=Save and publish")
    publish(page)
    before = polled(pages, "journey")
    assert "192.0.2.91" in before
    page.click("text=Change the rules")
    page.fill("#include_words", "")
    page.locator("details:has-text('Never with') > summary").click()
    page.locator("input[name=exclude_types][value=IPv4]").check()
    page.click("text=See what it would change")
    page.wait_for_selector("h2:text('Coming')")
    assert page.is_visible("text=exclude.types")
    assert polled(pages, "journey") == before
    page.click("text=Save and publish")
    publish(page)
    after = polled(pages, "journey")
    assert "192.0.2.91" not in after
    assert after - before
    page.get_by_role("button", name="Remove", exact=True).click()
    page.wait_for_selector("#preview .confirm")
    page.click("#preview .confirm button")
    publish(page)
    page.goto("/admin/collections/")
    assert page.locator("text=journey").count() == 0


def test_own_indicator_is_added_served_and_removed(pages, chromium):
    poller(pages)
    page = pages.page(chromium, "carl")
    page.goto("/admin/own/")
    page.keyboard.press("p")
    page.wait_for_url("**/own/report")
    page.fill(
        "#text",
        "It came from journey[.]badsite[.]test-lab[.]org and hxxps://journey[.]badsite-lab[.]org/x, see https://vendor.org/.",
    )
    page.click("text=Find indicators")
    page.wait_for_selector("text=Add those that are ticked")
    boxes = page.locator("input[name=pick]")
    assert [box.is_checked() for box in boxes.all()] == [True, True, False]
    boxes.first.uncheck()
    page.click("text=Add those that are ticked")
    publish(page)
    assert "https://journey.badsite-lab.org/x" in polled(pages, "subscribed")
    page.goto("/admin/own/")
    page.click("tbody a")
    page.check("input[name=key]")
    page.click("text=Remove those that are ticked")
    page.click("text=Remove and publish")
    publish(page)
    assert "https://journey.badsite-lab.org/x" not in polled(pages, "subscribed")

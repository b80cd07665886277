"""Pulses in a real browser: an approval that reaches a real poll, a bulk rejection by keys alone, and without scripts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from browser.demo import Demo
from support import poll, read_values

LOADER = "0db0a9d4654a2caaabafaf3e"
DONE = ".task .badge:text('done')"


@pytest.fixture(scope="module")
def reviewing(pages: Demo) -> Iterator[Demo]:
    """The demo with a collection that reviews, and an account that polls it; it leaves nothing behind."""
    rules = pages.folder / "checked.yml"
    rules.write_text("name: checked\nreview: true\n")
    pages.run("collection", "add", "checked", "--file", str(rules))
    pages.run(
        "account", "add", "gate", "--read", "checked", "--read", "subscribed", "--password-stdin", stdin="gate-word-1\n"
    )
    yield pages
    ids = [
        one["id"]
        for one in json.loads(pages.run("pulse", "list", "--json"))
        if one["status"] in ("approved", "rejected")
    ]
    if ids:
        pages.run("pulse", "undo", *ids)
    pages.run("collection", "remove", "checked")
    pages.run("account", "remove", "gate")


def polled(demo: Demo, collection: str) -> set[str]:
    """The values that an appliance gets."""
    blocks = poll(demo.address, collection, "gate", "gate-word-1")
    return {value for block in blocks for _, value in read_values(block.content)}


def test_approved_pulse_is_in_the_next_poll(reviewing, chromium):
    assert polled(reviewing, "checked") == set()
    page = reviewing.page(chromium, "carl")
    page.goto("/admin/pulses/?review=waiting")
    page.click("td.name >> text=Paper Lantern")
    page.click("text=Approve…")
    page.wait_for_selector("#preview .confirm")
    assert "checked" in page.inner_text("#preview table")
    page.fill("#reason", "looked at")
    page.click("#preview button:text-is('Approve')")
    page.wait_for_selector("text=1 pulse is approved.")
    page.wait_for_selector(DONE)
    assert "lantern-invoices.example" in polled(reviewing, "checked")
    page.goto(f"/admin/pulses/{LOADER}")
    assert "looked at" in page.inner_text("main")
    assert page.inner_text(".states .badge >> nth=0") == "approved"


def test_many_are_rejected_by_keys_alone(reviewing, chromium):
    page = reviewing.page(chromium, "carl")
    page.goto("/admin/pulses/?author=harbor-cert")
    before = polled(reviewing, "subscribed")
    names = page.locator("td.name a").all_inner_texts()
    for key in "jxjjkjx":
        page.keyboard.press(key)
    assert page.evaluate("document.activeElement.querySelector('td.name a').textContent") == names[1]
    page.keyboard.press("r")
    page.wait_for_selector("#preview .confirm")
    assert page.inner_text("#preview h2") == "Reject 2 pulses?"
    page.wait_for_selector("#reason:focus")
    page.keyboard.type("all harmless, jk xrh")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=2 pulses are rejected.")
    assert page.url.endswith("/admin/pulses/?author=harbor-cert")
    page.wait_for_selector(DONE)
    assert len(polled(reviewing, "subscribed")) < len(before)
    assert page.locator("tr[data-row] .badge:text('rejected')").count() == 2
    page.keyboard.press("j")
    page.keyboard.press("u")  # nothing is ticked: the one that one is at
    page.wait_for_selector("#preview .confirm")
    assert page.inner_text("#preview h2") == "Take back what was decided on 1 pulse?"
    page.wait_for_selector(":focus:text-is('Undo')")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=What was decided on 1 pulse is taken back.")
    page.keyboard.press("?")
    assert "Tick the pulse" in page.inner_text("#keys")
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/pulses.[0-9a-f]{24}$"))


def test_decision_needs_no_script(reviewing, chromium):
    page = reviewing.page(chromium, "carl", java_script_enabled=False)
    page.goto("/admin/pulses/?text=scanners")
    page.check("input[name=pulse]")
    page.click("text=Hold…")
    assert page.inner_text("main h2") == "Put 1 pulse aside?"
    page.click("main button:text-is('Hold')")
    assert page.inner_text(".notice") == "1 pulse is put aside."
    assert page.inner_text("tr[data-row] .badge >> nth=0") == "held"
    page.check("input[name=all]")
    page.click("text=Undo…")
    page.click("main button:text-is('Undo')")
    assert page.inner_text("tr[data-row] .badge >> nth=0") == "waits for a look"


def test_preview_takes_no_more_than_the_screen_and_keeps_the_policy(reviewing, chromium):
    page = reviewing.page(chromium, "carl", viewport={"width": 400, "height": 800})
    said: list[str] = []
    page.on("console", lambda one: said.append(one.text) if one.type == "error" else None)
    page.goto("/admin/pulses/")
    page.check("input[name=all]")
    page.click("text=Reject…")
    page.wait_for_selector("#preview .confirm")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert said == []

"""Overview, sources and quarantine in a real browser, with the real worker."""

from __future__ import annotations

from urllib.parse import urlsplit

from pulsegate.store import quarantine
from pulsegate.store.database import Database
from pulsegate.store.quarantine import PULSE, Quarantined
from sync.fakes import pulse_id


def test_overview_refreshes_its_changing_part_and_keeps_nobody_logged_in(pages, chromium):
    page = pages.page(chromium, "vera")
    page.clock.install()
    asked = []
    page.on("request", lambda one: asked.append((urlsplit(one.url).path, one.headers.get("x-background"))))
    page.goto("/admin/")
    page.wait_for_selector("text=worker at work")
    chart = page.locator("#collection").element_handle()
    asked.clear()
    with page.expect_response("**/admin/now"):
        page.clock.run_for(31_000)
    page.wait_for_selector("#now >> text=worker at work")
    assert [one for one in asked if one[0] == "/admin/now"] == [("/admin/now", "1")]  # others may have tasks under way
    assert chart.evaluate("one => one.isConnected")  # what does not change stays, with what is chosen in it
    assert page.locator("h1").count() == 1


def test_pull_is_asked_for_seen_and_told_after_a_reload(pages, chromium):
    page = pages.page(chromium, "admin")
    page.goto("/admin/")
    page.click("nav >> text=Sources")
    page.click("main table a:text('otx')")
    page.click("text=Test the key")
    page.wait_for_selector(".task .badge:text('done')")
    page.reload()
    page.wait_for_selector("text=It belongs to the account demo")
    page.click("button:text-is('Pull now')")
    page.wait_for_selector(".task .badge:text('done')")
    page.reload()
    assert "pulses with" in page.inner_text(".cards")
    assert page.inner_text("#source-progress .badge") == "up to date"
    page.goto("/admin/audit/?action=pull")
    assert "pull.start" in page.inner_text("table")


def test_quarantine_is_filtered_previewed_and_tried_again(pages, chromium):
    database = Database(pages.url)
    with database.write() as connection:
        quarantine.add(connection, Quarantined(PULSE, pulse_id(7), "pulse", pulse_id(7), "no name", "{}", source="otx"))
    database.close()
    page = pages.page(chromium, "carl")
    page.goto("/admin/quarantine/")
    page.keyboard.press("/")
    page.keyboard.type(pulse_id(7))
    page.keyboard.press("Enter")
    page.wait_for_url("**text=*")
    assert page.locator("tbody tr").count() == 1
    page.click("text=Try these again")
    page.wait_for_selector("#preview >> text=Try 1 entries again?")
    page.click("#preview .confirm button")
    page.wait_for_selector(".task .badge:text('done')")
    assert "0 taken, 1 refused again" in page.inner_text(".task")

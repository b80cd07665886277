"""The pages in a real browser: logging in, colours, languages, keys, and nothing that axe finds serious."""

from __future__ import annotations

import os

import pytest

from browser.demo import ADDRESSES, log_in

SERIOUS = {"serious", "critical"}


def outside(page, address):
    """The requests and the complaints of the browser from now on, those to other hosts and those of the policy."""
    found = []
    page.on("request", lambda one: found.append(one.url) if not one.url.startswith((address, "data:")) else None)
    page.on("console", lambda one: found.append(one.text) if one.type == "error" else None)
    page.on("pageerror", lambda one: found.append(str(one)))
    return found


def test_log_in_and_out(pages, chromium):
    page = pages.page(chromium)
    page.goto("/admin/audit/")
    assert "/admin/login" in page.url
    log_in(page, "vera", "wrong word")
    assert page.locator("[role=alert]").inner_text().startswith("The name or the password is wrong")
    page.fill("#name", "vera")
    page.fill("#password", "vera-password-1")
    page.keyboard.press("Enter")
    page.wait_for_url("**/admin/")
    assert page.locator("nav >> text=Accounts").count() == 0
    page.click("text=Log out")
    page.wait_for_url("**/admin/login")
    page.go_back()
    page.goto("/admin/audit/")
    assert "/admin/login" in page.url


def test_front_of_the_server_leads_a_browser_to_the_pages(pages, chromium):
    page = pages.page(chromium)
    page.goto("/")
    assert "/admin/login" in page.url


def test_colours_and_language_are_switched_and_stay(pages, chromium):
    page = pages.page(chromium, "vera", color_scheme="light")
    background = "getComputedStyle(document.documentElement).backgroundColor"
    light = page.evaluate(background)
    page.click("button[value=dark]")
    page.wait_for_load_state()
    assert page.get_attribute("html", "data-theme") == "dark"
    assert page.evaluate(background) != light
    page.click("button[value=ja]")
    page.goto("/admin/audit/")
    assert page.get_attribute("html", "lang") == "ja"
    assert page.inner_text("h1") == "監査"
    assert page.get_attribute("html", "data-theme") == "dark"


def test_browser_that_wants_japanese_gets_it_before_the_log_in(pages, chromium):
    page = pages.page(chromium, locale="ja-JP")
    page.goto("/admin/login")
    assert page.inner_text("form button >> nth=0") == "ログイン"


def test_keys_work_without_a_mouse(pages, chromium):
    page = pages.page(chromium, "admin")
    page.goto("/admin/audit/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("?")
    assert page.is_visible("dialog#keys")
    page.keyboard.press("Escape")
    assert not page.is_visible("dialog#keys")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.type") == "search"
    page.goto("/admin/accounts/")
    page.keyboard.press("n")
    page.wait_for_url("**/admin/accounts/add")


def test_preview_comes_in_its_place_and_the_password_is_copied(pages, chromium):
    page = pages.page(chromium, "admin", permissions=["clipboard-read", "clipboard-write"])
    complaints = outside(page, pages.address)
    page.goto("/admin/accounts/2")
    name = page.inner_text("h1")
    page.click("text=Remove")
    page.wait_for_selector("#preview .confirm")
    assert page.inner_text("#preview h2") == f"Remove {name}?"
    assert page.url.endswith("/admin/accounts/2")
    page.goto("/admin/accounts/add")
    page.fill("#name", "tried")
    page.click("main form button")
    page.wait_for_selector("text=Password of tried")
    word = page.locator("[data-copy]").last
    word.click()
    assert page.evaluate("navigator.clipboard.readText()") == word.get_attribute("data-copy")
    assert page.inner_text("#said") == "Copied"
    page.goto("/admin/accounts/")
    page.click("text=tried")
    page.click("text=Remove")
    page.click("#preview .confirm button")
    page.wait_for_selector("text=tried is removed.")
    assert complaints == []


def test_navigation_is_a_menu_on_a_narrow_screen(pages, chromium):
    page = pages.page(chromium, "admin", viewport={"width": 400, "height": 700})
    page.goto("/admin/audit/")
    assert not page.is_visible("#navigation")
    page.click("text=Menu")
    assert page.get_attribute(".menu", "aria-expanded") == "true"
    page.click("#navigation >> text=Accounts")
    page.wait_for_url("**/admin/accounts/")


WAYS = {
    "narrow": {"viewport": {"width": 400, "height": 800}},
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
}


def looks():
    """Each address on a narrow screen, and in one of both colours; in each way with ``ALL_LOOKS=1``."""
    for number, address in enumerate(ADDRESSES):
        ways = WAYS if os.environ.get("ALL_LOOKS") else ("narrow", ("light", "dark")[number % 2])
        yield from ((address, way) for way in ways)


@pytest.fixture(scope="module")
def visitors(pages, chromium):
    """A page that is looked at in one way or another, logged in or not; made once."""
    made = {}

    def visitor(way, name):
        if (way, name) not in made:
            made[way, name] = pages.page(chromium, name, **WAYS[way], bypass_csp=True)
        return made[way, name]

    yield visitor
    for page in made.values():
        page.context.close()


@pytest.mark.parametrize(("address", "way"), list(looks()))
def test_page_is_accessible_fits_and_stays_on_this_host(pages, visitors, address, way):
    from axe_playwright_python.sync_playwright import Axe

    page = visitors(way, None if address.endswith("/login") else "admin")
    complaints = outside(page, pages.address)
    page.goto(address)
    found = Axe().run(page).response["violations"]
    told = [(one["id"], one["help"], [n["target"] for n in one["nodes"]]) for one in found if one["impact"] in SERIOUS]
    assert told == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "it must not scroll sideways"
    assert [one for one in complaints if "404" not in one] == []


def test_no_page_needs_what_the_policy_forbids(pages, chromium):
    page = pages.page(chromium, "admin")
    complaints = outside(page, pages.address)
    for address in ADDRESSES:
        page.goto(address)
        page.wait_for_load_state("networkidle")
    assert [one for one in complaints if "404" not in one] == []

"""Logging in and out: cookies, sessions, roles, the token, and where it leads."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from pulsegate.model.role import Role
from pulsegate.store import accounts, audit
from pulsegate.store.tables import web_sessions
from pulsegate.web import app
from pulsegate.web.site import TryLaterError
from web.conftest import PASSWORDS, Browser
from web.seen import changes


def cookie(answer):
    (found,) = [one for one in answer.headers.getlist("Set-Cookie") if "pulsegate=" in one]
    name, _, rest = found.partition("=")
    return name, [one.strip() for one in rest.split(";")[1:]]


def test_who_is_not_logged_in_is_led_to_the_page_he_wanted(browser):
    answer = browser.get("/admin/audit/?account=ann")
    assert (answer.status_code, answer.location) == (303, "/admin/login?next=/audit/?account%3Dann")
    assert browser.get(answer.location).status_code == 200
    answer = browser.post("/admin/login", {"name": "vera", "password": "viewer word", "next": "/audit/?account=ann"})
    assert (answer.status_code, answer.location) == (303, "/admin/audit/?account=ann")
    assert browser.get(answer.location).status_code == 200


@pytest.mark.parametrize("wanted", ["https://evil.test/", "//evil.test", "/\\evil.test", "javascript:alert(1)", ""])
def test_log_in_leads_to_these_pages_only(browser, wanted):
    browser.get("/admin/login")
    answer = browser.post("/admin/login", {"name": "vera", "password": "viewer word", "next": wanted})
    assert (answer.status_code, answer.location) == (303, "/admin/")


def test_part_that_htmx_asks_for_leads_the_whole_page_to_the_log_in(browser):
    answer = browser.get("/admin/tasks/1", headers={"HX-Request": "true"})
    assert (answer.status_code, answer.headers["HX-Redirect"]) == (401, "/admin/login")


@pytest.mark.parametrize(
    ("name", "word", "status", "said"),
    [
        ("vera", "a-guess", 401, "The name or the password is wrong"),
        ("nobody", "viewer word", 401, "The name or the password is wrong"),
        ("esa", "gateway word", 403, "This account has no access to these pages."),
        ("busy", "x", 429, "Too many attempts. Try again in 7 seconds."),
        ("", "x", 422, "This field is required."),
    ],
)
def test_who_can_not_log_in_is_told_why(browser, name, word, status, said):
    browser.get("/admin/login")
    answer = browser.post("/admin/login", {"name": name, "password": word})
    assert answer.status_code == status
    assert said in answer.text
    assert word not in answer.text or len(word) == 1
    assert answer.headers.get("Retry-After") == ("7" if status == 429 else None)
    assert browser.get("/admin/audit/").status_code == 303


def test_disabled_account_is_logged_out_with_its_next_request(logged_in, site):
    browser = logged_in("vera")
    with site.database.write() as connection:
        accounts.disable(connection, "vera")
    assert browser.get("/admin/audit/").status_code == 303
    assert browser.log_in("vera").status_code == 401


def test_role_that_was_taken_away_holds_no_longer(logged_in, site):
    browser = logged_in("ann")
    assert browser.get("/admin/accounts/").status_code == 200
    with site.database.write() as connection:
        accounts.set_role(connection, "carl", Role.ADMIN)
        accounts.set_role(connection, "ann", Role.VIEWER)
    assert browser.get("/admin/accounts/").status_code == 403
    assert browser.get("/admin/audit/").status_code == 200
    with site.database.write() as connection:
        accounts.set_role(connection, "ann", None)
    assert browser.get("/admin/audit/").status_code == 303


def test_session_has_another_id_after_the_log_in_and_is_over_after_the_log_out(application):
    browser = Browser(application)
    browser.get("/admin/login")
    before, token = browser.client.get_cookie("pulsegate", "pages.test", "/admin/").value, browser.token
    browser.log_in("ann")
    after = browser.client.get_cookie("pulsegate", "pages.test", "/admin/").value
    assert before != after
    assert browser.get("/admin/me").status_code == 200
    assert browser.post("/admin/logout", {"csrf_token": token}).status_code == 400  # that of the session before
    browser.get("/admin/me")
    assert browser.post("/admin/logout").location == "/admin/login"
    stolen = Browser(application)
    stolen.client.set_cookie("pulsegate", after, domain="pages.test", path="/admin/")
    assert stolen.get("/admin/me").status_code == 303


def test_logging_out_everywhere_ends_the_others_too(logged_in):
    first, second, other = logged_in("vera"), logged_in("vera"), logged_in("carl")
    assert first.post("/admin/logout/everywhere").location == "/admin/login"
    assert [one.get("/admin/me").status_code for one in (first, second, other)] == [303, 303, 200]


def test_idle_session_is_over(logged_in, site):
    browser = logged_in("vera")
    with site.database.write() as connection:
        seen = connection.scalar(sa.select(web_sessions.c.seen))
        connection.execute(sa.update(web_sessions).values(seen=seen - timedelta(minutes=31)))
    assert browser.get("/admin/me").status_code == 303


def test_what_a_page_asks_by_itself_keeps_nobody_logged_in(logged_in, site):
    browser = logged_in("vera")

    def age(**by):
        with site.database.write() as connection:
            seen = connection.scalar(sa.select(sa.func.max(web_sessions.c.seen)))
            connection.execute(sa.update(web_sessions).values(seen=seen - timedelta(**by)))

    age(minutes=20)
    assert browser.get("/admin/me", headers={"X-Background": "1"}).status_code == 200
    age(minutes=11)
    assert browser.get("/admin/me").status_code == 303
    browser = logged_in("vera")
    age(minutes=20)
    assert browser.get("/admin/me").status_code == 200
    age(minutes=11)
    assert browser.get("/admin/me").status_code == 200


def test_cookie_is_for_this_host_and_secure_over_https(application):
    plain, secure = Browser(application), Browser(application, "https://pages.test")
    assert cookie(plain.get("/admin/login")) == ("pulsegate", ["HttpOnly", "Path=/admin/", "SameSite=Lax"])
    name, properties = cookie(secure.get("/admin/login"))
    assert (name, properties) == ("__Host-pulsegate", ["Secure", "HttpOnly", "Path=/", "SameSite=Lax"])
    assert secure.log_in("ann").status_code == 303
    assert secure.get("/admin/me").status_code == 200


@pytest.mark.parametrize("address", ["/admin/logout", "/admin/login", "/admin/preferences/", "/admin/accounts/add"])
def test_post_without_the_token_or_from_another_site_changes_nothing(logged_in, address):
    browser = logged_in("ann")
    answer = browser.post(address, {"csrf_token": ""})
    assert answer.status_code == 400
    assert "The form is out of date" in answer.text
    assert browser.post(address, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert browser.get("/admin/me").status_code == 200


def test_token_may_come_in_a_header_as_htmx_sends_it(logged_in):
    browser = logged_in("ann")
    answer = browser.post("/admin/logout", {"csrf_token": ""}, headers={"X-CSRFToken": browser.token})
    assert answer.location == "/admin/login"


# --- One's own password -----------------------------------------------------------------------------------------------

OWN = "/admin/me/password"


def words(current="viewer word", new="another word", again=None):
    return {"current": current, "new": new, "again": new if again is None else again}


@pytest.mark.parametrize("name", ["vera", "carl", "ann"])
def test_own_password_is_changed_and_other_sessions_end(logged_in, site, name):
    here, there, other = logged_in(name), logged_in(name), logged_in("ann" if name != "ann" else "carl")
    before = here.client.get_cookie("pulsegate", "pages.test", "/admin/").value
    assert f'href="{OWN}"' in here.get("/admin/me").text
    here.get(OWN)
    answer = here.post(OWN, words(PASSWORDS[name], "a new one of mine"))
    assert (answer.status_code, answer.location) == (303, "/admin/me")
    assert "Your password is changed." in here.get(answer.location).text
    assert here.client.get_cookie("pulsegate", "pages.test", "/admin/").value != before
    assert [one.get("/admin/me").status_code for one in (here, there, other)] == [200, 303, 200]
    assert site.check(name, PASSWORDS[name], None) is None
    assert site.check(name, "a new one of mine", None).account.name == name
    assert there.log_in(name).status_code == 401
    assert there.log_in(name, "a new one of mine").status_code == 303
    assert changes(site) == [(name, "account.password", name)]
    with site.database.read() as connection:
        (record,) = audit.every(connection, limit=5)
    assert (record.before, record.after) == (None, None)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (words(current="a guess"), "It is not the password of this account."),
        (words(current="admin word"), "It is not the password of this account."),  # somebody else's
        (words(current=""), "This field is required."),
        (words(new=""), "This field is required."),
        (words(again="another wor"), "It is not the same."),
        (words(new="x" * 1_001), "Field cannot be longer than 1000 characters."),
        ({}, "This field is required."),
    ],
)
def test_own_password_is_not_changed_by_who_is_wrong(logged_in, site, given, said):
    browser, other = logged_in("vera"), logged_in("vera")
    browser.get(OWN)
    answer = browser.post(OWN, given)
    assert answer.status_code == 422
    assert said in answer.text
    assert not any(word in answer.text for word in ("a guess", "admin word", "another word", "viewer word"))
    assert [one.get("/admin/me").status_code for one in (browser, other)] == [200, 200]
    assert site.check("vera", "viewer word", None)
    assert changes(site) == []


def take_over(site, browser):
    """Have that browser, whose site checks passwords in its own way, go on in a session of vera's."""
    first = Browser(app.create(site))
    first.log_in("vera")
    found = first.client.get_cookie("pulsegate", "pages.test", "/admin/").value
    browser.client.set_cookie("pulsegate", found, domain="pages.test", path="/admin/")


def test_own_password_is_limited_as_the_log_in_is(site):
    def check(name, word, address):
        asked.append((name, word, address))
        raise TryLaterError(7)

    asked = []
    browser = Browser(app.create(replace(site, check=check)))
    take_over(site, browser)
    browser.get(OWN)
    answer = browser.post(OWN, words(), environ_base={"REMOTE_ADDR": "192.0.2.9"})
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
    assert "Too many attempts. Try again in 7 seconds." in answer.text
    assert asked == [("vera", "viewer word", "192.0.2.9")]
    assert changes(site) == []


def test_own_password_that_was_changed_while_it_was_checked_stays(site):
    def check(name, word, address):
        found = site.check(name, word, address)
        with site.database.write() as connection:
            accounts.set_password(connection, name, "by the administrator")
        return found

    browser = Browser(app.create(replace(site, check=check)))
    take_over(site, browser)
    browser.get(OWN)
    answer = browser.post(OWN, words())
    assert answer.status_code == 422
    assert site.check("vera", "by the administrator", None)
    assert changes(site) == []


def test_own_password_is_for_who_is_logged_in(browser, site):
    assert browser.get(OWN).status_code == 303
    browser.get("/admin/login")
    assert browser.post(OWN, words()).status_code == 303
    assert site.check("vera", "viewer word", None)

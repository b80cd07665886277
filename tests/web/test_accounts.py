"""The page of accounts: adding, passwords that are shown once, roles, rights, disabling, removing."""

from __future__ import annotations

import re

import pytest

from pulsegate.model.role import Role
from pulsegate.store import accounts
from web.seen import changes, shown


def account(site, name):
    with site.database.read() as connection:
        return accounts.find(connection, name)


def shown_password(answer):
    (_, found) = re.findall(r'data-copy="([^"]+)"', answer.text)
    return found


def test_account_is_added_with_a_password_that_works(logged_in, site):
    browser = logged_in("ann")
    browser.get("/admin/accounts/add")
    answer = browser.post("/admin/accounts/add", {"name": "new", "role": "curator", "reads": "*"})
    assert answer.status_code == 200
    word = shown_password(answer)
    assert len(word) == 20
    made = account(site, "new")
    assert (made.role, made.reads_all, made.is_admin) == (Role.CURATOR, True, False)
    assert site.check("new", word, None).account == made
    assert changes(site) == [("ann", "account.add", "new")]
    assert word not in browser.get("/admin/audit/").text
    assert "new" in browser.get("/admin/accounts/").text


@pytest.mark.parametrize(
    ("name", "said"), [("ann", "exists already"), ("a:b", "is no usable account name"), ("", "required")]
)
def test_account_that_can_not_be_added_is_told(logged_in, site, name, said):
    browser = logged_in("ann")
    answer = browser.post("/admin/accounts/add", {"name": name, "role": "", "reads": ""})
    assert answer.status_code == 422
    assert said in answer.text
    assert changes(site) == []


def test_password_is_renewed_and_its_sessions_end(logged_in, site):
    vera, ann = logged_in("vera"), logged_in("ann")
    address = f"/admin/accounts/{account(site, 'vera').id}"
    answer = ann.post(f"{address}/password", shown(ann.get(address)))
    word = shown_password(answer)
    assert site.check("vera", word, None)
    assert site.check("vera", "viewer word", None) is None
    assert vera.get("/admin/audit/").status_code == 303
    assert changes(site) == [("ann", "account.password", "vera")]


def test_role_and_rights_are_changed(logged_in, site):
    ann, pk = logged_in("ann"), account(site, "esa").id
    it = shown(ann.get(f"/admin/accounts/{pk}"))
    for address, data in (
        ("role", {"role": "viewer"}), ("grant", {"collection": "*", "right": "read"}),
        ("disable", {}), ("disable", {}),
    ):  # fmt: skip
        answer = ann.post(f"/admin/accounts/{pk}/{address}", it | data)
        assert (answer.status_code, answer.location) == (303, f"/admin/accounts/{pk}")
    found = account(site, "esa")
    assert (found.role, found.reads_all, found.disabled is not None) == (Role.VIEWER, True, True)
    for address, data in (("revoke", {"collection": "*"}), ("enable", {}), ("role", {"role": ""})):
        assert ann.post(f"/admin/accounts/{pk}/{address}", it | data).status_code == 303
    found = account(site, "esa")
    assert (found.role, found.reads_all, found.disabled) == (None, False, None)
    done = ["role", "enable", "revoke", "disable", "grant", "role"]  # a change that was none has no record
    assert [action for _, action, _ in changes(site)] == [f"account.{one}" for one in done]
    assert "Saved." in ann.get(f"/admin/accounts/{pk}").text


@pytest.mark.parametrize(
    ("address", "data"),
    [
        ("role", {"role": "emperor"}),
        ("grant", {"collection": "nothing", "right": "read"}),
        ("grant", {"collection": "*"}),
    ],
)
def test_senseless_change_is_refused(logged_in, site, address, data):
    pk = account(site, "esa").id
    assert logged_in("ann").post(f"/admin/accounts/{pk}/{address}", data).status_code == 400
    assert changes(site) == []


def test_last_administrator_stays(logged_in, site):
    pk = account(site, "ann").id
    browser = logged_in("ann")
    it = shown(browser.get(f"/admin/accounts/{pk}"))
    for address, data, said in (
        ("role", {"role": "viewer"}, "is the last administrator"),
        ("disable", {}, "is the last administrator"),
        ("remove", {}, "is your own account"),
    ):
        answer = browser.post(f"/admin/accounts/{pk}/{address}", it | data)
        assert answer.status_code == 409
        assert said in answer.text
    assert account(site, "ann").is_admin
    assert changes(site) == []


def test_removal_is_previewed_in_a_part_and_in_a_page(logged_in, site):
    browser, pk = logged_in("ann"), account(site, "esa").id
    part = browser.get(f"/admin/accounts/{pk}/remove", headers={"HX-Request": "true"}).text
    assert "It has never polled." in part
    assert "<html" not in part
    page = browser.get(f"/admin/accounts/{pk}/remove")
    assert "<html" in page.text
    assert account(site, "esa") is not None
    assert browser.post(f"/admin/accounts/{pk}/remove", shown(page)).location == "/admin/accounts/"
    assert account(site, "esa") is None
    assert changes(site) == [("ann", "account.remove", "esa")]


@pytest.mark.parametrize("name", ["carl", "vera"])
def test_accounts_are_for_administrators(logged_in, site, name):
    browser, pk = logged_in(name), account(site, "esa").id
    assert browser.get("/admin/accounts/").status_code == 403
    for address in ("password", "role", "grant", "revoke", "disable", "enable", "remove"):
        assert browser.post(f"/admin/accounts/{pk}/{address}", {"role": "admin"}).status_code == 403
    assert browser.post("/admin/accounts/add", {"name": "x"}).status_code == 403
    assert account(site, "x") is None
    assert changes(site) == []

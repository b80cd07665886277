"""Requests as nobody's browser sends them: odd names and numbers, positions that are none, bodies that never end."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest

from web.curated import fill

HUGE = "9" * 20
LISTS = ("/admin/audit/", "/admin/pulses/", "/admin/indicators/", "/admin/appliances/polls", "/admin/lists/allow/")


def at(*key) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")


KEYS = [
    at({"t": "2024-01-01T00:00:00"}, 1), at({"t": "0001-01-01T00:00:00+14:00"}, 1), at("\ud800", 1), at("\0", 1),
    at(2**62), at({"t": "2024-01-01T00:00:00"}, 1, 1), at(), at(None), at([]), at(True, {"t": 1}),
]  # fmt: skip


@pytest.mark.parametrize("address", LISTS)
def test_position_that_is_none_is_no_error(logged_in, site, address):
    fill(site)
    browser = logged_in("ann")
    for key in KEYS:
        for name in ("after", "before"):
            assert browser.get(f"{address}?{name}={key}").status_code == 200, (key, name)


@pytest.mark.parametrize("address", LISTS)
def test_parameter_of_any_name_stays_in_the_pager(logged_in, site, address):
    fill(site)
    browser, behind = logged_in("ann"), at({"t": "2099-01-01T00:00:00+00:00"}, 2**31 - 1)
    for name in ("endpoint", "_scheme", "_method", "_anchor", "_external", "pk"):
        answer = browser.get(f"{address}?{name}=x&after={behind}")
        assert answer.status_code == 200, name
        assert "http://pages.test/admin" not in answer.text, name


@pytest.mark.parametrize(
    "path",
    [
        "tasks/{}", "appliances/tests/{}", "collections/{}", "collections/trials/{}", "own/{}", "own/drafts/{}",
        "accounts/{}", "quarantine/{}",
    ],
)  # fmt: skip
def test_key_that_no_row_has_is_not_found(logged_in, path):
    browser = logged_in("ann")
    for number in (HUGE, str(2**31), str(2**63)):
        assert browser.get(f"/admin/{path.format(number)}").status_code == 404


def test_parameter_that_is_no_key_is_left_out(logged_in):
    browser = logged_in("ann")
    assert browser.get(f"/admin/collections/add?trial={HUGE}").status_code == 200
    assert browser.get(f"/admin/lists/allow/add?entry=a.example.net&task={HUGE}").status_code == 200


@pytest.mark.parametrize(
    "address",
    [
        "/admin/?collection=%00", "/admin/audit/?action=%00", "/admin/appliances/polls?account=%00",
        "/admin/quarantine/?kind=%00", "/admin/indicators/in/%00.csv", "/admin/pulses/?author=a%00", "/admin/%00",
        "/admin/lists/allow/?%00=1",
    ],
)  # fmt: skip
def test_nul_in_an_address_is_no_error(logged_in, address):
    assert logged_in("ann").get(address).status_code in (200, 404)


def test_nul_in_a_name_that_is_sent_is_no_error(logged_in):
    browser = logged_in("ann")
    sent = {"collection": "a\0", "account": "b\0", "name": "c\0"}
    assert browser.post("/admin/appliances/test", sent).status_code == 400
    assert browser.post("/admin/collections/add", sent).status_code in (400, 409, 422)


def test_collection_is_found_by_its_name(logged_in, site):
    fill(site)
    browser = logged_in("vera")
    answer = browser.get(f"/admin/collections/named/{quote('mail')}")
    assert browser.get(answer.location).status_code == 200
    assert browser.get("/admin/collections/named/nothing").status_code == 404


def test_curator_adds_entries_in_no_other_name(logged_in, site):
    from pulsegate.store import decisions

    table = "text,account,since\n.evil.example,somebody,2020-01-01\n"
    for name, said in (("carl", "carl"), ("ann", "somebody")):
        browser = logged_in(name)
        browser.get("/admin/lists/allow/file/import")
        answer = browser.post("/admin/lists/allow/file/import", {"text": table, "format": "csv", "confirm": "yes"})
        assert answer.status_code < 400, answer.text
        with site.database.read() as connection:
            found = [one.account for one in decisions.read(connection).allowed]
        if found:
            assert found == [said]
            with site.database.write() as connection:
                for one in decisions.read(connection).allowed:
                    decisions.disallow(connection, one.kind, one.text, "test")

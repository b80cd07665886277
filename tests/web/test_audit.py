"""The page of changes: filters, and pages by key in both directions."""

from __future__ import annotations

import re

import pytest

from pulsegate.store import audit
from pulsegate.web import paging
from web.seen import beside


@pytest.fixture
def many(site, monkeypatch):
    monkeypatch.setattr(paging, "SIZE", 3)
    with site.database.write() as connection:
        for number in range(7):
            action = "allow.add" if number % 2 else "pulse.approve"
            audit.record(connection, "carl" if number < 3 else "vera", action, f"subject-{number}")


def subjects(answer):
    return [int(one) for one in re.findall(r"subject-(\d)</span>", answer.text)]


@pytest.mark.usefixtures("many")
def test_pages_lead_there_and_back(logged_in):
    browser = logged_in("vera")
    first = browser.get("/admin/audit/")
    second = browser.get(beside(first, "next"))
    third = browser.get(beside(second, "next"))
    assert [subjects(one) for one in (first, second, third)] == [[6, 5, 4], [3, 2, 1], [0]]
    assert (beside(first, "prev"), beside(third, "next")) == (None, None)
    back = browser.get(beside(third, "prev"))
    assert subjects(back) == [3, 2, 1]
    again = browser.get(beside(back, "prev"))
    assert subjects(again) == [6, 5, 4]
    assert beside(again, "prev") is None
    assert beside(again, "next") is not None


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize(
    ("filters", "found"),
    [("account=carl", [2, 1, 0]), ("action=allow", [5, 3, 1]), ("subject=JECT-4", [4]), ("subject=nothing", [])],
)
def test_filters_leave_what_fits(logged_in, filters, found):
    answer = logged_in("vera").get(f"/admin/audit/?{filters}")
    assert subjects(answer) == found
    assert ("No change fits." in answer.text) == (not found)


@pytest.mark.usefixtures("many")
def test_filter_stays_on_the_next_page(logged_in):
    browser = logged_in("vera")
    answer = browser.get(beside(browser.get("/admin/audit/?action=pulse"), "next"))
    assert subjects(answer) == [0]


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize("position", ["after=%00", "after=W10", "after=e30", "before=WyJ4Il0", "after=" + "W" * 5000])
def test_position_that_can_not_be_read_is_the_first_page(logged_in, position):
    answer = logged_in("vera").get(f"/admin/audit/?{position}")
    assert answer.status_code == 200

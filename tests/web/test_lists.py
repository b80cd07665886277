"""Lists: the allow list, forced values, warning lists and own networks, each change with its preview, record and task."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest

from pulsegate.cli import tasks as worker
from pulsegate.cli.setup import Installation
from pulsegate.curation.list_choice import ListChoice
from pulsegate.curation.own import Own
from pulsegate.model.mode import Mode
from pulsegate.publication.explain import explain
from pulsegate.store import decisions
from pulsegate.web import app, paging, previews
from web.conftest import Browser
from web.curated import EVIL, fill, publish, waiting
from web.seen import beside, changes, shown

OUT_BY_ALLOW = "shop.example.net: allow"


@pytest.fixture(autouse=True)
def filled(site):
    fill(site)


def allowed(site):
    with site.database.read() as connection:
        return [(one.kind, one.text, one.reason, one.account) for one in decisions.read(connection).allowed]


def forced(site):
    with site.database.read() as connection:
        return [
            (one.collection, one.value, one.inside, one.against_own) for one in decisions.read(connection).overrides
        ]


def rule(site, value, collection="subscribed"):
    found = explain(site.database, site.policy, value)
    return next(one.rule for one in found.standings if one.collection == collection)


def said(answer):
    return " ".join(re.sub(r"<[^>]+>", " ", answer.text).split())


# --- The allow list ---------------------------------------------------------------------------------------------------


def test_preview_says_what_leaves_and_changes_nothing(site, logged_in):
    answer = logged_in("carl").get("/admin/lists/allow/add?entry=.shop.example.net&value=shop.example.net")
    text = said(answer)
    assert "Allow shop.example.net?" in text
    assert "mail : 3 indicators leave" in text
    assert "a.shop.example.net" in text
    assert allowed(site) == []
    assert waiting(site.database) == []


def test_entry_is_added_recorded_and_published(site, logged_in):
    browser = logged_in("carl")
    browser.get("/admin/lists/allow/add")
    fields = {"entry": ".shop[.]example[.]net", "reason": " a  partner ", "value": "shop.example.net"}
    answer = browser.post("/admin/lists/allow/add", fields)
    assert (answer.status_code, answer.location) == (303, "/admin/indicators/explain?value=shop.example.net")
    assert allowed(site) == [("subtree", "shop.example.net", "a partner", "carl")]
    assert changes(site)[0] == ("carl", "allow.add", "shop.example.net")
    assert waiting(site.database) == ["publish"]
    publish(site)
    assert rule(site, "a.shop.example.net") == "allow-list"


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"entry": "300.1.2.3"}, "300.1.2.3"),
        ({"entry": ""}, "This field is required."),
        ({"entry": "a.example.net", "expires": "2001-01-01"}, "is past"),
        ({"entry": "a.example.net", "expires": "soon"}, "is no date"),
        ({"entry": "a.example.net", "reason": "x" * 2001}, "longer than 2000"),
    ],
)
def test_what_is_wrong_is_told_beside_its_field(site, logged_in, fields, told):
    browser = logged_in("carl")
    browser.get("/admin/lists/allow/add")
    answer = browser.post("/admin/lists/allow/add", fields)
    assert answer.status_code == 422
    assert told in answer.text
    assert allowed(site) == []


def test_removal_tells_what_comes_back(site, logged_in):
    browser = logged_in("carl")
    browser.get("/admin/lists/allow/add")
    browser.post("/admin/lists/allow/add", {"entry": "shop.example.net"})
    publish(site)
    answer = browser.get("/admin/lists/allow/remove?kind=exact&text=shop.example.net")
    assert "mail : 2 indicators come" not in said(answer)
    assert "mail : 1 indicator comes" in said(answer)
    assert "nothing speaks against it" in answer.text
    browser.post("/admin/lists/allow/remove", shown(answer) | {"kind": "exact", "text": "shop.example.net"})
    assert allowed(site) == []
    assert changes(site)[0] == ("carl", "allow.remove", "shop.example.net")
    assert browser.get("/admin/lists/allow/remove?text=shop.example.net").status_code == 404


def test_before_its_publication_a_decision_is_told_by_what_it_averts(site, logged_in):
    browser = logged_in("carl")
    browser.get("/admin/lists/allow/add")
    browser.post("/admin/lists/allow/add", {"entry": "shop.example.net"})
    answer = browser.get("/admin/lists/allow/remove?kind=exact&text=shop.example.net")
    assert "mail : 1 that would leave stays" in said(answer)


def test_wide_entry_is_counted_and_made_by_the_worker(site, logged_in, monkeypatch):
    monkeypatch.setattr(previews, "MOST", 2)
    browser = logged_in("carl")
    address = "/admin/lists/allow/add?entry=.example.net"
    assert "has not been counted" in browser.get(address).text
    answer = browser.post("/admin/lists/allow/add/count", {"entry": ".example.net", "expires": "30d"})
    assert answer.status_code == 303
    assert waiting(site.database) == ["effect"]
    assert "The worker counts" in browser.get(answer.location).text
    work(site)
    assert "mail : 3 indicators leave" in said(browser.get(answer.location))
    other = answer.location.replace("entry=.example.net", "entry=.example.org")
    assert "indicators leave" not in said(browser.get(other))
    browser.get(address)
    browser.post("/admin/lists/allow/add", {"entry": ".example.net"})
    assert allowed(site) == []
    assert waiting(site.database) == ["decide"]
    work(site)
    assert allowed(site) == [("subtree", "example.net", "", "carl")]
    assert changes(site)[0] == ("carl", "allow.add", "example.net")
    assert rule(site, "shop.example.net") == "allow-list"


def work(site):
    """Do what waits, as the worker does."""
    runner = worker.Runner(Installation(site.settings, site.database, site.policy, demo=False))
    while runner.once():
        pass


def test_list_is_filtered_and_paged(logged_in, monkeypatch):
    monkeypatch.setattr(paging, "SIZE", 3)
    browser = logged_in("carl")
    browser.get("/admin/lists/allow/add")
    for number in range(7):
        browser.post(
            "/admin/lists/allow/add", {"entry": f"n{number}.example.org", "reason": EVIL if number == 2 else "why"}
        )

    def names(answer):
        return re.findall(r'<td><span class="value">(n\d)\.example', answer.text)

    first = browser.get("/admin/lists/allow/")
    second = browser.get(beside(first, "next"))
    third = browser.get(beside(second, "next"))
    assert [names(one) for one in (first, second, third)] == [["n6", "n5", "n4"], ["n3", "n2", "n1"], ["n0"]]
    assert names(browser.get(beside(third, "prev"))) == ["n3", "n2", "n1"]
    assert EVIL not in second.text
    assert names(browser.get("/admin/lists/allow/?text=n2")) == ["n2"]
    assert names(browser.get("/admin/lists/allow/?text=script&account=carl")) == ["n2"]
    assert names(browser.get("/admin/lists/allow/?account=nobody")) == []


# --- Files ------------------------------------------------------------------------------------------------------------


def test_import_shows_good_and_wrong_lines_before_it_adds_the_good_ones(site, logged_in):
    browser = logged_in("carl")
    browser.get("/admin/lists/allow/file/import")
    text = f"shop.example.net\n300.1.2.3\n.example.org # {EVIL}\n10.0.0.0/8\n"
    data = {"file": (io.BytesIO(text.encode()), "list.txt"), "reason": "from a file"}
    answer = browser.post("/admin/lists/allow/file/import", data)
    assert answer.status_code == 200
    assert "Add 3 entries?" in answer.text
    assert re.search(r'<td class="number">2</td><td>[^<]*300\.1\.2\.3', answer.text)
    assert "2 indicators leave" in said(answer)
    assert allowed(site) == []
    kept = re.search(r'name="text" value="([^"]*)"', answer.text, re.DOTALL)[1]
    answer = browser.post("/admin/lists/allow/file/add", {"text": kept})
    assert answer.status_code == 303
    assert {one[:2] for one in allowed(site)} == {
        ("exact", "shop.example.net"), ("subtree", "example.org"), ("network", "10.0.0.0/8"),
    }  # fmt: skip
    assert {one[2] for one in allowed(site)} == {"from a file"}
    again = browser.post("/admin/lists/allow/file/import", {"text": text})
    assert "Add " not in said(again).partition("Wrong lines")[0]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"\xff\xfe\x00", "no text in UTF-8"),
        (b"", "It has no entry."),
        (b"a.example.net\n" * 6_000, "more than 5,000 entries"),
        (b"kind,reason\n1,2\n", "is no"),
    ],
)
def test_file_that_can_not_be_read_is_refused(site, logged_in, content, told):
    browser = logged_in("carl")
    browser.get("/admin/lists/allow/file/import")
    answer = browser.post("/admin/lists/allow/file/import", {"file": (io.BytesIO(content), "list.txt")})
    assert told in answer.text
    assert allowed(site) == []


@pytest.mark.parametrize("form", ["csv", "text"])
def test_export_is_read_by_the_import_as_the_same_list(site, logged_in, form):
    browser = logged_in("carl")
    browser.get("/admin/lists/allow/add")
    for entry in (".example.org", "192.0.2.0/24", "shop.example.net"):
        browser.post("/admin/lists/allow/add", {"entry": entry, "reason": "why"})
    answer = browser.get(f"/admin/lists/allow/file/allow-list.{form}")
    assert answer.status_code == 200
    browser.get("/admin/lists/allow/file/import")
    again = browser.post("/admin/lists/allow/file/import", {"text": answer.text})
    assert "There already 3" in said(again)


# --- Forced values ----------------------------------------------------------------------------------------------------


def test_value_is_forced_out_of_one_collection_and_back(site, logged_in):
    browser = logged_in("carl")
    address = "/admin/lists/forced/force?value=shop[.]example.net&way=out&collection=mail"
    answer = browser.get(address)
    assert "Force shop.example.net out?" in said(answer)
    assert "mail : 1 indicator leaves" in said(answer)
    assert "subscribed : 1" not in said(answer)
    assert forced(site) == []
    fields = {"value": "shop.example.net", "way": "out", "collection": "mail", "reason": "theirs"}
    assert browser.post("/admin/lists/forced/force", fields).status_code == 303
    assert forced(site) == [("mail", "shop.example.net", False, False)]
    assert changes(site)[0] == ("carl", "indicator.force-out", "shop.example.net")
    assert waiting(site.database) == ["publish"]
    publish(site)
    assert (rule(site, "shop.example.net", "mail"), rule(site, "shop.example.net")) == ("forced-out", "in")
    undo = "/admin/lists/forced/undo?type=domain&value=shop.example.net&collection=mail"
    look = browser.get(undo)
    assert "mail : 1 indicator comes" in said(look)
    assert browser.post(undo, shown(look) | {"back": "1"}).status_code == 303
    assert forced(site) == []
    assert changes(site)[0] == ("carl", "indicator.unforce", "shop.example.net")
    assert browser.get(undo).status_code == 404


def test_protected_value_gets_in_by_force_only(site, logged_in):
    browser = logged_in("carl")
    fields = {"value": "10.1.2.3", "way": "in", "collection": ""}
    browser.get("/admin/lists/forced/force")
    answer = browser.post("/admin/lists/forced/force", fields)
    assert answer.status_code == 422
    assert "the built-in protection reserved-range covers it" in answer.text
    answer = browser.get("/admin/lists/forced/force", query_string={**fields, "force": "y"})
    assert "subscribed : 1 indicator comes" in said(answer)
    browser.post("/admin/lists/forced/force", {**fields, "force": "y"})
    assert forced(site) == [("", "10.1.2.3", True, True)]


def test_value_of_no_pulse_can_be_forced_out_only(site, logged_in):
    browser = logged_in("carl")
    browser.get("/admin/lists/forced/force")
    answer = browser.post("/admin/lists/forced/force", {"value": "new.example.com", "way": "in", "collection": ""})
    assert answer.status_code == 422
    assert "No pulse has it" in said(answer)
    assert browser.post("/admin/lists/forced/force", {"value": "new.example.com", "way": "out"}).status_code == 303
    assert forced(site) == [("", "new.example.com", False, False)]
    assert "new.example.com" in browser.get("/admin/lists/forced/").text


@pytest.mark.parametrize(
    ("path", "fields", "other"),
    [
        ("allow/add", {"entry": "shop.example.net", "reason": "typed later"}, {"entry": ".example.net"}),
        ("forced/force", {"value": "shop.example.net", "way": "out", "reason": "typed later"}, {"collection": "mail"}),
    ],
)
def test_decision_that_was_changed_after_its_preview_is_shown_anew(site, logged_in, path, fields, other):
    browser = logged_in("carl")
    answer = browser.get(f"/admin/lists/{path}", query_string=fields)
    action = re.search(r'formaction="([^"]+)"', answer.text)[1].replace("&amp;", "&")
    again = browser.post(action, fields | other)
    assert again.status_code == 303
    assert again.location.startswith(f"/admin/lists/{path}?")
    assert "csrf_token" not in again.location
    assert (allowed(site), forced(site)) == ([], [])
    assert "typed later" in browser.get(again.location).text
    browser.post(action, fields)
    assert len(allowed(site) + forced(site)) == 1
    assert changes(site)[0][2] == "shop.example.net"


@pytest.mark.parametrize("fields", [{"collection": "nothing"}, {"way": "up"}, {"value": ""}])
def test_what_is_no_decision_is_refused(site, logged_in, fields):
    browser = logged_in("carl")
    browser.get("/admin/lists/forced/force")
    given = {"value": "shop.example.net", "way": "out", "collection": ""} | fields
    assert browser.post("/admin/lists/forced/force", given).status_code == 422
    assert forced(site) == []


# --- Roles ------------------------------------------------------------------------------------------------------------

CHANGES = [
    "allow/add", "allow/add/count", "allow/remove", "allow/remove/count", "allow/file/import", "allow/file/add",
    "forced/force", "forced/undo",
]  # fmt: skip
PAGES = ["", "allow/", "forced/", "own", "check?value=10.1.2.3", "of/alexa", "allow/file/allow-list.csv"]


@pytest.mark.parametrize("path", CHANGES)
def test_viewer_changes_nothing(site, logged_in, path):
    browser = logged_in("vera")
    assert browser.post(f"/admin/lists/{path}", {"entry": "a.example.net", "value": "a.example.net"}).status_code == 403
    assert (allowed(site), forced(site), waiting(site.database)) == ([], [], [])


@pytest.mark.parametrize("path", PAGES)
def test_viewer_reads_and_nobody_else_does(logged_in, browser, path):
    assert logged_in("vera").get(f"/admin/lists/{path}").status_code == 200
    assert browser.get(f"/admin/lists/{path}").status_code == 303


# --- Warning lists and own networks -----------------------------------------------------------------------------------


@pytest.fixture
def listed(site, tmp_path):
    """A list of one's own that blocks what the feed has, in a site of its own."""
    from pulsegate.curation.warning_lists import ListFile
    from pulsegate.publication import marking

    file = tmp_path / "ours.txt"
    file.write_text(".shop.example.net\n# a comment\n45.9.148.3\n")
    lists = ListChoice.of({"alexa": Mode.BLOCK}, [ListFile("ours", file, Mode.BLOCK, f"Ours {EVIL}")])
    policy = replace(site.policy, lists=lists, own=Own(["example.org", "10.0.0.0/8"]))
    made = replace(site, policy=policy)
    marking.refresh(made.database, policy)
    publish(made)
    browser = Browser(app.create(made))
    browser.log_in("vera")
    return browser


def test_lists_tell_mode_entries_and_hits(listed):
    text = said(listed.get("/admin/lists/"))
    assert re.search(r"ours blocks 2 4 your own:", text), text
    assert "google-chrome-crux-1million off" in text
    assert EVIL not in listed.get("/admin/lists/").text


def test_list_shows_what_it_takes_out_page_by_page(listed, monkeypatch):
    monkeypatch.setattr(paging, "SIZE", 2)
    answers = [listed.get("/admin/lists/of/ours")]
    while address := beside(answers[-1], "next"):
        answers.append(listed.get(address))
    values = [re.findall(r'explain\?value=[^"]+">([^<]+)</a>', one.text) for one in answers]
    assert values == [["shop.example.net", "a.shop.example.net"], ["45.9.148.3", "shop.example.net"]]
    assert "taken out of 3 collections" in answers[0].text
    back = listed.get(beside(answers[-1], "prev"))
    assert re.findall(r'explain\?value=[^"]+">([^<]+)</a>', back.text) == values[0]
    assert listed.get("/admin/lists/of/nothing").status_code == 404


@pytest.mark.parametrize(
    "key", ["W10", "WzEsMl0", "WyJhIiwiYiJd", "WyJhIiwtMV0", "WyJhIiw5OTk5OTk5OTk5OTk5OTk5OTk5OTld"]
)
def test_position_in_a_list_that_can_not_be_read(listed, key):
    assert listed.get(f"/admin/lists/of/ours?after={key}").status_code == 200


def test_value_is_checked_against_the_lists(listed):
    assert "shop.example.net and all below" not in said(listed.get("/admin/lists/check?value=tool.example.org"))
    assert "It is on none of the 2 warning lists" in said(listed.get("/admin/lists/check?value=tool.example.org"))
    text = said(listed.get("/admin/lists/check?value=x[.]shop.example.net"))
    assert "blocks shop.example.net subtree" in text
    assert EVIL not in listed.get("/admin/lists/check?value=x.shop.example.net").text


def test_own_networks_tell_what_they_cover(listed):
    text = said(listed.get("/admin/lists/own"))
    assert "10.0.0.0/8 network 1" in text
    assert "example.org with all below it 1" in text

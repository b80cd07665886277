"""The page of own indicators: by hand, out of a report, from a file; each looked at first; and their removal."""

from __future__ import annotations

import html
import io
import re
from dataclasses import replace

import pytest

from pulsegate.cli.setup import Installation
from pulsegate.cli.tasks import KINDS, Progress
from pulsegate.curation.own import Own
from pulsegate.model.collection import Collection, CollectionKind
from pulsegate.model.decisions import Allowed
from pulsegate.model.tlp import TLP
from pulsegate.store import blocks, collections, decisions, drafts, own, tasks
from pulsegate.store.tables import drafts as drafts_table
from pulsegate.sync.own import pulse_id
from pulsegate.web import app
from web.conftest import Browser
from web.filled import NOW, pulse, put, work
from web.seen import changes, shown

HOSTILE = "<script>alert(1)</script>"
MD5 = "0123456789abcdef0123456789abcdee"


@pytest.fixture
def filled(site):
    with site.database.write() as connection:
        collections.put(connection, Collection("subscribed", CollectionKind.SUBSCRIBED))
        tasks.start(connection, "publish", {}, "ann")
    put(site, pulse(1, ["known.example.org"]))
    work(site)
    return site


def listed(site):
    with site.database.read() as connection:
        return [(one.pulse.name, one.value, one.pulse.tlp.value, one.title) for one in own.listed(connection)]


def served(site):
    with site.database.read() as connection:
        stored = collections.get(connection, "subscribed")
        return sorted(one.value for one in blocks.listed(connection, stored.id))


def kept(site):
    with site.database.read() as connection:
        return len(connection.execute(drafts_table.select()).all())


def add(site, browser, values, **more):
    """Send values in, have them looked at, and take them."""
    browser.get("/admin/own/add")
    answer = browser.post("/admin/own/add", {"values": values, "name": "Mine", "tlp": "", **more})
    assert answer.status_code == 303, answer.text
    work(site)
    browser.get(answer.location)
    assert browser.post(f"{answer.location}/take").status_code == 303
    return work(site)


def test_values_by_hand_are_looked_at_first_and_then_served(filled, logged_in):
    browser = logged_in("carl")
    browser.get("/admin/own/add")
    values = f"evil[.]example[.]org\nhxxp://evil[.]example[.]org/a\n{HOSTILE}\n\n# a comment\n10.0.0.1"
    given = {"values": values, "name": "Mine", "tlp": "amber", "expires": "30d", "title": "Seen <b>today</b>"}
    answer = browser.post("/admin/own/add", given)
    assert answer.status_code == 303
    assert "Add and publish" not in browser.get(answer.location).text
    (task,) = work(filled)
    assert task.error is None
    text = browser.get(answer.location).text
    for said in ("3 new, 0 changed, 0 there already; 1 rejected", "evil.example.org", "line 3", "reserved-range"):
        assert said in text
    assert HOSTILE not in text
    assert listed(filled) == []
    assert changes(filled) == []
    assert browser.post(f"{answer.location}/take").location == "/admin/own/"
    (done,) = work(filled)
    assert (done.error, done.result["new"], done.account) == (None, 3, "carl")
    assert {one[1] for one in listed(filled)} == {"evil.example.org", "http://evil.example.org/a", "10.0.0.1"}
    assert {one[2:] for one in listed(filled)} == {("amber", "Seen <b>today</b>")}
    assert served(filled) == ["evil.example.org", "http://evil.example.org/a", "known.example.org"]
    assert changes(filled) == [("carl", "indicator.add", "Mine")]
    assert kept(filled) == 0
    with filled.database.read() as connection:
        assert all(one.expires is not None for one in own.listed(connection))
    assert browser.post(f"{answer.location}/take").status_code == 409  # once is enough
    assert "taken or dropped already" in browser.get(answer.location).text


@pytest.mark.parametrize(
    ("given", "field", "said"),
    [
        ({"values": ""}, "values", "required"), ({"name": ""}, "name", ""), ({"name": "  "}, "name", "Write a name."),
        ({"expires": "soon"}, "expires", "is no date"), ({"expires": "2001-01-01"}, "expires", "is past"),
        ({"name": "x" * 251}, "name", "250"),
    ],
)  # fmt: skip
def test_fault_stands_beside_its_field(filled, logged_in, given, field, said):
    browser = logged_in("carl")
    browser.get("/admin/own/add")
    answer = browser.post("/admin/own/add", {"values": "a.example.org", "name": "Mine", **given})
    assert answer.status_code == 422
    told = re.findall(r'id="(\w+)-told"><span class="error" role="alert">([^<]*)', answer.text)
    assert [one[0] for one in told] == [field]
    assert said in html.unescape(told[0][1])
    assert kept(filled) == 0


def test_report_is_read_and_only_what_is_ticked_is_taken(filled, logged_in):
    policy = replace(filled.policy, own=Own(("example.net",)))
    site = replace(filled, policy=policy)
    with site.database.write() as connection:
        decisions.allow(connection, [Allowed("exact", "allowed.example.com", "", "ann", NOW)])
    browser = Browser(app.create(site))
    browser.log_in("carl")
    text = (
        f"evil[.]example[.]org and {MD5}, like https://vendor.example.com/x but mail[.]example[.]net, "
        f"known[.]example[.]org, allowed[.]example[.]com and 10[.]0[.]0[.]1 {HOSTILE}"
    )
    browser.get("/admin/own/report")
    answer = browser.post("/admin/own/report", {"text": text, "name": "Report", "tlp": "green"})
    (task,) = work(site)
    assert task.error is None
    page = browser.get(answer.location).text
    rows = [re.sub(r"<[^>]+>|\s+", " ", row) for row in re.findall(r"<tr>(.*?)</tr>", page, re.DOTALL)[1:]]
    ticked = re.findall(r'name="pick" value="(\d+)" checked', page)
    assert ticked == ["0", "1"]
    for row, said in zip(
        rows[2:],
        ("written as it is", "own example.net", "served already in subscribed", "allow list", "reserved-range"),
        strict=True,
    ):
        assert said in row
    assert HOSTILE not in page
    assert browser.post(f"{answer.location}/take", {}).status_code == 400
    assert browser.post(f"{answer.location}/take", {"pick": ["0", "99"]}).status_code == 303
    work(site)
    assert listed(site) == [("Report", "evil.example.org", "green", "")]
    assert kept(site) == 0


FILES = {
    "a.csv": b"type,value,tlp\ndomain,a.example.org,amber\nnothing,b,\n",
    "a.txt": b"a.example.org\nnot a value\n",
    "a.json": b'{"Event": {"info": "x", "Attribute": [{"type": "domain", "value": "a.example.org", "to_ids": true}]}}',
}


@pytest.mark.parametrize("name", FILES)
def test_file_is_previewed_and_then_taken(filled, logged_in, name):
    browser = logged_in("carl")
    browser.get("/admin/own/import")
    sent = {"file": (io.BytesIO(FILES[name]), name), "name": "From file", "tlp": "", "format": "auto"}
    answer = browser.post("/admin/own/import", sent)
    assert answer.status_code == 303
    work(filled)
    text = browser.get(answer.location).text
    assert name in text
    assert "1 new, 0 changed" in text
    assert "a.example.org" in text
    browser.post(f"{answer.location}/take")
    work(filled)
    assert [one[:2] for one in listed(filled)] == [("From file", "a.example.org")]


def test_file_that_can_not_be_read_is_told(filled, logged_in):
    browser = logged_in("carl")
    browser.get("/admin/own/import")
    sent = {"file": (io.BytesIO(b"PK\x03\x04xx"), "a.xlsx"), "name": "x", "format": "auto"}
    answer = browser.post("/admin/own/import", sent)
    work(filled)
    assert "it is a ZIP file or a workbook" in browser.get(answer.location).text
    assert browser.post(f"{answer.location}/take").status_code == 400


@pytest.mark.parametrize(("content", "status"), [(b"", 422), (b"x" * 60_000, 422), (b"x" * 150_000, 413)])
def test_file_is_bounded(filled, content, status):
    pages = filled.settings.pages.model_copy(update={"max_upload": 50_000})
    site = replace(filled, settings=filled.settings.model_copy(update={"pages": pages}))
    browser = Browser(app.create(site))
    browser.log_in("carl")
    browser.get("/admin/own/import")
    answer = browser.post("/admin/own/import", {"file": (io.BytesIO(content), "a.txt"), "name": "x", "format": "auto"})
    assert answer.status_code == status
    assert kept(site) == 0


def test_draft_is_dropped(filled, logged_in):
    browser = logged_in("carl")
    browser.get("/admin/own/add")
    answer = browser.post("/admin/own/add", {"values": "a.example.org", "name": "Mine"})
    work(filled)
    browser.get(answer.location)
    browser.post(f"{answer.location}/drop")
    assert kept(filled) == 0
    assert listed(filled) == []


def test_drafts_are_forgotten_after_a_day(filled):
    from datetime import timedelta

    from pulsegate.store.database import now

    with filled.database.write() as connection:
        drafts.put(connection, "carl", "a", b"x")
        assert drafts.purge(connection, now(connection) - timedelta(days=1)) == 0
        assert drafts.purge(connection, now(connection) + timedelta(seconds=1)) == 1


def test_ticked_values_are_removed_after_a_look(filled, logged_in):
    browser = logged_in("carl")
    add(filled, browser, "a.example.org\nb.example.org\nknown.example.org")
    with filled.database.read() as connection:
        (mine,) = own.every(connection)
        keys = {one.indicator.value: one.pk for one in own.page(connection, mine.pk, None, limit=9)}
    page = browser.get(f"/admin/own/{mine.pk}").text
    assert page.count('name="key"') == 3
    assert "subscribed" in page
    assert browser.get(f"/admin/own/{mine.pk}/remove").status_code == 303  # nothing is ticked
    wanted = f"key={keys['a.example.org']}&key={keys['known.example.org']}"
    look = browser.get(f"/admin/own/{mine.pk}/remove?{wanted}")
    assert "Remove 2 from Mine?" in look.text
    assert len(listed(filled)) == 3
    sent = {"key": [str(keys["a.example.org"]), str(keys["known.example.org"])]}
    assert browser.post(f"/admin/own/{mine.pk}/remove", shown(look) | sent).status_code == 303
    work(filled)
    assert [one[1] for one in listed(filled)] == ["b.example.org"]
    assert served(filled) == ["b.example.org", "known.example.org"]
    assert changes(filled)[0] == ("carl", "indicator.remove", "Mine")


def test_whole_pulse_is_removed(filled, logged_in, monkeypatch):
    from pulsegate.sync import owning

    monkeypatch.setattr(owning, "BATCH", 2)
    browser = logged_in("carl")
    add(filled, browser, "\n".join(f"n{number}.example.org" for number in range(5)))
    with filled.database.read() as connection:
        (mine,) = own.every(connection)
    look = browser.get(f"/admin/own/{mine.pk}/remove?all=1")
    assert "5 indicators go." in look.text
    assert browser.post(f"/admin/own/{mine.pk}/remove", {}).status_code == 400
    browser.post(f"/admin/own/{mine.pk}/remove", whole(look))
    (task,) = work(filled)
    assert task.error is None
    assert listed(filled) == []
    assert served(filled) == ["known.example.org"]
    assert "There are none yet." in browser.get("/admin/own/").text
    assert browser.get(f"/admin/own/{mine.pk}").status_code == 404


def whole(look):
    """The form that removes all that the preview has shown."""
    return shown(look) | {"all": "1", "upto": re.search(r'name="upto" value="(\d+)"', look.text)[1]}


def test_pulse_that_has_more_than_was_shown_is_shown_anew(filled, logged_in):
    browser = logged_in("carl")
    add(filled, browser, "a.example.org")
    with filled.database.read() as connection:
        (mine,) = own.every(connection)
    address = f"/admin/own/{mine.pk}/remove"
    look = browser.get(f"{address}?all=1")
    add(filled, logged_in("ann"), "b.example.org")
    again = browser.post(address, whole(look))
    assert again.status_code == 409
    assert "More has been added since you looked." in again.text
    assert "2 indicators go." in again.text
    assert work(filled) == []
    assert len(listed(filled)) == 2
    assert browser.post(address, whole(again)).status_code == 303
    work(filled)
    assert listed(filled) == []


def test_what_is_added_before_the_worker_removes_stays(filled, logged_in):
    browser = logged_in("carl")
    add(filled, browser, "a.example.org\nb.example.org")
    with filled.database.read() as connection:
        (mine,) = own.every(connection)
    assert browser.post(f"/admin/own/{mine.pk}/remove", whole(browser.get(f"/admin/own/{mine.pk}/remove?all=1")))
    with filled.database.write() as connection:
        (task,) = tasks.unfinished(connection)
        tasks.finish(connection, task.pk)  # it is done by hand, after what comes first
    add(filled, logged_in("ann"), "c.example.org")
    KINDS[task.kind](Installation(filled.settings, filled.database, filled.policy, False), task.arguments, Progress())
    assert [one[1] for one in listed(filled)] == ["c.example.org"]
    assert served(filled) == ["c.example.org", "known.example.org"]


@pytest.mark.parametrize("upto", ["", "x", "-1", "0", None])
def test_removal_that_does_not_say_what_was_shown_is_shown_first(filled, logged_in, upto):
    browser = logged_in("carl")
    add(filled, browser, "a.example.org")
    with filled.database.read() as connection:
        (mine,) = own.every(connection)
    it = shown(browser.get(f"/admin/own/{mine.pk}/remove?all=1")) | {"all": "1"}
    answer = browser.post(f"/admin/own/{mine.pk}/remove", it | ({} if upto is None else {"upto": upto}))
    assert answer.status_code == 409
    assert "1 indicators go." in answer.text
    assert work(filled) == []


def test_keys_of_other_pulses_are_not_removed(filled, logged_in):
    browser = logged_in("carl")
    add(filled, browser, "a.example.org")
    with filled.database.read() as connection:
        (mine,) = own.every(connection)
        (key,) = [one.pk for one in own.page(connection, 1, None, limit=9)]  # of the pulse from OTX
    it = shown(browser.get(f"/admin/own/{mine.pk}/remove?all=1"))
    assert browser.post(f"/admin/own/{mine.pk}/remove", it | {"key": str(key)}).status_code == 303
    assert browser.post("/admin/own/1/remove", it | {"all": "1"}).status_code == 409
    work(filled)
    assert "known.example.org" in served(filled)


def test_values_are_paged_to_the_end_and_found(filled, logged_in):
    browser = logged_in("vera")
    add(filled, logged_in("carl"), "\n".join(f"n{number}.example.org" for number in range(120)))
    with filled.database.read() as connection:
        (mine,) = own.every(connection)
    address, seen = f"/admin/own/{mine.pk}", []
    while address:
        text = browser.get(address).text
        seen += re.findall(r"explain\?value=(n\d+)", text)
        following = re.search(r'href="([^"]+)" rel="next"', text)
        address = following[1].replace("&amp;", "&") if following else None
    assert sorted(seen) == sorted(f"n{number}" for number in range(120))
    text = browser.get(f"/admin/own/{mine.pk}?value=n7[.]example[.]org").text
    assert re.findall(r"explain\?value=(n\d+)", text) == ["n7"]
    assert 'name="key"' not in text
    assert "120" in browser.get("/admin/own/").text


def test_own_pulses_are_paged(filled, logged_in):
    browser = logged_in("carl")
    from pulsegate.reports import text as reader
    from pulsegate.sync.own import Into
    from pulsegate.sync.own import add as store

    for number in range(60):
        store(
            filled.database, filled.policy, [reader.value(f"n{number}.example.org", "")], Into(f"Pulse {number}", "own")
        )
    first = browser.get("/admin/own/").text
    following = re.search(r'href="([^"]+)" rel="next"', first)[1].replace("&amp;", "&")
    second = browser.get(following).text
    names = [re.findall(r">(Pulse \d+)<", text) for text in (first, second)]
    assert [len(one) for one in names] == [50, 10]
    assert len({*names[0], *names[1]}) == 60
    back = re.search(r'href="([^"]+)" rel="prev"', second)[1].replace("&amp;", "&")
    assert re.findall(r">(Pulse \d+)<", browser.get(back).text) == names[0]


def test_viewer_changes_nothing(filled, logged_in):
    add(filled, logged_in("carl"), "a.example.org")
    with filled.database.read() as connection:
        (mine,) = own.every(connection)
    browser = logged_in("vera")
    for address in ("add", "report", "import", "drafts/1/take", "drafts/1/drop", f"{mine.pk}/remove"):
        assert browser.post(f"/admin/own/{address}", {"values": "x", "all": "1"}).status_code == 403
    for address in ("add", "report", "import", "drafts/1", f"{mine.pk}/remove"):
        assert browser.get(f"/admin/own/{address}").status_code == 403
    assert [one[1] for one in listed(filled)] == ["a.example.org"]


def test_pulse_with_another_level_is_another_one(filled, logged_in):
    browser = logged_in("carl")
    add(filled, browser, "a.example.org", tlp="red")
    with filled.database.read() as connection:
        assert [one.id for one in own.every(connection)] == [pulse_id("own", "Mine", TLP.RED)]

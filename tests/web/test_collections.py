"""The page of collections: what they hold, their rules, trials before anything is saved, removal, downloads."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from datetime import timedelta

import pytest

from pulsegate.model.collection import Collection, CollectionKind, Profile, ReviewMode, Rule
from pulsegate.model.indicator import IndicatorType
from pulsegate.model.tlp import TLP
from pulsegate.settings import Settings
from pulsegate.settings.load import collection as read_collection
from pulsegate.settings.written import as_settings
from pulsegate.store import accounts, collections, ledger, tasks
from pulsegate.store.collections import Origin
from pulsegate.web import app, rules, stale
from web.conftest import Browser
from web.filled import pulse, put, work
from web.seen import changes, shown

HOSTILE = "<script>alert(1)</script>"
DAY = timedelta(days=1)
RICH = Collection(
    "rich", description="日本語", profile=Profile.ESA, deduplicate=False, expand=16, review=ReviewMode.CHANGES,
    include=Rule(authors=frozenset({"a, b", "c"}), tlp=frozenset({TLP.WHITE}), max_age=90 * DAY),
    exclude=Rule(types=frozenset({IndicatorType.CVE}), words=frozenset({"phish*"}), attack_ids=frozenset({"T1566"})),
    protections=frozenset({"public-suffix"}), warning_lists=frozenset({"rfc5735"}),
    ttl={IndicatorType.IPV4: 30 * DAY, IndicatorType.DOMAIN: DAY}, refresh=25 * DAY, blocks_per_part=7,
)  # fmt: skip


@pytest.fixture
def filled(site):
    """Three collections: all, one by rule, an inbox; published."""
    with site.database.write() as connection:
        collections.put(connection, Collection("subscribed", CollectionKind.SUBSCRIBED))
        collections.put(connection, Collection("mail", include=Rule(tags=frozenset({"phishing"}))), Origin.COMMAND)
        collections.put(connection, Collection("in", CollectionKind.INBOX, deduplicate=False), Origin.COMMAND)
        tasks.start(connection, "publish", {}, "ann")
    put(
        site,
        pulse(1, ["a.example.org", "b.example.org"], tags=("phishing",), name=HOSTILE),
        pulse(2, ["c.example.org"], tags=("tools",)),
    )
    work(site)
    return site


def key(site, name):
    with site.database.read() as connection:
        found = collections.get(connection, name)
    return found.id if found else None


def stored(site, name):
    with site.database.read() as connection:
        return collections.get(connection, name)


def dump(site):
    with site.database.read() as connection:
        every = collections.every(connection)
        return every, collections.sizes(connection), changes(site)


def fields(text):
    """What a browser would send of the form on the page, as it was filled in."""
    form = text[text.index('<form method="post" class="wide"') :]
    form = form[: form.index("</form>")]
    sent: dict[str, list[str]] = {}
    for tag in re.findall(r"<input[^>]*>", form):
        name = re.search(r'name="([^"]*)"', tag)
        value = re.search(r'value="([^"]*)"', tag)
        if name and (("checkbox" not in tag and "radio" not in tag) or "checked" in tag):
            sent.setdefault(name[1], []).append(html.unescape(value[1] if value else ""))
    for name, inner in re.findall(r'<textarea[^>]*name="([^"]*)"[^>]*>(.*?)</textarea>', form, re.DOTALL):
        sent[name] = [html.unescape(inner).lstrip("\r\n")]
    del sent["csrf_token"]
    return sent


def test_list_says_what_each_is(filled, logged_in):
    text = logged_in("vera").get("/admin/collections/").text
    rows = re.findall(r"<tr>(.*?)</tr>", text, re.DOTALL)[1:]
    told = [" ".join(re.sub(r"<[^>]+>", " ", row).split()) for row in rows]
    assert [row.split()[0] for row in told] == ["in", "mail", "subscribed", "user_ann"]
    assert "built in" in told[2]
    assert "changed here" in told[1]
    assert re.search(r"full 2 1 ", told[1])
    assert "Add a collection" not in text


def test_one_tells_what_it_holds_and_by_which_rules(filled, logged_in):
    text = logged_in("vera").get(f"/admin/collections/{key(filled, 'mail')}").text
    for said in ("a.example.org", "b.example.org", "phishing", "This is all of it.", "Nothing has left it lately."):
        assert said in text
    assert "c.example.org" not in text
    assert HOSTILE not in text
    assert "&lt;script&gt;" in text
    assert "Change the rules" not in text  # a viewer
    assert "Change the rules" in logged_in("carl").get(f"/admin/collections/{key(filled, 'mail')}").text
    assert logged_in("vera").get("/admin/collections/99").status_code == 404


def test_what_left_is_told_by_its_value(filled, logged_in):
    with filled.database.write() as connection:
        collections.put(connection, Collection("mail", include=Rule(tags=frozenset({"tools"}))), Origin.COMMAND)
        tasks.start(connection, "publish", {}, "ann")
    work(filled)
    text = logged_in("vera").get(f"/admin/collections/{key(filled, 'mail')}").text
    left = text[text.index("What left last") :]
    assert "b.example.org" in left
    assert "/admin/indicators/explain?value=a.example.org" in left


def test_inbox_is_shown_with_what_it_is(filled, logged_in):
    text = logged_in("vera").get(f"/admin/collections/{key(filled, 'in')}").text
    assert "An inbox: clients that may write to it push STIX packages" in text


@pytest.mark.parametrize("name", ["subscribed", "user_ann"])
def test_built_in_ones_are_read_only(filled, logged_in, name):
    browser, pk = logged_in("carl"), key(filled, name)
    assert "Change the rules" not in browser.get(f"/admin/collections/{pk}").text
    for address in ("edit", "remove"):
        assert browser.get(f"/admin/collections/{pk}/{address}").status_code == 409
        answer = browser.post(f"/admin/collections/{pk}/{address}", stale.seen(name))
        assert answer.status_code == 409
        assert "is kept by Pulsegate itself" in answer.text


def test_those_of_the_settings_are_read_only(filled):
    settings = Settings(data_dir=filled.settings.data_dir, collections=[{"name": "mail"}])
    browser, pk = Browser(app.create(replace(filled, settings=settings))), key(filled, "mail")
    browser.log_in("carl")
    assert "opentaxii.yml, read-only here" in browser.get(f"/admin/collections/{pk}").text
    for address in ("edit", "remove"):
        answer = browser.post(f"/admin/collections/{pk}/{address}", stale.seen("mail"))
        assert answer.status_code == 409
        assert "stands in the settings file" in answer.text


@pytest.mark.parametrize("name", ["mail", "in", "subscribed"])
@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("csv", b"a.example.org"),
        ("text", b"a.example.org\nb.example.org\n"),
        ("stix", b"STIX_Package"),
        ("jsonl", b'{"type"'),
    ],
)
def test_download_is_the_export(filled, logged_in, name, form, expected):
    answer = logged_in("vera").get(f"/admin/collections/{key(filled, name)}/download/{form}")
    assert answer.status_code == 200
    assert answer.headers["Content-Disposition"].startswith("attachment; ")
    if name == "mail":
        assert expected in answer.data
    assert logged_in("vera").get(f"/admin/collections/{key(filled, name)}/download/exe").status_code == 404


def test_trial_counts_and_lists_and_saves_nothing(filled, logged_in):
    browser, pk, before = logged_in("carl"), key(filled, "mail"), dump(filled)
    given = fields(browser.get(f"/admin/collections/{pk}/edit").text)
    assert given["include_tags"] == ["phishing"]
    answer = browser.post(f"/admin/collections/{pk}/edit", given | {"include_tags": "tools"})
    assert answer.status_code == 303
    assert (
        "Finding out what the rules would change"
        in browser.get(answer.location.replace("collections/trials", "tasks")).text
    )
    assert "Save and publish" not in browser.get(answer.location).text
    (task,) = work(filled)
    assert task.error is None
    text = browser.get(answer.location).text
    assert "It holds 2 indicators: 1 would come, 2 would go." in text
    assert "c.example.org" in text
    assert "a.example.org" in text
    assert "include.tags" in text
    assert HOSTILE not in text
    assert dump(filled) == before
    assert "hx-trigger" not in text
    assert "Save and publish" not in logged_in("vera").get(answer.location).text


def test_what_was_tried_is_saved_published_and_noted(filled, logged_in):
    browser, pk = logged_in("carl"), key(filled, "mail")
    given = fields(browser.get(f"/admin/collections/{pk}/edit").text) | {"include_tags": "tools", "profile": "esa"}
    address = browser.post(f"/admin/collections/{pk}/edit", given).location
    work(filled)
    browser.get(address)
    answer = browser.post(f"{address}/save")
    assert (answer.status_code, answer.location) == (303, f"/admin/collections/{pk}")
    assert stored(filled, "mail").collection == Collection(
        "mail", profile=Profile.ESA, include=Rule(tags=frozenset({"tools"}))
    )
    assert changes(filled) == [("carl", "collection.edit", "mail")]
    assert [one.kind for one in work(filled)] == ["publish"]
    text = browser.get(f"/admin/collections/{pk}").text
    assert "c.example.org" in text
    again = browser.post(f"{address}/save")  # once is enough
    assert again.status_code == 409
    assert "has been changed since" in browser.get(address).text


def test_collection_that_changed_meanwhile_is_not_overwritten(filled, logged_in):
    browser, pk = logged_in("carl"), key(filled, "mail")
    given = fields(browser.get(f"/admin/collections/{pk}/edit").text) | {"include_tags": "tools"}
    address = browser.post(f"/admin/collections/{pk}/edit", given).location
    work(filled)
    with filled.database.write() as connection:
        collections.put(connection, Collection("mail", refresh=25 * DAY), Origin.COMMAND)
    assert browser.post(f"{address}/save").status_code == 409
    assert stored(filled, "mail").collection.refresh == 25 * DAY
    assert changes(filled) == []


def test_trial_that_is_not_done_can_not_be_saved(filled, logged_in):
    browser, pk = logged_in("carl"), key(filled, "mail")
    given = fields(browser.get(f"/admin/collections/{pk}/edit").text) | {"include_tags": "tools"}
    address = browser.post(f"/admin/collections/{pk}/edit", given).location
    assert browser.post(f"{address}/save").status_code == 400
    with filled.database.write() as connection:
        pk = tasks.start(connection, "publish", {}, "carl")
    assert browser.post(f"/admin/collections/trials/{pk}/save").status_code == 404


def test_collection_is_added(filled, logged_in):
    browser = logged_in("carl")
    given = fields(browser.get("/admin/collections/add").text)
    given |= {"name": "new", "include_words": "Pulse", "include_tlp": ["green", "white"]}
    address = browser.post("/admin/collections/add", given).location
    work(filled)
    assert "It would be new, with 1 indicators." in browser.get(address).text
    assert fields(browser.get(f"/admin/collections/add?trial={address.rpartition('/')[2]}").text)["include_words"] == [
        "Pulse"
    ]
    assert browser.post(f"{address}/save").status_code == 303
    made = stored(filled, "new")
    assert (made.origin, made.collection.profile, made.collection.protections) == (Origin.COMMAND, Profile.ESA, None)
    assert made.collection.include == Rule(words=frozenset({"Pulse"}), tlp=frozenset({TLP.WHITE, TLP.GREEN}))
    assert changes(filled) == [("carl", "collection.add", "new")]


def test_inbox_is_added_and_changed(filled, logged_in):
    browser = logged_in("carl")
    given = fields(browser.get("/admin/collections/add").text) | {"name": "box", "kind": "inbox", "max_age": "30d"}
    address = browser.post("/admin/collections/add", given).location
    work(filled)
    browser.post(f"{address}/save")
    made = stored(filled, "box")
    assert (made.collection.kind, made.collection.max_age) == (CollectionKind.INBOX, 30 * DAY)
    given = fields(browser.get(f"/admin/collections/{made.id}/edit").text)
    assert given["max_age"] == ["30d"]
    address = browser.post(f"/admin/collections/{made.id}/edit", given | {"max_age": "7d"}).location
    work(filled)
    browser.post(f"{address}/save")
    assert stored(filled, "box").collection.max_age == 7 * DAY


@pytest.mark.parametrize(
    ("changed", "field", "said"),
    [
        ({"name": ""}, "name", "printable characters"),
        ({"name": "user_x"}, "name", "a name that Pulsegate gives itself"),
        ({"name": "mail"}, "name", "is there already"),
        ({"include_words": "*"}, "include_words", "is no word"),
        ({"exclude_attack_ids": "T1\nT1566"}, "exclude_attack_ids", "is no ATT&CK id"),
        ({"include_max_age": "soon"}, "include_max_age", ""),
        ({"include_types": ["domain", "nothing"]}, "include_types", ""),
        ({"ttl": "IPv4: soon"}, "ttl", ""),
        ({"ttl": "nothing: 3d"}, "ttl", ""),
        ({"refresh": "1d"}, "refresh", "refresh is at least 3d"),
        ({"expand": "many"}, "expand", "whole number"),
        ({"blocks_per_part": "-1"}, "blocks_per_part", ""),
        (
            {"warning_lists": "named", "warning_list_names": "nothing"},
            "warning_list_names",
            "there is no warning list nothing",
        ),
        ({"profile": "other"}, "profile", ""),
        ({"kind": "inbox", "max_age": "0s"}, "max_age", "longer than nothing"),
        ({"review": HOSTILE}, "review", ""),
    ],
)
def test_fault_stands_beside_its_field(filled, logged_in, changed, field, said):
    browser = logged_in("carl")
    given = fields(browser.get("/admin/collections/add").text) | {"name": "new"}
    answer = browser.post("/admin/collections/add", given | changed)
    assert answer.status_code == 422
    told = re.findall(r'id="(\w+)-told"><span class="error" role="alert">([^<]*)', answer.text)
    assert [one[0] for one in told] == [field], told
    assert said in html.unescape(told[0][1])
    assert HOSTILE not in answer.text
    with filled.database.read() as connection:
        assert tasks.unfinished(connection) == []


def test_everything_comes_back_from_the_form(application, filled, logged_in):
    with filled.database.write() as connection:
        made = collections.put(connection, RICH, Origin.COMMAND)
    given = fields(logged_in("carl").get(f"/admin/collections/{made.id}/edit").text)
    with application.test_request_context(method="POST", data=given):
        form = rules.Rules()
        form.kind.data = "rules"
        wanted = rules.written(form, "rich")
    assert read_collection(wanted, "form").to_model() == RICH
    assert as_settings(RICH) == as_settings(read_collection(wanted, "form").to_model())


def test_removal_says_what_disappears_and_is_done_by_the_worker(filled, logged_in):
    browser, pk = logged_in("carl"), key(filled, "mail")
    with filled.database.write() as connection:
        accounts.grant(connection, "esa", "mail", "read")
        ledger.open_(connection, "mail")
    page = browser.get(f"/admin/collections/{pk}/remove")
    for said in ("2 indicators in 1 blocks disappear", "Nobody has polled it lately.", "esa"):
        assert said in page.text
    assert key(filled, "mail") == pk
    assert browser.post(f"/admin/collections/{pk}/remove", shown(page)).status_code == 303
    (task,) = work(filled)
    assert (task.kind, task.error) == ("remove_collection", None)
    assert key(filled, "mail") is None
    assert changes(filled) == [("carl", "collection.remove", "mail")]


def test_viewer_changes_nothing(filled, logged_in):
    browser, pk, before = logged_in("vera"), key(filled, "mail"), dump(filled)
    for address in ("add", f"{pk}/edit", f"{pk}/remove", "trials/1/save"):
        assert browser.post(f"/admin/collections/{address}", {"name": "x"}).status_code == 403
    assert browser.get("/admin/collections/add").status_code == 403
    assert dump(filled) == before


def test_arguments_of_a_trial_are_plain_json():
    assert json.loads(json.dumps(as_settings(RICH)))["name"] == "rich"

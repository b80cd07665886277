"""Requests of those who mean harm, to the pages: paths, headers, wildcards, hosts to connect to."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pulsegate.model.collection import Collection
from pulsegate.store import audit, collections, tasks
from pulsegate.web import app
from pulsegate.web.local import local_address
from web.conftest import Browser
from web.filled import pulse, put

_PLAIN = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789%._-~")


@pytest.mark.parametrize(
    "path",
    [
        "../app.py", "..%2fapp.py", "%2e%2e/app.py", "..%5capp.py", "....//app.py", "vendor/../../app.py", "%00",
        "pulsegate.css%00.py", "vendor/", ".",
    ],
)  # fmt: skip
def test_static_path_leads_nowhere_else(browser, path):
    answer = browser.client.get(f"/admin/static/{path}", base_url=browser.base)
    assert answer.status_code in (404, 308), "308: two slashes in one"
    assert b"import" not in answer.data


@pytest.mark.parametrize(
    "name", ['a"; filename="evil.exe', "../../evil", "a;b=c", "日本", "%0d%0aX-Evil: yes", "<script>"]
)
def test_name_of_a_collection_is_one_parameter_of_the_download(site, logged_in, name):
    with site.database.write() as connection:
        collections.put(connection, Collection(name))
        pk = next(one.id for one in collections.every(connection) if one.collection.name == name)
    answer = logged_in("vera").get(f"/admin/collections/{pk}/download/csv")
    told, start = answer.headers["Content-Disposition"], "attachment; filename=\"collection.csv\"; filename*=UTF-8''"
    assert answer.status_code == 200
    assert told.startswith(start)
    assert set(told.removeprefix(start)) <= _PLAIN
    assert "X-Evil" not in answer.headers


@pytest.mark.parametrize(
    "asked", ["%", "_", "e%l", "e_il", "' OR 1=1 --", "\\", "\\%", '"; DROP TABLE pulses; --', "*", "[a-z]"]
)
@pytest.mark.parametrize(
    ("path", "field", "word", "found"),
    [
        ("/admin/pulses/", "text", "evil lantern", "lantern"),
        ("/admin/audit/", "subject", "evil.example.com", "example.com"),
        ("/admin/indicators/", "text", "evil.example.net", "example.net"),
    ],
)
def test_wildcards_and_quotes_are_characters(site, logged_in, asked, path, field, word, found):
    """A filter finds the text that was typed and nothing else, on either database."""
    put(site, pulse(1, ["evil.example.net"], name="evil lantern"))
    with site.database.write() as connection:
        audit.record(connection, "ann", "allow.add", "evil.example.com")
    browser = logged_in("ann")
    assert word in browser.get(path, query_string={field: found}).text
    answer = browser.get(path, query_string={field: asked})
    assert answer.status_code == 200
    assert word not in answer.text


def test_curator_names_no_host_to_connect_to(site):
    """The name by which a page is opened is the request's; only an administrator may have the server connect there."""
    with site.database.write() as connection:
        collections.put(connection, Collection("mail"))
    pages = app.create(replace(site, settings=site.settings.model_copy(update={"host": "0.0.0.0"})))
    tried = {}
    for name in ("vera", "carl", "ann"):
        browser = Browser(pages, "http://victim.internal:22")
        browser.log_in(name)
        browser.get("/admin/me")
        status = browser.post("/admin/appliances/test", {"collection": "mail", "account": "esa"}).status_code
        with site.database.read() as connection:
            tried[name] = status, len(tasks.unfinished(connection))
    assert tried == {"vera": (403, 0), "carl": (409, 0), "ann": (303, 1)}


@pytest.mark.parametrize(
    "path",
    ["//evil.example", "/\\evil.example", "https://evil.example", "\t//evil.example", "/\t/evil", "javascript:1"],
)
def test_way_back_is_on_these_pages(application, path):
    with application.test_request_context("/login", environ_overrides={"SCRIPT_NAME": "/admin"}):
        assert local_address(path) == "/admin/"

"""What lies below ``/admin`` goes to the pages, behind the edge; all else to TAXII."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import support
from pulsegate.model.network import Networks
from pulsegate.store.database import Database
from pulsegate.taxii import app
from pulsegate.taxii.edge import Edge


def pages(environment: dict[str, Any], start_response: Any) -> list[bytes]:
    """Says what it is asked."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    keys = ("SCRIPT_NAME", "PATH_INFO", "REMOTE_ADDR", "wsgi.url_scheme", "HTTP_HOST")
    return [" ".join(str(environment.get(key)) for key in keys).encode()]


@pytest.fixture
def client(database: Database) -> Iterator[Any]:
    edge = Edge(Networks.of(["198.51.100.1"]), max_body=2000)
    made = app.create(app.Service(database.url, edge=edge), pages)
    yield made.test_client()
    support.close(made)


@pytest.mark.parametrize(
    ("path", "told"),
    [("/admin/", "/admin /"), ("/admin/accounts/1", "/admin /accounts/1"), ("/admin//x", "/admin //x")],
)
def test_pages_get_what_is_theirs(client, path: str, told: str) -> None:
    assert client.get(path).text == f"{told} 127.0.0.1 http localhost"


def test_pages_stand_behind_the_edge(client) -> None:
    headers = {"X-Forwarded-For": "192.0.2.9", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "pages.example"}
    proxied = client.get("/admin/", headers=headers, environ_overrides={"REMOTE_ADDR": "198.51.100.1"})
    assert proxied.text == "/admin / 192.0.2.9 https pages.example"
    assert client.get("/admin/", headers=headers).text == "/admin / 127.0.0.1 http localhost"


def test_front_leads_browsers_to_the_pages_and_tells_others_what_it_is(client) -> None:
    browser = client.get("/", headers={"Accept": "text/html,*/*;q=0.8"})
    assert (browser.status_code, browser.headers["Location"]) == (303, "/admin/")
    assert client.get("/").text.startswith("Pulsegate ")
    moved = client.get("/admin")
    assert (moved.status_code, moved.headers["Location"]) == (308, "/admin/")


@pytest.mark.parametrize(("path", "status"), [("/administration", 404), ("/healthz", 200), ("/taxii/none", 404)])
def test_all_else_is_taxiis(client, path: str, status: int) -> None:
    assert client.get(path).status_code == status


def test_long_body_is_left_to_the_pages_to_refuse_and_refused_elsewhere(client) -> None:
    assert client.post("/admin/x", data=b"x" * 3000).status_code == 200
    assert client.post("/taxii/poll", data=b"x" * 3000).status_code == 413


def test_without_pages_nothing_is_there(database: Database) -> None:
    made = app.create(app.Service(database.url))
    client = made.test_client()
    assert client.get("/admin/").status_code == 404
    assert client.get("/", headers={"Accept": "text/html"}).status_code == 200
    support.close(made)

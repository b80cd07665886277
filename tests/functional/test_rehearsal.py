"""The test of an appliance's connection against a real server: its address, its certificate, rights, what it brings."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest
from werkzeug.serving import make_server

import pki
from pulsegate.cli.rehearsal import rehearse
from pulsegate.cli.setup import load_settings, make_first_accounts, open_installation, prepare
from pulsegate.store import accounts, polls
from support import _Quiet, application, close, serving


@pytest.fixture
def where(tmp_path, install):
    install(tmp_path / "data")
    made = open_installation(load_settings())
    prepare(made)
    make_first_accounts(made)
    yield made
    made.database.close()


def tried(where, address, account="gateway", collection="subscribed", *, is_ours=True):
    given = {
        "address": address, "path": "/taxii/poll", "collection": collection, "account": account, "is_ours": is_ours,
    }  # fmt: skip
    found = rehearse(where, given, lambda *_, **__: None)
    json.dumps(found)  # it is kept so
    return [(one["name"], one["state"], one["code"]) for one in found["steps"]]


def test_server_that_answers_and_an_account_that_may_poll(where):
    with serving(application(where.database.url)) as address:
        assert tried(where, address) == [
            ("name", "good", ""), ("connection", "good", ""), ("certificate", "doubtful", "plain"),
            ("taxii", "good", "asks-for-password"), ("rights", "good", ""), ("account", "good", ""),
            ("content", "bad", "not-opened"),
        ]  # fmt: skip
    with where.database.read() as connection:
        assert polls.latest(connection) == []  # it was no poll of the appliance's


def test_account_without_the_right_is_found_out_by_the_server_itself(where):
    with where.database.write() as connection:
        accounts.add(connection, "nobody", "a password")
    with serving(application(where.database.url)) as address:
        assert tried(where, address, "nobody")[4:6] == [
            ("rights", "bad", "not-listed"),
            ("account", "bad", "may-not-read"),
        ]
        with where.database.write() as connection:
            accounts.disable(connection, "nobody")
        assert tried(where, address, "nobody")[4:6] == [("rights", "bad", "refused"), ("account", "bad", "disabled")]
        assert tried(where, address, "admin")[5] == ("account", "doubtful", "administrator")
        assert tried(where, address, "gone")[4:6] == [("rights", "bad", "no-account"), ("account", "bad", "no-account")]


def test_nothing_listens_there(where):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    found = tried(where, f"http://127.0.0.1:{port}")
    assert found[:2] == [("name", "good", ""), ("connection", "bad", "refused")]
    assert [one[0] for one in found[2:]] == ["account", "content"]


def test_something_else_answers_there(where):
    def other(_environment, start_response):
        start_response("200 OK", [("Content-Type", "text/html")])
        return [b"<html>hello"]

    with serving(other) as address:
        assert ("taxii", "bad", "not-taxii") in tried(where, address)


@contextmanager
def https(where, certificate: Path, key: Path):
    served = application(where.database.url)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = make_server("127.0.0.1", 0, served, threaded=True, request_handler=_Quiet, ssl_context=context)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"https://localhost:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        close(served)


@pytest.mark.parametrize(
    ("days", "trusts", "step"),
    [("20", True, ("good", "")), ("20", False, ("doubtful", "own-ca")), ("-1", True, ("bad", "expired"))],
)
def test_certificate_is_seen_as_a_client_sees_it(where, tmp_path, monkeypatch, days, trusts, step):
    authority = pki.Authority(tmp_path / "pki")
    pair = authority.issue("server", "/CN=localhost", days=days)
    if trusts:
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca))
    with https(where, pair.certificate, pair.key) as address:
        found = tried(where, address)
    assert found[2] == ("certificate", *step)
    rights = ("good", "") if step[0] == "good" else ("skipped", "not-sent")
    assert found[3:5] == [("taxii", "good", "asks-for-password"), ("rights", *rights)]


def test_token_is_sent_to_no_host_that_the_request_named(where):
    """Else who may test could have an administrator's token sent to a server of theirs."""
    seen = []

    def noting(environment, start_response):
        seen.append(environment.get("HTTP_AUTHORIZATION"))
        start_response("401 Unauthorized", [("X-TAXII-Content-Type", "urn:taxii.mitre.org:message:xml:1.1")])
        return [b""]

    with serving(noting) as address:
        assert ("rights", "skipped", "not-sent") in tried(where, address, "admin", is_ours=False)
        assert set(seen) == {None}
        tried(where, address, "admin")
    assert len(set(seen)) == 2

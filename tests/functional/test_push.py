"""Pushing as others do it: cabby's ``taxii-push`` against ``pulsegate serve``."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from functional.conftest import Run
from packages import package
from support import BIN

SETTINGS = """
pulsegate:
  collections:
    - name: partners
      kind: inbox
      max_age: 90d
    - name: others
      kind: inbox
"""
PASSWORD = "a-password-of-a-partner"


@pytest.fixture
def partner(pulsegate: Run, environment: dict[str, str], tmp_path: Path) -> Run:
    """An account that may push to ``partners``."""
    (tmp_path / "opentaxii.yml").write_text(SETTINGS)
    environment["PULSEGATE_CONFIG"] = str(tmp_path / "opentaxii.yml")
    made = pulsegate("account", "add", "partner", "--write", "partners", "--password-stdin", stdin=PASSWORD)
    assert made.returncode == 0, made.stderr
    return pulsegate


def cabby(program: str, address: str, *words: str, username: str = "partner", password: str = PASSWORD) -> Any:
    command = [BIN / program, "--path", address, "--username", username, "--password", password, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def pushed(server: Any, file: Path, *words: str, **who: str) -> str:
    """What ``taxii-push`` says."""
    done = cabby("taxii-push", f"{server.address}/taxii/inbox", "-f", str(file), *words, **who)
    return str(done.stdout + done.stderr)


def polled(server: Any, collection: str = "partners", *words: str) -> list[bytes]:
    """The packages, as ``taxii-poll`` prints them one after the other."""
    done = cabby("taxii-poll", f"{server.address}/taxii/poll", "--collection", collection, *words)
    assert done.returncode == 0, done.stderr
    return [b"<stix:STIX_Package" + one.encode() for one in done.stdout.split("<stix:STIX_Package")[1:]]


def canonical(xml: bytes) -> bytes:
    """The canonical form without the indentation, which ``taxii-push`` makes anew."""
    root = etree.fromstring(xml, etree.XMLParser(remove_blank_text=True))
    etree.cleanup_namespaces(root, keep_ns_prefixes=["stix", "ind", "cybox", "D", "xsi", "example"])
    return bytes(etree.tostring(root, method="c14n"))


def test_what_is_pushed_is_polled(partner: Run, serve: Callable[..., Any], tmp_path: Path) -> None:
    newer, older = tmp_path / "newer.xml", tmp_path / "older.xml"
    newer.write_bytes(package("a.example", "b.example", title="日本語 😀 &amp; &lt;"))
    older.write_bytes(package("c.example", version="1.1.1"))
    with serve() as server:
        server.wait_for("To look at a feed:")
        assert "successfully pushed" in pushed(server, newer, "--dest", "partners")
        assert "successfully pushed" in pushed(server, newer)  # again, where there is only one inbox for this account
        assert "successfully pushed" in pushed(server, older, "--dest", "partners")
        found = polled(server)
        assert [canonical(one) for one in found] == [canonical(one.read_bytes()) for one in (newer, older)]
        sizes = json.loads(partner("status", "--json").stdout)["collections"]
        assert [(one["indicators"], one["blocks"]) for one in sizes if one["name"] == "partners"] == [(3, 2)]
        assert "DESTINATION_COLLECTION_ERROR" in pushed(server, newer, "--dest", "others")
        assert "DESTINATION_COLLECTION_ERROR" in pushed(server, newer, "--dest", "subscribed")
        reader = {"username": "gateway", "password": server.password("gateway")}
        assert "DESTINATION_COLLECTION_ERROR" in pushed(server, newer, "--dest", "partners", **reader)
        assert "401" in pushed(server, newer, "--dest", "partners", password="wrong")
        assert len(polled(server)) == 2
        assert "Service Type: INBOX" in cabby("taxii-discovery", f"{server.address}/taxii/discovery").stdout
        assert PASSWORD not in server.output


def test_package_of_nearly_five_megabytes_is_taken(partner: Run, serve: Callable[..., Any], tmp_path: Path) -> None:
    small, large = tmp_path / "small.xml", tmp_path / "large.xml"
    small.write_bytes(package("a.example", title="x" * 4_900_000))
    large.write_bytes(package("a.example", title="x" * 5_000_000))
    with serve() as server:
        server.wait_for("To look at a feed:")
        assert "successfully pushed" in pushed(server, small)
        assert "more than the 5000000 that are taken" in pushed(server, large)
        assert [canonical(one) for one in polled(server)] == [canonical(small.read_bytes())]


def test_bad_package_is_refused_with_the_reason(partner: Run, serve: Callable[..., Any], tmp_path: Path) -> None:
    file = tmp_path / "package.xml"
    with serve() as server:
        server.wait_for("To look at a feed:")
        for content, reason in (
            (b"<a/>", "its root is a, not a STIX_Package"),
            (b"just text", "its content is text"),
            (package("a.example", version="1.1"), "UNSUPPORTED_CONTENT"),
            (package("a.example").replace(b"D:Value", b"D:Walue"), "not valid STIX 1.2"),
        ):
            file.write_bytes(content)
            assert reason in pushed(server, file)
        assert polled(server) == []


def test_package_with_an_xml_declaration_is_taken(partner: Run, serve: Callable[..., Any], tmp_path: Path) -> None:
    file = tmp_path / "package.xml"
    file.write_bytes(b'<?xml version="1.0" encoding="UTF-8"?>\n' + package("a.example") + b"\n")
    with serve() as server:
        server.wait_for("To look at a feed:")
        assert "successfully pushed" in pushed(server, file)
        assert [canonical(one) for one in polled(server)] == [canonical(package("a.example"))]


def test_commands_know_the_inbox(partner: Run) -> None:
    shown = partner("collection", "show", "partners", "--json")
    assert json.loads(shown.stdout) == {
        "name": "partners", "description": "", "kind": "inbox", "max_age": "90d", "blocks_per_part": 0,
        "origin": "settings", "holds": {"indicators": 0, "blocks": 0, "last_label": None, "opened": True},
    }  # fmt: skip
    previewed = partner("preview", "partners", "--json")
    assert (previewed.returncode, previewed.stdout) == (0, "")
    assert "is an inbox" in previewed.stderr
    published = partner("publish", "--json")
    assert {"name": "partners", "added": 0, "removed": 0, "failed": 0} in json.loads(published.stdout)["collections"]
    assert partner("collection", "remove", "partners").returncode == 2


def test_collection_by_rule_does_not_become_an_inbox(partner: Run, tmp_path: Path) -> None:
    (tmp_path / "opentaxii.yml").write_text("pulsegate: {collections: [{name: partners}]}")
    done = partner("publish")
    assert done.returncode == 1
    assert "can't become one of kind rules" in done.stderr
    (tmp_path / "opentaxii.yml").write_text("pulsegate: {}")
    removed = partner("collection", "remove", "partners")
    assert removed.returncode == 0, removed.stderr

"""The poll log of a server that runs: what ``pulsegate polls`` and ``status`` tell of real polls."""

from __future__ import annotations

import json
import subprocess

from pulsegate.otx.simulator import Simulator
from support import BIN

KEY = "a-key-of-the-simulator"
PULSE = {
    "id": "0123456789abcdef01234567",
    "name": "One pulse",
    "author_name": "AlienVault",
    "created": "2026-01-01T00:00:00",
    "modified": "2026-01-02T00:00:00.5",
    "indicators": [{"id": 1, "type": "domain", "indicator": "bad.example.org", "created": "2026-01-01T00:00:00"}],
}


def taxii_poll(address: str, collection: str, password: str) -> subprocess.CompletedProcess[str]:
    words = ["--path", f"{address}/taxii/poll", "--collection", collection, "--username", "gateway"]
    command = [BIN / "taxii-poll", *words, "--password", password]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_polls_are_told_also_the_last_one_before_the_server_ended(serve, pulsegate) -> None:
    with Simulator([PULSE], api_key=KEY) as otx:
        given = {"OTX_API_KEY": KEY, "PULSEGATE_OTX__URL": otx.url, "PULSEGATE_OTX__BACKFILL": "3650d"}
        with serve(**given) as server:
            server.wait_for("pull.finished", seconds=90)
            server.wait_for("To look at a feed:")
            password = server.password("gateway")
            assert "bad.example.org" in taxii_poll(server.address, "subscribed", password).stdout
            assert "NOT_FOUND" in taxii_poll(server.address, "nothing", password).stderr
            # the server is told to end at once: the last record still waits to be stored
    refused, answered = json.loads(pulsegate("polls", "--json", "--account", "gateway").stdout)
    assert [(one["collection"], one["outcome"], one["blocks"]) for one in (refused, answered)] == [
        ("nothing", "NOT_FOUND", 0), ("subscribed", "answered", 1),
    ]  # fmt: skip
    assert (answered["address"], answered["indicators"], answered["begin"]) == ("127.0.0.1", 1, None)
    assert "cabby" in answered["agent"].lower() or "requests" in answered["agent"].lower()
    assert answered["bytes"] > 1000
    assert answered["end"].endswith("Z")
    (last,) = json.loads(pulsegate("status", "--json").stdout)["polls"]
    assert last == refused

"""cabby's own commands against ``pulsegate serve``: parts, counts, windows, forms, subscriptions."""

from __future__ import annotations

import base64
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import libtaxii.messages_11 as tm11
import pytest
import requests
from libtaxii.constants import VID_TAXII_SERVICES_11, VID_TAXII_XML_11

import support
from support import BIN

NUMBER = 7
NAMES = [f"bad{number}.example.org" for number in range(NUMBER)]
SIZES = (0, 1, 2, 3, 7, 8)  # blocks in a part
STIX_111 = "urn:stix.mitre.org:xml:1.1.1"
GIVEN = {"PULSEGATE_OTX__ENABLED": "false"}


@pytest.fixture
def filled(pulsegate: Any, tmp_path: Path) -> None:
    """Seven pulses with a domain each, in collections that are polled in parts of several sizes."""
    listed = "".join(f"    - {{name: parts-{size}, blocks_per_part: {size}}}\n" for size in SIZES)
    (tmp_path / "opentaxii.yml").write_text(f"pulsegate:\n  collections:\n{listed}")
    pulses = [
        {
            "id": f"{number:024x}",
            "name": f"Pulse {number}",
            "author_name": "someone",
            "created": "2026-01-01T00:00:00",
            "modified": f"2026-01-0{number + 1}T12:00:00",
            "indicators": [{"type": "domain", "indicator": name}],
        }
        for number, name in enumerate(NAMES)
    ]
    (tmp_path / "pulses.json").write_text(json.dumps(pulses))
    done = pulsegate("pull", "--from", "pulses.json", **GIVEN)
    assert done.returncode == 0, done.stderr


def cabby(program: str, server: Any, *words: str) -> subprocess.CompletedProcess[str]:
    login = ("--username", "gateway", "--password", server.password("gateway"))
    path = {"taxii-subscription": "collections"}.get(program, program.removeprefix("taxii-"))
    command = [BIN / program, "--path", f"{server.address}/taxii/{path}", *login, *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done


def folder_of(tmp_path: Path, name: str) -> Path:
    """Cabby saves into a folder that is there, one file for each block."""
    (tmp_path / name).mkdir()
    return tmp_path / name


def part(first: Any, number: int) -> Any:
    return tm11.PollFulfillmentRequest(
        "2", collection_name="parts-3", result_id=first.result_id, result_part_number=number
    )


def names(folder: Path) -> list[str]:
    return sorted(value for file in folder.iterdir() for _, value in support.read_values(file.read_bytes()))


@pytest.mark.usefixtures("filled")
def test_every_command_of_cabby(serve: Any, tmp_path: Path) -> None:
    with serve("--no-worker", "--workers", "2", **GIVEN) as server:
        server.wait_for("To look at a feed:")
        assert cabby("taxii-discovery", server).stdout.count("Service Instance") >= 3
        listed = cabby("taxii-collections", server).stdout
        for size in SIZES:
            assert f"Collection Name: parts-{size}\n" in listed
            folder = folder_of(tmp_path, f"parts-{size}")
            cabby("taxii-poll", server, "--collection", f"parts-{size}", "--dest-dir", str(folder))
            assert names(folder) == NAMES
        counted = cabby("taxii-poll", server, "--collection", "parts-2", "--count-only")
        assert f"Content blocks count: {NUMBER}" in counted.stdout + counted.stderr
        window = ("--begin", "2026-01-02T12:00:00Z", "--end", "2026-01-04T13:00:00+01:00")
        cabby(
            "taxii-poll", server, "--collection", "parts-1", *window, "--dest-dir", str(folder_of(tmp_path, "window"))
        )
        assert names(tmp_path / "window") == NAMES[2:4]
        older = cabby("taxii-poll", server, "--collection", "parts-3", "--bindings", STIX_111, "-x")
        assert older.stdout.count('version="1.1.1"') == NUMBER
        cabby(
            "taxii-poll", server, "--collection", "parts-2", "-t", "1.0", "--dest-dir", str(folder_of(tmp_path, "old"))
        )
        assert names(tmp_path / "old") == NAMES


@pytest.mark.usefixtures("filled")
def test_subscription_from_its_beginning_to_its_end(serve: Any, tmp_path: Path) -> None:
    with serve("--no-worker", **GIVEN) as server:
        server.wait_for("To look at a feed:")

        def manage(action: str, *words: str) -> str:
            return cabby("taxii-subscription", server, "-a", action, "-c", "parts-2", *words).stdout

        made = re.search(r"Subscription ID: (\S+)", manage("subscribe"))
        assert made
        assert made[1] in manage("status", "-s", made[1])
        words = ("--collection", "parts-2", "-s", made[1], "--dest-dir", str(folder_of(tmp_path, "by-id")))
        cabby("taxii-poll", server, *words)
        assert names(tmp_path / "by-id") == NAMES
        assert "PAUSED" in manage("pause", "-s", made[1])
        assert "ACTIVE" in manage("resume", "-s", made[1])
        assert "UNSUBSCRIBED" in manage("unsubscribe", "-s", made[1])


@pytest.mark.usefixtures("filled")
def test_result_in_parts_outlives_a_restart(serve: Any) -> None:
    def ask(server: Any, message: Any) -> Any:
        basic = base64.b64encode(f"gateway:{password}".encode()).decode()
        headers = {
            "Content-Type": "application/xml",
            "X-TAXII-Content-Type": VID_TAXII_XML_11,
            "X-TAXII-Services": VID_TAXII_SERVICES_11,
            "Authorization": f"Basic {basic}",
        }
        address = f"{server.address}/taxii/poll"
        return tm11.get_message_from_xml(requests.post(address, message.to_xml(), headers=headers, timeout=20).content)

    found = []
    with serve("--no-worker", "--workers", "2", **GIVEN) as server:
        server.wait_for("To look at a feed:")
        password = server.password("gateway")
        request = tm11.PollRequest("1", collection_name="parts-3", poll_parameters=tm11.PollParameters())
        first = ask(server, request)
        found += [first, ask(server, part(first, 2))]
        server.process.kill()
    with serve("--no-worker", "--workers", "2", **GIVEN) as server:
        server.wait_for("To look at a feed:")
        found.append(ask(server, part(first, 3)))
    assert [one.more for one in found] == [True, True, False]
    contents = [block.content for one in found for block in one.content_blocks]
    assert [value for one in contents for _, value in support.read_values(one)] == NAMES

"""Bundles of others, by the commands that take them: nothing of them is taken, and it is told why."""

from __future__ import annotations

import io
import json
import stat
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pulsegate.cli.commands import app
from pulsegate.errors import PulsegateError
from pulsegate.relay import archive, keys
from pulsegate.relay.archive import Archive

PULSE = {
    "id": "5f1a2b3c4d5e6f7a8b9c0d1e", "name": "One", "author_name": "ann", "created": "2026-01-01T00:00:00.000000",
    "modified": "2026-01-01T00:00:00.000000", "TLP": "white", "revision": 1,
    "indicators": [{"id": 1, "indicator": "evil.example.net", "type": "domain", "is_active": 1}],
}  # fmt: skip
Change = Callable[[bytes], bytes]


class Gate:
    """One installation, in a folder of its own."""

    def __init__(self, folder: Path, install: Callable[[Path], str]) -> None:
        self.folder = folder
        self._install = install

    def run(self, *words: object) -> str:
        """What the command says, its error too."""
        self._install(self.folder)
        result = CliRunner().invoke(app, [str(one) for one in words])
        if isinstance(result.exception, PulsegateError):
            return f"refused: {result.exception}"
        assert result.exit_code == 0, (result.output, result.exception)
        return str(result.stdout)

    @property
    def pulses(self) -> list[Any]:
        found: list[Any] = json.loads(self.run("pulse", "list", "--json"))
        return found


@pytest.fixture
def bundle(tmp_path: Path, install: Callable[[Path], str]) -> bytes:
    """A good one, of a sender whose key is ``relay.key``."""
    (tmp_path / "pulse.json").write_text(json.dumps(PULSE))
    sender = Gate(tmp_path / "sender", install)
    sender.run("pull", "--from", tmp_path / "pulse.json")
    sender.run("relay", "keygen", "--out", tmp_path / "relay.key")
    sender.run("relay", "keygen", "--out", tmp_path / "other.key")
    sender.run("relay", "export", "--key", tmp_path / "relay.key", "--out", tmp_path / "good.pgb")
    return (tmp_path / "good.pgb").read_bytes()


@pytest.fixture
def receiver(tmp_path: Path, install: Callable[[Path], str]) -> Gate:
    return Gate(tmp_path / "receiver", install)


def taken(receiver: Gate, data: bytes, trust: str = "relay.key.pub") -> str:
    path = receiver.folder.parent / "brought.pgb"
    path.write_bytes(data)
    return receiver.run("relay", "import", path, "--trust", receiver.folder.parent / trust)


def test_good_one_is_taken(bundle: bytes, receiver: Gate) -> None:
    assert not taken(receiver, bundle).startswith("refused")
    assert [one["name"] for one in receiver.pulses] == ["One"]


def test_bundle_of_a_stranger_is_refused(bundle: bytes, receiver: Gate) -> None:
    assert "signed by nobody who is trusted here" in taken(receiver, bundle, "other.key.pub")
    assert receiver.pulses == []


@pytest.mark.parametrize("place", [0, 150, 600, 1_100, -1_500, -600, -1])
def test_bundle_of_which_an_octet_was_changed_is_refused(bundle: bytes, receiver: Gate, place: int) -> None:
    changed = bytearray(bundle)
    changed[place] ^= 1
    assert taken(receiver, bytes(changed)).startswith("refused")
    assert receiver.pulses == []


@pytest.mark.parametrize("more", [b"\0", b"\0" * 512, b"x"])
def test_bundle_with_something_behind_its_end_is_refused(bundle: bytes, receiver: Gate, more: bytes) -> None:
    assert taken(receiver, bundle + more).startswith("refused")
    assert receiver.pulses == []


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("../../escaped", tarfile.REGTYPE), ("/tmp/escaped", tarfile.REGTYPE), ("link", tarfile.SYMTYPE),
        ("link", tarfile.LNKTYPE), ("device", tarfile.CHRTYPE), ("folder", tarfile.DIRTYPE),
    ],
)  # fmt: skip
def test_member_of_another_name_or_kind_is_refused(bundle: bytes, receiver: Gate, name: str, kind: bytes) -> None:
    """A bundle is never unpacked into a folder; one with paths, links or devices is none."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        info = tarfile.TarInfo(name)
        info.type, info.linkname, info.size = kind, "/etc/passwd", 0
        tar.addfile(info)
    assert taken(receiver, packed.getvalue()).startswith("refused")
    assert taken(receiver, packed.getvalue()[:512] + bundle).startswith("refused")
    assert receiver.pulses == []
    assert not list(receiver.folder.parent.rglob("escaped"))


def test_signature_of_another_bundle_is_refused(bundle: bytes, receiver: Gate, tmp_path: Path) -> None:
    opened = Archive(io.BytesIO(bundle)).open()
    forged = opened.manifest.replace(b'"pulses":1', b'"pulses":2')
    assert forged != opened.manifest
    head = archive.header(archive.MANIFEST, len(forged)) + forged + archive.padding(len(forged))
    rest = bundle[len(head) :]
    assert "signature" in taken(receiver, head + rest)
    assert receiver.pulses == []


def test_older_bundle_is_refused(bundle: bytes, receiver: Gate, tmp_path: Path, install) -> None:
    """Nobody brings back what has left, by carrying a file that was good once (replay)."""
    changed = PULSE | {"modified": "2026-01-02T00:00:00.000000", "name": "Two"}
    (tmp_path / "pulse.json").write_text(json.dumps(changed))
    sender = Gate(tmp_path / "sender", install)
    sender.run("pull", "--from", tmp_path / "pulse.json")
    sender.run("relay", "export", "--key", tmp_path / "relay.key", "--full", "--out", tmp_path / "next.pgb")
    taken(receiver, (tmp_path / "next.pgb").read_bytes())
    said = taken(receiver, bundle)
    assert "older" in said, said
    assert [one["name"] for one in receiver.pulses] == ["Two"]


def test_secret_key_is_for_its_owner_and_refused_when_it_is_not(bundle: bytes, tmp_path: Path, install) -> None:
    key = tmp_path / "relay.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    key.chmod(0o640)
    sender = Gate(tmp_path / "sender", install)
    said = sender.run("relay", "export", "--key", key, "--out", tmp_path / "again.pgb")
    assert said == f"refused: {key}: can be read by others. Run: chmod 600 {key}"
    assert keys.read_public(tmp_path / "relay.key.pub").name == "relay.key"

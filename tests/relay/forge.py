"""Bundles as somebody would forge them: any manifest, any member, signed with any key."""

from __future__ import annotations

import hashlib
import json
import zlib
from copy import deepcopy
from pathlib import Path
from typing import Any

from pulsegate.relay.archive import header, padding
from pulsegate.relay.keys import SecretKey
from relay.carried import KEY

PULSES, REMOVALS = "pulses.jsonl.gz", "removals.jsonl.gz"
END = bytes(1024)


def pack(data: bytes, level: int = 9) -> bytes:
    packed = zlib.compressobj(level, zlib.DEFLATED, 31)
    return packed.compress(data) + packed.flush()


def unpack(data: bytes) -> bytes:
    return zlib.decompress(data, 31)


def entry(name: str, content: bytes) -> bytes:
    """A member with its header."""
    return header(name, len(content)) + content + padding(len(content))


def entries(data: bytes) -> list[tuple[str, bytes]]:
    """The names and contents in an archive."""
    found, at = [], 0
    while any(block := data[at : at + 512]):
        size = int(block[124:135], 8)
        found.append((block[:100].rstrip(b"\0").decode(), data[at + 512 : at + 512 + size]))
        at += 512 + size + -size % 512
    return found


def joined(parts: list[tuple[str, bytes]]) -> bytes:
    return b"".join(entry(*one) for one in parts) + END


class Forgery:
    """A genuine bundle, to be bent: ``manifest`` is its JSON, ``lines`` are its members, unpacked."""

    def __init__(self, path: Path) -> None:
        found = dict(entries(path.read_bytes()))
        self.manifest: dict[str, Any] = json.loads(found["manifest.json"])
        self.packed = {one["name"]: found[one["name"]] for one in self.manifest["members"]}
        self.folder = path.parent

    @property
    def lines(self) -> dict[str, bytes]:
        return {name: unpack(data) for name, data in self.packed.items()}

    def member(self, name: str) -> dict[str, Any]:
        return next(one for one in self.manifest["members"] if one["name"] == name)

    def put(self, name: str, lines: bytes | list[bytes], packed: bytes | None = None) -> Forgery:
        """Other lines for a member, truly described."""
        data = lines if isinstance(lines, bytes) else b"".join(lines)
        self.packed[name] = pack(data) if packed is None else packed
        self.describe(name, len(data), data.count(b"\n"))
        return self

    def describe(self, name: str, length: int, lines: int) -> None:
        content = self.packed[name]
        told = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest(), "length": length, "lines": lines}
        self.member(name).update(told)

    def head(self, **values: Any) -> Forgery:
        self.manifest["head"].update(values)
        return self

    def write(self, name: str = "forged", key: SecretKey = KEY) -> Path:
        return self.write_raw(written(self.manifest), name, key)

    def write_raw(self, manifest: bytes, name: str = "forged", key: SecretKey = KEY) -> Path:
        path = self.folder / name
        parts = [("manifest.json", manifest), ("manifest.sig", key.sign(manifest)), *self.packed.items()]
        path.write_bytes(joined(parts))
        return path

    def copy(self) -> Forgery:
        return deepcopy(self)


def written(manifest: dict[str, Any]) -> bytes:
    return json.dumps(manifest, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()

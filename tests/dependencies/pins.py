"""What requirements.txt pins."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_PIN = re.compile(r"([A-Za-z0-9_.-]+)==(\S+)(?: ; (.*))?")
_NAME = re.compile(r"[A-Za-z0-9_.-]+")


@dataclass(frozen=True)
class Pin:
    """``marker``: where it is needed; None: everywhere."""

    name: str
    version: str
    marker: str | None


def pins(file: str = "requirements.txt") -> list[Pin]:
    lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
    return [Pin(*found.groups()) for line in lines if (found := _PIN.fullmatch(line))]


def declared() -> set[str]:
    """The names that pyproject.toml says this depends on, in their normal form."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {normal(_NAME.match(one)[0]) for one in project["dependencies"]}


def normal(name: str) -> str:
    """PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()

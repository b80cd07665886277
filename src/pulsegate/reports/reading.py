"""What a reader finds in a file: indicators that are proposed, and what is refused, each with its place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from pulsegate.model.indicator import RawIndicator
from pulsegate.model.tlp import TLP

SHOWN = 200  # characters of what is refused that are kept


@dataclass(frozen=True, slots=True)
class Proposed:
    """An indicator as the file has it. ``tlp``: None where the file tells none; ``where``: the line or the path."""

    indicator: RawIndicator
    tlp: TLP | None = None
    where: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """What is no indicator, with the reason for people."""

    where: str
    text: str
    reason: str


Entry = Proposed | Refusal


@dataclass(frozen=True, slots=True)
class Reading:
    """All that a file holds, in its order."""

    accepted: list[Proposed] = field(default_factory=list)
    rejected: list[Refusal] = field(default_factory=list)

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> Reading:
        made = cls()
        for one in entries:
            if isinstance(one, Proposed):
                made.accepted.append(one)
            else:
                made.rejected.append(one)
        return made


def refusal(where: str, text: str, reason: str) -> Refusal:
    """A Refusal that keeps no more of the text than people need."""
    return Refusal(where, text if len(text) <= SHOWN else text[:SHOWN] + "…", reason)

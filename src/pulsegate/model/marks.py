"""What curation knows of a value by itself, kept beside it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Marks:
    """What concerns a value, whatever pulse it is in.

    The built-in protection; the warning lists that cover it, by name, parted by blanks; whether an own network, the
    allow list or a person's decision may concern it, which makes a publication look closer.
    """

    protection: str | None = None
    lists: str | None = None
    noted: bool = False


UNMARKED = Marks()

"""A sender's name, and what a receiver may take of the curation that its bundles bring."""

from __future__ import annotations

import re
from enum import StrEnum

_ORIGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")


def as_origin(text: str) -> str:
    """The text, if a sender can be named so. ValueError: it can't."""
    if not _ORIGIN.fullmatch(text):
        raise ValueError("an origin has letters, digits, dots, dashes and underscores, 80 at most")
    return text


class Take(StrEnum):
    """A kind of the sender's curation."""

    COLLECTIONS = "collections"  # the rules of the sender's own
    ALLOW = "allow"  # the allow list
    DECISIONS = "decisions"  # values forced in or out, reviews of pulses, trusted authors
    OWN = "own"  # own pulses with their indicators


def without_name(file: str, reason: str | None) -> str:
    """The reason why a bundle was refused or waits, where its file is named beside it."""
    return (reason or "").removeprefix(f"{file}: ")

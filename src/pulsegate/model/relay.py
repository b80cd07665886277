"""What a receiver may take of the curation that a bundle brings."""

from __future__ import annotations

from enum import StrEnum


class Take(StrEnum):
    """A kind of the sender's curation."""

    COLLECTIONS = "collections"  # the rules of the sender's own
    ALLOW = "allow"  # the allow list
    DECISIONS = "decisions"  # values forced in or out, reviews of pulses, trusted authors
    OWN = "own"  # own pulses with their indicators

"""A collection: what an administrator asks a feed to hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from pulsegate.model.indicator import IndicatorType
from pulsegate.model.tlp import TLP

PROTECTIONS = frozenset({"reserved-range", "public-suffix", "single-label"})
"""The names of the built-in protections."""

EXPAND = 256
"""The largest network that may be written address by address: a block has room for 500 indicators."""


class Profile(StrEnum):
    """How much of a pulse a collection serves."""

    FULL = "full"  # everything that STIX 1.2 can say
    ESA = "esa"  # only what the appliance uses, in the form it reads


class ReviewMode(StrEnum):
    """What waits until a curator approves it."""

    NONE = "none"
    PULSES = "pulses"
    CHANGES = "changes"  # what is added to an approved pulse waits too


class CollectionKind(StrEnum):
    """Where a collection comes from."""

    SUBSCRIBED = "subscribed"  # every subscribed pulse
    AUTHOR = "author"  # the pulses of one author
    OWN = "own"  # the administrator's, by rule
    INBOX = "inbox"  # packages as others push them, without rules or deduplication


@dataclass(frozen=True, slots=True)
class Rule:
    """The keys of ``include`` and ``exclude``. An empty key filters nothing."""

    authors: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    adversaries: frozenset[str] = frozenset()
    malware_families: frozenset[str] = frozenset()
    countries: frozenset[str] = frozenset()
    industries: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()  # in the pulse's name; ``curation.naming.has_word`` says what is one
    attack_ids: frozenset[str] = frozenset()  # each with its sub-techniques
    types: frozenset[IndicatorType] = frozenset()
    roles: frozenset[str] = frozenset()  # of the single indicator
    tlp: frozenset[TLP] = frozenset()
    max_age: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Collection:
    """A TAXII data collection and the rules that fill it."""

    name: str
    kind: CollectionKind = CollectionKind.OWN
    author: str | None = None  # for kind AUTHOR
    description: str = ""
    profile: Profile = Profile.FULL
    expand: int = EXPAND  # profile ESA: a network of at most so many addresses is written address by address; 0: none
    deduplicate: bool = True
    include: Rule = field(default_factory=Rule)
    exclude: Rule = field(default_factory=Rule)
    review: ReviewMode = ReviewMode.NONE
    protections: frozenset[str] | None = None  # None: all of them
    warning_lists: frozenset[str] | None = None  # those that block; None: those that do by their mode
    ttl: Mapping[IndicatorType, timedelta] = field(default_factory=dict)
    blocks_per_part: int = 0  # of a poll's answer; 0: all in one part
    refresh: timedelta | None = None  # republish what is still live so often, for consumers that age it out
    max_age: timedelta | None = None  # of kind INBOX: a package that was pushed longer ago is withdrawn
    upstream: str | None = None  # of kind INBOX: the source that fills it, and nobody else

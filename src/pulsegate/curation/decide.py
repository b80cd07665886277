"""Whether an indicator belongs into a collection, and by which rule: pure decisions, each with its reason.

Precedence: own domains and networks, protections, the collection's rules on the pulse and on the indicator, what the
profile can express, activity and expiry. The first that speaks against the indicator decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from pulsegate.model.collection import Collection, Rule
from pulsegate.model.indicator import IndicatorType
from pulsegate.model.pulse import Pulse
from pulsegate.settings.duration import format_duration

_WORDS: tuple[tuple[str, Callable[[Pulse], Iterable[str]]], ...] = (
    ("authors", lambda pulse: (pulse.author,)),
    ("tags", lambda pulse: pulse.tags),
    ("adversaries", lambda pulse: (pulse.adversary,)),
    ("malware_families", lambda pulse: pulse.malware_families),
    ("countries", lambda pulse: pulse.targeted_countries),
    ("industries", lambda pulse: pulse.industries),
    ("tlp", lambda pulse: (pulse.tlp,)),
)


@dataclass(frozen=True, slots=True)
class Decision:
    """``rule`` names what decided (``in`` when nothing spoke against it), ``reason`` says it to people."""

    included: bool
    rule: str
    reason: str


IN = Decision(included=True, rule="in", reason="nothing speaks against it")


def out(rule: str, reason: str) -> Decision:
    return Decision(included=False, rule=rule, reason=reason)


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of an indicator when it is decided on."""

    type: IndicatorType
    created: datetime  # the pulse's own where OTX gives none
    expiration: datetime | None
    active: bool
    own: str | None = None  # the entry of ``own`` that covers the value
    protection: str | None = None  # the built-in protection that concerns the value
    inexpressible: str | None = None  # why the collection's profile can't write it


def decide_pulse(pulse: Pulse, collection: Collection, now: datetime, *, active: bool = True) -> Decision:
    """Whether the pulse as a whole may feed the collection."""
    if not active:
        return out("withdrawn", "the pulse was deleted on OTX or is no longer subscribed to")
    if collection.author is not None and pulse.author != collection.author:
        return out("author", f"the collection holds the pulses of {collection.author} only")
    for key, words in _WORDS:
        wanted, unwanted = getattr(collection.include, key), getattr(collection.exclude, key)
        found = {word.casefold() for word in words(pulse)}
        if wanted and not any(word.casefold() in found for word in wanted):
            return out(f"include.{key}", f"the pulse has none of these {key}: {_listed(wanted)}")
        against = [word for word in unwanted if word.casefold() in found]
        if against:
            return out(f"exclude.{key}", f"the pulse has one of these {key}: {_listed(against)}")
    return _decide_age(pulse, collection, now)


def _decide_age(pulse: Pulse, collection: Collection, now: datetime) -> Decision:
    limit = collection.include.max_age
    if limit is not None and now - pulse.modified > limit:
        return out("include.max_age", f"the pulse was last modified more than {format_duration(limit)} ago")
    limit = collection.exclude.max_age
    if limit is not None and now - pulse.modified <= limit:
        return out("exclude.max_age", f"the pulse was modified within the last {format_duration(limit)}")
    return IN


def decide(facts: Facts, collection: Collection, now: datetime, of_pulse: Decision) -> Decision:
    """The decision on one indicator, given the one on its pulse as a whole."""
    if facts.own is not None:
        return out("own", f"{facts.own} is your own")
    protections = collection.protections
    if facts.protection is not None and (protections is None or facts.protection in protections):
        return out(f"protection:{facts.protection}", f"the built-in protection {facts.protection} covers it")
    if not of_pulse.included:
        return of_pulse
    against = _decide_type(facts.type, collection.include, collection.exclude)
    if against is not None:
        return against
    if facts.inexpressible is not None:
        return out(f"profile:{collection.profile}", facts.inexpressible)
    return _decide_life(facts, collection, now)


def _decide_type(kind: IndicatorType, include: Rule, exclude: Rule) -> Decision | None:
    if include.types and kind not in include.types:
        return out("include.types", f"{kind} is none of {_listed(include.types)}")
    if kind in exclude.types:
        return out("exclude.types", f"{kind} is excluded")
    return None


def _decide_life(facts: Facts, collection: Collection, now: datetime) -> Decision:
    if not facts.active:
        return out("inactive", "OTX marks it as inactive")
    if facts.expiration is not None:
        return IN if facts.expiration > now else out("expired", f"OTX let it expire on {facts.expiration:%Y-%m-%d}")
    limit = collection.ttl.get(facts.type)
    if limit is not None and now - facts.created >= limit:
        return out("ttl", f"it is older than the {format_duration(limit)} that {facts.type} live in this collection")
    return IN


def _listed(words: Iterable[str]) -> str:
    return ", ".join(sorted(str(word) for word in words))

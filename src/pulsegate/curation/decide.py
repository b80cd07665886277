"""Whether an indicator belongs into a collection, and by which rule: pure decisions, each with its reason.

Precedence: own domains and networks, protections, the collection's rules on the pulse and on the indicator, what the
profile can express, activity and expiry. The first that speaks against the indicator decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from pulsegate.curation.naming import covers_technique, has_word
from pulsegate.model.collection import Collection, Rule
from pulsegate.model.indicator import IndicatorType
from pulsegate.model.pulse import Pulse
from pulsegate.settings.duration import format_duration

Found = Callable[[Pulse, Iterable[str]], list[str]]
"""Of a rule's words those that the pulse has."""


def _same(words: Callable[[Pulse], Iterable[str]]) -> Found:
    """Words that are the same but for their case."""

    def found(pulse: Pulse, wanted: Iterable[str]) -> list[str]:
        there = {word.casefold() for word in words(pulse)}
        return [word for word in wanted if word.casefold() in there]

    return found


def _techniques(pulse: Pulse, wanted: Iterable[str]) -> list[str]:
    return [technique for technique in wanted if covers_technique(technique, pulse.attack_ids)]


def _named(pulse: Pulse, wanted: Iterable[str]) -> list[str]:
    return [word for word in wanted if has_word(pulse.name, word)]


_OF_PULSE: tuple[tuple[str, str, Found], ...] = (
    ("authors", "the pulse", _same(lambda pulse: (pulse.author,))),
    ("tags", "the pulse", _same(lambda pulse: pulse.tags)),
    ("words", "the pulse's name", _named),
    ("adversaries", "the pulse", _same(lambda pulse: (pulse.adversary,))),
    ("malware_families", "the pulse", _same(lambda pulse: pulse.malware_families)),
    ("attack_ids", "the pulse", _techniques),
    ("countries", "the pulse", _same(lambda pulse: pulse.targeted_countries)),
    ("industries", "the pulse", _same(lambda pulse: pulse.industries)),
    ("tlp", "the pulse", _same(lambda pulse: (pulse.tlp,))),
)
"""What a rule says of the pulse, in the order in which it decides: the key, what has its words, how they are found."""


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
    role: str = ""  # as OTX gives it
    own: str | None = None  # the entry of ``own`` that covers the value
    protection: str | None = None  # the built-in protection that concerns the value
    inexpressible: str | None = None  # why the collection's profile can't write it


def decide_pulse(pulse: Pulse, collection: Collection, now: datetime, *, active: bool = True) -> Decision:
    """Whether the pulse as a whole may feed the collection."""
    if not active:
        return out("withdrawn", "the pulse was deleted on OTX or is no longer subscribed to")
    if collection.author is not None and pulse.author != collection.author:
        return out("author", f"the collection holds the pulses of {collection.author} only")
    for key, holder, found in _OF_PULSE:
        wanted, unwanted = getattr(collection.include, key), getattr(collection.exclude, key)
        if wanted and not found(pulse, wanted):
            return out(f"include.{key}", f"{holder} has none of these {key}: {_listed(wanted)}")
        if unwanted and (against := found(pulse, unwanted)):
            return out(f"exclude.{key}", f"{holder} has one of these {key}: {_listed(against)}")
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
    include, exclude = collection.include, collection.exclude
    against = _decide_type(facts.type, include, exclude) or _decide_role(facts.role, include, exclude)
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


def _decide_role(role: str, include: Rule, exclude: Rule) -> Decision | None:
    same = role.casefold()
    if include.roles and same not in {word.casefold() for word in include.roles}:
        told = f"its role {role} is" if role else "OTX gives it no role; wanted is"
        none = "none of" if role else "one of"
        return out("include.roles", f"{told} {none} {_listed(include.roles)}")
    if same in {word.casefold() for word in exclude.roles}:
        return out("exclude.roles", f"its role {role} is excluded")
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

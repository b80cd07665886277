"""Whether an indicator belongs into a collection, and by which rule: pure decisions, each with its reason.

Precedence: forced out, forced in, the allow list, own domains and networks, protections, warning lists, the rules of
the collection on the pulse and on the indicator, what the profile can express, review, activity and expiry. The first
that speaks decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime

from pulsegate.curation.choices import RESTATED
from pulsegate.curation.naming import covers_technique, has_word
from pulsegate.model.collection import Collection, ReviewMode, Rule
from pulsegate.model.decisions import Allowed, Override, Review, ReviewStatus, Trusted
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


AUTHOR = "author"  # the rule of an author's collection
UNKNOWN = "unknown"  # the rule of an indicator whose pulse is not there


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
    allowed: Allowed | None = None  # the entry of the allow list that covers the value
    lists: tuple[str, ...] = ()  # the warning lists that cover the value
    overrides: tuple[Override, ...] = ()  # what was decided on the value, for whatever collection
    is_new: bool = False  # it came after its pulse had been approved
    emptied: Decision | None = None  # of a network written address by address: why none of them is left


def decide_pulse(pulse: Pulse, collection: Collection, now: datetime, *, active: bool = True) -> Decision:
    """Whether the pulse as a whole may feed the collection."""
    return next(opinions_on_pulse(pulse, collection, now, active=active), IN)


def opinions_on_pulse(
    pulse: Pulse, collection: Collection, now: datetime, *, active: bool = True
) -> Iterator[Decision]:
    """All rules that speak against the pulse, the one that decides first.

    Another author's pulse is none of the collection's business, withdrawn or not: that comes before all.
    """
    if collection.author is not None and pulse.author != collection.author:
        yield out(AUTHOR, f"the collection holds the pulses of {collection.author} only")
    if not active:
        yield out("withdrawn", "the pulse was deleted on OTX or is no longer subscribed to")
    for key, holder, found in _OF_PULSE:
        wanted, unwanted = getattr(collection.include, key), getattr(collection.exclude, key)
        if wanted and not found(pulse, wanted):
            yield out(f"include.{key}", f"{holder} has none of these {key}: {_listed(wanted)}")
        if unwanted and (against := found(pulse, unwanted)):
            yield out(f"exclude.{key}", f"{holder} has one of these {key}: {_listed(against)}")
    yield from _against_age(pulse, collection, now)


def _against_age(pulse: Pulse, collection: Collection, now: datetime) -> Iterator[Decision]:
    limit = collection.include.max_age
    if limit is not None and now - pulse.modified > limit:
        yield out("include.max_age", f"the pulse was last modified more than {format_duration(limit)} ago")
    limit = collection.exclude.max_age
    if limit is not None and now - pulse.modified <= limit:
        yield out("exclude.max_age", f"the pulse was modified within the last {format_duration(limit)}")


def decide_review(collection: Collection, review: Review | None, trusted: Trusted | None) -> Decision:
    """Whether somebody has let the pulse in, where that is asked for. A rejected one is in no collection."""
    if review is not None and review.status is ReviewStatus.REJECTED:
        return out("review:rejected", f"{review.account} rejected the pulse{_because(review.reason)}")
    if collection.review is ReviewMode.NONE or (review is not None and review.status is ReviewStatus.APPROVED):
        return IN
    if review is not None:
        return out("review:held", f"{review.account} put the pulse aside{_because(review.reason)}")
    if trusted is not None:
        return IN
    return out("review", "nobody has approved the pulse yet")


@dataclass(frozen=True, slots=True)
class OfPulse:
    """What was decided on a pulse as a whole: by the rules, and by people."""

    by_rules: Decision = IN
    by_review: Decision = IN
    others: tuple[Decision, ...] = ()  # what else the rules say against it, for those who want to know it all


def decide(
    facts: Facts,
    collection: Collection,
    now: datetime,
    of_pulse: OfPulse,
    blocking: AbstractSet[str] = frozenset(),
) -> Decision:
    """The decision on one indicator, given the one on its pulse.

    ``blocking``: the warning lists that block in a collection that does not name its own.
    """
    return next(_opinions(facts, collection, now, of_pulse, blocking), IN)


def decide_value(facts: Facts, collection: Collection, blocking: AbstractSet[str] = frozenset()) -> Decision:
    """The decision on the value alone, whatever pulse has it: by people, own networks, protections and lists."""
    return next(_on_value(facts, collection, blocking, OfPulse()), IN)


def opinions(
    facts: Facts,
    collection: Collection,
    now: datetime,
    of_pulse: OfPulse,
    blocking: AbstractSet[str] = frozenset(),
) -> list[Decision]:
    """All that has a say, each once: the first decides, each of the others would if those before it were gone.

    Where the value is forced in, what it is in against comes behind that.
    """
    return list(dict.fromkeys(_opinions(facts, collection, now, of_pulse, blocking)))


def _opinions(
    facts: Facts, collection: Collection, now: datetime, of_pulse: OfPulse, blocking: AbstractSet[str]
) -> Iterator[Decision]:
    """What decides, the weightiest first; nothing when nothing speaks against the indicator."""
    yield from _on_value(facts, collection, blocking, of_pulse)
    if not of_pulse.by_rules.included:
        yield of_pulse.by_rules
    yield from of_pulse.others
    yield from _against_type(facts.type, collection.include, collection.exclude)
    yield from _against_role(facts.role, collection.include, collection.exclude)
    if facts.inexpressible is not None:
        yield out(f"profile:{collection.profile}", facts.inexpressible)
    if not of_pulse.by_review.included:
        yield of_pulse.by_review
    if facts.is_new and collection.review is ReviewMode.CHANGES:
        yield out("review:new", "it came after the pulse had been approved")
    yield from _against_life(facts, collection, now)


def _on_value(
    facts: Facts, collection: Collection, blocking: AbstractSet[str], of_pulse: OfPulse
) -> Iterator[Decision]:
    """What people, own networks, protections and lists say of the value."""
    forced_out, forced_in = _decide_forced(facts, collection)
    for forced in forced_out:
        yield out("forced-out", f"{forced.account} forced it out of {_where(forced)}{_because(forced.reason)}")
    if facts.emptied is not None:
        yield facts.emptied
    for forced in forced_in:
        if not forced.against_own:
            yield from _against_own(facts, collection)
        yield _decide_forced_in(facts, collection, forced, of_pulse)
    yield from _against_value(facts, collection, blocking)


def _decide_forced(facts: Facts, collection: Collection) -> tuple[list[Override], list[Override]]:
    """What was decided on the value for this collection or for all, out and in; what gets past more comes first."""
    if not facts.overrides:
        return [], []
    mine = [one for one in facts.overrides if one.collection in ("", collection.name)]
    inside = sorted((one for one in mine if one.inside), key=lambda one: not one.against_own)
    return [one for one in mine if not one.inside], inside


def _decide_forced_in(facts: Facts, collection: Collection, forced: Override, of_pulse: OfPulse) -> Decision:
    """In whatever the rules say, but not among another author's pulses, and not what can't be written."""
    if of_pulse.by_rules.rule in (AUTHOR, UNKNOWN):
        return of_pulse.by_rules
    if facts.inexpressible is not None:
        return out(f"profile:{collection.profile}", facts.inexpressible)
    said = f"{forced.account} forced it into {_where(forced)}{_because(forced.reason)}"
    return Decision(included=True, rule="forced-in", reason=said)


def _where(forced: Override) -> str:
    return forced.collection or "every collection"


def _against_value(facts: Facts, collection: Collection, blocking: AbstractSet[str]) -> Iterator[Decision]:
    if facts.allowed is not None:
        entry = facts.allowed
        said = f"{entry.text} ({entry.kind}) is on the allow list, by {entry.account}{_because(entry.reason)}"
        yield out("allow-list", said)
    yield from _against_own(facts, collection)
    lists = blocking_in(collection, blocking) if facts.lists else frozenset()
    for name in facts.lists:
        if name in lists:
            yield out(f"warning-list:{name}", f"it is on the warning list {name}")


def blocking_in(collection: Collection, blocking: AbstractSet[str]) -> AbstractSet[str]:
    """The warning lists that keep something out of the collection; ``blocking``: those that do by default."""
    if collection.warning_lists is not None:
        return collection.warning_lists
    held = collection.protections
    if held is None:
        return blocking
    return blocking - {name for name, protection in RESTATED.items() if protection not in held}


def _against_own(facts: Facts, collection: Collection) -> Iterator[Decision]:
    """What only force gets past."""
    if facts.own is not None:
        yield out("own", f"{facts.own} is your own")
    protections = collection.protections
    if facts.protection is not None and (protections is None or facts.protection in protections):
        yield out(f"protection:{facts.protection}", f"the built-in protection {facts.protection} covers it")


def _against_type(kind: IndicatorType, include: Rule, exclude: Rule) -> Iterator[Decision]:
    if include.types and kind not in include.types:
        yield out("include.types", f"{kind} is none of {_listed(include.types)}")
    if kind in exclude.types:
        yield out("exclude.types", f"{kind} is excluded")


def _against_role(role: str, include: Rule, exclude: Rule) -> Iterator[Decision]:
    same = role.casefold()
    if include.roles and same not in {word.casefold() for word in include.roles}:
        wanted = _listed(include.roles)
        without = f"OTX gives it no role; wanted is one of {wanted}"
        yield out("include.roles", f"its role {role} is none of {wanted}" if role else without)
    if same in {word.casefold() for word in exclude.roles}:
        yield out("exclude.roles", f"its role {role} is excluded")


def _against_life(facts: Facts, collection: Collection, now: datetime) -> Iterator[Decision]:
    if not facts.active:
        yield out("inactive", "OTX marks it as inactive")
    limit = collection.ttl.get(facts.type)
    if facts.expiration is not None:
        if facts.expiration <= now:
            yield out("expired", f"it expired on {facts.expiration:%Y-%m-%d}")
    elif limit is not None and now - facts.created >= limit:
        yield out("ttl", f"it is older than the {format_duration(limit)} that {facts.type} live in this collection")


def _because(reason: str) -> str:
    return f": {reason}" if reason else ""


def _listed(words: Iterable[str]) -> str:
    return ", ".join(sorted(str(word) for word in words))

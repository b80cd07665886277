"""What would change a decision: the commands and settings, for each rule."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from pulsegate.curation.decide import AUTHOR, Decision, Facts
from pulsegate.curation.policy import Policy
from pulsegate.model.collection import Collection, Profile
from pulsegate.model.indicator import IndicatorType
from pulsegate.model.pulse import Pulse


@dataclass(frozen=True, slots=True)
class Subject:
    """A value in a collection, as it was decided on. ``pulse``: the one that has it; None: none has."""

    value: str
    collection: Collection
    policy: Policy
    facts: Facts | None = None
    pulse: Pulse | None = None
    failed: bool = False  # it was tried in vain to write it
    parts: Mapping[str, Decision] = field(default_factory=dict)  # of a network, the addresses that are left out


def letting_in(rule: str, subject: Subject) -> list[str]:
    """What would take away what the rule says against it."""
    return [*_particular(rule, subject), *_forcing(rule, subject)]


def taking_out(rule: str, subject: Subject) -> list[str]:
    """What would take a value out that is in, by ``in`` or ``forced-in``."""
    value, name = shlex.quote(subject.value), shlex.quote(subject.collection.name)
    if rule == "forced-in":
        return [*_unforce(subject, inside=True), f"pulsegate indicator force-out {value} --collection {name}"]
    return [f"pulsegate allow add {value}", f"pulsegate indicator force-out {value} --collection {name}"]


def _particular(rule: str, subject: Subject) -> Iterable[str]:
    family, _, detail = rule.partition(":")
    if family.startswith(("include.", "exclude.")) or family == "ttl":
        return [_setting(family, subject)]
    found = _BY_FAMILY.get(family)
    return () if found is None else found(detail, subject)


def _setting(key: str, subject: Subject) -> str:
    return f"`{key}` of collection {subject.collection.name}"


def _allow(_detail: str, subject: Subject) -> Iterator[str]:
    if subject.facts is not None and subject.facts.allowed is not None:
        yield f"pulsegate allow remove {shlex.quote(subject.facts.allowed.text)}"


def _list(name: str, subject: Subject) -> Iterator[str]:
    yield _setting("warning_lists", subject)
    if subject.collection.warning_lists is None:
        yield list_setting(name, subject.policy)


def _follow(_detail: str, subject: Subject) -> Iterator[str]:
    if subject.pulse is not None and not subject.pulse.is_own:
        yield f"`pulses` of a source in the settings file, with {subject.pulse.id}"


def list_setting(name: str, policy: Policy) -> str:
    """What says whether a warning list blocks, where a collection does not."""
    if any(one.name == name for one in policy.lists.files):
        return f"`mode` of {name} in `warning_lists.files` in the settings file"
    return f"`warning_lists.modes.{name}` in the settings file"


def _writing(_detail: str, subject: Subject) -> Iterator[str]:
    if subject.failed:
        yield "pulsegate quarantine retry"
    elif subject.collection.profile is Profile.ESA:
        if subject.facts is not None and subject.facts.type is IndicatorType.CIDR:
            yield _setting("expand", subject)
        yield _setting("profile", subject)


def _review(detail: str, subject: Subject) -> Iterator[str]:
    if subject.pulse is None:
        return
    yield f"pulsegate pulse approve {shlex.quote(subject.pulse.id)}"
    if not detail:
        yield f"pulsegate pulse trust {shlex.quote(subject.pulse.author)}"
    if detail != "rejected":
        yield _setting("review", subject)


def _unforce(subject: Subject, *, inside: bool) -> Iterator[str]:
    value, name = shlex.quote(subject.value), subject.collection.name
    for one in subject.facts.overrides if subject.facts is not None else ():
        if one.inside is inside and one.collection in ("", name):
            where = f" --collection {shlex.quote(name)}" if one.collection else ""
            yield f"pulsegate indicator unforce {value}{where}"


def _forcing(rule: str, subject: Subject) -> Iterator[str]:
    """Forcing in gets past all but being forced out, another author's collection, and what can't be written."""
    facts = subject.facts
    if facts is None or subject.pulse is None or rule == AUTHOR or facts.inexpressible is not None:
        return
    if rule == "forced-out" or not _may_hold(subject):
        return
    force = " --force" if _is_against_own(facts, subject.collection) else ""
    name = shlex.quote(subject.collection.name)
    yield f"pulsegate indicator force-in {shlex.quote(subject.value)} --collection {name}{force}"


def _may_hold(subject: Subject) -> bool:
    author = subject.collection.author
    return author is None or (subject.pulse is not None and subject.pulse.author == author)


def _is_against_own(facts: Facts, collection: Collection) -> bool:
    protections = collection.protections
    return facts.own is not None or (
        facts.protection is not None and (protections is None or facts.protection in protections)
    )


_BY_FAMILY: Mapping[str, Callable[[str, Subject], Iterable[str]]] = {
    "forced-out": lambda _, subject: _unforce(subject, inside=False),
    "allow-list": _allow,
    "own": lambda *_: ["`own` in the settings file"],
    "protection": lambda _, subject: [_setting("protections", subject)],
    "warning-list": _list,
    "withdrawn": _follow,
    "profile": _writing,
    "review": _review,
    "no-pulse": lambda _, subject: [f"pulsegate indicator add {shlex.quote(subject.value)}"],
}

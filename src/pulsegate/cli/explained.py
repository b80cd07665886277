"""What is known of a value, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from textwrap import wrap
from typing import Any

from pulsegate.cli.output import instant, people, print_table, when
from pulsegate.publication.explanation import WITHOUT_IT, Explanation, Neighbours, Opinion, Standing
from pulsegate.publication.surroundings import RELATIONS
from pulsegate.store.polls import Fetch

WIDTH = 100  # columns
FETCHES = 5  # accounts that people are shown, of each collection
_IN, _NO_PULSE = "in", "no-pulse"  # rules


# --- For people -------------------------------------------------------------------------------------------------------


def show(found: Explanation) -> None:
    """Print everything, at most ``WIDTH`` columns wide but for commands, which stand on a line each."""
    people.print(f"{found.value} ({found.type})", markup=False, style="bold")
    rows = [(pulse.author, pulse.name, when(pulse.modified), pulse.id) for pulse in found.pulses]
    print_table(("author", "pulse", "modified", "id"), rows, empty="In no stored pulse.")
    if found.covered:
        _title("What concerns it in every collection")
        for one in found.covered:
            _say(f"{one.rule}: {one.reason}")
            _changes("changed by", one.changes, 4)
    _title("Collections")
    known = {one.rule: one.reason for one in found.covered}
    for standing in _worth_telling(found.standings):
        _show_standing(standing, known, found.logged, name_pulse=len(found.pulses) > 1)
    _show_log(found)
    if found.neighbours:
        _title("What is near")
        for group in found.neighbours:
            _show_neighbours(group)


def _title(text: str) -> None:
    people.print()
    people.print(text, markup=False, style="bold")


def _worth_telling(standings: Sequence[Standing]) -> list[Standing]:
    """Another author's collection has nothing to do with it, unless it was there."""
    found = [one for one in standings if one.rule != "author" or one.left]
    if found and all(one.rule == _NO_PULSE and not one.left for one in found):
        _say("in none: no stored pulse has it")
        _changes("in by", found[0].changes, 4)
        return []
    return found


def _show_standing(one: Standing, known: Mapping[str, str], logged: datetime | None, *, name_pulse: bool) -> None:
    """``known``: what was said above already, by its rule; ``logged``: as of when polls are known."""
    since = f" since {when(one.since)}" if one.since is not None else ""
    of = f" (pulse {one.pulse})" if name_pulse and one.pulse is not None else ""
    why = f": {one.reason}" if one.rule == _IN else f", {_told(one.rule, one.reason, known)}"
    _say(f"{one.collection}: {'in' if one.included else 'out'}{since}{why}{of}")
    _changes("out by" if one.included else "in by", one.changes, 4)
    said = set(one.changes)
    for other in one.others:
        _say(f"{'although' if one.included else 'also'} {_told(other.rule, other.reason, known)}", 4)
        _changes("changed by", [change for change in other.changes if change not in said], 6)
        said.update(other.changes)
    for line in _fetched(one.fetched):
        _say(line, 4)
    if one.since is not None and not one.fetched and logged is not None and logged <= one.since:
        _say("fetched by nobody", 4)
    for stay in one.left:
        of = f" as an address of {stay.of}" if stay.of else ""
        _say(f"was in{of} from {when(stay.since)} to {when(stay.ended)}", 4)
        for line in _fetched(stay.fetched):
            _say(f"{line}; may hold it still", 6)


def _told(rule: str, reason: str, known: Mapping[str, str]) -> str:
    """The rule, and its reason where that does not stand above."""
    if rule not in known:
        return f"{rule}: {reason}"
    has_more = reason.startswith(known[rule]) or reason.endswith(WITHOUT_IT)
    more = reason.rpartition("; ")[2] if has_more and "; " in reason else ""
    return f"{rule}; {more}" if more and more not in known[rule] else rule


def _changes(what: str, changes: Sequence[str], depth: int) -> None:
    for one in changes:
        people.print(f"{' ' * depth}{what}: {one}", markup=False)


def _fetched(fetches: Sequence[Fetch]) -> Iterator[str]:
    for one in fetches[:FETCHES]:
        times = "" if one.times == 1 else f", {one.times} times since {when(one.first)}"
        yield f"fetched by {one.account} from {one.address} at {when(one.last)}{times}"
    if len(fetches) > FETCHES:
        yield f"fetched by {len(fetches) - FETCHES} more (--json has all)"


def _show_log(found: Explanation) -> None:
    """How far it can be told who fetched it."""
    begins = [one.since for one in found.standings if one.since is not None]
    begins += [stay.since for one in found.standings for stay in one.left]
    if not begins:
        return
    if found.logged is None:
        _say("The poll log is empty: who fetched it is not known.")
    elif found.logged > min(begins):
        _say(f"The poll log begins at {when(found.logged)}: who fetched it before is not known.")


def _show_neighbours(group: Neighbours) -> None:
    number = f"{group.number}" if group.is_all else f"{group.number} or more"
    first = f", the first {len(group.first)}" if len(group.first) < group.number or not group.is_all else ""
    _say(f"{RELATIONS[group.relation]} ({number}{first}):")
    for one in group.first:
        _say(f"{one.value} ({one.type}): {_in(one.inside, one.outside)}", 4)


def _in(inside: int, outside: int) -> str:
    if not outside:
        return f"in {_collections(inside)}"
    return f"in {_collections(inside)}, out of {outside}" if inside else f"out of {_collections(outside)}"


def _collections(number: int) -> str:
    return f"{number} collection" if number == 1 else f"{number} collections"


def _say(text: str, depth: int = 2) -> None:
    """A sentence in lines; what goes on stands further in."""
    first, rest = " " * depth, " " * (depth + 4)
    lines = wrap(
        text, WIDTH, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )
    for line in lines or [first]:
        people.print(line, markup=False)


# --- For programs -----------------------------------------------------------------------------------------------------


def as_json(found: Explanation) -> dict[str, Any]:
    return {
        "value": found.value,
        "type": found.type,
        "pulses": [{"id": one.id, "name": one.name, "author": one.author} for one in found.pulses],
        "collections": [_standing(one) for one in found.standings],
        "covered": _opinions(found.covered),
        "neighbours": [_neighbours(one) for one in found.neighbours],
        "poll_log_since": instant(found.logged),
    }


def _standing(one: Standing) -> dict[str, Any]:
    return {
        "name": one.collection,
        "in": one.included,
        "since": instant(one.since),
        "rule": one.rule,
        "reason": one.reason,
        "changes": list(one.changes),
        "others": _opinions(one.others),
        "pulse": one.pulse,
        "fetched": _fetches(one.fetched),
        "withdrawn": [
            {
                "since": instant(stay.since),
                "ended": instant(stay.ended),
                "network": stay.of or None,
                "fetched": _fetches(stay.fetched),
            }
            for stay in one.left
        ],
    }


def _opinions(found: Iterable[Opinion]) -> list[dict[str, Any]]:
    return [{"rule": one.rule, "reason": one.reason, "changes": list(one.changes)} for one in found]


def _fetches(found: Iterable[Fetch]) -> list[dict[str, Any]]:
    return [
        {
            "account": one.account,
            "address": one.address,
            "time": instant(one.last),
            "first": instant(one.first),
            "times": one.times,
        }
        for one in found
    ]


def _neighbours(group: Neighbours) -> dict[str, Any]:
    return {
        "relation": group.relation,
        "count": group.number,
        "is_all": group.is_all,
        "first": [{"type": one.type, "value": one.value, "in": one.inside, "out": one.outside} for one in group.first],
    }

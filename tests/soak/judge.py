"""The verdict on a soak, from its journals alone: what was wanted when, against what each client was given."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from math import inf
from typing import Any

from soak.world import KINDS, SLACK, Client, World

EVENTS = 20  # told of a fault
Key = tuple[int | None, str]  # (pulse, value); the pulse is None where each value stands once


@dataclass(frozen=True)
class Pass:
    """One run of a publisher. ``end``: no transaction of it came later."""

    start: float
    end: float
    outcome: str  # ok, killed, or its error
    frontiers: dict[str, datetime]


@dataclass(frozen=True)
class Stint:
    """A time in which a key was wanted: it surely was from ``since`` to ``until``, and surely not before ``before``
    or after ``after``."""

    key: Key
    before: float
    since: float
    until: float = inf
    after: float = inf


@dataclass(frozen=True)
class Poll:
    """A whole poll: when it began, had its answer and was read; its window; its blocks; the keys in them."""

    start: float
    answered: float
    done: float
    moment: datetime
    begin: datetime | None
    end: datetime
    revision: int
    blocks: list[tuple[datetime, int, int, list[str]]]
    keys: Counter[Key]

    def __str__(self) -> str:
        window = f"({self.begin and self.begin.time()}, {self.end.time()}]"
        return f"poll {self.start:.3f}-{self.answered:.3f}-{self.done:.3f} {window} revision {self.revision}"


@dataclass
class Verdict:
    """Faults by kind, each with its evidence, and how much was looked at."""

    faults: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    counts: Counter[str] = field(default_factory=Counter)

    def check(self, kind: str, *, good: bool, evidence: Any) -> None:
        self.counts[f"{kind} looked at"] += 1
        if not good:
            self.faults[kind].append(evidence())


class Passes:
    """All runs of publishers, and when they must have made a change known."""

    def __init__(self, world: World) -> None:
        self.every = sorted(_passes(world), key=lambda one: one.start)
        self._starts = [one.start for one in self.every]
        latest = 0.0
        self._latest = [0.0]
        for one in self.every:
            latest = max(latest, one.end)
            self._latest.append(latest)
        self._good = [one for one in self.every if one.outcome == "ok"]
        self._good_starts = [one.start for one in self._good]
        self._first_end: list[Pass | None] = [None]
        for one in reversed(self._good):
            best = self._first_end[-1]
            self._first_end.append(one if best is None or one.end < best.end else best)
        self._first_end.reverse()

    def settling(self, moment: float) -> Pass | None:
        """The run at whose end what was committed by ``moment`` is published, and nothing planned before is under way."""
        over = self._latest[bisect_left(self._starts, moment)]
        return self._first_end[bisect_left(self._good_starts, max(over, moment))]

    def settled(self, moment: float) -> float:
        found = self.settling(moment)
        return inf if found is None else found.end

    def around(self, start: float, end: float) -> list[Pass]:
        return [one for one in self.every if one.end >= start and one.start <= end]


def _passes(world: World) -> Iterator[Pass]:
    deaths = {entry["publisher"]: entry["died"] for entry in world.journal("deaths").read()}
    for path in sorted(world.folder.glob("publisher-*.jsonl")):
        began: float | None = None
        for entry in world.journal(path.stem).read():
            if "fault" in entry:
                continue
            if "end" not in entry:
                began = entry["start"]
                continue
            frontiers = {name: datetime.fromisoformat(text) for name, text in entry["frontiers"].items()}
            yield Pass(entry["start"], entry["end"], entry["error"] or "ok", frontiers)
            began = None
        if began is not None:
            yield Pass(began, deaths[int(path.stem.partition("-")[2])] + SLACK, "killed", {})


class Wanted:
    """The stints of every key of one collection, in order."""

    def __init__(self, world: World, *, deduplicate: bool) -> None:
        self.stints: dict[Key, list[Stint]] = defaultdict(list)
        self.losses: dict[Key, list[tuple[float, float]]] = defaultdict(list)  # when a pulse of several lost it
        holders: Counter[Key] = Counter()
        held: dict[int, set[Key]] = defaultdict(set)
        for entry in world.journal("truth").read():
            before = +holders
            for text, values in entry["pulses"].items():
                keys = {(None if deduplicate else int(text), value) for value in values}
                holders.subtract(held[int(text)])
                holders.update(keys)
                for key in held[int(text)] - keys:
                    self.losses[key].append((entry["before"], entry["after"]))
                held[int(text)] = keys
            for key in holders.keys() | before.keys():
                if holders[key] and key not in before:
                    self.stints[key].append(Stint(key, entry["before"], entry["after"]))
                elif key in before and not holders[key]:
                    old = self.stints[key].pop()
                    self.stints[key].append(Stint(key, old.before, old.since, entry["before"], entry["after"]))
        self.now = set(+holders)

    def every(self) -> Iterator[tuple[int, Stint]]:
        for stints in self.stints.values():
            yield from enumerate(stints)


class Judge:
    """One collection."""

    def __init__(self, world: World, name: str, passes: Passes, verdict: Verdict) -> None:
        self.world, self.name, self.passes, self.verdict = world, name, passes, verdict
        self.collection, lag = world.collections[name]
        self.moving = self.collection.refresh is not None or lag == world.lag
        self.lag = lag
        self.wanted = Wanted(world, deduplicate=self.collection.deduplicate)

    def judge(self) -> None:
        for kind in KINDS:
            client, polls = self.world.clients(kind)[self.name], list(self._polls(kind))
            self.verdict.counts[f"polls, {kind}"] += len(polls)
            for poll in polls:
                self._order(client, poll)
                self._twice(client, poll)
            if client.whole:
                self._truth(polls)
                self._final(polls)
            else:
                self._windows(client, polls)
                self._missed(client, polls)

    def _settling(self, stint: Stint) -> Pass | None:
        """The publication that must have brought it. One that plans to take it from a pulse which loses it meanwhile
        leaves it to the next."""
        moment = stint.since
        while (found := self.passes.settling(moment)) is not None:
            lost = [after for before, after in self.wanted.losses[stint.key]
                    if after >= moment and before <= found.end]  # fmt: skip
            if not lost:
                break
            moment = lost[0] + 1e-6
        return found

    def _settled(self, stint: Stint) -> float:
        found = self._settling(stint)
        return inf if found is None else found.end

    def _polls(self, kind: str) -> Iterator[Poll]:
        for entry in self.world.journal(f"poller-{kind}").read():
            if entry.get("collection") != self.name:
                continue
            found = [(datetime.fromisoformat(one[0]), *one[1:]) for one in entry["blocks"]]
            keys = Counter(self._key(pulse, value) for _, _, pulse, values in found for value in values)
            begin, end, moment = (
                entry[key] and datetime.fromisoformat(entry[key]) for key in ("begin", "end", "moment")
            )
            times = (entry["start"], entry["answered"], entry["done"])
            yield Poll(*times, moment, begin, end, entry["revision"], found, keys)

    def _key(self, pulse: int, value: str) -> Key:
        return (None if self.collection.deduplicate else pulse, value)

    def _check(self, kind: str, client: Client, *, good: bool, evidence: Any) -> None:
        self.verdict.check(kind, good=good, evidence=lambda: f"{self.name}, client {client.kind}: {evidence()}")

    # --- one answer --------------------------------------------------------------------------------------------------

    def _order(self, client: Client, poll: Poll) -> None:
        labels = [label for label, *_ in poll.blocks]
        inside = all((poll.begin is None or poll.begin < label) and label <= poll.end for label in labels)
        good = inside and all(one < other for one, other in pairwise(labels))
        self._check("order", client, good=good, evidence=lambda: f"{poll} has labels {labels}")

    def _twice(self, client: Client, poll: Poll) -> None:
        more = [key for key, number in poll.keys.items() if number > 1]
        self._check("twice", client, good=not more, evidence=lambda: self._story(more[0], poll))

    # --- full polls --------------------------------------------------------------------------------------------------

    def _truth(self, polls: list[Poll]) -> None:
        """What was wanted all the time is in, what was not is not; what changed a moment ago may be either."""
        client = self.world.clients("whole")[self.name]
        starts = [poll.start for poll in polls]
        for place, stint in self.wanted.every():
            for poll in polls[bisect_left(starts, self._settled(stint)) :]:
                if poll.answered > stint.until:
                    break
                good = stint.key in poll.keys
                self._check("absent", client, good=good, evidence=lambda p=poll, s=stint: self._story(s.key, p))
            following = self.wanted.stints[stint.key][place + 1 :]
            again = following[0].before if following else inf
            if stint.after == inf:
                continue
            for poll in polls[bisect_left(starts, self.passes.settled(stint.after)) :]:
                if poll.answered > again:
                    break
                good = stint.key not in poll.keys
                self._check("stale", client, good=good, evidence=lambda p=poll, s=stint: self._story(s.key, p))

    def _final(self, polls: list[Poll]) -> None:
        client = self.world.clients("whole")[self.name]
        last = polls[-1]
        good = last.keys == Counter(self.wanted.now)
        more, less = set(last.keys) - self.wanted.now, self.wanted.now - set(last.keys)
        self._check("final", client, good=good, evidence=lambda: f"too many: {more}, missing: {less}")

    # --- deltas ------------------------------------------------------------------------------------------------------

    def _windows(self, client: Client, polls: list[Poll]) -> None:
        """No client is sent back to before where it was."""
        for one, other in pairwise(polls):
            good = other.begin is not None and other.begin >= one.begin if one.begin else True
            self._check("windows", client, good=good, evidence=lambda a=one, b=other: f"{a} then {b}")

    def _missed(self, client: Client, polls: list[Poll]) -> None:
        received: dict[Key, list[float]] = defaultdict(list)
        for poll in polls:
            for key in poll.keys:
                received[key].append(poll.answered)
        timeline = _Timeline(polls, self.lag.total_seconds())
        for place, stint in self.wanted.every():
            settling = self._settling(stint)
            first = None if settling is None else timeline.covering(settling.end, settling.frontiers[self.name])
            if first is None or polls[first].answered > stint.until:
                continue
            since = self._unbroken_since(place, stint)
            if self.moving and not client.conclusive and not timeline.prompt(since, first):
                self.verdict.counts["missed not judged: the client was too slow"] += 1
                continue
            times = received[stint.key]
            got = times[bisect_left(times, since) : bisect_right(times, polls[first].answered)]
            story = lambda s=stint, i=first: self._story(s.key, polls[i])  # noqa: E731
            self._check("missed", client, good=bool(got), evidence=story)
            if not self.moving:
                self._again(client, stint, polls)

    def _again(self, client: Client, stint: Stint, polls: list[Poll]) -> None:
        """What stayed was given once: its block keeps its label."""
        settled = self._settled(stint)
        inside = [poll for poll in polls if stint.key in poll.keys and settled <= poll.start <= stint.until]
        story = lambda: f"twice since {inside[0]}\n{self._story(stint.key, inside[1])}"  # noqa: E731
        self._check("again", client, good=len(inside) < 2, evidence=story)

    def _unbroken_since(self, place: int, stint: Stint) -> float:
        """The beginning of the time in which the key may have stood in the collection without a break."""
        stints = self.wanted.stints[stint.key]
        while place and self.passes.settled(stints[place - 1].after) > stints[place].before:
            place -= 1
        return stints[place].before

    def _story(self, key: Key, poll: Poll | None = None) -> str:
        """What is known of a key: its last stints up to the poll, and the publications around."""
        until = inf if poll is None else poll.done
        stints = [one for one in self.wanted.stints.get(key, []) if one.before <= until][-3:]
        lines = [f"{key}: {poll}"]
        lines += [
            f"    wanted {one.before:.3f}-{one.since:.3f} until {one.until:.3f}-{one.after:.3f}" for one in stints
        ]
        if poll is not None:
            lines += self._events(key, poll)
        return "\n".join(lines)

    def _events(self, key: Key, poll: Poll) -> list[str]:
        """The last publications, changes of pulses that had the value, and polls that received it."""
        events = [(one.start, f"publication until {one.end:.3f}: {one.outcome}")
                  for one in self.passes.around(poll.start - 2, poll.done)]  # fmt: skip
        holders: set[str] = set()
        for entry in self.world.journal("truth").read():
            holders_now = {number for number, values in entry["pulses"].items() if key[1] in values}
            concerned = holders_now | (holders & entry["pulses"].keys())
            holders = holders - entry["pulses"].keys() | holders_now
            if concerned and entry["before"] <= poll.done:
                events.append((entry["before"], f"change until {entry['after']:.3f}: pulses {sorted(holders)} have it"))
        for kind in KINDS:
            for one in self._polls(kind):
                if key in one.keys and one.start <= poll.done + 2:
                    at = [f"{label:%d %T.%f} block {block} pulse {pulse}" for label, block, pulse, values in one.blocks
                          if key[1] in values]  # fmt: skip
                    events.append((one.start, f"{kind} received it, revision {one.revision}: {at}"))
        return [f"    {moment:.3f} {text}" for moment, text in sorted(events)[-EVENTS:]]


class _Timeline:
    """The polls of one client by their ends and times."""

    def __init__(self, polls: list[Poll], lag: float) -> None:
        self._polls = polls
        self._starts = [poll.start for poll in polls]
        self._answers = [poll.answered for poll in polls]
        self._ends = [poll.end for poll in polls]
        late = [other.moment.timestamp() - one.end.timestamp() >= lag for one, other in pairwise(polls)]
        self._late = [0]
        for one in [True, *late]:
            self._late.append(self._late[-1] + one)

    def covering(self, start: float, end: datetime) -> int | None:
        """The first poll that began at ``start`` or later and reached ``end``."""
        found = max(bisect_left(self._starts, start), bisect_left(self._ends, end))
        return found if found < len(self._polls) else None

    def prompt(self, since: float, last: int) -> bool:
        """Whether each poll answered from ``since`` on, up to ``last``, came before a label it covers may have moved."""
        return self._late[last + 1] == self._late[bisect_left(self._answers, since)]


def judge(world: World) -> Verdict:
    verdict = Verdict()
    passes = Passes(world)
    verdict.counts.update(f"publications, {one.outcome}" for one in passes.every)
    for name in world.collections:
        Judge(world, name, passes, verdict).judge()
    for path in sorted(world.folder.glob("*.jsonl")):
        for entry in world.journal(path.stem).read():
            if "fault" in entry:
                verdict.faults["crashed"].append(f"{path.stem}: {entry['fault']}")
            verdict.counts["polls outdated"] += "outdated" in entry
            if path.stem.startswith("poller") and "error" in entry:
                verdict.counts[f"polls, {entry['error']}"] += 1
    verdict.counts["changes"] = sum(1 for _ in world.journal("truth").read())
    return verdict

"""Pushes, polls and publications under every order of their transactions: nothing is missed, nothing comes twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from publication.feeds import MODULES, NOW
from publication.gated import Actor, GatedDatabase
from pulsegate.curation.policy import Policy
from pulsegate.model.collection import Collection, CollectionKind
from pulsegate.publication import inbox, publish
from pulsegate.publication.inbox import Pushed
from pulsegate.publication.labels import Labels
from pulsegate.stix import Package
from pulsegate.store import collections, ledger, versions
from pulsegate.store.versions import Window

SECOND, MINUTE, HOUR = (timedelta(**{unit: 1}) for unit in ("seconds", "minutes", "hours"))
SKEW = 10 * MINUTE
NAMES = ("a", "b")
# How far ahead of the database's clock the client asks; None: it names no end, and goes on from the answer's.
CLIENTS = (None, timedelta(), 5 * MINUTE, -3 * MINUTE)


def a_package(letter: str) -> Pushed:
    return Pushed(Package(f"<{letter}/>".encode(), "1.2", 1))


class Machine(RuleBasedStateMachine):
    """Several push to two inboxes, some the same; clients poll one of them; some die; time passes."""

    new: Callable[[], str]

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.moment = NOW
        for module in (*MODULES, "publication.inbox"):
            self.patch.setattr(f"pulsegate.{module}.now", lambda _connection: self.moment, raising=False)
        self.database = GatedDatabase(type(self).new())
        with self.database.write() as connection:
            collections.ensure_services(connection)
            made = [collections.put(connection, Collection(name, kind=CollectionKind.INBOX)) for name in NAMES]
        self.places = {one.collection.name: one for one in made}
        self.workers: list[Actor] = []
        self.polls: dict[int, Actor] = {}
        self.begins: dict[int, datetime | None] = dict.fromkeys(range(len(CLIENTS)))
        self.seen: list[Counter[bytes]] = [Counter() for _ in CLIENTS]
        self.answered = datetime(1970, 1, 1, tzinfo=NOW.tzinfo)
        self.accepted: set[str] = set()
        self.tried: set[str] = set()

    @rule(step=st.sampled_from([timedelta(microseconds=1), SECOND, 2 * MINUTE, 2 * HOUR]))
    def time_passes(self, step: timedelta) -> None:
        self.moment += step

    @rule(letters=st.sets(st.sampled_from("cdefgh"), min_size=1, max_size=3), both=st.booleans())
    def somebody_pushes(self, letters: set[str], both: bool) -> None:
        if len(self.workers) < 3:
            self.workers.append(Actor(lambda: self._push(sorted(letters), NAMES if both else NAMES[:1])).start())

    @rule()
    def somebody_publishes(self) -> None:
        if len(self.workers) < 3:
            self.workers.append(Actor(lambda: publish.publish_unlocked(self.database, Policy())).start())

    @rule(which=st.integers(0, 2), steps=st.integers(1, 3))
    def somebody_goes_on(self, which: int, steps: int) -> None:
        if which < len(self.workers):
            for _ in range(steps):
                self.workers[which].step()
            if self.workers[which].done:
                self.workers.pop(which)

    @rule(which=st.integers(0, len(CLIENTS) - 1), steps=st.integers(1, 4))
    def client_goes_on(self, which: int, steps: int) -> None:
        if which not in self.polls:
            self.polls[which] = Actor(lambda: self._poll(which)).start()
        for _ in range(steps):
            self.polls[which].step()
        if self.polls[which].done:
            self.polls.pop(which)

    @rule(which=st.integers(0, 2))
    def somebody_dies(self, which: int) -> None:
        if which < len(self.workers):
            self.workers.pop(which).kill()

    def _push(self, letters: list[str], names: Iterable[str]) -> None:
        self.tried |= set(letters)
        given = inbox.receive(self.database, [self.places[name] for name in names], [a_package(one) for one in letters])
        assert all(label > self.answered for label in given["a"]), "a label at or before an end that was answered"
        self.accepted |= set(letters)

    def _poll(self, which: int) -> None:
        ahead, begin = CLIENTS[which], self.begins[which]
        asked = None if ahead is None else self.moment + ahead
        if asked is not None and begin is not None and asked < begin:
            return
        answer = ledger.answer(self.database, "a", asked, SKEW)
        self.answered = max(self.answered, answer.end)
        window = Window(self.places["a"].id, begin, answer.end, answer.revision)
        self.seen[which].update([one.content for one in versions.read(self.database, window, chunk=1)])
        self.begins[which] = asked or answer.end

    def teardown(self) -> None:
        try:
            for actor in (*self.workers, *self.polls.values()):
                actor.run()
            self.moment += HOUR  # behind every label, for the slowest clock too
            for which in range(len(CLIENTS)):
                self._poll(which)
            least, most = ({f"<{one}/>".encode() for one in letters} for letters in (self.accepted, self.tried))
            for seen in self.seen:
                assert least <= set(seen) <= most, "missed"
                assert max(seen.values(), default=1) == 1, "twice"
        finally:
            for actor in (*self.workers, *self.polls.values()):
                actor.kill()
            self.database.close()
            self.patch.undo()


BUDGET = settings(max_examples=40, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.timeout(600)
def test_every_client_gets_every_package_once_under_any_interleaving(new_feed: Callable[[], str]) -> None:
    Machine.new = staticmethod(new_feed)
    run_state_machine_as_test(Machine, settings=BUDGET)


@pytest.mark.timeout(600)
def test_label_that_is_taken_before_the_frontier_is_looked_at_is_found(
    new_feed: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The planted fault: the time of publication is the label, wherever the frontier stands."""

    class Careless(Labels):
        def give(self, modified: datetime) -> datetime:
            self.frontier = self.answered = datetime(1970, 1, 1, tzinfo=NOW.tzinfo)
            return super().give(modified)

    Machine.new = staticmethod(new_feed)
    monkeypatch.setattr(inbox, "Labels", Careless)
    budget: Any = settings(BUDGET, max_examples=500, phases=[Phase.generate], derandomize=True)
    with pytest.raises((AssertionError, BaseExceptionGroup)):
        run_state_machine_as_test(Machine, settings=budget)

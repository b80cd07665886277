"""After any history of changes, and any deltas in any order, the receiver has what the sender has.

``HISTORIES=500`` tries so many; the short form a few.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from pulsegate.errors import RelayChainError
from pulsegate.relay import importing, verify
from pulsegate.store import relay
from sync.fakes import raw, row

HISTORIES = int(os.environ.get("HISTORIES", "25"))
PULSES = (1, 2, 3, 4)
DIRT = ("", "\0", "\\x00")
VALUES = st.lists(
    st.tuples(st.sampled_from("abcdefgh"), st.sampled_from(["", "", "", *DIRT[1:]])),
    max_size=6,
    unique_by=lambda x: x[0],
)


@dataclass(frozen=True)
class Step:
    """What happens at the sender, and the bundle that it makes then."""

    pulses: dict[int, list[tuple[str, str]]]  # values by pulse: it is new, other, larger, smaller, or the same
    names: dict[int, str]
    lost: frozenset[int]
    since: int | None  # how many exports back; None: the default
    full: bool
    fails: bool  # the file can't be written


STEPS = st.lists(
    st.builds(
        Step,
        pulses=st.dictionaries(st.sampled_from(PULSES), VALUES, max_size=3),
        names=st.dictionaries(st.sampled_from(PULSES), st.sampled_from(["A", "B"])),
        lost=st.frozensets(st.sampled_from(PULSES), max_size=2),
        since=st.none() | st.integers(1, 4),
        full=st.sampled_from([False, False, False, True]),
        fails=st.sampled_from([False, False, False, True]),
    ),
    min_size=1,
    max_size=5,
)
# Which of the bundles so far are brought after each step, beside the newest one: repeats, old ones, not at all.
ORDERS = st.lists(st.lists(st.integers(0, 9), max_size=3), min_size=5, max_size=5)
KILLS = st.lists(st.none() | st.integers(0, 9), min_size=5, max_size=5)


class Killed(BaseException):
    """The process ends here."""


@settings(
    max_examples=HISTORIES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(STEPS, ORDERS, KILLS)
@pytest.mark.timeout(120 + 4 * HISTORIES)
def test_receiver_has_what_the_sender_has(gates, steps, orders, kills):
    sender, receiver = gates
    for gate in gates:
        gate.wipe()
    with pytest.MonkeyPatch.context() as patch:
        # Three indicators are a large pulse, and two pulses fill a transaction.
        patch.setattr(verify, "CHUNK", 3)
        patch.setattr(importing, "TOGETHER", 2)
        bundles: list = []
        for number, step in enumerate(steps):
            change(sender, step)
            bundle = export(sender, step, number, patch)
            if bundle is not None:
                bundles.append(bundle)
            if bundles:
                bring(receiver, bundles, [*orders[number], len(bundles) - 1], kills[number], patch)
    sender.publish()
    last = sender.export("last")
    missing = [one for one in bundles if not taken(receiver, one)]
    event(f"{len(missing)} bundles were refused in the end")
    if not taken(receiver, last):  # numbers were left out: this one spans them
        assert taken(receiver, sender.export("whole", full=True))
    assert receiver.state() == sender.state()


def change(sender, step):
    sender.lose(*step.lost)
    for number, values in step.pulses.items():
        rows = [row(f"{letter}{number}.example{dirt}") for letter, dirt in values]
        sender.pull(raw(number, indicators=rows, name=step.names.get(number, "A")))


def export(sender, step, number, patch):
    """The bundle; None: it could not be written."""
    with patch.context() as context:
        if step.fails:
            context.setattr(type(sender.folder), "replace", _no_room)
        try:
            return sender.export(f"{number}", full=step.full, since=None if step.full else _since(sender, step))
        except importing.RelayError:
            assert step.fails
            return None


def _no_room(*_):
    raise OSError(28, "No space left on device")


def _since(sender, step):
    with sender.database.read() as connection:
        last = relay.last_head(connection, relay.OWN)
    return None if last is None or step.since is None else max(1, last.sequence - step.since + 1)


def bring(receiver, bundles, which, kill, patch):
    for place in which:
        bundle = bundles[place % len(bundles)]
        if kill is not None:
            killed(receiver, bundle, kill, patch)
        taken(receiver, bundle)


def taken(receiver, bundle):
    """Whether it was taken, now or before. What is taken leads to the sender's state, always."""
    try:
        done = receiver.take(bundle.path)
    except RelayChainError as error:
        if any(one in str(error) for one in ("a gap", "is older", "nothing was taken yet")):
            return False
        raise
    assert not done.differs
    return True


def killed(receiver, bundle, writes, patch):
    """The process ends at the so-many-th write of its import."""
    left = [writes]
    write = type(receiver.database).write

    def counted(database):
        left[0] -= 1
        if left[0] < 0:
            raise Killed
        return write(database)

    with patch.context() as context:
        context.setattr(type(receiver.database), "write", counted)
        try:
            receiver.take(bundle.path)
        except (Killed, RelayChainError):
            event("killed")

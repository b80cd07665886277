"""Whether a bundle continues what was taken: each decision, and what people are told."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from pulsegate.errors import RelayChainError
from pulsegate.relay.chain import Known, continues
from pulsegate.relay.manifest import REMOVALS, Head, Manifest, Member, Window

NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)
NONE = "0" * 64


def heads(number, fork_at=99):
    """The heads of a chain; from ``fork_at`` on they are other ones."""
    found, previous = {}, None
    for sequence in range(1, number + 1):
        state = NONE if sequence < fork_at else "f" * 64
        head = Head(
            origin="north", sequence=sequence, created=NOW, previous=previous, pulses=0, indicators=0, state=state
        )
        found[sequence], previous = head, head.digest
    return found


CHAIN, FORK = heads(9), heads(9, fork_at=3)


def bundle(sequence, since=None, chain=CHAIN):
    names = ("pulses.jsonl.gz",) if since is None else (REMOVALS, "pulses.jsonl.gz")
    return Manifest(
        head=chain[sequence],
        kind="full" if since is None else "delta",
        since=since,
        chain={} if since is None else {str(one): chain[one].digest for one in range(since, sequence)},
        window=Window(start=None if since is None else NOW, end=NOW),
        removals=0,
        members=tuple(Member(name=one, size=20, sha256=NONE, length=0, lines=0) for one in names),
        signer=NONE,
    )


def known(*sequences, chain=CHAIN):
    return Known(chain[max(sequences)] if sequences else None, {one: chain[one].digest for one in sequences})


NEW, TAKEN = True, False
OLDER = "is older than what was taken already: number {} of north, after number {}"
FORKED = "doesn't continue what was taken: north has another number {} now"
GAP = "leaves a gap: it builds on number {} of north, and here is number {}"


@pytest.mark.parametrize(
    ("made", "there", "expected"),
    [
        # Nothing was taken yet.
        (bundle(1), known(), NEW),
        (bundle(5), known(), NEW),
        (bundle(2, since=1), known(), "is a delta of north, of which nothing was taken yet"),
        # The next one.
        (bundle(2, since=1), known(1), NEW),
        (bundle(2), known(1), NEW),
        # Numbers were left out: a full snapshot, or a delta that spans them, brings what they had.
        (bundle(5), known(1), NEW),
        (bundle(5, since=1), known(1), NEW),
        (bundle(5, since=1), known(1, 3), NEW),
        (bundle(5, since=1), known(1, 2, 3, 4), NEW),
        # A gap.
        (bundle(5, since=4), known(1), GAP.format(4, 1)),
        (bundle(3, since=2), known(1), GAP.format(2, 1)),
        # A replay.
        (bundle(2, since=1), known(1, 2), TAKEN),
        (bundle(1), known(1), TAKEN),
        (bundle(2), known(1, 2, 3), TAKEN),
        (bundle(3, since=1), known(1, 2, 3, 4), TAKEN),
        # Older, and never taken.
        (bundle(2), known(1, 3), OLDER.format(2, 3)),
        (bundle(2, since=1), known(1, 3), OLDER.format(2, 3)),
        (bundle(1), known(5), OLDER.format(1, 5)),
        # A fork: another state under the same number, before it, or below it.
        (bundle(3, chain=FORK), known(1, 2, 3), FORKED.format(3)),
        (bundle(3, since=2, chain=FORK), known(1, 2, 3), FORKED.format(3)),
        (bundle(3, since=1, chain=FORK), known(1, 2, 3, 4), FORKED.format(3)),
        (bundle(4, since=3, chain=FORK), known(1, 2, 3), FORKED.format(3)),
        (bundle(4, since=2, chain=FORK), known(1, 2, 3), FORKED.format(3)),
        (bundle(4, chain=FORK), known(1, 2, 3), FORKED.format(3)),
        # The other chain and this one are the same up to 2.
        (bundle(3, since=2, chain=FORK), known(1, 2), NEW),
        # Further on a full snapshot can't tell, and needn't: it brings everything.
        (bundle(6, chain=FORK), known(1, 2, 3), NEW),
    ],
)
def test_decision(made, there, expected):
    if isinstance(expected, bool):
        assert continues(made, there) is expected
        return
    with pytest.raises(RelayChainError, match=re.escape(expected)) as caught:
        continues(made, there)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("made", "there", "expected"),
    [
        (bundle(1), known(), NEW),
        (bundle(1), known(1, 2, 3), NEW),
        (bundle(3, chain=FORK), known(1, 2, 3), NEW),
        (bundle(3), known(1, 2, 3), TAKEN),
    ],
)
def test_decision_to_begin_anew(made, there, expected):
    assert continues(made, there, restart=True) is expected


def test_delta_begins_nothing_anew():
    with pytest.raises(
        RelayChainError, match=r"only a full snapshot begins anew. Make one with 'pulsegate relay export"
    ):
        continues(bundle(3, since=2), known(1, 2), restart=True)


GAP_HINT = (
    "Bring number {} first, or on the sender make a delta with 'relay export --since 1', or a full snapshot with --full"
)
OLDER_HINT = (
    "Leave it out. If the sender was set back to an earlier state, make a full snapshot there, and take it with "
    "'pulsegate relay import --restart FILE'"
)
FORK_HINT = (
    "Two installations sign as north, or it was set back to an earlier state. If that is meant, make a full "
    "snapshot on the sender, and take it with 'pulsegate relay import --restart FILE'"
)


@pytest.mark.parametrize(
    ("made", "there", "hint"),
    [
        (bundle(2, since=1), known(), "Begin with a full snapshot: 'pulsegate relay export --full' on the sender"),
        (bundle(3, since=2), known(1), GAP_HINT.format("2")),
        (bundle(5, since=4), known(1), GAP_HINT.format("2 to 4")),
        (bundle(1), known(5), OLDER_HINT),
        (bundle(3, chain=FORK), known(1, 2, 3), FORK_HINT),
    ],
)
def test_hint_says_what_to_do(made, there, hint):
    with pytest.raises(RelayChainError) as caught:
        continues(made, there)
    assert caught.value.hint == hint

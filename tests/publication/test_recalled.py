"""Decisions that pages read once: read anew as soon as somebody decides, or one of them ends."""

from __future__ import annotations

from datetime import timedelta

from pulsegate.curation.policy import Policy
from pulsegate.model.decisions import Allowed
from pulsegate.publication.marking import recalled, with_decisions
from pulsegate.store import decisions


def test_decisions_are_recalled_until_one_is_made_or_ends(feed, clock):
    policy = Policy()

    def read():
        with feed.database.read() as connection:
            made = recalled(connection, policy)
            assert made.allow.entries == with_decisions(connection, policy).allow.entries
            return made

    first = read()
    assert read() is first
    with feed.database.write() as connection:
        moment = clock.read(connection)
        entry = Allowed("exact", "a.example.net", "", "carl", moment, moment + timedelta(days=1))
        decisions.allow(connection, [entry])
    second = read()
    assert [one.text for one in second.allow.entries] == ["a.example.net"]
    assert read() is second
    clock.moment += timedelta(days=2)
    assert read().allow.entries == ()

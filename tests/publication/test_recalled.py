"""Decisions that pages read once: read anew as soon as somebody decides, or one of them ends."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta

from pulsegate.curation.policy import Policy
from pulsegate.model.decisions import Allowed
from pulsegate.publication.marking import recalled, with_decisions
from pulsegate.store import collections, decisions
from pulsegate.store.database import Database


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


def test_each_database_has_its_own_decisions(feed, new_database, tmp_path):
    """Of the same policy, in one process, after as many decisions."""
    policy = Policy()
    with closing(Database(new_database(tmp_path / "other.db"))) as other:
        for database, name in ((feed.database, "a.example.net"), (other, "b.example.net")):
            with database.write() as connection:
                collections.ensure_services(connection)
                decisions.allow(connection, [Allowed("exact", name, "", "carl", feed.clock.read())])

        def read(database):
            with database.read() as connection:
                return recalled(connection, policy)

        first, second = read(feed.database), read(other)
        assert [one.text for one in first.allow.entries] == ["a.example.net"]
        assert [one.text for one in second.allow.entries] == ["b.example.net"]
        assert (read(feed.database), read(other)) == (first, second)
        assert read(feed.database) is first  # one does not drive the other out

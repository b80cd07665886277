"""Blocks of many pulses at once are those of each alone, and never know less of a pulse than their mark says."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from publication.feeds import DAY, NOW, Feed, a_name, a_pulse
from pulsegate.errors import ConversionError
from pulsegate.model.collection import Profile
from pulsegate.publication import render
from pulsegate.publication.render import Job, Refused, Rendered
from pulsegate.stix.blocks import _Packer
from pulsegate.store import candidates
from pulsegate.store.tables import indicators


def jobs(feed: Feed, **form) -> list[Job]:
    """One for each stored pulse."""
    given = {"profile": Profile.FULL, "deduplicate": True} | form
    keys: dict[int, list[int]] = {}
    with feed.database.read() as connection:
        for pulse_pk, pk in connection.execute(sa.select(indicators.c.pulse_pk, indicators.c.pk)):
            keys.setdefault(pulse_pk, []).append(pk)
    return [Job(pulse_pk, found, **given) for pulse_pk, found in keys.items()]


@pytest.fixture
def filled(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> Feed:
    """Six pulses with up to ten values, of which one can't be written."""
    content = _Packer._content

    def refuse(self, members):
        if any(one.raw.title == "bad" for one in members):
            raise ConversionError("is no good")
        return content(self, members)

    monkeypatch.setattr(_Packer, "_content", refuse)
    for each, number in enumerate((1, 2, 10, 3, 4, 1)):
        names = [a_name(f"{letter}{each}.example") for letter in "abcdefghij"[:number]]
        feed.put(a_pulse(each, NOW - each * DAY), [*names, a_name("shared.example", title="bad" if each == 3 else "")])
    return feed


@pytest.mark.parametrize("form", [{}, {"profile": Profile.ESA}, {"deduplicate": False}])
@pytest.mark.parametrize("at_once", [1, 4, 5, 2000])
def test_many_jobs_give_what_each_gives(filled, monkeypatch, at_once, form):
    monkeypatch.setattr(render, "AT_ONCE", at_once)
    given = jobs(filled, **form)
    given[2:2] = [Job(77, [8888], Profile.FULL, deduplicate=True)]  # gone
    given[4] = Job(given[4].pulse_pk, [*reversed(given[4].keys), 7777], given[4].profile, given[4].deduplicate)
    alone = [one for job in given for one in render.write(filled.database, [job])]
    read, by_keys = [], candidates.by_keys

    def noted(connection, keys):
        keys = list(keys)
        read.append(len(keys))
        return by_keys(connection, keys)

    monkeypatch.setattr(candidates, "by_keys", noted)
    assert list(render.write(filled.database, given)) == alone
    assert sum(read) == sum(len(job.keys) for job in given)
    assert max(read) <= at_once
    assert sum(len(one.placed) for one in alone if isinstance(one, Rendered)) == 26
    assert [one.reason for one in alone if isinstance(one, Refused)] == ["is no good"]
    keys = {pk: job.pulse_pk for job in given for pk in job.keys}
    for one in alone:
        for pk in [one.pk] if isinstance(one, Refused) else one.placed.keys:
            assert keys[pk] == one.pulse_pk


def test_mark_is_not_newer_than_what_was_read(filled, monkeypatch):
    """Where a pulse is taken while it is read: on PostgreSQL its indicators may come as they are after that."""
    (job, *_) = jobs(filled)
    by_keys = candidates.by_keys

    def changes(connection, keys):
        filled.clock.moment += timedelta(seconds=1)
        filled.put(a_pulse(0, NOW, name="Renamed"), [a_name("a0.example", title="changed"), "shared.example"])
        return by_keys(connection, keys)

    with filled.database.read() as connection:
        ((_, before),) = candidates.marked(connection, [job.pulse_pk]).values()
    monkeypatch.setattr(candidates, "by_keys", changes)
    (one,) = render.write(filled.database, [job])
    assert isinstance(one, Rendered)
    assert one.mark == before
    assert b"Renamed" not in one.content

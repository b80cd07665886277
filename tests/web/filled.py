"""A store with a few pulses, published; and the worker's part, done at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pulsegate.cli.setup import Installation
from pulsegate.cli.tasks import KINDS, Progress
from pulsegate.errors import PulsegateError
from pulsegate.model.indicator import Indicator, IndicatorType, RawIndicator
from pulsegate.model.pulse import Pulse
from pulsegate.publication.marking import Marker
from pulsegate.store import taken, tasks
from pulsegate.store.taken import Taken

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def pulse(number: int, values: list[str], **more) -> Taken:
    moment = NOW - timedelta(days=number)
    head = Pulse(
        f"{number:024x}", more.pop("name", f"Pulse {number}"), more.pop("author", "ann"), moment, moment, **more
    )
    found = tuple(Indicator(IndicatorType.DOMAIN, one, RawIndicator("domain", one, created=moment)) for one in values)
    return Taken(head, found)


def put(site, *pulses: Taken) -> None:
    marker = Marker(site.database, site.policy)
    with site.database.write() as connection:
        taken.put_many(connection, pulses, marker)


def work(site) -> list[tasks.Task]:
    """Do what waits, as the worker does it; gives the tasks as they are then."""
    where = Installation(site.settings, site.database, site.policy, False)
    done = []
    while True:
        with site.database.write() as connection:
            task = tasks.take(connection)
        if task is None:
            return done
        result, error = None, None
        try:
            result = KINDS[task.kind](where, task.arguments, Progress())
        except PulsegateError as refused:
            error = str(refused)
        with site.database.write() as connection:
            tasks.finish(connection, task.pk, result=result, error=error)
            found = tasks.get(connection, task.pk)
        done.append(found)

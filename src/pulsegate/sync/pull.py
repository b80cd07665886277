"""A pull: what a source has now is stored page by page, then published; and its record, the run."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator
from datetime import timedelta
from pathlib import Path

import structlog

from pulsegate.curation.policy import Policy
from pulsegate.errors import OTXError, PulsegateError
from pulsegate.intake.running import Outcome, Progress, Silent, run
from pulsegate.intake.taking import Claim, Intake, take
from pulsegate.otx.client import OTXClient
from pulsegate.otx.documents import documents
from pulsegate.publication.built_in import author_collection
from pulsegate.publication.labels import back
from pulsegate.publication.marking import Marker
from pulsegate.publication.publish import publish_all
from pulsegate.store import collections, ledger, quarantine, sources
from pulsegate.store.database import Database, now
from pulsegate.store.sources import FILE, FILES, SUBSCRIPTION, Walk
from pulsegate.sync.asking import Asking
from pulsegate.sync.comparison import Compared, Comparison
from pulsegate.sync.completion import Completion
from pulsegate.sync.following import Following
from pulsegate.sync.walk import SubscriptionWalk
from pulsegate.sync.wanted import Pace, Wanted

log = structlog.get_logger(__name__)

LOCK_WAIT = 600.0  # seconds that a pull waits for another one of its source to end
FILE_BATCH = 20  # pulses stored in one transaction
PUBLISH_EVERY = timedelta(minutes=5)  # of a walk that takes longer
MOST_SINGLE = 50  # new pulses that are fetched one by one in a run; more are found by a whole walk


def pull(
    database: Database,
    client: OTXClient,
    policy: Policy,
    wanted: Wanted,
    pace: Pace,
    *,
    full: bool = False,
    compare: bool = False,
    accept_removals: bool = False,
    shown: Collection[int] = (),
    progress: Progress | None = None,
    wait: float = LOCK_WAIT,
) -> Outcome:
    """Pull what the source has new, take back what it has no more, and publish that.

    ``full``: walk over the whole backfill again. ``compare``: compare the subscription with the store, whenever that
    was done last. ``accept_removals``: however much of it leaves. ``shown``: the keys of pulses that may
    leave, since somebody has looked at them. Raises OTXError when OTX fails for good; what was stored until then stays
    and is published, and the next pull goes on there. BusyError: another one of the source has not ended after ``wait``
    seconds.
    """
    told = progress or Silent()
    with database.write() as connection:
        sources.ensure(connection, wanted.name, wanted.shape)

    def work(intake: Intake, told: Progress) -> None:
        _Pull(database, client, policy, wanted, pace, intake, told).run(
            full=full, compare=compare or bool(shown), accept=accept_removals, shown=shown
        )

    return run(database, wanted.name, policy, told, work, wait)


def pull_files(
    database: Database, paths: Iterable[Path], policy: Policy, *, progress: Progress | None = None
) -> Outcome:
    """Take pulses from files, whatever their age, and publish them."""
    files = list(paths)

    def work(intake: Intake, told: Progress) -> None:
        marker = Marker(database, policy)
        for path in files:
            for batch in _batches(documents(path), FILE_BATCH):
                take(database, batch, intake, Claim(FILES, FILE), marker)
                told.fetched(intake, None)

    return run(database, FILES, policy, progress or Silent(), work, LOCK_WAIT)


class _Pull:
    """One pull from one source."""

    def __init__(
        self,
        database: Database,
        client: OTXClient,
        policy: Policy,
        wanted: Wanted,
        pace: Pace,
        intake: Intake,
        progress: Progress,
    ) -> None:
        self._database = database
        self._client = client
        self._policy = policy
        self._wanted = wanted
        self._pace = pace
        self._intake = intake
        self._progress = progress
        self._ask = Asking(pace)
        self._marker = Marker(database, policy)
        self._complete = Completion(database, client, self._ask, wanted.name, intake, self._marker)
        self._following = Following(database, client, wanted, self._ask, self._complete, intake, self._marker)
        self._published = time.monotonic()

    def run(self, *, full: bool, compare: bool, accept: bool, shown: Collection[int]) -> None:
        waiting = self._following.incomplete()
        self._learn_owner()
        if self._wanted.subscription:
            self._subscription(full=full, compare=compare, accept=accept, shown=shown)
        else:
            self._nothing_subscribed()
        self._following.by_id(accept=accept, shown=shown)
        self._following.by_search()
        self._following.complete(waiting)

    def _subscription(self, *, full: bool, compare: bool, accept: bool, shown: Collection[int]) -> None:
        comparison = Comparison(self._database, self._client, self._wanted, self._ask)
        compared, withdrawn = comparison.run(due=compare or full, accept=accept, shown=shown)
        self._intake.removed += withdrawn + self._leave_other_authors()
        shaken = compared.happened.shaken or len(compared.new - compared.unread) > MOST_SINGLE
        walk = SubscriptionWalk(
            self._database,
            self._client,
            self._wanted,
            self._pace,
            self._ask,
            self._complete,
            self._marker,
            self._publish_now_and_then,
        ).run(self._intake, self._progress, compared, full=full, shaken=shaken)
        self._settle(compared, walk)

    def _settle(self, compared: Compared, walk: Walk) -> None:
        """What was in the subscription before a whole walk, and not in it, is older than the backfill.

        An empty walk is no proof of that: it is what OTX answers when it is in trouble, too. Nor is one that could not
        tell whether rows moved.
        """
        if compared.ids is None:
            return
        name = self._wanted.name
        with self._database.write() as connection:
            claimed = sources.claimed(connection, name, SUBSCRIPTION).keys()
            unread = quarantine.unreadable_ids(connection)
            is_proof = not walk.full or (walk.offset > 0 and not walk.uncounted)
            older = sources.keep_passed_over(connection, name, compared.ids - claimed - unread if is_proof else ())
            since = back(now(connection), self._wanted.backfill)
        new = compared.new - claimed - older
        singly = [*sorted(new - unread), *sorted(new & compared.unread)]
        self._following.new_in_subscription(singly[:MOST_SINGLE], since)

    def _leave_other_authors(self) -> int:
        """What was taken before the settings named other authors."""
        if not self._wanted.authors:
            return 0
        with self._database.write() as connection:
            strangers = sources.strangers(connection, self._wanted.name, SUBSCRIPTION, self._wanted.is_by)
            return sources.release(connection, self._wanted.name, SUBSCRIPTION, strangers)

    def _nothing_subscribed(self) -> None:
        """The subscription is not wanted, or no longer."""
        with self._database.write() as connection:
            self._intake.removed += sources.release(connection, self._wanted.name, SUBSCRIPTION)
            sources.hold_back(connection, self._wanted.name, SUBSCRIPTION, ())

    def _learn_owner(self) -> None:
        """The key's owner has a collection, also when it is empty. Not being told of one stops nothing."""
        try:
            owner = self._client.owner()
        except OTXError as error:
            log.info("otx.owner_unknown", reason=str(error))
            return
        if owner is not None:
            with self._database.write() as connection:
                sources.set_owner(connection, self._wanted.name, owner)
                collections.put(connection, author_collection(owner))

    def _publish_now_and_then(self) -> None:
        """A walk that takes long is served as far as it has come: at first when collections would open without it."""
        with self._database.read() as connection:
            closed_since, moment = ledger.closed_since(connection), now(connection)
        if closed_since is None:
            is_due = time.monotonic() - self._published >= PUBLISH_EVERY.total_seconds()
        else:
            is_due = moment - closed_since >= self._pace.open_after * 0.9
        if is_due:
            publish_all(self._database, self._policy, self._progress.publishing)
            self._published = time.monotonic()


def _batches(values: Iterable[object], size: int) -> Iterator[list[object]]:
    """Lists of at most ``size``; where ``values`` breaks off with an error, what came before it is given first."""
    batch: list[object] = []
    try:
        for value in values:
            batch.append(value)
            if len(batch) == size:
                yield batch
                batch = []
    except PulsegateError:
        if batch:
            yield batch
        raise
    if batch:
        yield batch

"""A pull from another TAXII server: what its collection has is checked package by package, and published here.

New packages come by windows of labels: each poll begins where the answer before it ended. Now and then everything is
polled and compared, as a server may rewrite or withdraw what lies behind that.
"""

from __future__ import annotations

import json
from collections.abc import Collection as Keys
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

import structlog

from pulsegate.curation.policy import Policy
from pulsegate.errors import PublicationConflictError, UpstreamError, UpstreamUnavailableError
from pulsegate.intake.running import Outcome, Progress, Silent, run, together
from pulsegate.intake.taking import Intake
from pulsegate.model.collection import Collection, CollectionKind
from pulsegate.publication import inbox
from pulsegate.publication.labels import back
from pulsegate.publication.publish import Publication
from pulsegate.store import blocks, collections, quarantine, sources
from pulsegate.store.collections import StoredCollection
from pulsegate.store.database import Database, now
from pulsegate.store.sources import Source, Walk
from pulsegate.sync.asking import Asking
from pulsegate.sync.comparison import Leaving
from pulsegate.sync.packages import PackageIntake
from pulsegate.sync.pull import LOCK_WAIT
from pulsegate.sync.upstream_window import Labels
from pulsegate.sync.wanted import Pace

if TYPE_CHECKING:  # cabby is loaded where a client is made
    from pulsegate.sync.upstream_client import UpstreamClient

log = structlog.get_logger(__name__)

SHORTEST = timedelta(minutes=1)  # of a window, however much trouble there is
FROM_NOW = timedelta(hours=1)  # the end of a window is named only where it is past by that server's clock, too
AHEAD = timedelta(minutes=10)  # that its clock may be before this host's


@dataclass(frozen=True, slots=True)
class Upstream:
    """What one upstream gives: ``collection`` of the server at ``url``, to be published in ``into``.

    The keys of the settings of the same names say what they mean; ``max_block``: the largest package, in bytes.
    """

    name: str
    url: str
    collection: str
    into: str
    backfill: timedelta = timedelta(days=30)
    segment: timedelta | None = timedelta(days=1)
    compare: timedelta = timedelta(days=1)
    max_removal: float = 0.2
    max_age: timedelta | None = None
    max_block: int = 5_000_000

    @property
    def shape(self) -> str:
        """Where this changes, the windows begin anew."""
        return json.dumps([self.url, self.collection, self.into, self.backfill.total_seconds()], ensure_ascii=False)

    @property
    def published(self) -> Collection:
        described = f"{self.collection} of {self.url}"
        return Collection(
            self.into,
            CollectionKind.INBOX,
            description=described,
            deduplicate=False,
            max_age=self.max_age,
            upstream=self.name,
        )


def pull_upstream(
    database: Database,
    client: UpstreamClient,
    policy: Policy,
    upstream: Upstream,
    pace: Pace,
    *,
    full: bool = False,
    compare: bool = False,
    accept_removals: bool = False,
    shown: Keys[int] = (),
    progress: Progress | None = None,
    wait: float = LOCK_WAIT,
) -> Outcome:
    """Take what the upstream has new, and take away what it has no more.

    The options are those of ``pull``; ``shown`` are keys of content blocks. Raises UpstreamError when it fails for
    good; what was taken until then is published, and the next pull goes on there. BusyError as there.
    """
    with database.write() as connection:
        sources.ensure(connection, upstream.name, upstream.shape)

    def work(intake: Intake, told: Progress) -> None:
        one = _Pull(database, client, upstream, pace, intake, told)
        try:
            one.run(full=full, compare=compare or full or bool(shown), accept=accept_removals, shown=shown)
        except UpstreamError as error:
            error.resource = error.resource or f"{upstream.collection} of {upstream.url}"
            raise

    before = _indicators(database, upstream.into)
    outcome = run(database, upstream.name, policy, progress or Silent(), work, wait)
    change = _indicators(database, upstream.into) - before
    told = Publication(upstream.into, added=max(0, change), removed=max(0, -change))
    return together([Outcome(Intake(), [told]), outcome])


def _indicators(database: Database, collection: str) -> int:
    with database.read() as connection:
        size = collections.volumes(connection, collection).get(collection)
    return size.indicators if size else 0


@dataclass(slots=True)
class _Everything:
    """What a poll of everything has brought: identities of packages, values of blocks that can't be taken."""

    packages: set[bytes] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)


class _Pull:
    """One pull from one upstream."""

    def __init__(
        self,
        database: Database,
        client: UpstreamClient,
        upstream: Upstream,
        pace: Pace,
        intake: Intake,
        progress: Progress,
    ) -> None:
        self._database = database
        self._client = client
        self._upstream = upstream
        self._intake = intake
        self._progress = progress
        self._ask = Asking(pace)
        self._segment = upstream.segment

    def run(self, *, full: bool, compare: bool, accept: bool, shown: Keys[int]) -> None:
        source = self._prepared(full=full)
        is_first = source.watermark is None and source.compared is None
        if self._upstream.segment is not None:
            self._windows(source)
            if is_first and not accept:  # what has just come can't have left
                self._note(compared=self._now())
                return
        is_time = source.compared is None or self._now() - source.compared >= self._upstream.compare
        if compare or accept or is_time or self._upstream.segment is None:
            self._compare(accept=accept, shown=shown)

    def _prepared(self, *, full: bool) -> Source:
        """The source, with its collection; where that was gone, or all is asked for, the windows begin anew."""
        with self._database.write() as connection:
            is_new = collections.get(connection, self._upstream.into) is None
            self._stored: StoredCollection = collections.put(connection, self._upstream.published)
            if is_new or full:
                sources.update(connection, self._upstream.name, watermark=None, walk=None)
            source = sources.get(connection, self._upstream.name)
        assert source is not None
        names = (self._upstream.name, self._stored, self._upstream.max_block)
        self._packages = PackageIntake(self._database, *names, self._intake, self._progress)
        self._oldest = back(source.since, self._upstream.backfill)
        return source

    def _now(self) -> datetime:
        with self._database.read() as connection:
            return now(connection)

    def _note(self, **values: object) -> None:
        with self._database.write() as connection:
            sources.update(connection, self._upstream.name, **values)

    # --- What is new -------------------------------------------------------------------------------------------------

    def _windows(self, source: Source) -> None:
        begin = source.watermark or self._oldest
        walk = source.walk or Walk(self._now(), begin)
        is_last = False
        while not is_last:
            before = self._intake.pulses
            reached, is_last = self._ask(partial(self._window, begin), self._shorten)
            walk = replace(walk, offset=walk.offset + self._intake.pulses - before)
            self._note(watermark=reached, walk=None if is_last else walk)
            begin = reached

    def _shorten(self) -> bool:
        """Ask for less at once; false: it is little already."""
        segment = self._segment or self._upstream.backfill
        if segment <= SHORTEST:
            return False
        self._segment = max(SHORTEST, segment / 2)
        return True

    def _window(self, begin: datetime) -> tuple[datetime, bool]:
        """Take what came after ``begin``: up to which label, and whether that is all there is."""
        assert self._segment is not None
        moment = self._now()
        end = begin + self._segment if begin + self._segment <= moment - FROM_NOW else None
        result, labels = self._client.window(begin, end), Labels(begin, end)
        self._packages.take(labels.inside(result), lambda _, label: self._is_wanted(label, moment))
        reached = labels.reached(result.end)
        if reached > moment + AHEAD:
            log.warning("upstream.clock_ahead", source=self._upstream.name, label=reached.isoformat())
            reached = max(begin, moment)
        return reached, end is None

    def _is_wanted(self, label: datetime | None, moment: datetime) -> bool:
        """Not what is older than the backfill, or than is kept."""
        if label is None:
            return True
        age = self._upstream.max_age
        return label > self._oldest and (age is None or label > back(moment, age))

    # --- Everything --------------------------------------------------------------------------------------------------

    def _compare(self, *, accept: bool, shown: Keys[int]) -> None:
        found = self._ask(self._everything)
        for _ in range(inbox.TRIES):
            try:
                self._intake.removed += self._leave(found, accept=accept, shown=shown)
            except PublicationConflictError:  # what has grown too old was withdrawn meanwhile
                continue
            break
        with self._database.write() as connection:
            quarantine.keep_blocks(connection, self._upstream.name, found.refused)
            sources.update(connection, self._upstream.name, compared=now(connection))

    def _everything(self) -> _Everything:
        moment, result, found = self._now(), self._client.window(None, None), _Everything()
        with self._database.read() as connection:
            there = blocks.packages(connection, self._stored.id).keys()

        def is_wanted(key: bytes, label: datetime | None) -> bool:
            found.packages.add(key)
            return key in there or self._is_wanted(label, moment)

        came = self._packages.take(result, is_wanted, found.refused)
        if came < (result.count or 0):
            raise UpstreamUnavailableError(f"it sent {came} content blocks, but says that it has {result.count}")
        return found

    def _leave(self, found: _Everything, *, accept: bool, shown: Keys[int]) -> int:
        """Take away what the upstream has no more, unless that is doubtful; gives how many packages."""
        with self._database.write() as connection:
            there = blocks.packages(connection, self._stored.id)
            gone = {block.id: block for key, block in there.items() if key not in found.packages}
            going = Leaving(sorted(gone), len(gone) / len(there) if there else 0.0)
            held = [] if accept else _doubtful(going, shown, self._upstream.max_removal, is_empty=not found.packages)
            sources.update(connection, self._upstream.name, held=len(held))
            sources.hold_packages(connection, self._upstream.name, held)
        if held:
            name = self._upstream.name
            hint = f"if they may go: pulsegate pull --source {name} --accept-removals"
            log.error("pull.removals_held", source=name, packages=len(held), of=len(there), hint=hint)
            return 0
        return inbox.withdraw(self._database, self._stored, list(gone.values())).blocks


def _doubtful(going: Leaving, shown: Keys[int], most: float, *, is_empty: bool) -> list[int]:
    """The keys of what leaves, where somebody must agree first: it is much at once, or nothing was sent at all."""
    asked = going.without(shown)
    is_doubtful = (is_empty and bool(going.keys)) or asked.needs_confirmation(most)
    return going.keys if is_doubtful and (asked.keys or not shown) else []

"""Taking a bundle: verified, judged, stored in short transactions, published.

A bundle's pulses belong to the source ``relay:ORIGIN`` and go the way of those from OTX. A pulse is replaced as a
whole, so whoever is killed leaves a state between two of the sender's, and taking the same bundle again, or any later
one that fits, ends it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from pulsegate.curation.policy import Policy
from pulsegate.errors import RelayError, RelayTrustError
from pulsegate.intake import running, taking
from pulsegate.intake.running import Outcome, Progress, Silent
from pulsegate.intake.taking import Arrived, Claim, Intake, clean
from pulsegate.model.indicator import Rejection
from pulsegate.model.relay import Take, without_name
from pulsegate.publication.marking import Marker
from pulsegate.publication.publish import publish_all
from pulsegate.relay import adopting, curated, own, records
from pulsegate.relay.adopting import Tally
from pulsegate.relay.chain import Known, continues
from pulsegate.relay.keys import Trust
from pulsegate.relay.manifest import Manifest, canonical, read_head
from pulsegate.relay.verify import BYTES, Bundle, Piece, verified
from pulsegate.store import locks, pulses, relay, sources
from pulsegate.store.chunks import chunks
from pulsegate.store.database import Connection, Database, now
from pulsegate.store.locks import INTAKE, hold, within
from pulsegate.store.relay import Entry, Part
from pulsegate.store.sources import OWN as BY_HAND
from pulsegate.store.taken import Growing, Put

log = structlog.get_logger(__name__)

VIA = "relay"
LOCK_WAIT = 600.0  # seconds
TOGETHER = 20  # pulses in one transaction, or
INDICATORS = 2_000
DIFFERS = "what is here now is not the sender's state; a full snapshot will mend it"
EXAMPLES = 10  # names of pulses that a forecast tells
MOST_REJECTIONS = 10_000  # of one large pulse that are kept


@dataclass(slots=True)
class Imported:
    """What a bundle brought. ``known``: its state had been taken before, and nothing was done.

    ``outcome``: what was stored and published; None: nothing was. ``differs``: what is here is not the sender's state.
    ``unfinished``: it is not, as of a later bundle, that of this number, a part had been taken.
    ``curation``: what was changed of that, by kind; ``refused``: collections that can't be read here, and why.
    """

    manifest: Manifest
    signer: str
    size: int
    known: bool = False
    outcome: Outcome | None = None
    differs: bool = False
    unfinished: int | None = None
    curation: dict[str, Tally] = field(default_factory=dict)
    refused: Sequence[str] = ()

    @property
    def intake(self) -> Intake:
        """What was stored."""
        return self.outcome.intake if self.outcome else Intake()


@dataclass(slots=True)
class Forecast:
    """What a bundle would change: pulses that would come, change and leave; of the first some names.

    ``curation`` and ``refused`` as in ``Imported``.
    """

    manifest: Manifest
    signer: str
    known: bool = False
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    leaving: int = 0
    indicators: int = 0
    examples: list[str] = field(default_factory=list)
    curation: dict[str, Tally] = field(default_factory=dict)
    refused: Sequence[str] = ()


def source_of(origin: str) -> str:
    """The name of the source that an origin's pulses belong to."""
    return adopting.account_of(origin)


def take(
    database: Database,
    policy: Policy,
    path: Path,
    trust: Trust,
    kinds: Collection[Take] = (),
    *,
    name: str | None = None,
    restart: bool = False,
    progress: Progress | None = None,
) -> Imported:
    """Take the bundle, and publish what it brought; the log of the relay tells of it, as ``name`` or the file's.

    ``kinds``: what is taken of the sender's curation; what was taken of the others goes.
    RelayError: it is refused, and nothing was changed. ``restart``: a full snapshot counts whatever was taken before.
    """
    with database.read() as connection:
        moment = now(connection)
    with verified(path, trust, moment, name) as bundle:
        return _take(database, policy, bundle, name or path.name, progress or Silent(), kinds, restart=restart)


def forecast(
    database: Database,
    policy: Policy,
    path: Path,
    trust: Trust,
    kinds: Collection[Take] = (),
    *,
    name: str | None = None,
    restart: bool = False,
) -> Forecast:
    """What the bundle would change; nothing is, and nothing noted. RelayError: it would be refused."""
    with database.read() as connection:
        moment = now(connection)
    with verified(path, trust, moment, name) as bundle:
        made = bundle.manifest
        found = Forecast(made, bundle.signer.name, known=not _is_due(database, bundle, restart=restart))
        changes = curated.foresee(database, policy, bundle, kinds, is_due=not found.known)
        found.curation, found.refused = changes.tallies, changes.refused
        if found.known:
            return found
        with database.read() as connection:
            parts = relay.parts(connection, made.head.origin)
        known = relay.present(parts)
        left = set(known)
        for piece in bundle.pulses():
            found.indicators += len(piece.indicators)
            if piece.last:
                left.discard(piece.pulse.id)
                _foresee(found, piece, known.get(piece.pulse.id))
        found.leaving = len(left) if made.kind == "full" else sum(one in known for one in bundle.removals())
    return found


def _foresee(found: Forecast, piece: Piece, known: bytes | None) -> None:
    if known == piece.digest:
        found.unchanged += 1
        return
    if known is None:
        found.new += 1
    else:
        found.changed += 1
    if len(found.examples) < EXAMPLES:
        found.examples.append(piece.pulse.name + (f" ({piece.pulse.author})" if piece.pulse.author else ""))


def note_refusal(database: Database, name: str, error: RelayError, outcome: str = relay.REFUSED) -> None:
    """Note why a file was not taken, or why it waits."""
    log.warning("relay.not_taken", file=name, outcome=outcome, reason=without_name(name, str(error)))
    with database.write() as connection:
        relay.log(connection, Entry(relay.IN, name, outcome, reason=str(error)))


def _take(
    database: Database,
    policy: Policy,
    bundle: Bundle,
    file: str,
    progress: Progress,
    kinds: Collection[Take],
    *,
    restart: bool,
) -> Imported:
    made = bundle.manifest
    imported = Imported(made, bundle.signer.name, bundle.size)
    imported.known = not _is_due(database, bundle, restart=restart)
    found = curated.foresee(database, policy, bundle, kinds, is_due=not imported.known)
    imported.curation, imported.refused = found.tallies, found.refused
    if imported.known and not found.is_something:  # who was killed just before it was published has noted it
        publish_all(database, policy, progress.publishing)
    else:
        name = source_of(made.head.origin)
        with database.write() as connection:
            sources.ensure(connection, name, VIA)

        def work(intake: Intake, told: Progress) -> None:
            _work(database, policy, bundle, kinds, imported, intake, told, restart=restart)

        imported.outcome = running.run(database, name, policy, progress, work, LOCK_WAIT)
    with database.write() as connection:
        relay.log(connection, _entry(imported, file))
    event = "relay.known" if imported.known else "relay.taken"
    log.info(event, file=file, origin=made.head.origin, sequence=made.head.sequence, kind=made.kind)
    return imported


def remark(imported: Imported) -> str | None:
    """What people must know of the pulses of a bundle that was taken."""
    if imported.unfinished is not None:
        return f"of number {imported.unfinished} a part was taken before; take it again, or a later one"
    return DIFFERS if imported.differs else None


def _work(
    database: Database,
    policy: Policy,
    bundle: Bundle,
    kinds: Collection[Take],
    imported: Imported,
    intake: Intake,
    progress: Progress,
    *,
    restart: bool,
) -> None:
    """Decisions come first, so that nothing is served meanwhile that the sender keeps out."""
    imported.known = not _is_due(database, bundle, restart=restart)  # another process may have been faster
    holds = not imported.known or curated.is_last(database, bundle)
    origin = bundle.manifest.head.origin
    with database.write() as connection:
        adopting.adopt(connection, policy.lists, origin, kinds, curated.lines(bundle, holds=holds))
    if not imported.known:
        _Import(database, policy, bundle, intake, progress).run(imported, restart=restart)
    _OwnImport(database, policy, bundle, intake, progress).take_over(kinds, holds=holds)
    with database.write() as connection:
        adopting.settle(connection, origin)


def _entry(imported: Imported, file: str) -> Entry:
    head, intake = imported.manifest.head, imported.intake
    return Entry(
        relay.IN,
        file,
        relay.KNOWN if imported.known else relay.TAKEN,
        head.origin,
        head.sequence,
        imported.manifest.kind,
        reason="; ".join(filter(None, (remark(imported), *imported.refused))) or None,
        pulses=intake.pulses,
        removals=intake.removed,
        bytes=imported.size,
    )


def _is_due(database: Database, bundle: Bundle, *, restart: bool) -> bool:
    """Whether there is anything to take. RelayError: it may not be taken."""
    made, signer = bundle.manifest, bundle.signer
    origin = made.head.origin
    with database.read() as connection:
        signed_for = signer.origin or relay.origin_of_key(connection, signer.fingerprint)
        last = relay.last_head(connection, origin)
        digests = {
            number: digest.hex() for number, digest in relay.chain(connection, origin, made.head.sequence).items()
        }
        known = Known(read_head(last.head) if last else None, digests)
    if signed_for is not None and signed_for != origin:
        raise RelayTrustError(
            f"comes from {origin}, but the key {signer.name!r} signs for {signed_for}",
            hint=f"If the sender has another name now, run 'pulsegate relay forget {signed_for}' here",
        )
    return continues(made, known, restart=restart)


def _are_many(pieces: Sequence[Piece]) -> bool:
    """Whether they make up a transaction."""
    return sum(len(one.indicators) for one in pieces) >= INDICATORS or sum(one.size for one in pieces) >= BYTES


class _Import:
    """Puts a verified bundle into the store."""

    def __init__(self, database: Database, policy: Policy, bundle: Bundle, intake: Intake, progress: Progress) -> None:
        self._database = database
        self._bundle = bundle
        self._head = bundle.manifest.head
        self._name = source_of(self._head.origin)
        self._claim = Claim(self._name, VIA)
        self._brings = self._head.origin  # under which name it is noted what was brought
        self._intake = intake
        self._progress = progress
        self._marker = Marker(database, policy)
        self._growing = Growing(0)
        self._rejections: list[Rejection] = []

    def run(self, imported: Imported, *, restart: bool) -> None:
        """Put all of it into the store, and note in ``imported`` whether what is here then is the sender's state.

        ``restart``: the chain that was taken before is forgotten.
        """
        head, signer = self._head, self._bundle.signer
        with self._database.read() as connection:
            known = relay.present(relay.parts(connection, head.origin))
        not_brought = self._put_all(known)
        is_delta = self._bundle.manifest.kind == "delta"
        self._remove([one for one in self._bundle.removals() if one in known] if is_delta else sorted(not_brought))
        with self._database.write() as connection:
            if not is_delta:
                relay.forget_gone(connection, head.origin)
            parts = relay.parts(connection, head.origin)
            if restart:
                relay.forget(connection, head.origin)
            relay.put_head(connection, head.origin, head.sequence, bytes.fromhex(head.digest), canonical(head).decode())
            relay.put_key(connection, signer.fingerprint, head.origin, signer.name)
        there = relay.present(parts)
        latest = max((part.sequence for part in parts.values()), default=head.sequence)
        if records.state_digest(there) != head.state:
            imported.differs = latest <= head.sequence
            imported.unfinished = None if imported.differs else latest

    def _put_all(self, known: Iterable[str]) -> set[str]:
        """Store the pulses; gives the ids of the known ones that are not among them."""
        left = set(known)
        waiting: list[Piece] = []
        for piece in self._pieces():
            left.discard(piece.pulse.id)
            if not (piece.first and piece.last):
                self._grow(piece)
                continue
            waiting.append(piece)
            if len(waiting) == TOGETHER or _are_many(waiting):
                self._put(waiting)
                waiting = []
        self._put(waiting)
        return left

    def _pieces(self) -> Iterator[Piece]:
        return self._bundle.pulses()

    def _put(self, pieces: Sequence[Piece]) -> None:
        arrived = [Arrived(one.pulse, *clean(one.indicators)) for one in pieces]

        def then(connection: Connection, _put: Sequence[Put]) -> None:
            self._note(connection, {one.pulse.id: one.digest for one in pieces})

        taking.put(self._database, arrived, self._intake, self._claim, self._marker, then=then)
        self._progress.fetched(self._intake, self._head.pulses)

    def _note(self, connection: Connection, digests: Mapping[str, bytes | None]) -> None:
        """What the origin has is what was brought."""
        number = self._head.sequence
        found = {pulse_id: Part(digest, number, None) for pulse_id, digest in digests.items()}
        relay.put_parts(connection, self._brings, found)

    def _grow(self, piece: Piece) -> None:
        """A piece of a large pulse; what isn't brought leaves it with the last one."""
        pulse_id = piece.pulse.id
        if piece.first:
            put = taking.put(
                self._database, [Arrived(piece.pulse, (), whole=False)], self._intake, self._claim, self._marker
            )
            self._growing, self._rejections = Growing(put[0].pk), []
        found, unfit = clean(piece.indicators)
        self._reject(unfit)

        def then(connection: Connection) -> None:
            if piece.last:
                taking.finish(connection, self._growing, self._name, pulse_id, self._rejections)
                self._note(connection, {pulse_id: piece.digest})

        taking.grow(self._database, self._growing, found, self._marker, then=then)
        self._intake.indicators += len(found)
        self._intake.rejected += len(unfit)
        self._intake.grown |= self._growing.changed

    def _reject(self, unfit: Iterable[Rejection]) -> None:
        """Keep them for the quarantine, as many as memory bears."""
        room = BYTES - sum(len(one.raw.value) + len(one.raw.content) for one in self._rejections)
        for one in unfit:
            room -= len(one.raw.value) + len(one.raw.content)
            if room < 0 or len(self._rejections) == MOST_REJECTIONS:
                return
            self._rejections.append(one)

    def _remove(self, ids: Sequence[str]) -> None:
        for some in chunks(ids):
            with self._database.write() as connection:
                within(connection, INTAKE)
                keys = list(pulses.keys_of(connection, some).values())
                self._intake.removed += sources.release(connection, self._name, self._claim.via, keys)
                self._note(connection, dict.fromkeys(some))


class _OwnImport(_Import):
    """Puts the sender's own pulses into the store, by the plan, while nobody adds own indicators by hand."""

    def take_over(self, kinds: Collection[Take], *, holds: bool) -> None:
        """BusyError: somebody does, for too long. ``holds``: as in ``own.plan``."""
        self._claim = Claim(self._name, own.VIA)
        self._brings = relay.own_of(self._head.origin)
        with hold(self._database, locks.pull(BY_HAND), wait=LOCK_WAIT):
            with self._database.read() as connection:
                self._plan = own.plan(connection, self._bundle, kinds, holds=holds)
            self._put_all(())
            self._remove(sorted(self._plan.gone))

    def _pieces(self) -> Iterator[Piece]:
        return (one for one in self._bundle.own() if one.pulse.id in self._plan.put)

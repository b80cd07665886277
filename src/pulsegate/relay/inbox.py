"""Bundles that are brought into a folder: the receiver's worker takes them, in the order of their names.

A file is looked at when it has not changed since the look before: until then it may still be copied. What was taken
lies in ``taken`` afterwards, what was refused in ``refused`` with a report beside it. What leaves a gap waits for what
fills it, a day at most: files may come in any order. Where the fault is this machine's, it waits until that is mended.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from pulsegate.curation.policy import Policy
from pulsegate.errors import PulsegateError, RelayError, RelayGapError, RelayLocalError
from pulsegate.model.relay import Take
from pulsegate.relay.export import written
from pulsegate.relay.importing import note_refusal, take
from pulsegate.relay.keys import Trust
from pulsegate.relay.outbox import CHUNK, SUFFIX, make_folder, part_name
from pulsegate.store import relay
from pulsegate.store.database import Database, now
from pulsegate.store.digests import storable

log = structlog.get_logger(__name__)

TAKEN, REFUSED = "taken", "refused"
PATIENCE = timedelta(days=1)  # for the bundle before a gap, or the other parts
REPORT = ".report.json"
LONGEST = 200  # bytes of a name that one can be made of


@dataclass(frozen=True, slots=True)
class Delivery:
    """A bundle in the folder, its parts in their order. ``missing``: the numbers of those that aren't there.

    ``key``: what tells it from another form of the same bundle, whole or in other parts.
    """

    key: str
    name: str
    files: tuple[Path, ...]
    missing: tuple[int, ...] = ()

    def state(self) -> tuple[tuple[int, float], ...]:
        """What changes while it is copied: sizes and times. OSError: a file is gone."""
        return tuple((one.st_size, one.st_mtime) for one in (file.stat() for file in self.files))


@dataclass(slots=True)
class Looked:
    """What came of a look: the names of bundles that were taken, known, refused; those that wait, and what for."""

    taken: list[str] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    waiting: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Seen:
    """How a delivery was found, and when it was first (by the database's clock)."""

    state: object
    since: datetime


Waiting = dict[str, tuple[Delivery, PulsegateError]]


def deliveries(folder: Path) -> list[Delivery]:
    """The bundles in the folder by their names, parts put together."""
    found: dict[str, Delivery] = {}
    parts: dict[tuple[str, int], dict[int, Path]] = {}
    for path in sorted(folder.iterdir()):
        part = part_name(path.name)
        if path.name.startswith(".") or not path.is_file():
            continue
        if part is not None:
            parts.setdefault((part.bundle, part.count), {})[part.number] = path
        elif path.name.endswith(SUFFIX):
            found[path.name] = Delivery(path.name, path.name, (path,))
    for (name, count), there in parts.items():
        missing = tuple(number for number in range(1, count + 1) if number not in there)
        key = f"{name} ({count} parts)"
        found[key] = Delivery(key, name, tuple(there[one] for one in sorted(there)), missing)
    return [found[key] for key in sorted(found)]


class Inbox:
    """The folder of one receiver, looked at again and again."""

    def __init__(
        self, database: Database, policy: Policy, folder: Path, trust: Trust, kinds: Collection[Take] = ()
    ) -> None:
        self._database = database
        self._policy = policy
        self._folder = folder
        self._trust = trust
        self._kinds = kinds
        self._seen: dict[str, _Seen] = {}
        self._told: set[str] = set()
        self._gaps: dict[str, tuple[object, RelayGapError]] = {}  # what had been taken when it was looked into
        self._unmoved: set[str] = set()  # was taken, and lies there still

    def look(self) -> Looked:
        """Take what lies there. RelayError: the folder can't be read."""
        for folder in (self._folder, self._folder / TAKEN, self._folder / REFUSED):
            make_folder(folder)
        with self._database.read() as connection:
            moment = now(connection)
        looked, waiting = Looked(), Waiting()
        due = [one for one in self._there() if self._is_settled(one, moment, waiting)]
        while due:
            left = [one for one in due if not self._take(one, looked, waiting)]
            due = left if len(left) < len(due) else []  # what was taken may be what the others have waited for
        for one, error in waiting.values():
            self._wait(one, error, moment, looked)
        return looked

    def _there(self) -> list[Delivery]:
        try:
            found = deliveries(self._folder)
        except OSError as error:
            raise RelayLocalError(f"can't be read: {error.strerror}", resource=str(self._folder)) from error
        there = {one.key for one in found}
        self._seen = {key: seen for key, seen in self._seen.items() if key in there}
        self._told &= there
        self._gaps = {key: gap for key, gap in self._gaps.items() if key in there}
        self._unmoved &= there
        return found

    def _is_settled(self, one: Delivery, moment: datetime, waiting: Waiting) -> bool:
        """Whether it is whole, and as it was at the last look."""
        try:
            state = one.state()
        except OSError:  # taken away again
            return False
        before = self._seen.get(one.key)
        if before is None or before.state != state:
            self._seen[one.key] = _Seen(state, moment)
            self._unmoved.discard(one.key)
            self._gaps.pop(one.key, None)
            return False
        if one.missing:
            some = ", ".join(map(str, one.missing[:10]))
            reason = f"of its {len(one.files) + len(one.missing)} parts these are missing: {some}"
            waiting[one.key] = one, RelayGapError(reason)
        return not one.missing

    def _take(self, one: Delivery, looked: Looked, waiting: Waiting) -> bool:
        """Whether it is done with: taken, known, or refused. An error of one stops no other.

        One before which another has to be taken is not looked into again until something was.
        """
        taken = self._latest()
        since, gap = self._gaps.get(one.key, (None, None))
        if gap is not None and since == taken:
            waiting[one.key] = one, gap
            return False
        try:
            self._take_or_refuse(one, looked)
        except PulsegateError as error:
            waiting[one.key] = one, error
            if isinstance(error, RelayGapError):
                self._gaps[one.key] = taken, error
            return False
        waiting.pop(one.key, None)
        return True

    def _latest(self) -> object:
        with self._database.read() as connection:
            return relay.latest(connection)

    def _take_or_refuse(self, one: Delivery, looked: Looked) -> None:
        """PulsegateError: it has to wait, for another bundle or until what is wrong here is mended."""
        try:
            if one.key not in self._unmoved:
                with _whole(one) as path:
                    imported = take(self._database, self._policy, path, self._trust, self._kinds, name=one.name)
                (looked.known if imported.known else looked.taken).append(one.name)
                self._unmoved.add(one.key)
        except (RelayGapError, RelayLocalError):
            raise
        except RelayError as error:
            self._refuse(one, error, looked)
        else:
            self._move(one, TAKEN)
            self._unmoved.discard(one.key)

    def _wait(self, one: Delivery, error: PulsegateError, moment: datetime, looked: Looked) -> None:
        """It waits for others, but not for ever; what is wrong here is no fault of it."""
        if isinstance(error, RelayGapError) and moment - self._seen[one.key].since > PATIENCE:
            try:
                self._refuse(one, error, looked)
            except RelayLocalError as local:
                error = local
            else:
                return
        looked.waiting[one.key] = str(error)
        if one.key not in self._told:
            self._told.add(one.key)
            told = error if isinstance(error, RelayError) else RelayError(str(error))
            note_refusal(self._database, one.name, told, relay.WAITS)

    def _refuse(self, one: Delivery, error: RelayError, looked: Looked) -> None:
        """Put it aside, and say why. RelayLocalError: it can't be."""
        self._move(one, REFUSED)
        looked.refused.append(one.name)
        note_refusal(self._database, one.name, error)
        report = json.dumps(
            {"file": one.name, "reason": error.message, "hint": error.hint}, ensure_ascii=False, indent=2
        )
        try:
            with written(self._folder / REFUSED / _report_name(one.name)) as file:
                file.write(storable(report).encode() + b"\n")  # a file's name may be no UTF-8
        except RelayError as fault:  # the relay's log has it, too
            log.warning("relay.no_report", file=one.name, reason=str(fault))

    def _move(self, one: Delivery, where: str) -> None:
        """RelayLocalError: it can't be moved."""
        try:
            for file in one.files:
                with suppress(FileNotFoundError):
                    file.replace(self._folder / where / file.name)
        except OSError as error:
            raise RelayLocalError(f"can't be moved to {where!r}: {error.strerror}", resource=one.name) from error


def _report_name(name: str) -> str:
    """That of the report beside a file of this name; ``forget_files`` finds it."""
    raw = os.fsencode(name)
    return f"{name if len(raw) <= LONGEST else hashlib.sha256(raw).hexdigest() + SUFFIX}{REPORT}"


@contextmanager
def _whole(one: Delivery) -> Iterator[Path]:
    """The bundle as one file. RelayLocalError: a part can't be read, or they can't be put together."""
    if len(one.files) == 1:
        yield one.files[0]
        return
    try:
        with tempfile.NamedTemporaryFile(prefix="pulsegate-") as whole:
            for part in one.files:
                with part.open("rb") as file:
                    shutil.copyfileobj(file, whole, CHUNK)
            whole.flush()
            yield Path(whole.name)
    except OSError as error:
        raise RelayLocalError(
            f"can't be read, or put together in a temporary file: {error.strerror}",
            resource=one.name,
            hint="See that Pulsegate's user may read it; free some space for temporary files, or set TMPDIR",
        ) from error

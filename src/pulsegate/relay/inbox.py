"""Bundles that are brought into a folder: the receiver's worker takes them, in the order of their names.

A file is looked at when it has not changed since the look before: until then it may still be copied. What was taken
lies in ``taken`` afterwards, what was refused in ``refused`` with a report beside it. What leaves a gap waits for what
fills it: files may come in any order.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from pulsegate.curation.policy import Policy
from pulsegate.errors import RelayError, RelayGapError
from pulsegate.model.relay import Take
from pulsegate.relay.export import written
from pulsegate.relay.importing import note_refusal, take
from pulsegate.relay.keys import Trust
from pulsegate.relay.outbox import CHUNK, SUFFIX, make_folder, part_name
from pulsegate.store.database import Database, now
from pulsegate.store.relay import WAITS

TAKEN, REFUSED = "taken", "refused"
PATIENCE = timedelta(days=1)  # for the bundle before a gap, or the other parts
REPORT = ".report.json"


@dataclass(frozen=True, slots=True)
class Delivery:
    """A bundle in the folder, its parts in their order. ``missing``: the numbers of those that aren't there."""

    name: str
    files: tuple[Path, ...]
    missing: tuple[int, ...] = ()

    def state(self) -> tuple[tuple[int, float], ...]:
        """What changes while it is copied: sizes and times. OSError: a file is gone."""
        return tuple((one.st_size, one.st_mtime) for one in (file.stat() for file in self.files))


@dataclass(slots=True)
class Looked:
    """What came of a look: the names of bundles that were taken, known, refused, and that wait."""

    taken: list[str] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)


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
            found[path.name] = Delivery(path.name, (path,))
    for (name, count), there in parts.items():
        missing = tuple(number for number in range(1, count + 1) if number not in there)
        found[f"{name} ({count} parts)"] = Delivery(name, tuple(there[one] for one in sorted(there)), missing)
    return [found[name] for name in sorted(found)]


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
        self._seen: dict[str, object] = {}
        self._told: set[str] = set()

    def look(self) -> Looked:
        """Take what lies there. RelayError: the folder can't be read."""
        for folder in (self._folder, self._folder / TAKEN, self._folder / REFUSED):
            make_folder(folder)
        looked = Looked()
        waiting: dict[str, tuple[Delivery, str]] = {}
        due = [one for one in self._there() if self._is_settled(one, waiting)]
        while due:
            left = [one for one in due if not self._take(one, looked, waiting)]
            due = left if len(left) < len(due) else []  # what was taken may be what the others have waited for
        for one, reason in waiting.values():
            self._wait(one, reason, looked)
        return looked

    def _there(self) -> list[Delivery]:
        try:
            found = deliveries(self._folder)
        except OSError as error:
            raise RelayError(f"can't be read: {error.strerror}", resource=str(self._folder)) from error
        there = {one.name for one in found}
        self._seen = {name: state for name, state in self._seen.items() if name in there}
        self._told &= there
        return found

    def _is_settled(self, one: Delivery, waiting: dict[str, tuple[Delivery, str]]) -> bool:
        """Whether it is whole, and as it was at the last look."""
        try:
            state = one.state()
        except OSError:  # taken away again
            return False
        before, self._seen[one.name] = self._seen.get(one.name), state
        if before != state:
            return False
        if one.missing:
            some = ", ".join(map(str, one.missing[:10]))
            waiting[one.name] = one, f"of its {len(one.files) + len(one.missing)} parts these are missing: {some}"
        return not one.missing

    def _take(self, one: Delivery, looked: Looked, waiting: dict[str, tuple[Delivery, str]]) -> bool:
        """Whether it is done with: taken, known, or refused."""
        try:
            with _whole(one) as path:
                imported = take(self._database, self._policy, path, self._trust, self._kinds, name=one.name)
        except RelayGapError as error:
            waiting[one.name] = one, str(error)
            return False
        except RelayError as error:
            self._refuse(one, error, looked)
        else:
            (looked.known if imported.known else looked.taken).append(one.name)
            self._move(one, TAKEN)
        waiting.pop(one.name, None)
        return True

    def _wait(self, one: Delivery, reason: str, looked: Looked) -> None:
        """It waits for others, but not for ever."""
        with self._database.read() as connection:
            moment = now(connection).timestamp()
        error = RelayGapError(reason)
        if moment - max(time for _, time in one.state()) > PATIENCE.total_seconds():
            self._refuse(one, error, looked)
            return
        looked.waiting.append(one.name)
        if one.name not in self._told:
            self._told.add(one.name)
            note_refusal(self._database, one.name, error, WAITS)

    def _refuse(self, one: Delivery, error: RelayError, looked: Looked) -> None:
        looked.refused.append(one.name)
        note_refusal(self._database, one.name, error)
        report = {"file": one.name, "reason": error.message, "hint": error.hint}
        with written(self._folder / REFUSED / f"{one.name}{REPORT}") as file:
            file.write(json.dumps(report, ensure_ascii=False, indent=2).encode() + b"\n")
        self._move(one, REFUSED)

    def _move(self, one: Delivery, where: str) -> None:
        for file in one.files:
            with suppress(FileNotFoundError):
                file.replace(self._folder / where / file.name)


@contextmanager
def _whole(one: Delivery) -> Iterator[Path]:
    """The bundle as one file. RelayError: a part can't be read."""
    if len(one.files) == 1:
        yield one.files[0]
        return
    with tempfile.NamedTemporaryFile(prefix="pulsegate-") as whole:
        try:
            for part in one.files:
                with part.open("rb") as file:
                    shutil.copyfileobj(file, whole, CHUNK)
        except OSError as error:
            raise RelayError(f"can't be read: {error.strerror}", resource=one.name) from error
        whole.flush()
        yield Path(whole.name)

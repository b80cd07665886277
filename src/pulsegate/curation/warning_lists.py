"""Warning lists: well-known values that a feed should hardly block. Each list blocks or informs.

Only the lists that are chosen are read. Which is which unless the administrator says otherwise: ``choices.py``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from pulsegate.curation.choices import DEFAULTS
from pulsegate.curation.entry_file import read_entries
from pulsegate.curation.misp import ReadList, read
from pulsegate.curation.value_set import Batch, Entry, EntryKind, Value, ValueSet
from pulsegate.errors import SettingsError
from pulsegate.model.indicator import IndicatorType
from pulsegate.model.mode import Mode

__all__ = ["DEFAULTS", "Hit", "ListFile", "LoadedList", "Mode", "WarningLists"]

_SAYS = {
    EntryKind.EXACT: "names {text}",
    EntryKind.SUBTREE: "names {text} and all below it",
    EntryKind.NETWORK: "names the network {text}",
    EntryKind.SUBSTRING: "names {text}, which stands in the value",
    EntryKind.REGEX: "has the pattern {text}, which the value matches",
}


@dataclass(frozen=True, slots=True)
class ListFile:
    """A list of one's own; ``entry_file.py`` says how the file is written."""

    name: str
    path: Path
    mode: Mode
    title: str = ""


@dataclass(frozen=True, slots=True)
class LoadedList:
    """A list that is held against values. ``rejected``: entries that are no value, each with the reason."""

    name: str
    title: str
    mode: Mode
    entries: int
    rejected: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Hit:
    """A list that covers a value, by which entry. ``name``: as in the settings; ``title``: for people."""

    name: str
    title: str
    mode: Mode
    entry: Entry

    @property
    def sentence(self) -> str:
        says = _SAYS[self.entry.kind].format(text=self.entry.text)
        informs = "; it only informs" if self.mode is Mode.INFORM else ""
        return f'the warning list {self.name} ("{self.title}") {says}{informs}'


class WarningLists:
    """Answers which lists cover a value. Immutable; may be shared by threads."""

    def __init__(self, lists: Iterable[tuple[ReadList, Mode]] = ()) -> None:
        """Lists that are off are left out. SettingsError when two have one name."""
        self._by_name: dict[str, LoadedList] = {}
        self._set = ValueSet(self._batches(lists))

    def _batches(self, lists: Iterable[tuple[ReadList, Mode]]) -> Iterator[Batch]:
        """Each list's in its turn, so that a large one is packed and gone before the next one is read."""
        for one, mode in lists:
            if mode is Mode.OFF:
                continue
            if one.name in self._by_name:
                raise SettingsError("two warning lists have this name", resource=one.name, hint="Rename your own list")
            self._by_name[one.name] = LoadedList(one.name, one.title, mode, one.entries, one.rejected)
            yield from one.batches

    @property
    def lists(self) -> tuple[LoadedList, ...]:
        return tuple(self._by_name.values())

    @classmethod
    def load(
        cls,
        modes: Mapping[str, Mode] = DEFAULTS,
        files: Iterable[ListFile] = (),
        folder: Path | None = None,
    ) -> WarningLists:
        """MISP's lists by ``modes``, and lists of one's own. ``folder``: where MISP's are (None: the package).

        SettingsError when a list is not there, or a file can't be read.
        """
        misp = ((read(name, folder), mode) for name, mode in modes.items() if mode is not Mode.OFF)
        own = ((_of_file(one), one.mode) for one in files if one.mode is not Mode.OFF)
        return cls(chain(misp, own))

    def __len__(self) -> int:
        return len(self._by_name)

    def hits(self, kind: IndicatorType, value: str) -> tuple[Hit, ...]:
        """A hit for each list that covers the value, those that block first."""
        return self._hits(self._set.all_covering(kind, value))

    def hits_among(self, values: Iterable[Value]) -> dict[Value, tuple[Hit, ...]]:
        """Those of many values that a list covers, each with what ``hits`` says."""
        return {value: self._hits(entries) for value, entries in self._set.among(values).items()}

    def _hits(self, entries: Iterable[Entry]) -> tuple[Hit, ...]:
        found = [(self._by_name[entry.source], entry) for entry in entries]
        hits = (Hit(one.name, one.title, one.mode, entry) for one, entry in found)
        return tuple(sorted(hits, key=lambda hit: hit.mode is not Mode.BLOCK))


def _of_file(one: ListFile) -> ReadList:
    return ReadList(one.name, one.title or f"your own list {one.name}", read_entries(one.path, one.name))

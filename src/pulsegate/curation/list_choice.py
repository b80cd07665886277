"""Which warning lists are held against values, and how; they are loaded when the first value comes."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path

from pulsegate.curation.choices import DEFAULTS
from pulsegate.curation.misp import release
from pulsegate.curation.warning_lists import ListFile, WarningLists
from pulsegate.errors import SettingsError
from pulsegate.model.collection import Collection
from pulsegate.model.mode import Mode


@dataclass(frozen=True, slots=True)
class ListChoice:
    """``modes``: of MISP's lists by name; ``files``: lists of one's own. Two equal ones share what they have loaded."""

    modes: tuple[tuple[str, Mode], ...] = ()
    files: tuple[ListFile, ...] = ()

    @classmethod
    def of(cls, modes: Mapping[str, Mode], files: Iterable[ListFile] = ()) -> ListChoice:
        """Nothing is read yet."""
        return cls(tuple(sorted(modes.items())), tuple(files))

    def needing(self, names: Iterable[str]) -> ListChoice:
        """The same, where the lists of these names are read although they are off: some collection blocks by them."""
        needed = frozenset(names)

        def mode(name: str, its: Mode) -> Mode:
            return Mode.INFORM if its is Mode.OFF and name in needed else its

        modes = tuple((name, mode(name, its)) for name, its in self.modes)
        return ListChoice(modes, tuple(replace(one, mode=mode(one.name, one.mode)) for one in self.files))

    def informing(self, names: AbstractSet[str]) -> ListChoice:
        """The same, where MISP's lists of these names block no longer."""
        modes = tuple(
            (name, Mode.INFORM if mode is Mode.BLOCK and name in names else mode) for name, mode in self.modes
        )
        return replace(self, modes=modes)

    @property
    def names(self) -> frozenset[str]:
        """Those of all lists that there are."""
        return frozenset(name for name, _ in self.modes) | frozenset(one.name for one in self.files)

    @classmethod
    def default(cls) -> ListChoice:
        return cls.of(DEFAULTS)

    def mode(self, name: str) -> Mode:
        """The list's mode; OFF for one that is not there."""
        found = dict(self.modes) | {one.name: one.mode for one in self.files}
        return found.get(name, Mode.OFF)

    @property
    def blocking(self) -> frozenset[str]:
        """The names of the lists that block unless a collection says otherwise."""
        every = [*self.modes, *((one.name, one.mode) for one in self.files)]
        return frozenset(name for name, mode in every if mode is Mode.BLOCK)

    @property
    def signature(self) -> str:
        """A text that is another one when values may be on other lists than before; modes that only inform count."""
        files = [(one.name, str(one.path), one.mode.value, *_state(one.path)) for one in self.files]
        read = [name for name, mode in self.modes if mode is not Mode.OFF]
        return repr((release() if read else "", read, files)) if read or files else ""

    def load(self) -> WarningLists | None:
        """The lists; None where there are none. SettingsError when one can't be read."""
        is_any = self.files or any(mode is not Mode.OFF for _, mode in self.modes)
        return _load(self, self.signature) if is_any else None

    def load_some(self, names: Iterable[str]) -> list[WarningLists]:
        """Each of these lists by itself, in their order: to look a value up in those that it is known to be on."""
        modes = dict(self.modes)
        files = {one.name: one for one in self.files}
        wanted = [one for one in names if one in modes or one in files]
        return [_load_one(one, modes.get(one, Mode.OFF), files.get(one), *_state_of(files.get(one))) for one in wanted]


def require_lists(collection: Collection, lists: ListChoice) -> None:
    """SettingsError when the collection names a warning list that is none."""
    for name in sorted((collection.warning_lists or frozenset()) - lists.names):
        near = get_close_matches(name, lists.names, 1)
        hint = f"Did you mean {near[0]}?" if near else "'pulsegate lists list' shows them"
        raise SettingsError(f"collection {collection.name}: there is no such warning list", resource=name, hint=hint)


def unload() -> None:
    """Give the memory of the loaded lists back; they are loaded again when the next value comes.

    glibc keeps what was freed between things that are still there, 30 MB after a million texts; it is told not to.
    """
    if _load.cache_info().currsize or _load_one.cache_info().currsize:
        _load.cache_clear()
        _load_one.cache_clear()
        with suppress(OSError, AttributeError):  # another C library
            ctypes.CDLL(None).malloc_trim(0)


@lru_cache(1)
def _load(choice: ListChoice, _signature: str) -> WarningLists:
    return WarningLists.load(dict(choice.modes), choice.files)


@lru_cache(8)
def _load_one(name: str, mode: Mode, file: ListFile | None, *_state: int) -> WarningLists:
    return WarningLists.load({} if file else {name: mode}, [file] if file else [])


def _state_of(file: ListFile | None) -> tuple[int, ...]:
    return _state(file.path) if file else ()


def _state(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return (0, 0)
    return found.st_mtime_ns, found.st_size


NO_LISTS = ListChoice()

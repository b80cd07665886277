"""Which warning lists are held against values, and how; they are loaded when the first value comes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from pulsegate.curation.choices import DEFAULTS, Mode
from pulsegate.curation.misp import release
from pulsegate.curation.warning_lists import ListFile, WarningLists


@dataclass(frozen=True, slots=True)
class ListChoice:
    """``modes``: of MISP's lists by name; ``files``: lists of one's own. Two equal ones share what they have loaded."""

    modes: tuple[tuple[str, Mode], ...] = ()
    files: tuple[ListFile, ...] = ()

    @classmethod
    def of(cls, modes: Mapping[str, Mode], files: Iterable[ListFile] = (), needed: Iterable[str] = ()) -> ListChoice:
        """``needed``: lists that some collection names; those that are off are read all the same."""
        own = tuple(files)
        named = frozenset(needed)
        chosen = {name: Mode.INFORM if mode is Mode.OFF and name in named else mode for name, mode in modes.items()}
        files_read = tuple(
            ListFile(one.name, one.path, Mode.INFORM, one.title) if one.mode is Mode.OFF and one.name in named else one
            for one in own
        )
        return cls(tuple(sorted(chosen.items())), files_read)

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


@lru_cache(1)
def _load(choice: ListChoice, _signature: str) -> WarningLists:
    return WarningLists.load(dict(choice.modes), choice.files)


def _state(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return (0, 0)
    return found.st_mtime_ns, found.st_size


NO_LISTS = ListChoice()

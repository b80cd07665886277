"""Who on this machine may read secrets: the files that hold them, the database, and the folder that it lies in."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import structlog

from pulsegate import settings as settings_module
from pulsegate.errors import SettingsError
from pulsegate.settings import Settings
from pulsegate.store.database import Database, has_password

log = structlog.get_logger(__name__)

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_OURS = ("pulsegate.db", "demo")  # what names in the data folder begin with


@dataclass(frozen=True, slots=True)
class Exposed:
    """A file with a secret in it that others of this machine may read. ``key``: the setting that names it."""

    file: Path
    key: str
    mode: int

    @property
    def hint(self) -> str:
        return f"chmod 600 {self.file}"

    def __str__(self) -> str:
        return f"{self.key}: others on this machine may read {self.file} (mode {self.mode:04o}). Run: {self.hint}"


def exposed(found: Settings) -> list[Exposed]:
    """The files of the settings, and the settings file itself where a secret stands in it, that others may read."""
    named = [*_files(found), *_settings_file()]
    return [Exposed(file, key, mode) for key, file in named if (mode := _open_mode(file)) is not None]


def warn(found: Settings) -> list[Exposed]:
    """What is exposed, told in the log, too."""
    every = exposed(found)
    for one in every:
        log.warning("secrets.exposed", file=str(one.file), setting=one.key, mode=f"{one.mode:04o}", hint=one.hint)
    return every


def _files(found: Settings) -> Iterator[tuple[str, Path]]:
    """The setting's key, and the file that it names; the relay's key is refused where it is used."""
    named = {
        "otx.api_key_file": found.otx.api_key_file,
        **{f"source {one.name}: api_key_file": one.api_key_file for one in found.sources},
        **{f"upstream {one.name}: password_file": one.password_file for one in found.upstreams},
        "database_password_file": found.database_password_file,
        "admin_password_file": found.admin_password_file,
        "alarms.notify_file": found.alarms.notify_file,
        "tls.key": found.tls.key,
        "relay.key": found.relay.key,
    }
    return ((key, file) for key, file in named.items() if file is not None)


def _settings_file() -> Iterator[tuple[str, Path]]:
    path = settings_module.find_file()
    if path is None:
        return
    try:
        alone = settings_module.load({"PULSEGATE_CONFIG": str(path)})
    except SettingsError:  # it is whole only with what the environment adds
        alone = settings_module.load()
    key = next(_secrets(alone), None)
    if key is not None:
        yield f"{key} stands in the settings file", path


def _secrets(found: Settings) -> Iterator[str]:
    """The keys of secrets that stand in the settings themselves."""
    sources = {"otx": found.otx, **{f"source {one.name}": one for one in found.sources}}
    upstreams = {f"upstream {one.name}": one for one in found.upstreams}
    yield from (f"{name}.api_key" for name, one in sources.items() if one.api_key)
    yield from (f"{name}.password" for name, one in upstreams.items() if one.password)
    yield from (f"{name}.proxy" for name, one in {**sources, **upstreams}.items() if "@" in (one.proxy or ""))
    if found.admin_password:
        yield "admin_password"
    if found.alarms.notify:
        yield "alarms.notify"
    if found.database and has_password(found.database):
        yield "database"


def _open_mode(file: Path) -> int | None:
    """The file's mode, when others than its owner may read it; None also when it can't be told.

    That a group may is right where it is how this user gets at a file of somebody else's (root:pulsegate, 0640).
    """
    try:
        found = file.stat()
    except OSError:
        return None
    mode = stat.S_IMODE(found.st_mode)
    is_ours_by_group = found.st_uid != os.geteuid() and found.st_gid in (os.getegid(), *os.getgroups())
    wrong = stat.S_IRWXO if is_ours_by_group else _OTHERS
    return mode if mode & wrong else None


def keep(database: Database, folder: Path) -> None:
    """Take from others what they may do with the database and the data folder: a restored copy may let them."""
    if not database.is_sqlite or not database.name:
        return
    file = Path(database.name)
    for ending in ("", "-wal", "-shm"):
        _close(file.with_name(file.name + ending), 0o600)
    if _is_ours_alone(folder):
        _close(folder, 0o700)


def _is_ours_alone(folder: Path) -> bool:
    """Whether nothing else lies there: what is /tmp, or somebody's home, is not shut for the others."""
    try:
        return folder.stat().st_uid == os.geteuid() and all(one.name.startswith(_OURS) for one in folder.iterdir())
    except OSError:
        return False


def _close(path: Path, mode: int) -> None:
    try:
        before = stat.S_IMODE(path.stat().st_mode)
        if before & _OTHERS:
            path.chmod(mode)
            log.warning("secrets.closed", path=str(path), before=f"{before:04o}", mode=f"{mode:04o}")
    except FileNotFoundError:
        return  # SQLite removes its -wal and -shm when nobody is connected
    except OSError as error:
        log.warning("secrets.open", path=str(path), reason=error.strerror, hint=f"chmod {mode:o} {path}")

"""The Dockerfile without a container engine: its instructions, and its commands run in a root file system of their own.

The root file system of a stage is a folder; what the base image would bring is this machine's, read-only: /usr with its
programs, and the Python that runs the tests. Needs Linux's namespaces and chroot, so root.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).parents[2]
BASE = Path(sys.base_prefix)
IS_LOCAL = BASE.as_posix() == "/usr/local"
_MERGED = ("bin", "sbin", "lib", "lib64", "lib32")
_LOOPBACK_UP = (
    "import fcntl, socket, struct; s = socket.socket(); fcntl.ioctl(s, 0x8914, struct.pack('16sH14x', b'lo', 1))"
)


@dataclass(frozen=True)
class Instruction:
    word: str
    text: str

    @property
    def words(self) -> list[str]:
        """Of the exec form, or of the shell's words."""
        text = self.text.strip()
        return json.loads(text) if text.startswith("[") else shlex.split(text)


@dataclass(frozen=True)
class Stage:
    base: str
    name: str
    instructions: list[Instruction] = field(default_factory=list)

    def all(self, word: str) -> list[Instruction]:
        return [one for one in self.instructions if one.word == word]

    def last(self, word: str) -> Instruction:
        return self.all(word)[-1]

    @property
    def environment(self) -> dict[str, str]:
        found = {"PATH": "/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin"}
        for one in self.all("ENV"):
            pairs = (word.partition("=") for word in one.words)
            found |= {key: value.replace("$PATH", found["PATH"]) for key, _, value in pairs}
        return found


def instructions(text: str) -> Iterator[Instruction]:
    plain = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    for line in re.sub(r"\\\n\s*", " ", plain).splitlines():
        if line.strip():
            word, _, rest = line.strip().partition(" ")
            yield Instruction(word, rest.strip())


def stages(text: str) -> tuple[dict[str, str], list[Stage]]:
    """What ARG says before the first FROM, and the stages."""
    arguments: dict[str, str] = {}
    found: list[Stage] = []
    for one in instructions(text):
        if one.word == "FROM":
            base, *name = re.split(r"\s+AS\s+", one.text)
            found.append(Stage(base, *(name or [""])))
        elif not found:
            key, _, value = one.text.partition("=")
            arguments[key] = value
        else:
            found[-1].instructions.append(one)
    return arguments, found


def is_sent(path: str, ignore: str) -> bool:
    """Whether the build's context has the path, by the lines of .dockerignore; the last one that fits decides."""
    sent = True
    for line in filter(None, ignore.split()):
        pattern = line.removeprefix("!")
        if fnmatch(path, pattern) or path.startswith(f"{pattern}/"):
            sent = line.startswith("!")
    return sent


class Sandbox:
    """The root file system of one stage."""

    def __init__(self, folder: Path, stage: Stage) -> None:
        self.root, self._local = folder / "root", folder / "local"
        self._stage = stage
        for name in ("proc", "dev", "tmp", "usr", "opt", "data", "var/tmp", "run", str(BASE).lstrip("/")):
            (self.root / name).mkdir(parents=True, exist_ok=True)
        (self.root / "tmp").chmod(0o1777)
        for name in _MERGED:
            if Path("/", name).is_symlink():
                (self.root / name).symlink_to(Path("/", name).readlink())
            elif Path("/", name).is_dir():
                (self.root / name).mkdir()
        subprocess.run(["cp", "-a", "/etc", self.root / "etc"], check=True)
        self._bring_python()

    def _bring_python(self) -> None:
        if IS_LOCAL:
            subprocess.run(["cp", "-a", BASE, self._local], check=True)
            return
        version = "python{}.{}".format(*sys.version_info)
        (self._local / "bin").mkdir(parents=True)
        (self._local / "bin" / "python").symlink_to(Path(sys._base_executable))
        library = self._local / "lib" / version
        (library / "site-packages" / "pip").mkdir(parents=True)
        for one in (BASE / "lib" / version).iterdir():
            if one.name != "site-packages":
                (library / one.name).symlink_to(one)

    def _mounts(self, readonly: bool, more: Mapping[Path, str]) -> Iterator[str]:
        yield "mount --make-rprivate /"
        if readonly:
            yield f"mount --bind {self.root} {self.root}; mount -o remount,bind,ro {self.root}"
            for name in ("data", "tmp"):
                kept = self.root.parent / name
                kept.mkdir(exist_ok=True)
                shutil.copystat(self.root / name, kept)
                seen = (self.root / name).stat()
                os.chown(kept, seen.st_uid, seen.st_gid)
                yield f"mount --bind {kept} {self.root / name}"
        folders = {Path("/usr"): "usr", **{Path("/", n): n for n in _MERGED if not Path("/", n).is_symlink()}}
        if not IS_LOCAL:
            folders[BASE] = str(BASE).lstrip("/")
        for source, target in (folders | dict(more)).items():
            if source.is_dir():
                yield f"mount --bind {source} {self.root / target}; mount -o remount,bind,ro {self.root / target}"
        yield f"mount --bind {self._local} {self.root}/usr/local" + (
            f"; mount -o remount,bind,ro {self.root}/usr/local" if readonly else ""
        )
        yield f"mount -t proc proc {self.root}/proc; mount --rbind /dev {self.root}/dev"

    def run(
        self, command: Sequence[str], *, workdir: str = "/", user: str = "0:0", apart: bool = False,
        environment: Mapping[str, str] | None = None, more: Mapping[Path, str] | None = None, seconds: float = 60,
    ) -> subprocess.CompletedProcess[str]:  # fmt: skip
        """Run a command as the engine would. ``apart``: the root is read-only, and the network is one of its own."""
        for target in (more or {}).values():
            (self.root / target).mkdir(parents=True, exist_ok=True)
        (self.root / workdir.lstrip("/")).mkdir(parents=True, exist_ok=True)
        given = self._stage.environment | {"HOME": "/data" if user != "0:0" else "/root"} | dict(environment or {})
        words = ["env", "-i", *(f"{key}={value}" for key, value in given.items())]
        inner = [*words, "sh", "-c", f'cd {workdir} && exec "$@"', "sh", *command]
        network = [shlex.join([sys.executable, "-c", _LOOPBACK_UP])] if apart else []
        enter = shlex.join(["exec", "chroot", f"--userspec={user}", "--groups=", str(self.root), *inner])
        script = "\n".join(["set -e", *network, *self._mounts(apart, more or {}), enter])
        spaces = ["--mount", "--pid", "--fork", "--kill-child", *(["--net"] if apart else [])]
        return subprocess.run(
            ["unshare", *spaces, "sh", "-c", script], capture_output=True, text=True, timeout=seconds, check=False
        )

    def copy(self, source: Path, target: str) -> None:
        """As COPY does it: what is in a folder goes into the target, with the rights of the source, as root."""
        there = self.root / target.lstrip("/")
        into = there / source.name if target.endswith("/") and not source.is_dir() else there
        into.parent.mkdir(parents=True, exist_ok=True)
        words = ["cp", "-a", *([f"{source}/."] if source.is_dir() else [source]), into]
        if source.is_dir():
            into.mkdir(parents=True, exist_ok=True)
        subprocess.run(words, check=True)
        subprocess.run(["chown", "-R", "0:0", into], check=True)


def can_be_run() -> str | None:
    """Why nothing can be run in a sandbox here; None: it can."""
    if os.geteuid() != 0:
        return "not root: no sandbox for the Dockerfile's commands"
    done = subprocess.run(["unshare", "--mount", "--pid", "--fork", "--net", "true"], capture_output=True, check=False)
    return None if done.returncode == 0 else "no namespaces here: no sandbox for the Dockerfile's commands"

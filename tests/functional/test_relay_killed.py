"""``relay export`` and ``relay import`` as processes that are killed at random points.

``RELAY_KILLS=200`` kills each so often; the short form a few times.
"""

from __future__ import annotations

import os
import random
import subprocess
import time
from datetime import UTC, datetime

import pytest

from pulsegate.relay import keys
from pulsegate.relay.keys import Trust
from pulsegate.relay.verify import verified
from pulsegate.store.database import Database
from relay.carried import Gate
from support import BIN
from sync.fakes import raw

KILLS = int(os.environ.get("RELAY_KILLS", "10"))
PULSES, OF_A_PULSE, LARGE = 30, 10, 2_100


class Sites:
    """A sender and a receiver, and the processes of both."""

    def __init__(self, new_database, folder):
        self.folder = folder
        self.sender, self.receiver = (
            Gate(Database(new_database(folder / f"{name}.db")), folder).prepare() for name in ("sender", "receiver")
        )
        keys.generate(folder / "key")
        self.trust = Trust((keys.read_public(folder / "key.pub"),))
        self.dice = random.Random(7)

    def change(self, number):
        """New and other pulses, a large one among them; some leave."""
        some = self.dice.sample(range(1, PULSES), 10)
        self.sender.pull(*(raw(one, *(f"n{one}x{number}x{n}.example" for n in range(OF_A_PULSE))) for one in some))
        if number % 4 == 0:
            self.sender.pull(raw(PULSES, *(f"l{number // 8}x{n}.example" for n in range(LARGE - 10 * number))))
        self.sender.lose(*self.dice.sample(range(1, PULSES), 3))

    def start(self, which, *words):
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("PULSEGATE_", "OTX_"))}
        ours = {
            "PULSEGATE_DATABASE": getattr(self, which).database.url, "PULSEGATE_DATA_DIR": str(self.folder),
            "PULSEGATE_RELAY__ORIGIN": "north",
        }  # fmt: skip
        return subprocess.Popen(
            [BIN / "pulsegate", "relay", *words], env=kept | ours, cwd=self.folder,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def run(self, which, *words):
        """To its good end; gives the seconds that it took."""
        begin = time.monotonic()
        process = self.start(which, *words)
        _, told = process.communicate(timeout=100)
        assert process.returncode == 0, told.decode()
        return time.monotonic() - begin

    def kill(self, seconds, which, *words):
        """kill -9 after so long; whether it was still at work."""
        process = self.start(which, *words)
        time.sleep(seconds)
        was_alive = process.poll() is None
        process.kill()
        _, told = process.communicate()
        assert b"Traceback" not in told, told.decode()
        return was_alive

    def equal(self):
        self.sender.publish()
        return self.receiver.state() == self.sender.state()


@pytest.fixture
def sites(new_database, tmp_path):
    found = Sites(new_database, tmp_path)
    yield found
    for gate in (found.sender, found.receiver):
        gate.database.close()


@pytest.mark.timeout(200 + 12 * KILLS)
def test_kill_at_random_points_of_exports(sites):
    """The file is whole or not there, and what comes next leaves no gap."""
    words = ("export", "--key", "key", "--out")
    sites.change(0)
    usual = sites.run("sender", *words, "first")
    sites.receiver.take(sites.folder / "first", sites.trust)
    killed = 0
    for number in range(1, KILLS + 1):
        sites.change(number)
        path = sites.folder / f"{number}"
        killed += sites.kill(sites.dice.uniform(0.4, 1.1) * usual, "sender", *words, path.name)
        if path.exists():
            with verified(path, sites.trust, datetime.now(UTC)) as bundle:
                assert bundle.manifest.kind == "delta"
            sites.receiver.take(path, sites.trust)
        if number % 3 == 0 or number == KILLS:
            sites.run("sender", *words, f"{number}-next")
            assert not sites.receiver.take(sites.folder / f"{number}-next", sites.trust).differs
            assert sites.equal()
    assert killed > KILLS // 3, "most were killed too late"


@pytest.mark.timeout(200 + 12 * KILLS)
def test_kill_at_random_points_of_imports(sites):
    """Taken again, or a later one, the receiver has what the sender has."""
    sites.change(0)
    sites.sender.export("0", keys.read_secret(sites.folder / "key"))
    usual = sites.run("receiver", "import", "0", "--trust", "key.pub")
    assert sites.equal()
    killed = 0
    for number in range(1, KILLS + 1):
        sites.change(number)
        full = number % 4 == 0
        since = None if full else max(1, number - 1)
        name = f"{number}"
        sites.sender.export(name, keys.read_secret(sites.folder / "key"), full=full, since=since)
        killed += sites.kill(sites.dice.uniform(0.4, 1.0) * usual, "receiver", "import", name, "--trust", "key.pub")
        if number % 2 == 0 or number == KILLS:  # the odd ones are left as they are, for the next one
            sites.run("receiver", "import", name, "--trust", "key.pub")
            assert sites.equal()
    assert killed > KILLS // 3, "most were killed too late"

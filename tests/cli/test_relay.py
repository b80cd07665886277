"""``pulsegate relay``: from one installation to another by commands, and what people are told."""

from __future__ import annotations

import functools
import json
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from pulsegate.cli.commands import app
from pulsegate.errors import RelayError, UsageError
from pulsegate.relay.standing import standing
from pulsegate.store import relay, relay_notes
from pulsegate.store.database import Database
from sync.fakes import raw


@pytest.fixture
def at(tmp_path, monkeypatch, install):
    """Run a command at one of two installations, each with data of its own."""

    def run(place, *words, origin=None):
        folder = tmp_path / place
        folder.mkdir(exist_ok=True)
        install(folder)
        monkeypatch.setenv("PULSEGATE_RELAY__ORIGIN", origin or place)
        done = CliRunner().invoke(app, [str(one) for one in words], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout

    return run


@pytest.fixture
def pulled(at, tmp_path):
    """The north has pulses and a key."""

    def pull(*pulses):
        (tmp_path / "pulses.json").write_text(json.dumps(list(pulses)))
        at("north", "pull", "--from", tmp_path / "pulses.json")

    pull(raw(1, "a.example"), raw(2, "b.example"))
    at("north", "relay", "keygen", "--out", tmp_path / "key")
    return pull


def previewed(at, place):
    lines = at(place, "preview", "subscribed", "--json").splitlines()
    return sorted(json.loads(line)["value"] for line in lines)


def test_sender_whose_clock_is_ahead_grows_old_all_the_same(at, pulled, tmp_path, monkeypatch, install):
    key, public, bundle = tmp_path / "key", tmp_path / "key.pub", tmp_path / "bundle"
    with monkeypatch.context() as patched:
        patched.setattr("pulsegate.relay.export.now", lambda _: datetime(2199, 1, 1, tzinfo=UTC))
        assert "as of 2199-01-01" in at("north", "relay", "export", "--key", key, "--out", bundle)
    at("south", "relay", "import", bundle, "--trust", public)
    with closing(Database(install(tmp_path / "south"))) as south, south.read() as connection:
        (sender,) = standing(connection).senders
    assert timedelta() <= sender.age < timedelta(hours=1)


def test_from_one_installation_to_the_other(at, pulled, tmp_path):
    key, public, bundle = tmp_path / "key", tmp_path / "key.pub", tmp_path / "bundle"
    told = at("north", "relay", "export", "--key", key, "--out", bundle)
    assert "number 1 of north, a full snapshot as of" in told
    would = json.loads(at("south", "relay", "import", bundle, "--trust", public, "--dry-run", "--json"))
    assert would["would"] == {"new": 2, "changed": 0, "unchanged": 0, "leaving": 0, "indicators": 2}
    assert previewed(at, "south") == []
    done = json.loads(at("south", "relay", "import", bundle, "--trust", public, "--json"))
    assert (done["outcome"], done["brought"]) == ("taken", {"new": 2, "changed": 0, "removed": 0})
    assert previewed(at, "south") == ["a.example", "b.example"]
    assert "Nothing to do" in at("south", "relay", "import", bundle, "--trust", public)
    pulled(raw(1, "c.example"))
    at("north", "relay", "export", "--key", key, "--out", bundle)
    assert "a delta since number 1" in at("south", "relay", "verify", bundle, "--trust", public)
    at("south", "relay", "import", bundle, "--trust", public)
    assert previewed(at, "south") == ["b.example", "c.example"]


def test_what_was_brought_leaves_with_forget_withdraw(at, pulled, tmp_path):
    key, public, bundle = tmp_path / "key", tmp_path / "key.pub", tmp_path / "bundle"
    at("north", "relay", "export", "--key", key, "--out", bundle)
    at("south", "relay", "import", bundle, "--trust", public)
    at("south", "relay", "forget", "north", "--withdraw")
    at("south", "publish")
    assert previewed(at, "south") == []
    would = json.loads(at("south", "relay", "import", bundle, "--trust", public, "--dry-run", "--json"))
    assert would["would"]["new"] == 2
    at("south", "relay", "import", bundle, "--trust", public)
    assert previewed(at, "south") == ["a.example", "b.example"]


def test_sender_with_another_name_is_taken_and_leaves_nothing_behind(at, pulled, tmp_path):
    key, public, bundle = tmp_path / "key", tmp_path / "key.pub", tmp_path / "bundle"
    at("north", "relay", "export", "--key", key, "--out", bundle)
    at("south", "relay", "import", bundle, "--trust", public)
    pulled(raw(1, "c.example"))
    renamed = functools.partial(at, "north", "relay", "export", "--key", key, "--out", bundle, origin="outside")
    assert "of outside, a full snapshot" in renamed("--since", "1")
    assert "of outside, a delta since number 2" in renamed()
    assert "of outside, a full snapshot" in renamed("--since", "1")
    with pytest.raises(RelayError, match="run 'pulsegate relay forget north' here"):
        at("south", "relay", "import", bundle, "--trust", public)
    assert "or until this is run with --withdraw" in at("south", "relay", "forget", "north")
    at("south", "relay", "import", bundle, "--trust", public)
    assert "relay:north" in at("south", "source", "list")
    at("south", "relay", "forget", "north", "--withdraw")
    assert "relay:north" not in at("south", "source", "list")
    assert previewed(at, "south") == ["b.example", "c.example"]
    with pytest.raises(UsageError, match=r"nothing was taken of such a sender\. Known are: outside"):
        at("south", "relay", "forget", "north", "--withdraw")


def test_key_is_secret(at, pulled, tmp_path):
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    (tmp_path / "key").chmod(0o644)
    with pytest.raises(RelayError, match=r"can be read by others. Run: chmod 600"):
        at("north", "relay", "export", "--key", tmp_path / "key", "--out", tmp_path / "bundle")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("export", "--out", "x"), "there is no key to sign with. Give --key, or set relay.key"),
        (("export", "--out", "x", "--full", "--since", "1"), "--full is everything, --since N is a part"),
        (("import", "x"), "there is no key that bundles may be signed with. Give --trust PUBLIC, or set relay.trust"),
        (("forget", "nobody"), "nobody: nothing was taken of such a sender. Known are: none"),
    ],
)
def test_words_that_do_not_fit_are_told(at, words, told):
    with pytest.raises(UsageError) as caught:
        at("north", "relay", *words)
    assert told in str(caught.value)


def test_status_says_what_waits_and_what_is_wrong(at, tmp_path, install):
    at("south", "publish")
    found = Database(install(tmp_path / "south"))
    relay_notes.trouble(found, relay.IN, "in: can't be read", {"x.pgb": "x.pgb: number 3 is missing"})
    relay_notes.trouble(found, relay.OUT, "out: can't be written")
    found.close()
    told = json.loads(at("south", "relay", "status", "--json"))
    assert told["waiting"] == {"x.pgb": "number 3 is missing"}
    assert told["trouble"] == {"outbox": "out: can't be written", "inbox": "in: can't be read"}
    text = " ".join(at("south", "relay", "status").split())
    assert "The outbox is in trouble: out: can't be written" in text
    assert "The inbox is in trouble: in: can't be read" in text
    assert "Waits: x.pgb: number 3 is missing" in text


def test_receipt_tells_the_sender_what_was_taken_by_hand(at, pulled, tmp_path, monkeypatch):
    key, bundle = tmp_path / "key", tmp_path / "bundle"
    at("north", "relay", "export", "--key", key, "--out", bundle)
    monkeypatch.setenv("PULSEGATE_RELAY__WRITE_RECEIPTS", str(tmp_path / "back"))
    at("south", "relay", "import", bundle, "--trust", tmp_path / "key.pub")
    assert json.loads((tmp_path / "back" / "north-south.receipt.json").read_text())["sequence"] == 1
    monkeypatch.setenv("PULSEGATE_RELAY__RECEIPTS", str(tmp_path / "back"))
    (found,) = json.loads(at("north", "relay", "status", "--json"))["receipts"]
    assert (found["receiver"], found["origin"], found["sequence"]) == ("south", "north", 1)


def test_receipt_that_can_not_be_written_stops_nothing(at, pulled, tmp_path, monkeypatch):
    key, bundle = tmp_path / "key", tmp_path / "bundle"
    at("north", "relay", "export", "--key", key, "--out", bundle)
    (tmp_path / "file").touch()
    monkeypatch.setenv("PULSEGATE_RELAY__WRITE_RECEIPTS", str(tmp_path / "file"))
    at("south", "relay", "import", bundle, "--trust", tmp_path / "key.pub")
    assert previewed(at, "south") == ["a.example", "b.example"]


def test_bundle_goes_into_a_pipe_and_nothing_after_it(at, pulled, tmp_path):
    key, pipe = tmp_path / "key", tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor() as pool:
        content = pool.submit(pipe.read_bytes)
        assert f"{pipe}: number 1 of north" in at("north", "relay", "export", "--key", key, "--out", pipe)
        (tmp_path / "bundle").write_bytes(content.result(30))
    at("south", "relay", "import", tmp_path / "bundle", "--trust", tmp_path / "key.pub")
    assert previewed(at, "south") == ["a.example", "b.example"]

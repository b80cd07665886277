"""docs/relay-format.md against the code: its commands are run on a real bundle, its tables are true."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pulsegate.relay import archive, curation, manifest, records, verify
from relay.carried import KEY
from sync.fakes import pulse_id, raw

TEXT = (Path(__file__).parents[2] / "docs" / "relay-format.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)


@pytest.fixture
def bundle(sender, tmp_path):
    """A full snapshot in a folder of its own, with the public key beside it."""
    folder = tmp_path / "looked"
    folder.mkdir()
    sender.pull(raw(2, "b.example"), raw(1, "a.example", "ä.example", name="Ünë"), raw(3))
    done = sender.export("looked/bundle")
    pem = KEY.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (folder / "sender.pub").write_bytes(pem)
    return done


def run(script, folder):
    done = subprocess.run(["sh", "-e"], input=script, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_commands_of_the_page_read_a_bundle(bundle):
    look, key, head, state = COMMANDS
    folder = bundle.path.parent
    told = run(look, folder).splitlines()
    assert told[:2] == ["Signature Verified Successfully", "pulses.jsonl.gz: OK"]
    assert told[-6:-3] == [
        f'["{pulse_id(1)}","Ünë",2]',
        f'["{pulse_id(2)}","Pulse 2",1]',
        f'["{pulse_id(3)}","Pulse 3",0]',
    ]
    assert sorted(told[-3:]) == ["domain\ta.example", "domain\tb.example", "domain\tä.example"]
    made = bundle.manifest
    assert run(key, folder).split()[0] == made.signer == KEY.fingerprint
    assert run(head, folder).split()[0] == made.head.digest
    assert run(state, folder).split()[0] == made.head.state


def test_commands_find_what_was_changed(bundle):
    folder = bundle.path.parent
    run("tar -xf bundle", folder)
    (folder / "manifest.json").write_bytes((folder / "manifest.json").read_bytes().replace(b"north", b"south"))
    verifying = next(line for line in COMMANDS[0].splitlines() if line.startswith("openssl"))
    done = subprocess.run(["sh", "-e"], input=verifying, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 1


def test_keys_of_the_manifest_are_described():
    for model in (manifest.Manifest, manifest.Head, manifest.Member, manifest.Window):
        for name in model.model_fields:
            assert f"`{name}`" in TEXT, name
    assert [name for name in manifest.MEMBERS if f"| `{name}` |" not in TEXT] == []


def test_lines_of_the_page_are_read():
    found = re.search(r"```json\n(.*?)```", TEXT, re.DOTALL)
    assert found is not None
    head, *indicators = found[1].splitlines()
    told = json.loads(head)
    assert list(told["pulse"]) == list(records._PULSE_FIELDS)
    told["pulse"] |= {"id": pulse_id(1), "name": "x", "modified": told["pulse"]["created"]}
    told["pulse"] = {name: told["pulse"][name] for name in records._PULSE_FIELDS}
    line = json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
    assert records.read_pulse(line).indicators == len(indicators)
    assert [records.read_indicator(one.encode()).value for one in indicators] == ["a.example", "192.0.2.1"]


def test_bounds_are_as_the_page_says():
    bounds = (archive.MAX_MANIFEST, manifest.SLACK, records.MAX_LINE, manifest.MAX_PULSES, manifest.MAX_INDICATORS)
    for bound in (*bounds, verify.CHUNK, manifest.LONGEST_CHAIN):
        assert f"{bound:,}" in TEXT, bound
    assert manifest.MAX_SIZE == 8 * 1024**3 - 1
    assert f"{manifest.MAX_RATIO} times its packed size" in TEXT
    assert f"{verify.BYTES // 10**6} MB of lines" in TEXT
    assert f"| curation | {curation.MAX_LINES:,} lines of {curation.MAX_LINE:,} bytes |" in TEXT
    assert f"| author's name | {records.MAX_AUTHOR} characters |" in TEXT

"""Bundles that are damaged or made to do harm: each is refused, and nothing but the log changes."""

from __future__ import annotations

import io
import json
import os
import random
import subprocess
import sys
import tarfile
import zlib
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pulsegate.errors import RelayError, RelayFormatError, RelayTrustError
from pulsegate.model.indicator import RawIndicator
from pulsegate.relay import archive, records
from pulsegate.relay.manifest import OWN
from pulsegate.relay.verify import verified
from pulsegate.reports import Proposed
from pulsegate.store.database import Database
from pulsegate.sync.own import Into, add
from relay.carried import KEY, OTHER_KEY, Gate, trusted
from relay.forge import END, PULSES, REMOVALS, Forgery, entries, entry, joined, pack, written
from sync.fakes import pulse_id, raw

NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)
MB = 1024 * 1024
FLIPS = os.environ.get("ALL_FLIPS") == "1"  # each bit of a bundle, and not a few of each byte


@pytest.fixture
def first(sender, receiver):
    """A full bundle, taken."""
    sender.pull(raw(1, "a.example"), raw(2, "b.example"))
    path = sender.export("first").path
    receiver.take(path)
    return path


@pytest.fixture
def delta(first, sender):
    """The next one, which the receiver would take."""
    sender.pull(raw(1, "z.example"), raw(3, "c.example"))
    sender.lose(2)
    return sender.export("delta").path


def judge(path):
    """Why it is refused; None: it is not."""
    try:
        with verified(path, trusted(), NOW):
            return None
    except RelayError as error:
        return error


def refused(receiver, path, told=""):
    """All the way: it is refused, and no table is other than it was but the log."""
    before = receiver.dump("relay_log")
    with pytest.raises(RelayError) as caught:
        receiver.take(path)
    assert told in str(caught.value)
    assert receiver.dump("relay_log") == before
    return caught.value


# --- Damage ----------------------------------------------------------------------------------------------------------


def test_every_byte_counts(delta, tmp_path):
    """Each byte is another one in several ways, or each bit is flipped: never is the bundle still one."""
    data = delta.read_bytes()
    assert judge(delta) is None
    path, dice = tmp_path / "bent", random.Random(1)
    for place, byte in enumerate(data):
        others = [byte ^ 1 << bit for bit in range(8)] if FLIPS else {byte ^ 1 << dice.randrange(8), byte ^ 0xFF}
        for other in others:
            path.write_bytes(data[:place] + bytes([other]) + data[place + 1 :])
            assert judge(path) is not None, (place, byte, other)


def test_every_truncation_is_refused(delta, tmp_path):
    data = delta.read_bytes()
    path = tmp_path / "cut"
    for length in range(len(data)):
        path.write_bytes(data[:length])
        assert judge(path) is not None, length


@pytest.mark.parametrize("more", [b"\0", bytes(512), bytes(10_240), b"x", END])
def test_whatever_follows_is_refused(delta, receiver, tmp_path, more):
    path = tmp_path / "long"
    path.write_bytes(delta.read_bytes() + more)
    refused(receiver, path, "goes on after its end. Copy it again")


def test_damage_changes_nothing(delta, receiver, tmp_path):
    """As above, through the whole import, at some places of each member."""
    data, dice = delta.read_bytes(), random.Random(2)
    path = tmp_path / "bent"
    for place in [0, 130, 600, *(dice.randrange(len(data)) for _ in range(12)), len(data) - 1]:
        path.write_bytes(data[:place] + bytes([data[place] ^ 4]) + data[place + 1 :])
        refused(receiver, path)
        path.write_bytes(data[:place])
        refused(receiver, path)


# --- Members ---------------------------------------------------------------------------------------------------------


def test_members_must_stand_where_they_belong(delta, receiver, tmp_path):
    parts = entries(delta.read_bytes())
    assert [name for name, _ in parts] == ["manifest.json", "manifest.sig", REMOVALS, PULSES]
    assert joined(parts) == delta.read_bytes()
    path = tmp_path / "bent"
    orders = [(1, 0, 2, 3), (0, 2, 1, 3), (0, 1, 3, 2), (0, 1, 2), (0, 1, 3), (0, 1), (0,), (), (0, 1, 2, 2, 3)]
    orders += [(0, 1, 2, 3, 3), (0, 0, 1, 2, 3), (0, 1, 2, 3, 0, 1), (2, 3, 0, 1)]
    for order in orders:
        path.write_bytes(joined([parts[one] for one in order]))
        refused(receiver, path)


NAMES = [
    "../x",
    "/etc/passwd",
    "./pulses.jsonl.gz",
    "pulses.jsonl.gz/",
    "a/pulses.jsonl.gz",
    "PULSES.jsonl.gz",
    "x",
    " ",
]


@pytest.mark.parametrize("name", NAMES)
def test_other_names_are_refused(delta, receiver, tmp_path, name):
    parts = entries(delta.read_bytes())
    for which in range(len(parts)):
        path = tmp_path / "bent"
        path.write_bytes(joined([(name if one == which else part[0], part[1]) for one, part in enumerate(parts)]))
        refused(receiver, path)
    assert not (tmp_path.parent / "x").exists()


@pytest.mark.parametrize("name", NAMES)
def test_other_names_are_refused_also_when_they_are_signed(delta, receiver, name):
    forged = Forgery(delta)
    forged.packed = {REMOVALS: forged.packed[REMOVALS], name: forged.packed[PULSES]}
    forged.member(PULSES)["name"] = name
    refused(receiver, forged.write(), "has a manifest that can't be read (members.1.name")


@pytest.mark.parametrize(
    "kind", [tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE,
             tarfile.CONTTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.GNUTYPE_SPARSE,
             tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.AREGTYPE],
)  # fmt: skip
def test_links_devices_and_extended_headers_are_refused(delta, receiver, tmp_path, kind):
    parts = entries(delta.read_bytes())
    for which in range(len(parts)):
        for instead in (False, True):
            info = tarfile.TarInfo(parts[which][0])
            info.type, info.size, info.linkname = kind, len(parts[which][1]), "/etc/passwd"
            odd = info.tobuf(tarfile.USTAR_FORMAT) + entry(*parts[which])[512:]
            pieces = [entry(*one) for one in parts]
            pieces[which] = odd if instead else odd + pieces[which]
            path = tmp_path / "bent"
            path.write_bytes(b"".join(pieces) + END)
            refused(receiver, path)


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_archive_that_tar_packs_anew_is_refused(delta, receiver, tmp_path, form):
    with tarfile.open(tmp_path / "bent", "w", format=form) as packed:
        for name, content in entries(delta.read_bytes()):
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(content), 1.5
            packed.addfile(info, io.BytesIO(content))
    refused(receiver, tmp_path / "bent")


@pytest.mark.parametrize("size", ["80" + "0" * 22, "ff" * 12, "20" * 12, "2d31" * 6, "37" * 11 + "00", "39" * 12])
def test_odd_sizes_in_headers_are_refused(delta, receiver, tmp_path, size):
    data = delta.read_bytes()
    at = 0
    for _, content in entries(data):
        block = bytearray(data[at : at + 512])
        block[124:136] = bytes.fromhex(size)
        block[148:156] = b" " * 8
        block[148:156] = b"%06o\0 " % sum(block)
        (tmp_path / "bent").write_bytes(data[:at] + bytes(block) + data[at + 512 :])
        refused(receiver, tmp_path / "bent")
        at += len(entry("x", content))


def test_members_of_two_genuine_bundles_do_not_go_together(delta, first, sender, receiver, tmp_path):
    sender.pull(raw(9, "later.example"))
    later = sender.export("later", since=1).path
    one, other = entries(delta.read_bytes()), entries(later.read_bytes())
    for which in range(4):
        mixed = [other[place] if place == which else one[place] for place in range(4)]
        if mixed == one:  # both remove the same
            assert which == 2
            continue
        (tmp_path / "bent").write_bytes(joined(mixed))
        refused(receiver, tmp_path / "bent")
        assert which != 2
    (tmp_path / "bent").write_bytes(joined([*one[:2], *other[2:]]))
    refused(receiver, tmp_path / "bent")
    (tmp_path / "bent").write_bytes(joined([*entries(first.read_bytes())[:2], *one[2:]]))
    refused(receiver, tmp_path / "bent")


# --- Strangers -------------------------------------------------------------------------------------------------------


def test_stranger_is_not_read_beyond_the_manifest(delta, receiver, monkeypatch):
    """Whatever follows the manifest: a stranger's members are never looked at."""
    path = Forgery(delta).write(key=OTHER_KEY)

    def read(*_):
        raise AssertionError("a member was read")

    monkeypatch.setattr(archive.Archive, "member", read)
    monkeypatch.setattr(archive, "lines", read)
    assert isinstance(refused(receiver, path), RelayTrustError)
    path.write_bytes(path.read_bytes()[: -len(END) - 1024])
    assert isinstance(refused(receiver, path), RelayTrustError)


@pytest.mark.parametrize("data", [b"{}", b"x", b"[" * 900_000, b"\0" * 1_000, b'{"head":' * 100_000, b"\xff" * 100])
def test_manifest_of_a_stranger_that_is_none_is_refused(delta, receiver, data):
    refused(receiver, Forgery(delta).write_raw(data, key=OTHER_KEY), "its manifest can't be read")


def test_manifest_that_was_changed_names_the_key(delta, receiver, tmp_path):
    parts = entries(delta.read_bytes())
    changed = parts[0][1].replace(b'"removals":1', b'"removals":7')
    (tmp_path / "bent").write_bytes(joined([("manifest.json", changed), *parts[1:]]))
    refused(
        receiver, tmp_path / "bent", "has a signature that is not one of the key 'sender'; it was changed or damaged"
    )


# --- What a trusted sender could do ----------------------------------------------------------------------------------


def lie(**values):
    return lambda forged: forged.manifest.update(values)


def lie_of_head(**values):
    return lambda forged: forged.head(**values)


def lie_of(name, **values):
    return lambda forged: forged.member(name).update(values)


HUGE = 10**30
LIES = {
    "version": lie(version=2),
    "format": lie(format="other"),
    "more": lie(more=1),
    "kind": lie(kind="full"),
    "no since": lie(since=None),
    "since itself": lie(since=2),
    "since later": lie(since=3),
    "since zero": lie(since=0),
    "since negative": lie(since=-1),
    "since text": lie(since="1"),
    "no chain": lie(chain={}),
    "chain of another": lie(chain={"1": "0" * 64}),
    "chain with more": lie(chain={"1": "0" * 64, "0": "0" * 64}),
    "chain of no hash": lie(chain={"1": "x"}),
    "window": lie(window={"start": None, "end": "2024-01-01T00:00:00.000000Z"}),
    "window of no time": lie(window={"start": "x", "end": "y"}),
    "window without a zone": lie(window={"start": "2024-01-01T00:00:00", "end": "2024-01-01T00:00:00.000000Z"}),
    "window beyond time": lie(window={"start": "0001-01-01T00:00:00+14:00", "end": "2024-01-01T00:00:00.000000Z"}),
    "removals": lie(removals=0),
    "removals more": lie(removals=2),
    "removals huge": lie(removals=HUGE),
    "removals negative": lie(removals=-1),
    "members none": lie(members=[]),
    "signer": lie(signer=OTHER_KEY.fingerprint),
    "signer none": lie(signer=""),
    "origin with a path": lie_of_head(origin="../north"),
    "origin empty": lie_of_head(origin=""),
    "origin long": lie_of_head(origin="n" * 81),
    "origin of two lines": lie_of_head(origin="north\n"),
    "origin another": lie_of_head(origin="south"),
    "sequence huge": lie_of_head(sequence=HUGE),
    "sequence of the past": lie_of_head(sequence=1),
    "sequence true": lie_of_head(sequence=True),
    "sequence broken": lie_of_head(sequence=2.0),
    "pulses fewer": lie_of_head(pulses=1),
    "pulses huge": lie_of_head(pulses=HUGE),
    "pulses negative": lie_of_head(pulses=-1),
    "indicators fewer": lie_of_head(indicators=1),
    "state none": lie_of_head(state="x"),
    "created none": lie_of_head(created=None),
    "created beyond time": lie_of_head(created="9999-12-31T23:59:59-14:00"),
    "head more": lie_of_head(more=1),
    "size": lie_of(PULSES, size=1),
    "size huge": lie_of(PULSES, size=10**12),
    "size beyond headers": lie_of(PULSES, size=8**11),
    "size largest": lie_of(PULSES, size=8**11 - 1),
    "size negative": lie_of(PULSES, size=-1),
    "length shorter": lie_of(PULSES, length=10),
    "length longer": lie_of(PULSES, length=2_000),
    "length huge": lie_of(PULSES, length=10**12),
    "lines fewer": lie_of(PULSES, lines=3),
    "lines more": lie_of(PULSES, lines=5),
    "hash": lie_of(PULSES, sha256="0" * 64),
    "hash in capitals": lie_of(PULSES, sha256="A" * 64),
    "member more": lie_of(PULSES, more=1),
    "member twice": lambda forged: forged.manifest["members"].append(forged.member(PULSES)),
    "member elsewhere": lambda forged: forged.manifest["members"].reverse(),
    "no pulses": lambda forged: forged.manifest["members"].pop(),
    "no removals": lambda forged: forged.manifest["members"].pop(0),
}


@pytest.mark.parametrize("name", LIES)
def test_lies_of_the_manifest_are_refused(delta, receiver, name):
    forged = Forgery(delta)
    LIES[name](forged)
    refused(receiver, forged.write())


def test_later_format_is_told(delta, receiver):
    forged = Forgery(delta)
    forged.manifest.update(version=2, more="new")
    refused(receiver, forged.write(), "is written in a later format than this version reads. Update Pulsegate here")


@pytest.mark.parametrize("blank", [b" ", b"\n"])
def test_manifest_must_be_written_as_it_should(delta, receiver, blank):
    data = written(Forgery(delta).manifest)
    refused(receiver, Forgery(delta).write_raw(data + blank), "manifest that is not written as it should be")
    twice = data.replace(b'"kind":"delta"', b'"kind":"full","kind":"delta"')
    refused(receiver, Forgery(delta).write_raw(twice), "manifest that is not written as it should be")


def test_manifest_that_is_too_large_is_refused(delta, receiver):
    refused(receiver, Forgery(delta).write_raw(b" " * 1_000_001), "its beginning is damaged")


HEAD, LINE = b'{"pulse":', b'{"type":"domain","value":"a.example"}\n'


def pulse_lines(forged):
    return forged.lines[PULSES].splitlines(keepends=True)


def bent_lines(forged):
    """Lines that are no good, by what is wrong with them."""
    one, a, three, c = pulse_lines(forged)
    long = json.dumps(pulse_id(2)).encode()
    return {
        "nothing": [],
        "empty line": [one, a, three, c, b"\n"],
        "no end": [one, a, three, c[:-1]],
        "cut within a pulse": [one, a, three],
        "indicator without a pulse": [a, one, three, c],
        "pulse for an indicator": [one, three, a, c],
        "one more indicator": [one, a, a, three, c],
        "one twice": [one, a, one, a, three, c],
        "order": [three, c, one, a],
        "removed and brought": [one, a, one.replace(pulse_id(1).encode(), pulse_id(2).encode()), a, three, c],
        "own": [one, a, three.replace(pulse_id(3).encode(), b"own-" + b"0" * 20), c],
        "id with a path": [one, a, three.replace(pulse_id(3).encode(), b"../../../etc"), c],
        "deep": [one, a, three, b'{"type":' + b"[" * 200_000 + b"\n"],
        "number": [one, a, three.replace(b'"revision":0', b'"revision":' + b"9" * 100_000), c],
        "float": [one, a, three.replace(b'"revision":0', b'"revision":1e400'), c],
        "nul": [one, a, three.replace(b'"description":""', b'"description":"\\u0000"'), c],
        "surrogate": [one, a, three.replace(b'"description":""', b'"description":"\\ud800"'), c],
        "no utf-8": [one, a, three.replace(b'"description":""', b'"description":"\xff"'), c],
        "two values in one line": [one, a.strip() + c, three, c],
        "other json": [one, a, b'"' + long + b'"\n', c],
        "time": [one, a, three.replace(b"Z", b"+01:00"), c],
        "no zone": [one, a, three.replace(b'Z"', b'"'), c],
    }


BENT = ["nothing", "empty line", "no end", "cut within a pulse", "indicator without a pulse", "pulse for an indicator",
        "one more indicator", "one twice", "order", "removed and brought", "own", "id with a path", "deep", "number",
        "float", "nul", "surrogate", "no utf-8", "two values in one line", "other json", "time", "no zone"]  # fmt: skip


@pytest.mark.parametrize("name", BENT)
def test_bent_lines_are_refused(delta, receiver, name):
    forged = Forgery(delta)
    found = bent_lines(forged)
    assert list(found) == BENT
    forged.head(pulses=99, indicators=99)
    refused(receiver, forged.put(PULSES, found[name]).write()) if name != "nothing" else None
    if name == "nothing":  # a delta that only removes is a good one; that it leads elsewhere is told
        assert receiver.take(forged.put(PULSES, found[name]).write()).differs


@pytest.mark.parametrize("name", ["cut", "twice", "not own", "bent text", "empty line"])
def test_bent_own_pulses_are_refused_though_nobody_takes_them(sender, receiver, name):
    sender.pull(raw(1, "a.example"))
    add(sender.database, sender.policy, [Proposed(RawIndicator("domain", "mine.example"))], Into())
    forged = Forgery(sender.export(curation=True).path)
    mine, line = forged.lines[OWN].splitlines(keepends=True)
    found = {
        "cut": [mine],
        "twice": [mine, line, mine, line],
        "not own": pulse_lines(forged)[:2],
        "bent text": [mine.replace(b'"author":"own"', b'"author":7'), line],
        "empty line": [mine, line, b"\n"],
    }
    refused(receiver, forged.copy().put(OWN, found[name]).write())
    assert not receiver.take(forged.write()).differs


@pytest.mark.parametrize("lines", [[2, 2], [3, 2], [2, 1], [0, "x"], ["../../x"], [2, ""], ["x" * 100_000], [1], [3]])
def test_bent_removals_are_refused(delta, receiver, lines):
    written_lines = [json.dumps(pulse_id(one) if isinstance(one, int) else one).encode() + b"\n" for one in lines]
    forged = Forgery(delta).put(REMOVALS, written_lines)
    forged.manifest["removals"] = len(lines)
    refused(receiver, forged.write())


def test_full_snapshot_of_another_state_is_refused(first, receiver):
    forged = Forgery(first).head(state="0" * 64, sequence=2)
    refused(receiver, forged.write(), "is not what it says: it has 2 pulses with 2 indicators")


def test_delta_that_leads_elsewhere_is_taken_and_told(delta, receiver):
    """What a delta leads to can be known only with what is here: it is told, and a full snapshot mends it."""
    assert receiver.take(Forgery(delta).head(state="0" * 64).write()).differs


def test_delta_of_another_origin_with_the_same_key_is_refused(delta, receiver):
    refused(
        receiver, Forgery(delta).head(origin="south").write(), "comes from south, but the key 'sender' signs for north"
    )


@pytest.mark.parametrize("extra", [b"x", bytes(10), pack(b"more\n"), pack(b"")])
def test_what_follows_the_packed_lines_is_refused(delta, receiver, extra):
    forged = Forgery(delta)
    data = forged.lines[PULSES]
    refused(receiver, forged.put(PULSES, data, packed=pack(data) + extra).write(), "goes on after its end")


@pytest.mark.parametrize("bend", ["cut", "raw", "zlib", "checksum", "length", "nothing"])
def test_what_does_not_unpack_is_refused(delta, receiver, bend):
    forged = Forgery(delta)
    data = forged.lines[PULSES]
    good = pack(data)
    packed = {
        "cut": good[:-9],
        "raw": data,
        "zlib": zlib.compress(data),
        "checksum": good[:-8] + bytes(4) + good[-4:],
        "length": good[:-4] + bytes(4),
        "nothing": b"",
    }[bend]
    refused(receiver, forged.put(PULSES, data, packed=packed).write(), "is not what it says: pulses.jsonl.gz")


# --- Bombs -----------------------------------------------------------------------------------------------------------


def by_letters(data):
    """Packed to an eighth at best, so that it is no bomb by its ratio."""
    packed = zlib.compressobj(1, zlib.DEFLATED, 31, 8, zlib.Z_HUFFMAN_ONLY)
    return packed.compress(data) + packed.flush()


def zeros(size, byte=b"\0"):
    """So many of the same byte, packed as small as can be; its checksum is wrong, but nobody should get so far."""
    packed = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packed.compress(byte * MB) + packed.flush(zlib.Z_FULL_FLUSH)
    return b"\x1f\x8b\x08" + bytes(6) + b"\x03" + block * (size // MB) + b"\x03\0" + bytes(8)


def test_bomb_is_refused_by_its_manifest_alone(delta, receiver, monkeypatch):
    size = 64 * MB
    forged = Forgery(delta)
    forged.packed[PULSES] = zeros(size)
    forged.describe(PULSES, size, 0)
    path = forged.write()

    def unpacked(*_):
        raise AssertionError("it was unpacked")

    monkeypatch.setattr(archive, "_unpacked", unpacked)
    told = refused(receiver, path, f"{PULSES} would unpack to {size:,} bytes")
    assert isinstance(told, RelayFormatError)


@pytest.mark.parametrize("length", [100, 2_000_000])
def test_bomb_that_says_it_is_small_is_cut_there(delta, receiver, monkeypatch, length):
    forged = Forgery(delta)
    forged.packed[PULSES] = zeros(64 * MB, b" ")
    forged.describe(PULSES, length, 1)
    seen = []
    unpacked = archive._unpacked

    def counted(*words):
        for piece in unpacked(*words):
            seen.append(len(piece))
            yield piece

    monkeypatch.setattr(archive, "_unpacked", counted)
    refused(receiver, forged.write(), "is made to do harm: pulses.jsonl.gz unpacks to more than it says")
    assert sum(seen[1:]) <= length + archive.CHUNK  # the first one is the removals


def test_line_without_an_end_is_cut_where_lines_end(delta, receiver):
    forged = Forgery(delta)
    noise = random.Random(3).randbytes(1_000_000)  # so that it is no bomb by its ratio
    packed = zlib.compressobj(9, zlib.DEFLATED, 31)
    data = b"".join(packed.compress(b" " * 30 * MB) for _ in range(3)) + packed.compress(noise.replace(b"\n", b"x"))
    forged.packed[PULSES] = data + packed.flush()
    forged.describe(PULSES, 90 * MB + 1_000_000, 1)
    refused(receiver, forged.write(), f"has a line of more than {records.MAX_LINE:,} bytes")


# A process of its own, as one begins with the peak of that which it was forked from.
MEASURED = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024, resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime)
sys.exit(code)
"""
VERIFY = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from pulsegate.errors import RelayError
from pulsegate.relay.keys import Trust, read_public
from pulsegate.relay.verify import verified
try:
    with verified(Path(sys.argv[1]), Trust((read_public(Path(sys.argv[2])),)), datetime.now(UTC)):
        print("taken")
except RelayError as error:
    print(str(error)[:200])
"""


def measured(path, tmp_path):
    """What is said of it, the peak of memory in MB, and seconds of the processor."""
    public = KEY.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "key.pub").write_bytes(public)
    words = [sys.executable, "-S", "-c", MEASURED, sys.executable, "-c", VERIFY, path, tmp_path / "key.pub"]
    done = subprocess.run(words, capture_output=True, check=True, text=True, timeout=100)
    told, figures = done.stdout.splitlines()
    memory, seconds = figures.split()
    return told, int(memory), float(seconds)


def bomb(kind, forged):
    """A bundle that would be large, signed by a trusted key."""
    one = pulse_lines(forged)[0]
    if kind == "10 GB":
        forged.packed[PULSES] = zeros(10_240 * MB)
        forged.describe(PULSES, 10_240 * MB, 0)
    elif kind == "10 GB that is told to be small":
        forged.packed[PULSES] = zeros(10_240 * MB)
        forged.describe(PULSES, 1_000_000, 1)
    elif kind == "endless line":
        forged.packed[PULSES] = zeros(10_240 * MB, b" ")
        forged.describe(PULSES, 200 * len(forged.packed[PULSES]), 0)
    elif kind == "empty lines":
        forged.packed[PULSES] = zeros(200 * MB, b"\n") + b""
        forged.describe(PULSES, 200 * len(forged.packed[PULSES]), 200 * MB)
    elif kind == "long indicators":
        line = b'{"type":"YARA","value":"x","content":"' + b"y" * 2_000_000 + b'"}\n'
        forged.head(pulses=1, indicators=100, state="0" * 64)
        lines = [one.replace(b'"indicators":1', b'"indicators":100'), *([line] * 100)]
        forged.put(PULSES, b"".join(lines), packed=by_letters(b"".join(lines)))
    elif kind == "long pulses":
        longer = one.replace(b'"description":""', b'"description":"' + b"d" * 6_000_000 + b'"').replace(
            b'indicators":1', b'indicators":0'
        )
        lines = [longer.replace(pulse_id(1).encode(), pulse_id(place).encode()) for place in range(10, 35)]
        forged.put(PULSES, b"".join(lines), packed=by_letters(b"".join(lines)))
    elif kind == "longest line":
        line = b'{"type":"YARA","value":"x","content":"' + b"y" * (records.MAX_LINE - 100) + b'"}\n'
        forged.put(PULSES, one + line, packed=by_letters(one + line))
    elif kind == "removals":
        lines = b"".join(json.dumps(pulse_id(place)).encode() + b"\n" for place in range(10, 1_000_010))
        forged.put(REMOVALS, lines)
        forged.manifest["removals"] = 5
    else:
        assert kind == "nesting"
        line = b'{"type":' * 2_000_000 + b"\n"
        forged.put(PULSES, one + line, packed=by_letters(one + line))
    return forged


BOMBS = {
    "10 GB": "would unpack to",
    "10 GB that is told to be small": "unpacks to more than it says",
    "endless line": "has a line of more than",
    "empty lines": "is none",
    "long indicators": "taken",
    "long pulses": "is not what it says: it has 25 pulses",
    "longest line": "taken",
    "removals": "has 1,000,000 removals, not 5",
    "nesting": "recursion limit exceeded",
}


@pytest.mark.parametrize("kind", BOMBS)
def test_bombs_need_neither_memory_nor_time(new_database, tmp_path, kind):
    gate = Gate(Database(new_database(tmp_path / "sender.db")), tmp_path).prepare()
    gate.pull(raw(1, "a.example"), raw(2, "b.example"))
    gate.export("first")
    gate.pull(raw(1, "z.example"), raw(3, "c.example"))
    gate.lose(2)
    path = bomb(kind, Forgery(gate.export("delta").path)).write()
    gate.database.close()
    told, memory, seconds = measured(path, tmp_path)
    figures = f"{path.stat().st_size:,} bytes, {memory} MB, {seconds:.2f} s: {told}"
    assert BOMBS[kind] in told, figures
    assert memory < 150, figures
    assert seconds < 30, figures

"""The lines of a bundle: what can be stored comes back the same, and nothing else is read."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from pulsegate.errors import RelayFormatError
from pulsegate.intake.taking import clean
from pulsegate.model.indicator import RawIndicator
from pulsegate.model.pulse import Pulse
from pulsegate.model.tlp import TLP
from pulsegate.otx.parse import read_pulse as parse
from pulsegate.relay import records
from pulsegate.store import relay
from pulsegate.store.digests import storable
from pulsegate.store.pulses import get as get_pulse
from pulsegate.store.pulses import indicators_of, keys_of
from pulsegate.store.tables import pulses
from sync.fakes import raw, row

NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)
PULSE = Pulse("0" * 23 + "1", "A name", "someone", NOW, NOW)
DATES = st.datetimes(timezones=st.just(UTC))
# What OTX may send for a text: any characters, also those that no XML or database holds.
TEXT = st.text(st.characters(exclude_categories=[]), max_size=20)
ROWS = st.fixed_dictionaries(
    {"type": st.sampled_from(["domain", "IPv4", "FilePath", "YARA", "URL", "Mutex"]) | TEXT, "indicator": TEXT},
    optional={
        "id": st.integers() | TEXT,
        "created": DATES.map(datetime.isoformat),
        "expiration": DATES.map(datetime.isoformat) | TEXT,
        "is_active": st.sampled_from([0, 1]),
        "role": TEXT,
        "title": TEXT,
        "description": TEXT,
        "content": TEXT,
    },
)
PULSES = st.fixed_dictionaries(
    {
        "id": st.integers(0, 2**96 - 1).map("{:024x}".format),
        "name": TEXT,
        "created": DATES.map(datetime.isoformat),
        "indicators": st.lists(ROWS, max_size=4),
    },
    optional={
        "modified": DATES.map(datetime.isoformat),
        "author_name": st.text(st.characters(exclude_categories=[]), max_size=400),
        "description": TEXT,
        "tlp": st.sampled_from(["white", "GREEN", "amber+strict", "red", "x"]),
        "revision": st.integers() | TEXT,
        "public": st.sampled_from([0, 1]),
        "adversary": TEXT,
        "tags": st.lists(TEXT, max_size=3),
        "references": st.lists(TEXT, max_size=3),
        "targeted_countries": st.lists(TEXT, max_size=3),
        "malware_families": st.lists(TEXT, max_size=3),
        "attack_ids": st.lists(TEXT, max_size=3),
        "industries": st.lists(TEXT, max_size=3),
        "extract_source": st.lists(TEXT, max_size=3),
    },
)


@given(PULSES)
def test_any_pulse_that_otx_sends_comes_back_the_same(sent):
    pulse = parse(sent).pulse
    line = records.pulse_line(pulse, 3)
    assert line.count(b"\n") == 1
    assert records.read_pulse(line) == records.PulseLine(pulse, 3)
    assert repr(records.read_pulse(line).pulse) == repr(pulse)  # fingerprints are made of that
    assert records.pulse_line(records.read_pulse(line).pulse, 3) == line


@given(PULSES)
def test_any_stored_indicator_comes_back_with_its_value(sent):
    found, _ = clean(parse(sent).indicators)
    for one in found:
        carried = relay._raw((1, one.type.value, one.value, *_stored(one.raw)))
        line = records.indicator_line(carried)
        assert line.count(b"\n") == 1
        assert records.read_indicator(line) == carried
        assert repr(records.read_indicator(line)) == repr(carried)
        (again,), rejections = clean([records.read_indicator(line)])
        assert ((again.type, again.value), rejections) == ((one.type, one.value), [])


def _stored(raw_one):
    """As its row has it."""
    kept = replace(
        raw_one,
        type=storable(raw_one.type),
        value=storable(raw_one.value),
        otx_id=None if raw_one.otx_id is None else storable(raw_one.otx_id),
    )
    return tuple(getattr(kept, one) for one in RawIndicator.__slots__)


@pytest.mark.corpus
def test_real_pulses_come_back_the_same(corpus):
    number = 0
    for path in sorted(corpus.glob("*.json")):
        data = json.loads(path.read_text())
        for sent in data["results"] if isinstance(data, dict) and "results" in data else [data]:
            if not isinstance(sent, dict) or "name" not in sent:
                continue
            read = parse(sent)
            assert records.read_pulse(records.pulse_line(read.pulse, 1)).pulse == read.pulse
            for one in read.indicators:
                assert records.read_indicator(records.indicator_line(one)) == one
                number += 1
    assert number > 1_000


@pytest.mark.parametrize("dirt", ["\0", "\ud800", "\\x00", "\x01", "￾"])
def test_dirty_value_is_the_same_value_on_the_other_side(sender, receiver, dirt):
    rows = [
        row(f"a.example{dirt}", f"domain{dirt}"),
        row(f"b.example{dirt}", id=f"7{dirt}"),
        row(f"c:\\{dirt}x", "FilePath"),
    ]
    sender.pull(raw(1, indicators=rows), raw(2, "sure.example"))
    sender.publish()
    assert not receiver.take(sender.export().path).differs
    assert receiver.state() == sender.state()


def test_contents_come_in_the_order_that_is_asked_for(sender, monkeypatch):
    monkeypatch.setattr(relay, "FETCH", 4)
    sizes = {5: 3, 1: 0, 4: 1, 2: 9, 3: 2, 6: 4, 7: 0}
    sender.pull(*(raw(one, *(f"p{one}n{n}.example" for n in range(size))) for one, size in sizes.items()))
    with sender.database.read() as connection:
        keys = keys_of(connection, list(connection.scalars(sa.select(pulses.c.id))))
        order = [keys[f"{one:024x}"] for one in sorted(sizes)]
        found = [(pulse.id, number, list(inside)) for pulse, number, inside in relay.contents(connection, order)]
        wanted = [[one.indicator.raw for one in indicators_of(connection, pk)] for pk in order]
    assert [one[0] for one in found] == [f"{one:024x}" for one in sorted(sizes)]
    assert [one[1] for one in found] == [sizes[one] for one in sorted(sizes)]
    assert [sorted(one[2], key=repr) for one in found] == [sorted(one, key=repr) for one in wanted]


def test_lines_are_as_they_are_described():
    pulse = replace(PULSE, name="Naïve", tlp=TLP.WHITE, tags=("a", "b"))
    assert records.pulse_line(pulse, 2).decode() == (
        '{"pulse":{"id":"000000000000000000000001","name":"Naïve","author":"someone","created":"2024-06-01T12:00:00Z",'
        '"modified":"2024-06-01T12:00:00Z","description":"","tlp":"white","revision":0,"public":true,"adversary":"",'
        '"tags":["a","b"],"references":[],"targeted_countries":[],"malware_families":[],"attack_ids":[],"industries":[],'
        '"extract_source":[]},"indicators":2}\n'
    )
    assert records.indicator_line(RawIndicator("domain", "a.example")) == b'{"type":"domain","value":"a.example"}\n'
    full = RawIndicator("YARA", "r", "7", NOW.replace(microsecond=5), NOW, False, "role", "title", "text", 'rule "é"')
    assert records.indicator_line(full).decode() == (
        '{"type":"YARA","value":"r","otx_id":"7","created":"2024-06-01T12:00:00.000005Z",'
        '"expiration":"2024-06-01T12:00:00Z","active":false,"role":"role","title":"title","description":"text",'
        '"content":"rule \\"é\\""}\n'
    )
    assert records.removal_line(PULSE.id) == b'"000000000000000000000001"\n'
    assert records.read_removal(b'"000000000000000000000001"\n') == PULSE.id


GOOD = json.loads(records.pulse_line(PULSE, 0))


def a_line(**fields):
    return as_line({"pulse": GOOD["pulse"] | fields, "indicators": 0})


def as_line(told):
    """JSON as a bundle has it."""
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass") + b"\n"


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"null",
        b"[]",
        b"text",
        b"{",
        b"[" * 100_000,
        b'{"pulse":' * 50_000,
        b"\xff",
        b'{"pulse":{},"indicators":0}',
        a_line()[:-2] + b',"more":1}\n',
        a_line().replace(b'"indicators":0', b'"indicators":-1'),
        a_line().replace(b'"indicators":0', b'"indicators":"1"'),
        a_line().replace(b'"indicators":0', b'"indicators":1.5'),
        a_line().replace(b'"indicators":0', b'"indicators":' + b"9" * 10_000),
        a_line(more=1),
        a_line(id=""),
        a_line(id="x" * 24),
        a_line(id="A" * 24),
        a_line(id="0" * 23),
        a_line(id="0" * 24 + "\n"),
        a_line(id="../" + "0" * 21),
        a_line(id="own-" + "0" * 19),
        a_line(id=None),
        a_line(name=""),
        a_line(name=" x"),
        a_line(name="a\nb"),
        a_line(name="a\0b"),
        a_line(name="\ud800"),
        a_line(author="a\0b"),
        a_line(author="a\nb"),
        a_line(author="x" * 251),
        a_line(description="a\0b"),
        a_line(tags=["a\x01"]),
        a_line(tags="a"),
        a_line(tags=[1]),
        a_line(tags=None),
        a_line(tlp="purple"),
        a_line(revision=-1),
        a_line(revision=2**31),
        a_line(revision="1"),
        a_line(public=1),
        a_line(created=None),
        a_line(created=1_700_000_000),
        a_line(created="yesterday"),
        a_line(created="2024-01-01"),
        a_line(created="2024-01-01T00:00:00"),
        a_line(created="2024-01-01T00:00:00+09:00"),
        a_line(modified="0001-01-01T00:00:00+14:00"),
        a_line(modified="9999-12-31T23:59:59-14:00"),
        a_line(modified="10000-01-01T00:00:00Z"),
    ],
)
def test_what_is_no_pulse_is_refused(line):
    assert records.read_pulse(a_line()).pulse == PULSE
    with pytest.raises(RelayFormatError) as caught:
        records.read_pulse(line)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("key", list(GOOD["pulse"]))
def test_each_key_of_a_pulse_is_there(key):
    with pytest.raises(RelayFormatError):
        records.read_pulse(
            as_line({"pulse": {one: GOOD["pulse"][one] for one in GOOD["pulse"] if one != key}, "indicators": 0})
        )


@pytest.mark.parametrize(
    "line",
    [
        a_line()[:-1],
        a_line() + b"\n",
        b" " + a_line(),
        a_line().replace(b":", b": ", 1),
        a_line().replace(b"A name", b"\\u0041 name"),
        a_line().replace(b"12:00:00Z", b"12:00:00.000000Z"),
        a_line().replace(b"12:00:00Z", b"12:00:00+00:00"),
        a_line().replace(b'"name":', b'"name":"x","name":'),
        as_line({"indicators": 0, "pulse": GOOD["pulse"]}),
        as_line({"pulse": dict(reversed(GOOD["pulse"].items())), "indicators": 0}),
    ],
)
def test_pulse_is_written_as_it_should_be(line):
    with pytest.raises(RelayFormatError, match="not written as it should be"):
        records.read_pulse(line)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"null",
        b"{}",
        b'{"type":"domain"}',
        b'{"type":"domain","value":1}',
        b'{"type":"domain","value":"a","more":1}',
        b'{"type":"domain","value":"a","active":1}',
        b'{"type":"domain","value":"a","active":"yes"}',
        b'{"type":"domain","value":"a","created":1}',
        b'{"type":"domain","value":"a","created":"2024-01-01T00:00:00"}',
        b'{"type":"domain","value":"a","expiration":"2024-01-01T00:00:00+01:00"}',
        b'{"type":"domain","value":"a","title":"\\u0000"}',
        b'{"type":"domain","value":"a","role":"\\u0001"}',
        b'{"type":"domain","value":"a","content":"\\ufffe"}',
        b'{"type":"domain","value":"a","description":"\\ud800"}',
        b'{"type":"domain","value":"\\ud800"}',
        b'{"type":"domain","value":"a"}{"type":"domain","value":"b"}',
        b'{"type":"domain","value":"\xff"}',
        b'{"type":' + b"[" * 100_000,
    ],
)
def test_what_is_no_indicator_is_refused(line):
    with pytest.raises(RelayFormatError) as caught:
        records.read_indicator(line)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "line",
    [b"", b"\n", b"null\n", b"1\n", b'""\n', b'"x"\n', b'"../../etc/passwd"\n', b'"000000000000000000000001" \n',
     b'"000000000000000000000001"', b'"\\u0030' + b"0" * 22 + b'1"\n', b"'000000000000000000000001'\n", b"[" * 100_000],
)  # fmt: skip
def test_what_is_no_removal_is_refused(line):
    with pytest.raises(RelayFormatError, match="has a line that should be a pulse's id and is none"):
        records.read_removal(line)


def test_digests_depend_on_each_line_and_each_id():
    one, other = records.digest([b"a\n", b"b\n"]), records.digest([b"a\n", b"c\n"])
    assert one != other
    assert records.state_digest({"1": one, "2": other}) == records.state_digest({"2": other, "1": one})
    states = [{}, {"1": one}, {"1": other}, {"2": one}, {"1": one, "2": other}]
    assert len({records.state_digest(state) for state in states}) == len(states)


def test_get_pulse_is_what_is_exported(sender):
    sender.pull(raw(1, "a.example", tags=["x"]))
    with sender.database.read() as connection:
        stored = get_pulse(connection, f"{1:024x}")
        ((pulse, number, _),) = [one for one in relay.contents(connection, [stored.pk]) if list(one[2])]
    assert (pulse, number) == (stored.pulse, 1)

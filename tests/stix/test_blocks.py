import itertools
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pulsegate.errors import ConversionError
from pulsegate.model.collection import Profile
from pulsegate.model.indicator import IndicatorType
from pulsegate.stix import Block, Failure, blocks, check


@pytest.fixture
def many(make):
    return lambda count: [make(IndicatorType.DOMAIN, f"host{number}.bad.example") for number in range(count)]


def with_fields(pulse, **changes):
    return type(pulse)(**{name: getattr(pulse, name) for name in type(pulse).__slots__} | changes)


def packed(results):
    """The values of each block, a Failure as its value and reason."""
    return [
        [one.value for one in result.indicators]
        if isinstance(result, Block)
        else (result.indicator.value, result.reason)
        for result in results
    ]


def test_blocks_of_nothing(pulse):
    assert list(blocks(pulse, [], Profile.FULL)) == []


def test_blocks_within_the_number(pulse, many):
    entries = many(7)
    results = list(blocks(pulse, entries, Profile.FULL, max_indicators=3))
    assert [len(result.indicators) for result in results] == [3, 3, 1]
    assert list(itertools.chain.from_iterable(result.indicators for result in results)) == entries


def test_blocks_within_the_bytes(pulse, many):
    entries = many(60)
    results = list(blocks(pulse, entries, Profile.ESA, max_bytes=20_000))
    assert max(len(result.content) for result in results) <= 20_000
    assert list(itertools.chain.from_iterable(result.indicators for result in results)) == entries
    assert len(results) < 12


def test_blocks_when_the_guess_is_too_low(pulse, make):
    entries = [make(IndicatorType.MUTEX, f"{number}" + "&" * 900) for number in range(30)]
    results = list(blocks(pulse, entries, Profile.FULL, max_bytes=60_000))
    assert all(isinstance(result, Block) and len(result.content) <= 60_000 for result in results)
    assert list(itertools.chain.from_iterable(result.indicators for result in results)) == entries


def test_blocks_are_valid_and_hold_what_they_say(pulse, every, read):
    (block,) = blocks(pulse, every, Profile.FULL)
    check(block.content)
    assert block.indicators == tuple(every)
    assert len(read(block.content, "Confidence")) == len(every)


def test_bad_indicator_is_isolated(pulse, make, many):
    entries = many(9)
    entries.insert(4, make(IndicatorType.MUTEX, "bad\x1b"))
    results = list(blocks(pulse, entries, Profile.FULL))
    values = [one.value for one in many(9)]
    good = [value for result in packed(results) if isinstance(result, list) for value in result]
    assert good == values
    assert [result for result in packed(results) if isinstance(result, tuple)] == [
        ("bad\x1b", "the text holds U+001B, which XML can't carry")
    ]


def test_indicator_that_makes_the_package_invalid_is_isolated(pulse, make, many, monkeypatch):
    def strict(xml):
        if b">bad-mutex<" in xml:
            raise ConversionError("not valid")

    monkeypatch.setattr(sys.modules["pulsegate.stix.blocks"], "check", strict)
    entries = many(5)
    entries.insert(3, make(IndicatorType.MUTEX, "bad-mutex"))
    results = list(blocks(pulse, entries, Profile.FULL))
    assert [result for result in packed(results) if isinstance(result, tuple)] == [("bad-mutex", "not valid")]
    assert sum(len(result.indicators) for result in results if isinstance(result, Block)) == 5


def test_indicator_too_large_for_a_block_is_isolated(pulse, make, many):
    huge = make(IndicatorType.YARA, "abc", content="rule " + "x" * 2_000_000)
    first, second = many(2)
    results = list(blocks(pulse, [first, huge, second], Profile.FULL))
    assert [type(result) for result in results] == [Block, Failure, Block]
    assert results[1].indicator is huge
    assert results[1].reason.startswith("takes 200")
    assert results[1].reason.endswith("bytes as STIX, more than the 1000000 of a block")


def test_indicator_that_is_not_expressible_is_a_failure(pulse, make):
    entries = [make(IndicatorType.IPV4), make(IndicatorType.CIDR), make(IndicatorType.DOMAIN)]
    results = packed(blocks(pulse, entries, Profile.ESA))
    assert results == [
        ("198.51.100.0/24", "the mail gateway matches single addresses, not networks"),
        ["192.0.2.1", "bad.example"],
    ]


def test_huge_description_of_an_indicator_is_cut(pulse, make, read):
    (block,) = blocks(pulse, [make(IndicatorType.IPV4, description="d" * 3_000_000)], Profile.FULL)
    assert len(block.content) < 30_000
    assert max(map(len, read(block.content, "Description"))) == 16_000


@pytest.mark.parametrize("char", ["x", "&", "🦊"])
def test_huge_pulse_fits_in_every_block(pulse, many, read, char):
    huge = with_fields(
        pulse,
        name=char * 100_000,
        description=char * 5_000_000,
        tags=(char * 100,) * 10_000,
        references=tuple(f"https://blog.example/{number}" for number in range(100_000)),
        malware_families=tuple(f"{char}{number}" for number in range(10_000)),
        attack_ids=tuple(f"T{number}" for number in range(10_000)),
    )
    entries = many(900)
    results = list(blocks(huge, entries, Profile.FULL))
    assert all(isinstance(result, Block) and len(result.content) <= 1_000_000 for result in results)
    assert list(itertools.chain.from_iterable(result.indicators for result in results)) == entries
    assert read(results[0].content, "Description")[0].endswith("…")


def test_pulse_that_can_not_be_written_is_an_error(pulse, many):
    with pytest.raises(ConversionError) as error:
        list(blocks(with_fields(pulse, name="a\x00"), many(20), Profile.FULL))
    assert (error.value.resource, error.value.message) == (pulse.id, "the text holds U+0000, which XML can't carry")


def test_blocks_are_made_as_they_are_asked_for(pulse, many):
    taken = []

    def source():
        for entry in many(100):
            taken.append(entry)
            yield entry

    stream = blocks(pulse, source(), Profile.FULL, max_indicators=10)
    next(stream)
    assert len(taken) == 11


@given(st.lists(st.sampled_from(["good", "bad", "large"]), max_size=25), st.integers(1, 10))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_is_lost_and_nothing_is_twice(pulse, make, kinds, bound):
    made = {
        "good": lambda number: make(IndicatorType.DOMAIN, f"host{number}.bad.example"),
        "bad": lambda number: make(IndicatorType.MUTEX, f"{number}\x01"),
        "large": lambda number: make(IndicatorType.YARA, f"{number}", content="x" * 60_000),
    }
    entries = [made[kind](number) for number, kind in enumerate(kinds)]
    results = list(blocks(pulse, entries, Profile.FULL, max_indicators=bound, max_bytes=50_000))
    delivered = [one for result in results if isinstance(result, Block) for one in result.indicators]
    failed = [result.indicator for result in results if isinstance(result, Failure)]
    assert delivered == [entry for entry, kind in zip(entries, kinds, strict=True) if kind == "good"]
    assert failed == [entry for entry, kind in zip(entries, kinds, strict=True) if kind != "good"]
    assert all(len(result.indicators) <= bound for result in results if isinstance(result, Block))

"""Files of the allow list: what is written is read again as the same list, whatever is in it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pulsegate.curation.allow_list import AllowList, entries_of
from pulsegate.errors import ReportError
from pulsegate.model.decisions import Allowed
from pulsegate.publication.allow_file import AllowFormat, Told, as_csv, as_text, read
from pulsegate.values.normalise import strict_readings
from pulsegate.values.text import clean_line

MOMENTS = st.integers(0, 10**16).map(lambda one: datetime(2000, 1, 1, tzinfo=UTC) + timedelta(microseconds=one))
WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40).map(clean_line)
LABEL = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9-]{0,8}[A-Za-z0-9])?", fullmatch=True)
NAMES = st.lists(LABEL, min_size=1, max_size=4).map(lambda labels: ".".join([*labels, "example"]))
HEX = st.sampled_from([32, 40, 64]).flatmap(
    lambda size: st.text("0123456789abcdefABCDEF", min_size=size, max_size=size)
)
NUMBERS = st.lists(st.integers(0, 255), min_size=4, max_size=4).map(lambda four: ".".join(map(str, four)))
SPELLINGS = st.one_of(
    NAMES,
    NAMES.map(lambda name: f"*.{name}"),
    NAMES.map(lambda name: name.replace(".", "[.]")),
    st.tuples(NAMES, st.text("abAB/?=&%20#\"';,.-+", max_size=12)).map(lambda one: f"hxxp://{one[0]}/{one[1]}"),
    st.tuples(st.text("abcAB.+-_", min_size=1, max_size=6), NAMES).map("@".join),
    HEX,
    NUMBERS,
    st.tuples(NUMBERS, st.integers(0, 32)).map(lambda one: f"{one[0]}/{one[1]}"),
    st.ip_addresses(v=6).map(str),
    st.from_regex(r"[A-Z]:\\[A-Za-z0-9 #=+@'-]{1,12}", fullmatch=True),
    st.from_regex(r"CVE-20[0-9]{2}-[0-9]{4,6}", fullmatch=True),
    st.text(max_size=12),
)


@st.composite
def lists(draw: st.DrawFn) -> list[Allowed]:
    """What can be on an allow list that was filled with the commands."""
    found: dict[tuple[str, str], Allowed] = {}
    for spelling in draw(st.lists(SPELLINGS, max_size=6)):
        try:
            entries = entries_of(spelling)
        except ValueError:
            continue
        reason, account, since = draw(WORDS), draw(WORDS), draw(MOMENTS)
        expires = draw(st.none() | MOMENTS)
        for kind, text in entries:
            found[kind.value, text] = Allowed(kind.value, text, reason, account, since, expires)
    return list(found.values())


def again(told: Sequence[Told]) -> list[Allowed]:
    moment = datetime(2000, 1, 1, tzinfo=UTC)
    return [Allowed(one.kind, one.text, one.reason, one.account, one.since or moment, one.expires) for one in told]


@given(lists())
def test_table_is_read_as_it_was_written(entries: list[Allowed]) -> None:
    for form in (AllowFormat.CSV, AllowFormat.AUTO):
        assert again(read(as_csv(entries), form, "x")) == entries


@given(lists())
def test_text_is_read_as_it_was_written_or_not_written(entries: list[Allowed]) -> None:
    try:
        text = as_text(entries)
    except ReportError:
        return
    assert {(one.kind, one.text) for one in read(text, AllowFormat.TEXT, "x")} == {
        (one.kind, one.text) for one in entries
    }


@given(SPELLINGS)
@example("0\n\\")
def test_entry_covers_what_it_was_written_for(spelling: str) -> None:
    """Every type that the spelling may be, but for those that any text may be."""
    try:
        entries = entries_of(spelling)
    except ValueError:
        return
    assert all(entries_of(f".{text}" if kind == "subtree" else text) for kind, text in entries)
    allow = AllowList(Allowed(kind.value, text, "", "", datetime.now(UTC)) for kind, text in entries)
    # What is written for a network means its addresses, not the URL that it might be.
    if entries[0][0] == "exact":
        assert all(allow.covering(*one) for one in strict_readings(spelling.strip()))


@pytest.mark.parametrize("size", [3, 25])
def test_error_tells_the_first_faults_and_how_many_more(size: int) -> None:
    with pytest.raises(ReportError) as caught:
        read("no value\n" * size, AllowFormat.AUTO, "list.txt")
    assert caught.value.message.count("line ") == min(size, 20)
    assert ("; and 5 more" in caught.value.message) == (size > 20)


def test_last_of_two_lines_counts() -> None:
    table = "kind,text,reason\nexact,a.example,one\nexact,a.example,two\n"
    assert read(table, AllowFormat.AUTO, "x") == [Told("exact", "a.example", "two")]


def test_dates_without_a_zone_are_utc() -> None:
    [one] = read("text,expires,since\na.example,2040-01-31,2020-01-31T10:00+02:00\n", AllowFormat.CSV, "x")
    assert one.expires == datetime(2040, 1, 31, tzinfo=UTC)
    assert one.since == datetime(2020, 1, 31, 8, tzinfo=UTC)
    assert one.since.utcoffset() == timedelta()

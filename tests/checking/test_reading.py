"""Answers as they arrive, and what is wrong with them."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import pytest

from packages import TAXII_11, package
from pulsegate.checking import faults, windows
from pulsegate.checking.answer import Answer
from pulsegate.checking.reading import MalformedError, TooMuchError, read
from pulsegate.checking.windows import Window

NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)
DAY = timedelta(days=1)
WINDOW = Window(NOW - DAY, NOW)


def block(name: str, label: datetime) -> str:
    return (
        '<t:Content_Block><t:Content_Binding binding_id="urn:stix.mitre.org:xml:1.2"/><t:Content>'
        f"{package(name).decode()}</t:Content><t:Timestamp_Label>{label.isoformat()}</t:Timestamp_Label></t:Content_Block>"
    )


def answer(inner: str, window: Window = WINDOW) -> Answer:
    end = f"<t:Inclusive_End_Timestamp>{(window.end or NOW).isoformat()}</t:Inclusive_End_Timestamp>"
    return read(io.BytesIO(f'<t:Poll_Response xmlns:t="{TAXII_11}">{end}{inner}</t:Poll_Response>'.encode()), window)


def codes(found: Answer) -> list[str]:
    return [one.code for one in faults.of_poll(found, NOW)]


def test_segments_touch_and_end_now() -> None:
    found = list(windows.segments(NOW, 2.5 * DAY, DAY))
    assert found == [
        Window(NOW - 2.5 * DAY, NOW - 1.5 * DAY), Window(NOW - 1.5 * DAY, NOW - 0.5 * DAY), Window(NOW - 0.5 * DAY, NOW),
    ]  # fmt: skip
    assert len(found) == windows.count(2.5 * DAY, DAY)


def test_borders_of_a_window() -> None:
    """The begin is exclusive, the end inclusive."""
    assert codes(answer(block("a.example.com", NOW))) == []
    assert codes(answer(block("a.example.com", NOW - DAY))) == ["outside"]


@pytest.mark.parametrize(
    "label", ["2026-03-31T12:00:00Z", "2026-03-31T21:00:00.0000000+09:00", " 2026-03-31T12:00:00Z\n"]
)
def test_label_is_an_instant(label: str) -> None:
    found = answer(block("a.example.com", NOW).replace(NOW.isoformat(), label))
    assert codes(found) == []
    assert found.labels.last == NOW


@pytest.mark.parametrize("label", ["2026-03-31T12:00:00", "now", "2026-03-31"])
def test_label_that_is_no_instant(label: str) -> None:
    assert codes(answer(block("a.example.com", NOW).replace(NOW.isoformat(), label))) == ["label-form"]


def test_end_of_a_present_window_may_lie_a_little_before_it() -> None:
    found = answer("")
    found.end = (NOW - timedelta(seconds=20)).isoformat()
    assert codes(found) == []
    assert [one.code for one in faults.of_poll(found, NOW + DAY)] == ["end-not-asked"]


def test_labels_that_two_segments_share() -> None:
    first, second = answer(block("a.example.com", NOW)), answer(block("b.example.com", NOW))
    assert [one.code for one in faults.of_neighbours(set(), first, second)] == ["twice"]
    assert [one.code for one in faults.of_neighbours(second.digests.blocks, None, second)] == ["twice"]
    other = answer(block("b.example.com", NOW + timedelta(hours=1)))
    assert list(faults.of_neighbours(first.digests.blocks, first, other)) == []


def test_window_that_changed_once_differs_from_one_that_is_never_the_same() -> None:
    one, two, three = (answer(block(f"{name}.example.com", NOW)) for name in "abc")
    assert [fault.code for fault in faults.of_repetition(one, two, two)] == ["changed"]
    assert [fault.code for fault in faults.of_repetition(one, two, three)] == ["different"]


def test_history_within_one_segment() -> None:
    labels = [NOW - timedelta(seconds=30 - number) for number in range(25)]
    full = answer("".join(block(f"n{number}.example.com", label) for number, label in enumerate(labels)))
    assert [one.code for one in faults.of_history([answer(""), full])] == ["bunched"]
    assert list(faults.of_history([full])) == []


def test_parts_are_taken_together() -> None:
    first = answer(block("a.example.com", NOW - timedelta(hours=2)))
    first.extend(answer(block("b.example.com", NOW - timedelta(hours=1))))
    assert (first.blocks, first.parts, first.tally.uses, codes(first)) == (2, 2, 2, [])
    first.extend(answer(block("c.example.com", NOW - timedelta(hours=3))))
    assert codes(first) == ["unordered"]


def test_observables_beside_the_indicators_are_ignored() -> None:
    loose = '<o:Observables xmlns:o="http://stix.mitre.org/stix-1"><Observable id="x:1"/></o:Observables>'
    found = answer(block("a.example.com", NOW).replace("</stix:STIX_Package>", f"{loose}</stix:STIX_Package>"))
    assert found.tally.ignored == {"an observable outside of any indicator": (1, "x:1")}
    assert found.tally.uses == 1


class Pieces:
    """A stream without an end."""

    def __init__(self, head: bytes, piece: bytes) -> None:
        self.given = 0
        self._head = head
        self._piece = piece

    def read(self, _size: int) -> bytes:
        head, self._head = self._head, b""
        self.given += len(head or self._piece)
        return head or self._piece


@pytest.mark.parametrize("piece", [b"<a/>" * 1000, b"<a>" * 20 + b"</a>" * 20, b"x" * 5000])
def test_what_never_ends_is_given_up(piece: bytes) -> None:
    stream = Pieces(f'<t:Poll_Response xmlns:t="{TAXII_11}"><t:Content_Block><t:Content>'.encode(), piece)
    with pytest.raises((TooMuchError, MalformedError)):
        read(stream, WINDOW)
    assert stream.given < 20_000_000


def test_entities_are_not_resolved() -> None:
    bomb = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10 if n else "lol"}">' for n in range(10))
    text = f'<!DOCTYPE x [{bomb}]><t:Poll_Response xmlns:t="{TAXII_11}">&e9;</t:Poll_Response>'
    with pytest.raises(MalformedError, match="document type declaration"):
        read(io.BytesIO(text.encode()), WINDOW)


def test_answer_that_is_cut_differs_from_one_that_is_wrong() -> None:
    whole = f'<t:Poll_Response xmlns:t="{TAXII_11}"><t:Message>x</t:Message></t:Poll_Response>'.encode()
    with pytest.raises(MalformedError) as cut:
        read(io.BytesIO(whole[:-20]), WINDOW)
    with pytest.raises(MalformedError) as wrong:
        read(io.BytesIO(whole.replace(b"</t:Message>", b"</t:Other>")), WINDOW)
    with pytest.raises(MalformedError, match="it is empty") as empty:
        read(io.BytesIO(b""), WINDOW)
    assert (cut.value.cut, wrong.value.cut, empty.value.cut) == (True, False, False)

"""What is wrong with answers: with one by itself, and with several beside each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta

from pulsegate.checking.answer import Answer, read_label
from pulsegate.checking.findings import Fault
from pulsegate.checking.usage import Tally

EXACT = timedelta(seconds=1)  # labels that a server keeps to the second are as good
CLOCKS = timedelta(seconds=60)  # by which two clocks may be apart
FEW = 3  # blocks under one label that may be chance
MANY = 20  # blocks that lie close together because they were published so


def of_poll(answer: Answer, now: datetime) -> Iterator[Fault]:
    """What is wrong with a Poll_Response, all parts together. ``now``: this machine's time as it was asked."""
    yield from _of_end(answer, now)
    if answer.record_count is not None and answer.parts == 1 and answer.record_count != answer.blocks:
        yield Fault("record-count", f"Record_Count says {answer.record_count} where {answer.blocks} blocks came")
    yield from _of_blocks(answer, now)


def _of_blocks(answer: Answer, now: datetime) -> Iterator[Fault]:
    if answer.order.count:
        yield Fault("order", f"Elements stand in another order than the schema has: {answer.order.example}")
    labels = answer.labels
    if labels.missing:
        yield Fault("no-label", f"{labels.missing} of {labels.count} blocks have no Timestamp_Label")
    if labels.unreadable.count:
        yield Fault("label-form", f"A label is no time with a zone: {labels.unreadable.example!r}")
    if labels.unordered.count:
        yield Fault("unordered", f"Blocks are not in the order of their labels: {labels.unordered.example}")
    if labels.outside.count:
        yield Fault(
            "outside", f"{labels.outside.count} blocks lie outside of the window, one at {labels.outside.example}"
        )
    if labels.highest is not None and labels.highest > now + CLOCKS:
        yield Fault("future", f"A block is labelled {labels.highest.isoformat()}, and now it is {now.isoformat()}")
    for code, seen in answer.contents.items():
        yield Fault(code, f"{seen.example} ({seen.count} of {labels.count} blocks)")


def _of_end(answer: Answer, now: datetime) -> Iterator[Fault]:
    window = answer.window
    if answer.begin is not None and read_label(answer.begin) is None:
        yield Fault("label-form", f"Exclusive_Begin_Timestamp is no time with a zone: {answer.begin[:60]!r}")
    if answer.end is None:
        asked = "" if window.end else " (none was asked for: the server is to tell how far it has come)"
        yield Fault("no-end", f"The answer has no Inclusive_End_Timestamp{asked}")
        return
    end = answer.answered_end
    if end is None:
        yield Fault("label-form", f"Inclusive_End_Timestamp is no time with a zone: {answer.end[:60]!r}")
    elif end < window.begin:
        yield Fault("end-before-begin", f"The answer ends at {end.isoformat()}, before {window.begin.isoformat()}")
    elif window.end is not None and not _is_asked(end, window.end, now):
        yield Fault("end-not-asked", f"The answer ends at {end.isoformat()}; asked was {window.end.isoformat()}")


def _is_asked(end: datetime, asked: datetime, now: datetime) -> bool:
    """A window that ends now may be answered as far as the server's own clock, or a publication, has come."""
    is_present = asked > now - CLOCKS and asked - CLOCKS <= end <= asked
    return is_present or abs(end - asked) < EXACT


def of_neighbours(known: AbstractSet[int], before: Answer | None, after: Answer) -> Iterator[Fault]:
    """Segments touch: a block is in one of them. ``known``: the digests of the blocks of all that came before."""
    shared = len(known & after.digests.blocks)
    if shared:
        yield Fault("twice", f"{shared} blocks are in two segments")
    elif before is not None and before.labels.last is not None and before.labels.last == after.labels.first:
        yield Fault("twice", f"The label {before.labels.last.isoformat()} is in two segments that touch")


def of_history(answers: Sequence[Answer]) -> Iterator[Fault]:
    """How the blocks lie over all segments."""
    filled = [one for one in answers if one.labels.lowest is not None]
    blocks = sum(one.blocks for one in answers)
    if not filled or blocks < FEW:
        return
    lowest = min(one.labels.lowest for one in filled if one.labels.lowest)
    highest = max(one.labels.highest for one in filled if one.labels.highest)
    if lowest == highest:
        yield Fault("one-label", f"All {blocks} blocks have the label {lowest.isoformat()}")
    elif blocks >= MANY and len(answers) > 1 and max(one.blocks for one in answers) > 0.95 * blocks:
        yield Fault("bunched", f"Of {blocks} blocks nearly all are labelled within one segment")


def of_delta(known: AbstractSet[int], delta: Answer) -> Iterator[Fault]:
    """A poll from the last end on has only what is new."""
    repeated = len(known & delta.digests.blocks)
    if repeated:
        yield Fault("repeats", f"A poll from the last end on gives {repeated} blocks that were polled before")


def is_same(one: Answer, other: Answer) -> bool:
    return one.digests.whole == other.digests.whole and one.blocks == other.blocks


def of_repetition(first: Answer, second: Answer, third: Answer) -> Iterator[Fault]:
    """The same closed window, three times; the first two differ."""
    what = f"The same closed window gives {first.blocks} blocks, then {second.blocks}"
    alike = is_same(second, third)
    yield Fault(
        "changed" if alike else "different", f"{what}, with other content" if alike else f"{what}, {third.blocks}"
    )


def of_binding(asked: str, polled: Answer, answer: Answer) -> Iterator[Fault]:
    """The same window, where only STIX of the version ``asked`` was asked for."""
    others = sorted(answer.versions - {asked})
    if others:
        yield Fault("binding-asked", f"STIX {asked} only was asked for, and STIX {', '.join(others)} came")
    elif polled.blocks and not answer.blocks:
        yield Fault("binding-empty", f"STIX {asked} only was asked for, and nothing came")


def of_use(tally: Tally, blocks: int) -> Iterator[Fault]:
    """What came of the whole feed."""
    if not blocks:
        yield Fault("empty", "No block came: the collection is empty, or all of it is older than the age")
    elif not tally.uses:
        yield Fault("unused", f"{blocks} blocks came, with nothing in them that the appliance uses")
    if tally.doubts:
        told = (f"{count} times {doubt}, as {example}" for doubt, (count, example) in tally.doubts.items())
        yield Fault("doubtful", f"Values in doubt: {'; '.join(told)}")

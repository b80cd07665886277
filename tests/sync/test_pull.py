"""A pull, page by page, and its record; OTX is a fake that fails when it is told to."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta

import pytest

from pulsegate.curation.policy import Policy
from pulsegate.errors import (
    BusyError,
    OTXAnswerError,
    OTXKeyError,
    OTXRateLimitedError,
    OTXUnavailableError,
    PulseFormatError,
    StoreError,
)
from pulsegate.intake import running
from pulsegate.intake.taking import Intake
from pulsegate.otx.failures import OTXMissingError
from pulsegate.otx.parse import Page
from pulsegate.store import collections, locks, runs
from pulsegate.sync.pull import pull_files
from sync.fakes import FakeOTX, Naps, pulse_id, raw, row
from sync.pulls import DAY, HOUR, NOW, last, run, served, source, values, watermark

MODIFIED = datetime(2024, 5, 1, 10, tzinfo=UTC)  # of the pulses of fakes
DOWN = OTXUnavailableError("OTX answered 504")


# --- The walk ------------------------------------------------------------------------------------------------------


def test_pull_walks_every_page_and_publishes(store):
    otx = FakeOTX([[raw(1, "a.example"), raw(2, "b.example")], [raw(3, "c.example")]])
    outcome = run(store, otx, page_size=2)
    assert outcome.intake == Intake(pulses=3, indicators=3, new=3)
    assert [(one.collection, one.added) for one in outcome.publications] == [("subscribed", 3), ("user_someone", 3)]
    assert otx.asked == [("owner",), ("subscribed", 1, 2), ("subscribed", 2, 2)]
    assert served(store) == served(store, "user_someone") == ["a.example", "b.example", "c.example"]
    assert last(store) == ("ok", 3, 3, None)


@pytest.mark.parametrize("limit", [1, 2])
def test_page_that_names_no_next_one_is_not_the_last_while_the_count_says_more(store, limit):
    pages = [Page([raw(number, f"{number}.example")], 3, has_next=False) for number in (3, 2, 1)]
    run(store, FakeOTX(pages), page_size=limit)
    assert sorted(served(store)) == ["1.example", "2.example", "3.example"]


def test_pulse_gets_the_indicators_that_only_the_count_tells_of(store):
    rest = [Page([row(f"{one}.example")], 3, has_next=False) for one in "abc"]
    run(store, FakeOTX([[raw(1, "a.example", more_indicators=True)]], {pulse_id(1): rest}))
    assert values(store, 1) == ["a.example", "b.example", "c.example"]


def test_pull_of_nothing(store):
    outcome = run(store, FakeOTX([[]]))
    assert outcome.intake == Intake()
    assert (last(store), watermark(store)) == (("ok", 0, 0, None), None)


def test_pull_tells_how_it_goes_on(store):
    told = []

    class Told:
        def fetched(self, intake, total):
            told.append((intake.pulses, total))

        def publishing(self, collection):
            told.append(collection)

    pages = [Page([raw(1, "a.example")], 2, has_next=True), Page([raw(2, "b.example")], 2, has_next=False)]
    run(store, FakeOTX(pages), progress=Told())
    assert told == [(1, 2), (2, 2), "subscribed", "user_someone"]


def test_first_pull_reaches_back_by_the_backfill_and_later_ones_by_an_hour(store, clock):
    otx = FakeOTX([[raw(1, "a.example", modified="2024-05-31T08:00:00")]])
    run(store, otx, backfill=30 * DAY)
    clock(NOW + DAY)
    otx.pages = [[raw(1, "a.example", modified="2024-06-02T08:00:00")]]
    run(store, otx, backfill=30 * DAY)
    clock(NOW + 2 * DAY)
    run(store, otx, backfill=30 * DAY)
    run(store, otx, backfill=30 * DAY, full=True)
    eight = NOW - 4 * HOUR
    assert otx.sinces == [NOW - 30 * DAY, eight - DAY - HOUR, eight + DAY - HOUR, NOW + 2 * DAY - 30 * DAY]


@pytest.mark.parametrize(("modified", "mark"), [
    ("2024-06-01T12:30:00", NOW), ("2024-06-05T12:00:00", None), ("no date", None),
])  # fmt: skip
def test_watermark_is_never_later_than_this_hosts_clock_or_moved_by_a_date_that_can_not_be(store, modified, mark):
    run(store, FakeOTX([[raw(1, "a.example", modified=modified)]]))
    assert watermark(store) == mark


def test_watermark_does_not_go_back(store):
    run(store, FakeOTX([[raw(1, "a.example", modified="2024-05-31T08:00:00")]]))
    run(store, FakeOTX([[raw(2, "b.example", modified="2024-05-30T08:00:00")]]))
    run(store, FakeOTX([[]]))
    assert watermark(store) == NOW - DAY - 4 * HOUR


def test_pull_after_a_long_pause_reaches_back_no_further_than_the_backfill(store, clock):
    otx = FakeOTX([[]])
    run(store, otx, backfill=30 * DAY)
    clock(NOW + 100 * DAY)
    run(store, otx, backfill=30 * DAY)
    assert otx.sinces[-1] == NOW + 70 * DAY


def test_backfill_longer_than_the_calendar(store):
    otx = FakeOTX([[]])
    run(store, otx, backfill=timedelta(days=999_999_999))
    assert otx.sinces == [datetime(1970, 1, 1, tzinfo=UTC)]


def test_pulse_with_more_indicators_is_asked_for_all_of_them(store):
    first = pulse_id(1)
    otx = FakeOTX(
        [[raw(1, "a.example", more_indicators=True), raw(2, "b.example")]],
        {first: [[row("a.example"), row("c.example")], [row("d.example", is_active=0), "text"]]},
    )
    outcome = run(store, otx)
    assert otx.asked[2:] == [
        ("indicators", first, 1, 1000, True),
        ("indicators", first, 2, 2, True),
    ]  # that many it gives
    assert outcome.intake == Intake(pulses=2, indicators=4, new=2, rejected=1)
    assert values(store, 1) == ["a.example", "c.example", "d.example"]
    assert sorted(served(store)) == ["a.example", "b.example", "c.example"]


def test_indicators_of_one_pulse_that_are_refused_stop_no_other(store):
    first = pulse_id(1)
    otx = FakeOTX(
        [[raw(1, "a.example", more_indicators=True)], [raw(2, "b.example")]],
        {first: [OTXKeyError("OTX refused the key with 403"), [row("a.example"), row("c.example")]]},
        name="someone",
    )
    run(store, otx)
    assert sorted(served(store)) == ["a.example", "b.example"]
    assert (last(store)[0], watermark(store)) == ("ok", MODIFIED)
    run(store, otx)
    assert sorted(served(store)) == ["a.example", "b.example", "c.example"]


def test_key_that_nobody_has_fails_the_run_there_too(store):
    refused = [OTXKeyError("OTX refused the key with 403")]
    with pytest.raises(OTXKeyError):
        run(store, FakeOTX([[raw(1, "a.example", more_indicators=True)]], {pulse_id(1): refused}))


def test_pulse_that_was_sent_without_indicators_is_asked_for_them(store):
    found = raw(1)
    del found["indicators"]
    run(store, FakeOTX([[found]], {pulse_id(1): [[row("a.example")]]}))
    assert values(store, 1) == ["a.example"]


def test_second_pull_of_the_same_changes_nothing(store):
    otx = FakeOTX([[raw(1, "a.example")]])
    run(store, otx)
    outcome = run(store, otx)
    assert outcome.intake == Intake(pulses=1, indicators=1)
    assert not any(one.changed for one in outcome.publications)


# --- The owner -----------------------------------------------------------------------------------------------------


def test_owner_of_the_key_has_a_collection_even_when_it_is_empty(store):
    run(store, FakeOTX([[raw(1, "a.example")]], name="my self"))
    with store.read() as connection:
        names = [one.collection.name for one in collections.every(connection)]
    assert names == ["subscribed", "user_my+self", "user_someone"]
    assert served(store, "user_my+self") == []


def test_owner_that_otx_does_not_tell(store):
    run(store, FakeOTX([[]]))
    with store.read() as connection:
        assert [one.collection.name for one in collections.every(connection)] == ["subscribed"]


# --- Failures ------------------------------------------------------------------------------------------------------


def test_otx_that_fails_for_a_while_is_asked_again_with_growing_waits(store):
    naps = Naps()
    run(store, FakeOTX([DOWN, DOWN, DOWN, [raw(1, "a.example")]]), naps, backoff=timedelta(milliseconds=100))
    assert naps.taken == [0.1, 0.2, 0.4]
    assert (served(store), last(store)) == (["a.example"], ("ok", 1, 1, None))


def test_waits_begin_anew_with_each_request(store):
    naps = Naps()
    run(store, FakeOTX([DOWN, [raw(1, "a.example")], DOWN, [raw(2, "b.example")]]), naps)
    assert naps.taken == [1.0, 1.0]


@pytest.mark.parametrize("error", [DOWN, OTXAnswerError("HTML"), OTXMissingError("404")])
def test_owner_that_is_not_told_stops_nothing(store, error):
    naps = Naps()
    run(store, FakeOTX([[raw(1, "a.example")]], name=[error]), naps)
    assert (served(store), naps.taken) == (["a.example"], [])


def test_waits_are_no_longer_than_five_minutes(store):
    naps = Naps()
    run(store, FakeOTX([DOWN, DOWN, DOWN, []]), naps, backoff=timedelta(minutes=2))
    assert naps.taken == [120.0, 240.0, 300.0]


@pytest.mark.parametrize(("told", "wait"), [(None, 1.0), (0.5, 1.0), (30.0, 30.0), (86_400.0, 300.0)])
def test_wait_that_otx_asks_for_is_kept(store, told, wait):
    naps = Naps()
    run(store, FakeOTX([OTXRateLimitedError("429", retry_after=told), []]), naps)
    assert naps.taken == [wait]


def test_otx_that_stays_away_fails_the_run(store):
    naps = Naps()
    with pytest.raises(OTXUnavailableError, match="504"):
        run(store, FakeOTX([DOWN] * 5), naps)
    assert naps.taken == [1.0, 2.0, 4.0, 8.0]
    assert (last(store), watermark(store)) == (("failed", 0, 0, "OTX answered 504"), None)
    found = source(store)
    assert (found.failing, found.error, found.completed) == (NOW, "OTX answered 504", None)


@pytest.mark.parametrize("error", [OTXKeyError("refused"), OTXAnswerError("no JSON")])
def test_failure_that_waiting_does_not_mend_is_not_waited_for(store, error):
    naps = Naps()
    with pytest.raises(type(error)):
        run(store, FakeOTX([error]), naps)
    assert naps.taken == []
    assert last(store) == ("failed", 0, 0, str(error))


def test_failure_half_way_publishes_what_came_and_goes_on_there(store, clock):
    otx = FakeOTX([[raw(1, "a.example")], *[DOWN] * 5, [raw(2, "b.example")]])
    with pytest.raises(OTXUnavailableError):
        run(store, otx)
    assert (served(store), watermark(store)) == (["a.example"], None)
    assert last(store) == ("failed", 1, 1, "OTX answered 504")
    clock(NOW + HOUR)
    outcome = run(store, otx)
    assert outcome.intake == Intake(pulses=1, indicators=1, new=1)
    assert (served(store), watermark(store)) == (["a.example", "b.example"], MODIFIED)
    assert set(otx.sinces) == {NOW - 365 * DAY}
    found = source(store)
    assert (found.failing, found.error, found.completed, found.walk) == (None, None, NOW + HOUR, None)


def test_failure_takes_nothing_away(store):
    run(store, FakeOTX([[raw(1, "a.example")]]))
    for error in (OTXKeyError("refused"), OTXAnswerError("HTML")):
        with pytest.raises(type(error)):
            run(store, FakeOTX([error]))
    run(store, FakeOTX([[]]))
    assert served(store) == ["a.example"]
    assert watermark(store) == MODIFIED


def test_failure_that_nobody_foresaw_is_recorded(store):
    with pytest.raises(ZeroDivisionError):
        run(store, FakeOTX([ZeroDivisionError("by zero")]))
    assert last(store) == ("failed", 0, 0, "ZeroDivisionError: by zero")


def test_publication_that_fails_fails_the_run(store, monkeypatch):
    def fail(*_):
        raise StoreError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(running, "publish_all", fail)
        with pytest.raises(StoreError):
            run(store, FakeOTX([[raw(1, "a.example")]]))
    assert last(store) == ("failed", 1, 1, "the disk is full")
    found = source(store)
    assert (found.completed, found.failing, found.error) == (None, NOW, "the disk is full")
    run(store, FakeOTX([[]]))
    assert (served(store), last(store)) == (["a.example"], ("ok", 0, 0, None))
    found = source(store)
    assert (found.completed, found.failing, found.error) == (NOW, None, None)


def test_pull_while_another_one_is_at_work(store):
    otx = FakeOTX([[]])
    with (
        locks.hold(store, locks.pull("otx")),
        pytest.raises(BusyError, match=r"another process is at work on it \(pull\.otx\)"),
    ):
        run(store, otx, wait=0.0)
    assert (otx.asked, runs.last(store)) == ([], None)
    assert (source(store).failing, source(store).error) == (None, None)  # nothing is wrong with the source


def test_empty_page_in_the_middle_is_no_whole_walk(store):
    """Asked again it may be full; in no case is what follows it counted as seen."""
    pages = [
        Page([raw(1, "a.example")], 2, has_next=True),
        Page([], 2, has_next=True),
        Page([raw(2, "b.example")], 2, has_next=False),
    ]
    try:
        run(store, FakeOTX(pages))
    except OTXAnswerError:
        assert watermark(store) is None
    else:
        assert served(store) == ["a.example", "b.example"]


@pytest.mark.parametrize("error", [OTXMissingError("OTX doesn't know it (404)"), OTXAnswerError("HTML")])
def test_pulse_whose_indicators_can_not_be_had_stops_nothing_else(store, error):
    """What is known of it stays."""
    run(store, FakeOTX([[raw(1, "a.example")]]))
    page = [raw(1, "a.example", more_indicators=True, name="New"), raw(2, "b.example")]
    run(store, FakeOTX([page], {pulse_id(1): [error]}))
    assert (values(store, 1), values(store, 2)) == (["a.example"], ["b.example"])
    assert served(store) == ["a.example", "b.example"]


@pytest.mark.parametrize("pages", [
    [Page([], 0, has_next=False)],
    [Page([row("b.example")], 3, has_next=True), Page([], 0, has_next=False)],
])  # fmt: skip
def test_empty_list_of_indicators_takes_none_away(store, pages):
    run(store, FakeOTX([[raw(1, "a.example", "b.example", "c.example")]]))
    run(store, FakeOTX([[raw(1, more_indicators=True, name="New")]], {pulse_id(1): pages}))
    assert sorted(values(store, 1)) == ["a.example", "b.example", "c.example"]
    run(store, FakeOTX([[]], {pulse_id(1): [[row("b.example")]]}))
    assert values(store, 1) == ["b.example"]


def test_pulse_that_never_had_indicators_is_complete(store):
    otx = FakeOTX([[raw(1, indicators=None)]], {pulse_id(1): [[]]})
    run(store, otx)
    run(store, otx)
    assert [one[0] for one in otx.asked].count("indicators") == 1


def test_indicators_are_waited_for_once_in_a_run_however_many_pulses_lack_some(store):
    naps = Naps()
    numbers = range(1, 6)
    otx = FakeOTX(
        [[raw(number, f"{number}.example", more_indicators=True) for number in numbers]],
        {pulse_id(number): [*[DOWN] * 5, [row(f"{number}.new.example")]] for number in numbers},
    )
    run(store, otx, naps)
    assert naps.taken == [1.0, 2.0, 4.0, 8.0]
    sizes = [one[3] for one in otx.asked if one[0] == "indicators"]
    assert sizes == [1000, 500, 250, 125, 62, 31, 15, 7, 3]
    for _ in range(5):
        run(store, otx)
    assert sorted(served(store)) == [f"{number}.new.example" for number in numbers]


def test_page_that_is_too_much_for_otx_is_asked_for_smaller_with_the_next_run_too(store):
    otx = FakeOTX([*[DOWN] * 5, [raw(1, "a.example")]])
    with pytest.raises(OTXUnavailableError):
        run(store, otx, page_size=1000)
    run(store, otx, page_size=1000)
    assert [one[2] for one in otx.asked if one[0] == "subscribed"] == [1000, 500, 250, 125, 62, 31]


def test_run_of_a_process_that_died_is_closed(store):
    with store.write() as connection:
        runs.begin(connection, "otx")
    assert last(store) == ("failed", 0, 0, runs.DIED)
    run(store, FakeOTX([[]]))
    assert last(store) == ("ok", 0, 0, None)


# --- Files ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def write(tmp_path):
    def to_file(name, *found, packed=False):
        text = "\n".join(one if isinstance(one, str) else json.dumps(one) for one in found).encode()
        path = tmp_path / name
        path.write_bytes(gzip.compress(text) if packed else text)
        return path

    return to_file


def test_files_are_taken_whatever_their_age_and_published(store, write):
    old = raw(1, "a.example", modified="2001-01-01T00:00:00", created="2001-01-01T00:00:00")
    page = write("page.json", {"results": [old, raw(2, "b.example")]})
    lines = write("lines.json.gz", raw(3, "c.example"), raw(4, "d.example"), packed=True)
    outcome = pull_files(store, [page, lines], Policy())
    assert outcome.intake == Intake(pulses=4, indicators=4, new=4)
    assert served(store) == ["a.example", "b.example", "c.example", "d.example"]
    assert (last(store), watermark(store)) == (("ok", 4, 4, None), None)


def test_file_with_more_pulses_than_one_transaction_takes(store, write):
    path = write("many.json", [raw(number, f"{number}.example") for number in range(1, 46)])
    told = []

    class Told:
        def fetched(self, intake, total):
            told.append((intake.pulses, total))

        def publishing(self, collection):
            pass

    outcome = pull_files(store, [path], Policy(), progress=Told())
    assert outcome.intake == Intake(pulses=45, indicators=45, new=45)
    assert told == [(20, None), (40, None), (45, None)]


def test_file_that_is_not_there(store, tmp_path, write):
    good = write("good.json", raw(1, "a.example"))
    missing = tmp_path / "missing.json"
    with pytest.raises(PulseFormatError, match="can't be read"):
        pull_files(store, [good, missing], Policy())
    assert served(store) == ["a.example"]
    assert last(store)[:3] == ("failed", 1, 1)


def test_file_that_is_cut_gives_what_is_whole_in_it(store, write):
    path = write("cut.json", raw(1, "a.example"), raw(2, "b.example"), json.dumps(raw(3, "c.example"))[:50])
    with pytest.raises(PulseFormatError):
        pull_files(store, [path], Policy())
    assert served(store) == ["a.example", "b.example"]


@pytest.mark.parametrize("more", [{"indicators": None}, {"indicators": [row("a.example")], "more_indicators": True}])
def test_file_with_a_pulse_without_all_its_indicators_takes_none_away(store, write, more):
    """Results of a search come without them, and long lists are cut."""
    run(store, FakeOTX([[raw(1, "a.example", "b.example")]]))
    pull_files(store, [write("search.json", raw(1, **more))], Policy())
    assert values(store, 1) == ["a.example", "b.example"]

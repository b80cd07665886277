"""What leaves the subscription, what is new in it, and what must not be believed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from pulsegate.errors import OTXAnswerError, OTXKeyError, OTXUnavailableError
from pulsegate.otx.parse import Page
from pulsegate.store import pulses, sources
from pulsegate.store.sources import SUBSCRIPTION
from pulsegate.sync.comparison import Happened, leaving, read_events
from pulsegate.sync.wanted import Wanted
from sync.fakes import FakeOTX, pulse_id, raw
from sync.pulls import HOUR, NOW, last, run, served, source, values

DOWN = OTXUnavailableError("OTX answered 504")


def ids(*numbers):
    return [pulse_id(number) for number in numbers]


def event(action, number, at="2024-06-01T10:00:00", kind="pulse"):
    identity = pulse_id(number) if kind == "pulse" else str(number)
    return {"id": 1, "action": action, "object_type": kind, "object_id": identity, "created": at}


def filled(store, number=5):
    """With pulses that each have a domain of their own."""
    run(store, FakeOTX([[raw(one, f"{one}.example") for one in range(1, number + 1)]]))
    return [f"{one}.example" for one in range(1, number + 1)]


def looked_up(*lists, **more):
    """OTX with nothing new, and these pages of ids."""
    return FakeOTX([[]], ids=list(lists), **more)


def active(store):
    with store.read() as connection:
        return {one.pulse.id for one in pulses.every(connection) if one.active}


# --- Removal ---------------------------------------------------------------------------------------------------------


def test_pulse_that_left_the_subscription_leaves_the_feed(store):
    filled(store)
    outcome = run(store, looked_up(ids(1, 2, 4, 5)))
    assert outcome.intake.removed == 1
    assert served(store) == ["1.example", "2.example", "4.example", "5.example"]
    assert active(store) == {*ids(1, 2, 4, 5)}


def test_pulse_that_comes_back_comes_back(store):
    filled(store)
    run(store, looked_up(ids(1, 2, 4, 5)))
    run(store, FakeOTX([[]], ids=[ids(1, 2, 3, 4, 5)], single={pulse_id(3): raw(3, "3.example")}))
    assert sorted(served(store)) == [f"{number}.example" for number in range(1, 6)]


@pytest.mark.parametrize("answer", [
    [DOWN] * 20, [OTXAnswerError("HTML")], [[]], [Page([], 0, has_next=False)],
    [Page(ids(1, 2), 5, has_next=False)] * 2, [Page(ids(1, 2), None, has_next=True), Page([], None, has_next=True)] * 2,
])  # fmt: skip
def test_error_an_empty_or_a_short_list_takes_nothing_away(store, answer):
    there = filled(store)
    otx = FakeOTX([[]], ids=answer)
    run(store, otx)
    assert ("ids", 1, 500) in otx.asked
    assert served(store) == there
    assert last(store)[0] == "ok"


def test_key_that_is_refused_fails_the_run(store):
    filled(store)
    with pytest.raises(OTXKeyError):
        run(store, looked_up(OTXKeyError("refused")))


def test_many_that_leave_at_once_are_held_until_that_is_confirmed(store):
    there = filled(store)
    run(store, looked_up(ids(1, 2, 3)))
    assert (served(store), source(store).held) == (there, 2)
    run(store, looked_up(ids(1, 2, 3)))
    assert (served(store), source(store).held) == (there, 2)
    outcome = run(store, looked_up(ids(1, 2, 3)), accept=True)
    assert (served(store), source(store).held, outcome.intake.removed) == (there[:3], 0, 2)


def test_share_that_may_leave_unasked_is_a_setting(store):
    filled(store)
    run(store, looked_up(ids(1, 2, 3)), wanted=Wanted(max_removal=0.4))
    assert served(store) == ["1.example", "2.example", "3.example"]


def test_held_removals_are_over_when_the_pulses_are_back(store):
    there = filled(store)
    run(store, looked_up(ids(1, 2, 3)))
    run(store, looked_up(ids(1, 2, 3, 4, 5)))
    assert (served(store), source(store).held) == (there, 0)


def test_subscription_that_is_empty_now_is_believed_when_somebody_says_so(store):
    there = filled(store, 1)
    run(store, looked_up([]))
    assert (served(store), source(store).held) == (there, 1)
    run(store, looked_up([]), accept=True)
    assert served(store) == []


def test_pulse_of_another_source_stays(store):
    there = filled(store)
    with store.write() as connection:
        sources.claim(connection, "other", SUBSCRIPTION, sources.claimed(connection, "otx", SUBSCRIPTION).values())
    outcome = run(store, looked_up(ids(1, 2, 4, 5)))
    assert (served(store), outcome.intake.removed) == (there, 0)


def test_one_pulse_is_no_accident():
    assert not leaving({"a": 1}, ["a"]).needs_confirmation(0.2)
    assert not leaving({"a": 1, "b": 2}, ["x"]).needs_confirmation(0.0)
    assert leaving({"a": 1, "b": 2, "c": 3}, ["a", "b"]).needs_confirmation(0.2)


# --- Events ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ["delete", "unsubscribe"])
def test_event_is_enough_where_the_ids_can_not_be_had(store, action):
    filled(store)
    run(store, FakeOTX([[]], happened=[[event(action, 3)]]))
    assert served(store) == ["1.example", "2.example", "4.example", "5.example"]


def test_last_event_of_a_pulse_counts():
    rows = [
        event("subscribe", 1, "2024-06-01T11:00:00"), event("delete", 1), event("delete", 2),
        event("unsubscribe", 3), event("unsubscribe", 7, kind="user"), "text", {"action": "delete"},
    ]  # fmt: skip
    eleven = datetime(2024, 6, 1, 11, tzinfo=UTC)
    assert read_events(rows) == Happened(frozenset(ids(2, 3)), anything=True, shaken=True, latest=eleven)
    assert read_events(rows, eleven) == Happened()
    assert read_events([event("like", 1)]).anything is False


@pytest.mark.parametrize(("rows", "shaken"), [
    ([event("subscribe", 1)], False), ([event("unsubscribe", 1), event("delete", 2)], False),
    ([event("subscribe", 7, kind="user")], True), ([event("unsubscribe", 7, kind="user")], False),
    ([event("delete", 1), event("subscribe", 2)], True), ([event("like", 1), event("subscribe", 2)], False),
])  # fmt: skip
def test_events_after_which_a_walk_may_have_missed_something(rows, shaken):
    assert read_events(rows).shaken is shaken


def test_author_that_is_subscribed_to_again_takes_no_earlier_event_at_its_word():
    rows = [
        event("unsubscribe", 3),
        event("subscribe", 7, "2024-06-01T11:00:00", kind="user"),
        event("delete", 4, "2024-06-01T11:30:00"),
    ]
    assert read_events(rows).gone == {*ids(4)}


def test_author_that_is_subscribed_to_calls_for_a_whole_walk(store):
    filled(store)
    otx = FakeOTX([[raw(1, "new.example")]], happened=[[event("subscribe", 7, kind="user")]])
    run(store, otx, compare=False)
    run(store, otx, compare=False)
    assert [NOW - since > timedelta(days=300) for since in otx.sinces] == [True, False]
    assert "new.example" in served(store)


def test_walk_that_was_broken_off_is_done_again_where_it_may_have_missed_something(store):
    pages = [[raw(1, "1.example")], *[DOWN] * 5, [raw(2, "2.example")]]
    otx = FakeOTX(pages, happened=[[]])
    with pytest.raises(OTXUnavailableError):
        run(store, otx, page_size=1)
    otx.asked.clear()
    otx.happened = [[event("subscribe", 7, kind="user")]]
    run(store, otx, page_size=1)
    assert [one[1] for one in otx.asked if one[0] == "subscribed"] == [2, 1, 2]


def test_events_that_can_not_be_read_to_their_end_call_for_a_look(store):
    filled(store)
    there = Page([event("like", 1)], 3, has_next=True)
    otx = FakeOTX([[]], ids=[ids(1, 2, 3, 4, 5)], happened=[there, Page([], 3, has_next=True)])
    run(store, otx, compare=False)
    assert NOW - otx.sinces[-1] > timedelta(days=300)
    otx.happened = [Page([], 0, has_next=True)]
    run(store, otx, compare=False)
    assert NOW - otx.sinces[-1] < timedelta(days=300)


def test_event_calls_for_a_comparison_before_its_time(store, clock):
    filled(store)
    run(store, looked_up(ids(1, 2, 3, 4, 5)), compare=False)
    quiet = looked_up(ids(1, 2, 4, 5), happened=[[]])
    run(store, quiet, compare=False)
    assert ("ids", 1, 500) not in quiet.asked
    run(store, looked_up(ids(1, 2, 4, 5), happened=[[event("unsubscribe", 9, kind="user")]]), compare=False)
    assert "3.example" not in served(store)


def test_comparison_comes_when_it_is_time(store, clock):
    filled(store)
    run(store, looked_up(ids(1, 2, 3, 4, 5)), compare=False)
    clock(NOW + HOUR)
    run(store, looked_up(ids(1, 2, 4, 5)), compare=False)
    assert "3.example" not in served(store)


def test_events_are_asked_for_from_the_last_one_on(store):
    otx = FakeOTX([[]], happened=[[event("like", 1)]])
    run(store, otx)
    run(store, otx)
    assert [one[1] for one in otx.asked if one[0] == "events"] == [None, datetime(2024, 6, 1, 10, tzinfo=UTC)]


# --- What is new -----------------------------------------------------------------------------------------------------


def test_pulse_that_is_newly_subscribed_to_is_fetched_however_long_it_was_not_modified(store):
    filled(store, 1)
    otx = FakeOTX([[]], ids=[ids(1, 2)], single={pulse_id(2): raw(2, "2.example")})
    run(store, otx)
    run(store, otx)
    assert served(store) == ["1.example", "2.example"]
    assert [one for one in otx.asked if one[0] == "pulse"] == [("pulse", pulse_id(2))]


def test_pulse_that_is_older_than_the_backfill_is_fetched_once_and_left_aside(store):
    filled(store, 1)
    old = raw(2, "2.example", created="2020-01-01T00:00:00", modified="2020-01-01T00:00:00")
    otx = FakeOTX([[]], ids=[ids(1, 2)], single={pulse_id(2): old})
    run(store, otx)
    run(store, otx)
    assert served(store) == ["1.example"]
    assert [one for one in otx.asked if one[0] == "pulse"] == [("pulse", pulse_id(2))]


def test_what_a_whole_walk_did_not_bring_is_older_than_the_backfill(store):
    otx = FakeOTX([[raw(1, "1.example")]], ids=[ids(1, 2, 3)])
    run(store, otx)
    run(store, otx)
    assert served(store) == ["1.example"]
    assert [one for one in otx.asked if one[0] == "pulse"] == []


def test_many_that_are_new_are_found_by_a_whole_walk(store):
    filled(store, 1)
    many = range(1, 100)
    otx = FakeOTX([[raw(one, f"{one}.example") for one in many]], ids=[ids(*many)])
    run(store, otx)
    assert len(served(store)) == 99
    assert otx.sinces == [NOW - timedelta(days=365)]
    assert [one for one in otx.asked if one[0] == "pulse"] == []


def test_pulse_that_could_not_be_read_is_tried_again(store):
    filled(store, 1)
    otx = FakeOTX([[{"id": pulse_id(2)}]], ids=[ids(1, 2)], single={pulse_id(2): {"id": pulse_id(2)}})
    run(store, otx)
    assert served(store) == ["1.example"]
    otx.single[pulse_id(2)] = raw(2, "2.example")
    otx.pages = [[]]
    run(store, otx)
    assert served(store) == ["1.example", "2.example"]


def test_pulse_that_comes_into_the_subscription_while_a_whole_walk_is_broken_off_is_not_passed_over(store):
    first, second = Page([raw(1, "1.example")], 2, has_next=True), Page([raw(3, "3.example")], 2, has_next=False)
    otx = FakeOTX([first, *[DOWN] * 5, second], ids=[ids(1, 3, 9)])
    with pytest.raises(OTXUnavailableError):
        run(store, otx, page_size=1)
    otx.ids = [ids(1, 2, 3, 9)]
    otx.single[pulse_id(2)] = raw(2, "2.example")
    run(store, otx, page_size=1)
    assert sorted(served(store)) == ["1.example", "2.example", "3.example"]
    assert [one[1] for one in otx.asked if one[0] == "pulse"] == ids(2)


@pytest.mark.parametrize(("count", "asked"), [(2, []), (None, ids(9))])
def test_walk_that_could_not_tell_whether_rows_moved_passes_nothing_over(store, count, asked):
    pages = [Page([raw(one, f"{one}.example")], count, has_next=one == 1) for one in (1, 2)]
    otx = FakeOTX(pages, ids=[ids(1, 2, 9)])
    run(store, otx, page_size=1)
    assert [one[1] for one in otx.asked if one[0] == "pulse"] == asked


def test_new_pulse_that_can_not_be_read_stops_nothing_else(store):
    filled(store, 1)
    single = {pulse_id(2): OTXAnswerError("HTML"), pulse_id(3): {"id": pulse_id(3)}, pulse_id(4): raw(4, "4.example")}
    otx = FakeOTX(
        [[]], ids=[ids(1, 2, 3, 4)], single={key: [one] if key == pulse_id(2) else one for key, one in single.items()}
    )
    run(store, otx)
    assert served(store) == ["1.example", "4.example"]


# --- Authors, ids, searches ------------------------------------------------------------------------------------------


def test_only_the_authors_that_are_wanted(store):
    pages = [[raw(1, "1.example"), raw(2, "2.example", author_name="Other"), raw(3, "3.example", author_name="OTHER")]]
    wanted = Wanted(authors=frozenset({"other"}))
    run(store, FakeOTX(pages, ids=[ids(1, 2, 3)]), wanted=wanted)
    run(store, FakeOTX([[]], ids=[ids(1, 2, 3)]), wanted=wanted)
    assert served(store) == ["2.example", "3.example"]


def test_other_authors_are_walked_for_and_the_former_ones_leave(store):
    pages = [[raw(1, "1.example"), raw(2, "2.example", author_name="Other")]]
    run(store, FakeOTX(pages), wanted=Wanted(authors=frozenset({"Other"})))
    otx = FakeOTX(pages)
    run(store, otx, wanted=Wanted(authors=frozenset({"someone"})))
    assert (served(store), otx.sinces) == (["1.example"], [NOW - timedelta(days=365)])


def test_pulses_are_followed_by_their_ids_without_a_subscription(store):
    wanted = Wanted(subscription=False, pulses=tuple(ids(1, 2)))
    otx = FakeOTX([[]], single={pulse_id(1): raw(1, "1.example"), pulse_id(2): raw(2, "2.example")})
    run(store, otx, wanted=wanted)
    assert (served(store), otx.sinces) == (["1.example", "2.example"], [])
    run(store, FakeOTX([[]], single={pulse_id(1): raw(1, "new.example")}), wanted=wanted)
    assert served(store) == ["new.example"]  # the other one is no more
    run(store, FakeOTX([[]], found={"x": [[]]}), wanted=Wanted(subscription=False, searches=("x",)))
    assert served(store) == []


def test_search_is_followed(store):
    wanted = Wanted(subscription=False, searches=("emotet",))
    hit = {key: value for key, value in raw(1).items() if key != "indicators"}
    otx = FakeOTX([[]], found={"emotet": [[hit, "text"]]}, single={pulse_id(1): raw(1, "1.example")})
    run(store, otx, wanted=wanted)
    run(store, otx, wanted=wanted)
    assert served(store) == ["1.example"]
    assert [one for one in otx.asked if one[0] == "pulse"] == [("pulse", pulse_id(1))]
    otx.found["emotet"] = [[hit | {"modified": "2024-05-20T00:00:00"}]]
    otx.single[pulse_id(1)] = raw(1, "new.example", modified="2024-05-20T00:00:00")
    run(store, otx, wanted=wanted)
    assert (served(store), values(store, 1)) == (["new.example"], ["new.example"])
    run(store, FakeOTX([[]], found={"other": [[]]}), wanted=Wanted(subscription=False, searches=("other",)))
    assert served(store) == []


# --- Removals that somebody has looked at ----------------------------------------------------------------------------


def held(store):
    with store.read() as connection:
        return sources.held(connection, "otx")


def test_held_removals_are_known_until_they_are_accepted_or_come_back(store):
    there = filled(store, 10)
    run(store, looked_up(ids(*range(1, 7))))
    assert (len(held(store)), source(store).held) == (4, 4)
    run(store, looked_up(ids(*range(1, 8))))
    assert (len(held(store)), source(store).held) == (3, 3)
    assert served(store) == there
    outcome = run(store, looked_up(ids(*range(1, 8))), shown=held(store))
    assert outcome.intake.removed == 3
    assert sorted(served(store)) == sorted(there[:7])
    assert (held(store), source(store).held) == (set(), 0)


def test_acceptance_takes_away_what_was_shown_and_nothing_else_at_once(store):
    there = filled(store, 10)
    run(store, looked_up(ids(*range(1, 7))))
    shown = held(store)
    run(store, looked_up([]), shown=shown)  # OTX has lost all meanwhile: nobody has looked at that
    assert served(store) == there
    assert len(held(store)) == 10
    run(store, looked_up(ids(1, 2, 3)), shown=shown)
    assert served(store) == there
    run(store, looked_up(ids(*range(1, 6))), shown=shown)  # one more is what any pull takes away
    assert sorted(served(store)) == sorted(there[:5])


def test_forgotten_source_holds_nothing_back(store):
    filled(store, 10)
    run(store, looked_up(ids(1)))
    with store.write() as connection:
        sources.set_owner(connection, "otx", "somebody")
        sources.forget(connection, "otx")
        assert (sources.held(connection, "otx"), sources.owner(connection, "otx")) == (set(), None)

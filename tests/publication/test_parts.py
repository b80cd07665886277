"""Networks that are written address by address, and addresses of them that are out by themselves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from publication.feeds import DAY, MAIL, NOW, Clock, Feed, a_pulse
from pulsegate.curation.list_choice import ListChoice
from pulsegate.curation.own import Own
from pulsegate.curation.policy import Policy
from pulsegate.curation.protections import _RESERVED
from pulsegate.curation.warning_lists import ListFile
from pulsegate.model.collection import Collection, Profile
from pulsegate.model.decisions import Allowed, Override
from pulsegate.model.indicator import Indicator, IndicatorType, RawIndicator
from pulsegate.model.mode import Mode
from pulsegate.publication.change import Change
from pulsegate.publication.effect import effects
from pulsegate.publication.explain import explain
from pulsegate.publication.explanation import Opinion, Standing, Stay
from pulsegate.publication.marking import Marker
from pulsegate.publication.publish import Publication
from pulsegate.store import collections, decisions, omissions, taken
from pulsegate.store.digests import value_key
from support import read_values

T = IndicatorType
NET = "93.184.216.0/29"
ADDRESSES = [f"93.184.216.{number}" for number in range(8)]
ONE = ADDRESSES[3]
REST = [one for one in ADDRESSES if one != ONE]
ESA = replace(MAIL, profile=Profile.ESA)
HOUR = DAY / 24


def an(kind: T, value: str) -> Indicator:
    return Indicator(kind, value, RawIndicator(kind.value, value))


def put(feed: Feed, number: int, values: Iterable[tuple[T, str]], days: int = 2) -> None:
    """As a pull does, with the marks that the values have."""
    marker = Marker(feed.database, feed.policy)
    with feed.database.write() as connection:
        taken.put(connection, a_pulse(number, NOW - days * DAY), [an(*one) for one in values], marker)


def override(value: str = ONE, *, inside: bool = False, collection: str = "", hard: bool = False) -> Override:
    kind = T.CIDR if "/" in value else T.IPV4
    return Override(collection, value_key(kind, value), kind.value, value, inside, hard, "why", "ann", NOW)


def entry(text: str = f"{ONE}/32") -> Allowed:
    return Allowed("network", text, "ours", "ann", NOW)


def tell(feed: Feed, *made: Allowed | Override) -> None:
    with feed.database.write() as connection:
        for one in made:
            if isinstance(one, Allowed):
                decisions.allow(connection, [one])
            else:
                decisions.force(connection, one)


def take_back(feed: Feed, made: Allowed | Override) -> None:
    with feed.database.write() as connection:
        if isinstance(made, Allowed):
            assert decisions.disallow(connection, made.kind, made.text, "ann")
        else:
            assert decisions.unforce(connection, made.collection, made.identity, "ann")


def served(feed: Feed, name: str = "mail") -> list[str]:
    return sorted(value for block in feed.served(name) for _, value in read_values(block.content))


def standing(feed: Feed, value: str, name: str = "mail") -> Standing:
    found = explain(feed.database, feed.policy, value)
    assert found is not None
    return next(one for one in found.standings if one.collection == name)


@pytest.fixture
def filled(feed: Feed) -> Feed:
    feed.collection(ESA)
    put(feed, 1, [(T.CIDR, NET), (T.DOMAIN, "a.example")])
    feed.publish()
    return feed


# --- One address goes, and comes back ---------------------------------------------------------------------------------


@pytest.mark.parametrize("deduplicate", [True, False])
@pytest.mark.parametrize("made", [override(), override(collection="mail"), entry()], ids=["out", "out here", "allow"])
def test_one_address_leaves_and_comes_back(feed, clock, made, deduplicate):
    feed.collection(ESA, deduplicate=deduplicate)
    put(feed, 1, [(T.CIDR, NET), (T.DOMAIN, "a.example")])
    feed.publish()
    (before,) = feed.served()
    tell(feed, made)
    assert feed.publish()["mail"] == Publication("mail", rewritten_blocks=1)
    (after,) = feed.served()
    assert (after.label, after.values) == (before.label, [*REST, "a.example"])
    assert feed.placed() == 2
    assert feed.publish()["mail"] == Publication("mail")
    clock.moment += HOUR
    take_back(feed, made)
    assert feed.publish()["mail"] == Publication("mail", added=1, removed=1, new_blocks=1, rewritten_blocks=1)
    assert feed.values() == [["a.example"], ADDRESSES]
    assert feed.served()[1].label == clock.moment  # so everybody gets it who polls from then on
    assert feed.publish()["mail"] == Publication("mail")
    feed.check()


def test_decision_for_another_collection_concerns_that_one_only(filled):
    filled.collection(replace(ESA, name="other"))
    tell(filled, override(collection="other"))
    filled.publish()
    assert served(filled) == [*ADDRESSES, "a.example"]
    assert served(filled, "other") == [*REST, "a.example"]


def test_network_is_written_whole_where_it_is_written_as_one(filled):
    filled.collection(Collection("full"))
    tell(filled, override())
    filled.publish()
    assert NET in served(filled, "full")


def test_what_was_decided_before_counts_for_a_network_that_comes(feed):
    feed.collection(ESA)
    tell(feed, override(), entry(f"{ADDRESSES[0]}/32"))
    put(feed, 1, [(T.CIDR, NET)])
    feed.publish()
    assert served(feed) == [one for one in REST if one != ADDRESSES[0]]


def test_decision_that_ends_lets_the_address_in_again(filled, clock):
    tell(filled, replace(override(), expires=NOW + HOUR), replace(entry(f"{ADDRESSES[0]}/32"), expires=NOW + HOUR))
    filled.publish()
    assert served(filled) == [one for one in [*REST, "a.example"] if one != ADDRESSES[0]]
    clock.moment += 2 * HOUR
    filled.publish()
    assert served(filled) == [*ADDRESSES, "a.example"]


def test_address_that_is_listed_by_itself_leaves_both(filled):
    put(filled, 2, [(T.IPV4, ONE)])
    filled.publish()
    assert served(filled).count(ONE) == 2
    tell(filled, override())
    filled.publish()
    assert ONE not in served(filled)


def test_networks_in_each_other(feed):
    feed.collection(ESA)
    put(feed, 1, [(T.CIDR, NET), (T.CIDR, "93.184.216.2/31")])
    feed.publish()
    tell(feed, override())
    feed.publish()
    assert served(feed) == sorted([*REST, ADDRESSES[2]])
    tell(feed, override(ADDRESSES[2]))
    feed.publish()
    assert feed.placed() == 1  # none is left of the smaller one
    assert served(feed) == [one for one in REST if one != ADDRESSES[2]]


def test_block_that_is_written_anew_for_another_reason_stays_without_the_address(filled):
    tell(filled, override())
    filled.publish()
    put(filled, 1, [(T.CIDR, NET)])
    assert filled.publish()["mail"] == Publication("mail", removed=1, rewritten_blocks=1)
    assert filled.values() == [REST]
    assert filled.publish()["mail"] == Publication("mail")


def test_some_come_back_while_others_leave(filled, clock):
    tell(filled, override())
    filled.publish()
    take_back(filled, override())
    tell(filled, override(ADDRESSES[0]))
    clock.moment += HOUR
    filled.publish()
    assert filled.values() == [["a.example"], ADDRESSES[1:]]
    assert standing(filled, ADDRESSES[0]).left == [Stay(NOW - 2 * DAY, NOW + HOUR, NET, ())]


def test_switch_of_deduplication_keeps_what_is_left_out(filled):
    tell(filled, override())
    filled.publish()
    for deduplicate in (False, True):
        filled.collection(ESA, deduplicate=deduplicate)
        filled.publish()
        assert filled.values() == [[*REST, "a.example"]]


def test_switch_of_the_profile(filled):
    tell(filled, override())
    filled.publish()
    filled.collection(replace(ESA, profile=Profile.FULL))
    filled.publish()
    assert served(filled) == [NET, "a.example"]
    filled.collection(ESA)
    filled.publish()
    assert served(filled) == [*REST, "a.example"]


def test_nothing_is_remembered_of_blocks_that_are_gone(filled):
    tell(filled, override())
    filled.publish()
    with filled.database.write() as connection:
        assert len(omissions.read(connection)) == 1
        stored = collections.get(connection, "mail")
        collections.remove(connection, stored.id)
        assert omissions.read(connection) == {}


# --- Lists, own networks, protections ---------------------------------------------------------------------------------


def a_policy(tmp_path: Path, *texts: str, own: tuple[str, ...] = (), mode: Mode = Mode.BLOCK) -> Policy:
    file = tmp_path / "list.txt"
    file.write_text("".join(f"{text}\n" for text in texts))
    return Policy(own=Own(own), lists=ListChoice(files=(ListFile("mine", file, mode),)))


@pytest.mark.parametrize(
    ("texts", "own", "mode", "left"),
    [
        ((ONE,), (), Mode.BLOCK, REST),
        ((ONE,), (), Mode.INFORM, ADDRESSES),
        ((), (ONE,), Mode.BLOCK, REST),
        ((ONE,), (ADDRESSES[0],), Mode.BLOCK, [one for one in REST if one != ADDRESSES[0]]),
        (("93.184.216.0/30",), ("93.184.216.4/31",), Mode.BLOCK, ADDRESSES[6:]),
        (("93.184.0.0/16",), (), Mode.BLOCK, []),
        (("93.184.216.0/30", "93.184.216.4/30"), (), Mode.BLOCK, []),
    ],
)
def test_addresses_that_are_out_by_lists_and_own_networks(feed, tmp_path, texts, own, mode, left):
    feed.policy = a_policy(tmp_path, *texts, own=own, mode=mode)
    feed.collection(ESA)
    put(feed, 1, [(T.CIDR, NET)])
    feed.publish()
    assert served(feed) == left
    assert standing(feed, NET).included is bool(left)
    for address in ADDRESSES:
        assert standing(feed, address).included is (address in left)


def test_list_that_can_not_be_read_keeps_out_all_that_it_may_cover(feed, tmp_path):
    feed.policy = a_policy(tmp_path, ONE)
    feed.collection(ESA)
    put(feed, 1, [(T.CIDR, NET)])
    feed.publish()
    (tmp_path / "list.txt").unlink()
    feed.collection(replace(ESA, blocks_per_part=7))  # so that everything is looked at
    feed.publish()
    assert served(feed) == []


def test_no_protection_holds_for_a_part_of_a_small_network():
    """Else ``Parts`` had to be tried with one."""
    small = [one for one, _ in _RESERVED if one.num_addresses < 256]
    wide = [one for one, _ in _RESERVED if one.num_addresses >= 256]
    assert all(any(one.version == other.version and one.subnet_of(other) for other in wide) for one in small)


# --- Precedence -------------------------------------------------------------------------------------------------------

SPEAKERS = {
    "network forced out": ((override(NET, collection="mail"),), None),
    "forced out": ((override(collection="mail"),), False),
    "forced in hard": ((override(inside=True, hard=True),), True),
    "network forced in hard": ((override(NET, inside=True, hard=True),), True),
    "own": ("own", False),
    "forced in": ((override(inside=True),), True),
    "network forced in": ((override(NET, inside=True),), True),
    "allow list": ((entry(),), False),
    "warning list": ("list", False),
}
"""What each says of the address (None: of the whole network), the weightiest first.

What is forced in without force is weighed against own networks by itself: those come before it.
"""


@pytest.mark.parametrize(("first", "second"), [*combinations(SPEAKERS, 2), *((one, one) for one in SPEAKERS)])
def test_weightier_of_two_decides_on_the_address(feed, tmp_path, first, second):
    said = [SPEAKERS[first][0], SPEAKERS[second][0]]
    feed.policy = a_policy(tmp_path, *[ONE] * ("list" in said), own=(ONE,) if "own" in said else ())
    feed.collection(ESA)
    put(feed, 1, [(T.CIDR, NET)])
    feed.publish()
    tell(feed, *(one for made in said if isinstance(made, tuple) for one in made))
    feed.publish()
    verdict = SPEAKERS[first][1]
    assert served(feed) == ([] if verdict is None else ADDRESSES if verdict else REST)
    assert standing(feed, ONE).included is bool(verdict)
    assert standing(feed, NET).included is (verdict is not None)


def test_entry_that_covers_the_network_takes_it_out_with_its_reason(filled):
    tell(filled, entry("93.184.0.0/16"))
    filled.publish()
    found = standing(filled, NET)
    reason = "93.184.0.0/16 (network) is on the allow list, by ann: ours"
    assert (found.included, found.rule, found.reason) == (False, "allow-list", reason)


def test_forced_in_address_stays_where_its_network_is_allowed(filled):
    tell(filled, entry(NET), override(inside=True))
    filled.publish()
    assert served(filled) == [ONE, "a.example"]


def test_network_of_which_every_address_is_forced_out_is_out(filled):
    tell(filled, override(NET, inside=True), *(override(one) for one in ADDRESSES))
    filled.publish()
    found = standing(filled, NET)
    reason = "all of its addresses are out; of the first: ann forced it out of every collection: why"
    assert (found.included, found.rule, found.reason) == (False, "forced-out", reason)
    assert served(filled) == ["a.example"]


# --- What is told -----------------------------------------------------------------------------------------------------


def test_explained_before_and_after_the_publication(filled, clock):
    clock.moment += HOUR
    tell(filled, override())
    reason = "ann forced it out of every collection: why"
    undo = [f"pulsegate indicator unforce {ONE}"]
    found = standing(filled, ONE)
    assert (found.included, found.rule) == (True, "pending")
    assert (found.reason, found.changes) == (f"it leaves {NET} with the next publication: {reason}", undo)
    filled.publish()
    found = standing(filled, ONE)
    said = f"{reason}; {NET}, which the collection holds, is written without it"
    assert (found.included, found.rule, found.reason, found.changes) == (False, "forced-out", said, undo)
    assert found.left == [Stay(NOW - 2 * DAY, NOW + HOUR, NET, ())]
    network = standing(filled, NET)
    assert (network.included, network.rule, network.others) == (
        True, "in", [Opinion("left-out", f"{ONE}: {reason}")]
    )  # fmt: skip
    take_back(filled, override())
    found = standing(filled, ONE)
    assert (found.included, found.rule) == (False, "pending")
    assert found.reason == f"it will be in {NET} after the next publication"
    filled.publish()
    assert (standing(filled, ONE).included, standing(filled, ONE).rule) == (True, "network")


def test_network_that_left_is_no_stay_of_an_address_that_it_was_written_without(feed, clock):
    feed.collection(ESA)
    tell(feed, override())
    put(feed, 1, [(T.CIDR, NET)])
    feed.publish()
    tell(feed, override(ADDRESSES[0]))
    clock.moment += HOUR
    feed.publish()
    clock.moment += HOUR
    put(feed, 1, [])
    feed.publish()
    start = NOW - 2 * DAY
    assert standing(feed, ONE).left == ()
    assert standing(feed, ADDRESSES[0]).left == [Stay(start, NOW + HOUR, NET, ())]
    assert standing(feed, ADDRESSES[1]).left == [Stay(start, NOW + 2 * HOUR, NET, ())]


def test_effect_tells_the_address(filled):
    (found,) = effects(filled.database, filled.policy, Change(force=[override()]))
    assert (found.collection, found.going, found.coming) == ("mail", 1, 0)
    assert [(one.type, one.value, one.rule) for one in found.examples] == [("IPv4", ONE, "forced-out")]
    tell(filled, override())
    assert effects(filled.database, filled.policy, Change(force=[override()])) == []
    (found,) = effects(filled.database, filled.policy, Change(unforce=[override()]))
    assert (found.going, found.kept) == (0, 1)
    filled.publish()
    (found,) = effects(filled.database, filled.policy, Change(unforce=[override()]))
    assert (found.going, found.coming, [one.value for one in found.arrivals]) == (0, 1, [ONE])


# --- Whatever is decided in whatever order ----------------------------------------------------------------------------

NETS = ("93.184.216.0/29", "93.184.216.4/30", "93.184.216.2/31")
texts = st.sampled_from([*ADDRESSES[2:6], *NETS])
overrides = st.builds(
    lambda text, inside, name, hard: override(text, inside=inside, collection=name, hard=hard),
    texts, st.booleans(), st.sampled_from(["", "mail", "other"]), st.booleans(),
)  # fmt: skip
entries = texts.map(lambda text: entry(text if "/" in text else f"{text}/32"))
acts = st.lists(st.tuples(st.sampled_from(["tell", "tell", "back", "publish"]), overrides | entries), max_size=8)
members = st.lists(st.sampled_from([*NETS, ADDRESSES[3], ADDRESSES[5]]), min_size=1, max_size=4, unique=True)


def expected(found: Iterable[str], said: Iterable[Allowed | Override], own: Own) -> list[str]:
    """What the appliance gets: told by hand, an address at a time."""
    said = list(said)
    result = []
    for value in found:
        for address in [one for one in ADDRESSES if Own([value]).covering(T.IPV4, one)]:
            about = [one for one in said if isinstance(one, Override) and one.collection in ("", "mail")]
            mine = [one for one in about if one.value in (address, value)]
            allowed = any(isinstance(one, Allowed) and Own([one.text]).covering(T.IPV4, address) for one in said)
            inside = [one for one in mine if one.inside]
            is_own = own.covering(T.IPV4, address) is not None
            if any(not one.inside for one in mine):
                continue
            if any(one.against_own for one in inside) or not (is_own or (allowed and not inside)):
                result.append(address)
    return sorted(result)


@given(acts, st.lists(members, min_size=1, max_size=2), st.booleans(), st.sampled_from([(), (ADDRESSES[2],)]))
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_address_is_served_where_nothing_speaks_against_it(feed: Feed, clock: Clock, acts, found, deduplicate, own):
    clock.moment = NOW
    feed.policy = Policy(own=Own(own))
    feed.wipe()
    feed.collection(ESA, deduplicate=deduplicate)
    for number, values in enumerate(found):
        put(feed, number, [(T.CIDR if "/" in one else T.IPV4, one) for one in values])
    feed.publish()
    said: dict[tuple[str, ...], Allowed | Override] = {}
    for act, one in acts:
        key = (one.kind, one.text) if isinstance(one, Allowed) else (one.collection, one.value)
        clock.moment += HOUR
        if act == "publish":
            feed.publish()
        elif act == "tell":
            tell(feed, one)
            said[key] = one
        elif said:
            take_back(feed, said.pop(next(iter(said))))
    feed.publish()
    every = [value for values in found for value in values]
    wanted = dict.fromkeys(every) if deduplicate else every
    assert served(feed) == expected(wanted, said.values(), Own(own))
    for address in ADDRESSES:
        explained = explain(feed.database, feed.policy, address)
        if explained is not None:
            mail = next(one for one in explained.standings if one.collection == "mail")
            assert (mail.included, mail.rule == "pending") == (address in served(feed), False), mail
    feed.check()
    with feed.database.write() as connection:  # everything is looked at, and found to be as it should
        collections.put(connection, replace(ESA, deduplicate=deduplicate, blocks_per_part=1))
    assert not feed.publish()["mail"].changed

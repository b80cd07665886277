"""Of two that speak, the weightier one decides: every pair of the precedence."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import combinations
from typing import Any

import pytest

from pulsegate.curation.decide import UNKNOWN, Facts, OfPulse, decide, decide_pulse, decide_review, out
from pulsegate.model.collection import Collection, ReviewMode, Rule
from pulsegate.model.decisions import Allowed, Override, Review, ReviewStatus, Trusted
from pulsegate.model.indicator import IndicatorType
from pulsegate.model.pulse import Pulse

NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
PULSE = Pulse(id="1" * 24, name="P", author="a", created=NOW - DAY, modified=NOW - DAY, tags=("bad",))
ALLOWED = Allowed("subtree", "example", "ours", "ann", NOW)
MAIL = Collection("mail", review=ReviewMode.CHANGES)


def override(*, inside: bool, collection: str = "", against_own: bool = False) -> Override:
    return Override(collection, b"key", "domain", "x.example", inside, against_own, "because", "ann", NOW)


# What each does to facts, collection and review so that it speaks; the weightiest first.
SPEAKERS: dict[str, dict[str, Any]] = {
    "forced-out": {"facts": {"overrides": (override(inside=False),)}},
    "forced-in": {"facts": {"overrides": (override(inside=True, against_own=True),)}},
    "allow-list": {"facts": {"allowed": ALLOWED}},
    "own": {"facts": {"own": "example"}},
    "protection:single-label": {"facts": {"protection": "single-label"}},
    "warning-list:tranco10k": {"facts": {"lists": ("vpn-ipv4", "tranco10k")}},
    "exclude.tags": {"collection": {"exclude": Rule(tags=frozenset({"bad"}))}},
    "include.types": {"collection": {"include": Rule(types=frozenset({IndicatorType.URL}))}},
    "include.roles": {"collection": {"include": Rule(roles=frozenset({"c2"}))}},
    "profile:full": {"facts": {"inexpressible": "no words for it"}},
    "review:held": {"review": ReviewStatus.HELD},
    "review:new": {"facts": {"is_new": True}},
    "inactive": {"facts": {"active": False}},
    "expired": {"facts": {"expiration": NOW - DAY}},
}


def decided(*names: str) -> str:
    facts: dict[str, Any] = {}
    shape: dict[str, Any] = {}
    status = ReviewStatus.APPROVED
    for name in names:
        found = SPEAKERS[name]
        more = found.get("facts", {})
        if "overrides" in more:
            more = {"overrides": (*facts.get("overrides", ()), *more["overrides"])}
        facts |= more
        for key, rule in found.get("collection", {}).items():
            old = shape.get(key, Rule())
            shape[key] = replace(
                old, **{field: value for field in Rule.__dataclass_fields__ if (value := getattr(rule, field))}
            )
        status = found.get("review", status)
    collection = replace(MAIL, **shape)
    review = Review(PULSE.id, status, 7, "because", "ann", NOW)
    of_pulse = OfPulse(decide_pulse(PULSE, collection, NOW), decide_review(collection, review, None))
    base = Facts(IndicatorType.DOMAIN, NOW - DAY, None, active=True)
    decision = decide(replace(base, **facts), collection, NOW, of_pulse, frozenset({"tranco10k"}))
    assert decision.included is (decision.rule in ("in", "forced-in"))
    assert decision.reason
    return decision.rule


@pytest.mark.parametrize("name", list(SPEAKERS))
def test_one_that_speaks_alone_decides(name):
    assert decided(name) == name


@pytest.mark.parametrize(("first", "second"), list(combinations(SPEAKERS, 2)))
def test_weightier_of_two_decides(first, second):
    if first == "forced-in" and second == "profile:full":  # what can't be written can't be forced in either
        assert decided(first, second) == second
    else:
        assert decided(second, first) == decided(first, second) == first


def test_nobody_speaks():
    assert decided() == "in"


@pytest.mark.parametrize(
    ("facts", "rule"),
    [
        ({"own": "example"}, "own"),
        ({"protection": "single-label"}, "protection:single-label"),
        ({"allowed": ALLOWED}, "forced-in"),
        ({"lists": ("tranco10k",)}, "forced-in"),
        ({"active": False}, "forced-in"),
    ],
)
def test_forced_in_without_force_stops_at_own_networks_and_protections(facts, rule):
    base = Facts(IndicatorType.DOMAIN, NOW, None, active=True, overrides=(override(inside=True),))
    assert decide(replace(base, **facts), MAIL, NOW, OfPulse(), frozenset({"tranco10k"})).rule == rule


def test_forced_in_does_not_enter_another_authors_collection():
    theirs = Collection("user_b", author="b")
    base = Facts(IndicatorType.DOMAIN, NOW, None, active=True, overrides=(override(inside=True),))
    assert decide(base, theirs, NOW, OfPulse(decide_pulse(PULSE, theirs, NOW))).rule == "author"


@pytest.mark.parametrize(
    ("overrides", "rule"),
    [
        ((override(inside=True, collection="mail"), override(inside=False)), "forced-out"),
        ((override(inside=True), override(inside=False, collection="mail")), "forced-out"),
        ((override(inside=True), override(inside=False, collection="other")), "forced-in"),
        ((override(inside=False, collection="other"),), "in"),
    ],
)
def test_forced_in_and_out_at_once(overrides, rule):
    base = Facts(IndicatorType.DOMAIN, NOW, None, active=True, overrides=overrides)
    assert decide(base, MAIL, NOW, OfPulse()).rule == rule


@pytest.mark.parametrize(
    ("mode", "status", "trusted", "rule"),
    [
        (ReviewMode.NONE, None, False, "in"),
        (ReviewMode.NONE, ReviewStatus.HELD, False, "in"),
        (ReviewMode.NONE, ReviewStatus.REJECTED, True, "review:rejected"),
        (ReviewMode.PULSES, None, False, "review"),
        (ReviewMode.PULSES, None, True, "in"),
        (ReviewMode.PULSES, ReviewStatus.APPROVED, False, "in"),
        (ReviewMode.PULSES, ReviewStatus.HELD, True, "review:held"),
        (ReviewMode.PULSES, ReviewStatus.REJECTED, True, "review:rejected"),
        (ReviewMode.CHANGES, None, False, "review"),
    ],
)
def test_review(mode, status, trusted, rule):
    collection = Collection("mail", review=mode)
    review = None if status is None else Review(PULSE.id, status, 7, "", "ann", NOW)
    author = Trusted("a", "", "ann", NOW) if trusted else None
    assert decide_review(collection, review, author).rule == rule


@pytest.mark.parametrize(
    ("mode", "is_new", "rule"),
    [(ReviewMode.PULSES, True, "in"), (ReviewMode.CHANGES, True, "review:new"), (ReviewMode.CHANGES, False, "in")],
)
def test_what_comes_after_an_approval(mode, is_new, rule):
    base = Facts(IndicatorType.DOMAIN, NOW, None, active=True, is_new=is_new)
    assert decide(base, Collection("mail", review=mode), NOW, OfPulse()).rule == rule


@pytest.mark.parametrize(
    ("chosen", "rule"),
    [
        (None, "warning-list:tranco10k"),
        (frozenset(), "in"),
        (frozenset({"vpn-ipv4"}), "warning-list:vpn-ipv4"),
        (frozenset({"other"}), "in"),
    ],
)
def test_collection_chooses_its_warning_lists(chosen, rule):
    base = Facts(IndicatorType.DOMAIN, NOW, None, active=True, lists=("vpn-ipv4", "tranco10k"))
    collection = Collection("mail", warning_lists=chosen)
    assert decide(base, collection, NOW, OfPulse(), frozenset({"tranco10k"})).rule == rule


def test_forced_in_needs_a_pulse():
    base = Facts(IndicatorType.DOMAIN, NOW, None, active=True, overrides=(override(inside=True),))
    assert decide(base, MAIL, NOW, OfPulse(out(UNKNOWN, "gone"))).rule == UNKNOWN

"""Decisions on pulses and indicators: every rule, and which of several decides."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pulsegate.curation.choices import DEFAULTS, RESTATED
from pulsegate.curation.decide import IN, Decision, Facts, OfPulse, decide, decide_pulse
from pulsegate.model.collection import PROTECTIONS, Collection, CollectionKind, Profile, Rule
from pulsegate.model.indicator import IndicatorType as T
from pulsegate.model.mode import Mode
from pulsegate.model.pulse import Pulse
from pulsegate.model.tlp import TLP

NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
DAYS_30 = timedelta(days=30)

PULSE = Pulse(
    id="5f0c1d2e3f4a5b6c7d8e9f00",
    name="Spear-Phishing by Example Bear",
    author="AlienVault",
    created=NOW - timedelta(days=60),
    modified=NOW - timedelta(days=10),
    tlp=TLP.GREEN,
    adversary="Example Bear",
    tags=("Phishing", "invoice"),
    targeted_countries=("Japan",),
    malware_families=("ExampleRAT",),
    attack_ids=("T1566.001", "TA0011", "T1059 - Interpreter"),
    industries=("Energy",),
)
FACTS = Facts(type=T.IPV4, created=NOW - timedelta(days=20), expiration=None, active=True)


def out(rule, reason):
    return Decision(included=False, rule=rule, reason=reason)


def words(*values):
    return frozenset(values)


def of_pulse(include=Rule(), exclude=Rule(), pulse=PULSE, **more):  # noqa: B008 - rules don't change
    return decide_pulse(pulse, Collection("mail", include=include, exclude=exclude), NOW, **more)


def of_facts(pulse=IN, collection=Collection("mail"), **changes):  # noqa: B008 - collections don't change
    return decide(replace(FACTS, **changes), collection, NOW, OfPulse(pulse))


def test_pulse_without_rules_is_in():
    assert of_pulse() == Decision(included=True, rule="in", reason="nothing speaks against it")


def test_pulse_that_is_no_longer_subscribed():
    assert of_pulse(active=False) == out("withdrawn", "the pulse was deleted on OTX or is no longer subscribed to")


@pytest.mark.parametrize(("author", "included"), [("AlienVault", True), ("alienvault", False), ("other", False)])
def test_pulse_for_the_collection_of_an_author(author, included):
    collection = Collection("user", kind=CollectionKind.AUTHOR, author=author)
    wanted = IN if included else out("author", f"the collection holds the pulses of {author} only")
    assert decide_pulse(PULSE, collection, NOW) == wanted


WORD_RULES = [
    ("authors", words("alienvault"), words("other")),
    ("tags", words("phishing", "other"), words("phish")),
    ("adversaries", words("example bear"), words("bear")),
    ("malware_families", words("examplerat"), words("other")),
    ("countries", words("japan"), words("peru")),
    ("industries", words("energy"), words("finance")),
    ("attack_ids", words("t1566"), words("T156")),
    ("attack_ids", words("T1566.001", "T1000"), words("T1566.002")),
    ("attack_ids", words("T1059"), words("T1059.001")),
    ("words", words("spear PHISHING"), words("phish")),
    ("words", words("other", "phish*"), words("pear phish*")),
    ("tlp", words(TLP.WHITE, TLP.GREEN), words(TLP.WHITE)),
]


@pytest.mark.parametrize(("key", "matching", "other"), WORD_RULES)
def test_pulse_with_and_without_an_included_word(key, matching, other):
    assert of_pulse(include=Rule(**{key: matching})) == IN
    holder = "the pulse's name" if key == "words" else "the pulse"
    assert of_pulse(include=Rule(**{key: other})) == out(
        f"include.{key}", f"{holder} has none of these {key}: {next(iter(other))}"
    )


@pytest.mark.parametrize(("key", "matching", "other"), WORD_RULES)
def test_pulse_with_and_without_an_excluded_word(key, matching, other):
    found = of_pulse(exclude=Rule(**{key: matching}))
    assert (found.included, found.rule) == (False, f"exclude.{key}")
    assert of_pulse(exclude=Rule(**{key: other})) == IN


def test_excluded_words_are_named_and_only_those():
    assert of_pulse(exclude=Rule(tags=words("phishing", "other"))).reason == "the pulse has one of these tags: phishing"


def test_words_that_are_found_in_the_name_are_told_as_the_rule_writes_them():
    found = of_pulse(exclude=Rule(words=words("PHISH*", "bear", "other")))
    assert found == out("exclude.words", "the pulse's name has one of these words: PHISH*, bear")


def test_techniques_that_are_found_are_told_as_the_rule_writes_them():
    found = of_pulse(exclude=Rule(attack_ids=words("T1566", "T1000")))
    assert found == out("exclude.attack_ids", "the pulse has one of these attack_ids: T1566")


def test_included_words_are_listed_in_order():
    assert of_pulse(include=Rule(tags=words("b", "a"))).reason == "the pulse has none of these tags: a, b"


def test_pulse_without_words_is_not_included_by_any():
    bare = replace(
        PULSE, name="", tags=(), adversary="", malware_families=(), targeted_countries=(), industries=(), attack_ids=()
    )
    for key in ("tags", "adversaries", "malware_families", "countries", "industries", "words", "attack_ids"):
        assert of_pulse(include=Rule(**{key: words("x")}), pulse=bare).rule == f"include.{key}"
        assert of_pulse(exclude=Rule(**{key: words("x")}), pulse=bare) == IN


def test_pulse_at_and_beyond_the_greatest_age():
    rule = Rule(max_age=timedelta(days=10))
    old = replace(PULSE, modified=PULSE.modified - MICROSECOND)
    assert of_pulse(include=rule) == IN
    assert of_pulse(include=rule, pulse=old) == out("include.max_age", "the pulse was last modified more than 10d ago")


def test_pulse_at_and_beyond_an_excluded_age():
    rule = Rule(max_age=timedelta(days=10))
    old = replace(PULSE, modified=PULSE.modified - MICROSECOND)
    assert of_pulse(exclude=rule) == out("exclude.max_age", "the pulse was modified within the last 10d")
    assert of_pulse(exclude=rule, pulse=old) == IN


def test_age_counts_from_modified_not_from_created():
    assert of_pulse(include=Rule(max_age=timedelta(days=30))) == IN


@pytest.mark.parametrize(
    ("include", "exclude", "rule"),
    [
        (Rule(authors=words("x"), tags=words("x")), Rule(), "include.authors"),
        (Rule(tags=words("x"), tlp=words(TLP.RED)), Rule(), "include.tags"),
        (Rule(tags=words("phishing")), Rule(tags=words("invoice")), "exclude.tags"),
        (Rule(tags=words("x")), Rule(tags=words("phishing")), "include.tags"),
        (Rule(max_age=timedelta(0)), Rule(tlp=words(TLP.GREEN)), "exclude.tlp"),
        (Rule(words=words("x"), attack_ids=words("T1")), Rule(), "include.words"),
        (Rule(words=words("bear")), Rule(attack_ids=words("TA0011"), words=words("bear")), "exclude.words"),
        (Rule(max_age=timedelta(0)), Rule(max_age=DAYS_30), "include.max_age"),
    ],
)
def test_first_rule_that_speaks_against_a_pulse_decides(include, exclude, rule):
    assert of_pulse(include, exclude).rule == rule


def test_indicator_without_rules_is_in():
    assert of_facts() == IN


PROTECTED = "the built-in protection reserved-range covers it"


@pytest.mark.parametrize(
    ("protections", "decision"),
    [
        (None, out("protection:reserved-range", PROTECTED)),
        (frozenset(), IN),
        (words("reserved-range"), out("protection:reserved-range", PROTECTED)),
        (words("single-label"), IN),
    ],
)
def test_indicator_that_a_protection_concerns(protections, decision):
    collection = Collection("mail", protections=protections)
    assert of_facts(collection=collection, protection="reserved-range") == decision


@pytest.mark.parametrize(
    ("protections", "chosen", "by"),
    [
        (None, None, {"rfc1918", "tlds", "alexa"}),
        (frozenset(), None, {"alexa"}),
        (words("public-suffix"), None, {"tlds", "alexa"}),
        (words("reserved-range"), None, {"rfc1918", "alexa"}),
        (frozenset(), words("rfc1918"), {"rfc1918"}),
    ],
)
def test_warning_lists_that_say_what_a_protection_says_hold_where_it_holds(protections, chosen, by):
    collection = Collection("mail", protections=protections, warning_lists=chosen)
    found = {
        name: decide(
            replace(FACTS, lists=(name,)), collection, NOW, OfPulse(), blocking=words("rfc1918", "tlds", "alexa")
        )
        for name in ("rfc1918", "tlds", "alexa")
    }
    assert {name: one.rule for name, one in found.items() if not one.included} == {
        name: f"warning-list:{name}" for name in by
    }


def test_each_list_that_restates_a_protection_blocks_by_default():
    assert {DEFAULTS[name] for name in RESTATED} == {Mode.BLOCK}
    assert set(RESTATED.values()) < PROTECTIONS


def test_indicator_that_is_the_administrators_own():
    assert of_facts(own="example.com") == out("own", "example.com is your own")


def test_indicator_that_is_own_in_a_collection_without_protections():
    assert of_facts(collection=Collection("mail", protections=frozenset()), own="example.com").rule == "own"


@pytest.mark.parametrize(
    ("include", "exclude", "decision"),
    [
        (words(T.IPV4), words(), IN),
        (words(T.URL, T.DOMAIN), words(), out("include.types", "IPv4 is none of URL, domain")),
        (words(), words(T.IPV4), out("exclude.types", "IPv4 is excluded")),
        (words(), words(T.URL), IN),
        (words(T.IPV4), words(T.IPV4), out("exclude.types", "IPv4 is excluded")),
    ],
)
def test_indicator_by_its_type(include, exclude, decision):
    collection = Collection("mail", include=Rule(types=include), exclude=Rule(types=exclude))
    assert of_facts(collection=collection) == decision


C2, SCANNER = "command_and_control", "scanning_host"


@pytest.mark.parametrize(
    ("role", "include", "exclude", "decision"),
    [
        (C2, words(C2), words(), IN),
        (C2.upper(), words(C2), words(SCANNER), IN),
        (C2, words(C2.title(), SCANNER), words(), IN),
        (C2, words("trojan", SCANNER), words(), out("include.roles", f"its role {C2} is none of {SCANNER}, trojan")),
        ("", words(C2), words(), out("include.roles", f"OTX gives it no role; wanted is one of {C2}")),
        (C2, words(), words(C2.upper(), SCANNER), out("exclude.roles", f"its role {C2} is excluded")),
        (C2, words(C2), words(C2), out("exclude.roles", f"its role {C2} is excluded")),
        ("trojan", words(), words(C2, SCANNER), IN),
        ("", words(), words(C2), IN),
        ("command", words(), words(C2), IN),
    ],
)
def test_indicator_by_its_role(role, include, exclude, decision):
    collection = Collection("mail", include=Rule(roles=include), exclude=Rule(roles=exclude))
    assert of_facts(collection=collection, role=role) == decision


def test_indicator_that_the_profile_can_not_write():
    collection = Collection("mail", profile=Profile.ESA)
    assert of_facts(collection=collection, inexpressible="no such thing") == out("profile:esa", "no such thing")


def test_indicator_that_is_inactive():
    assert of_facts(active=False) == out("inactive", "OTX marks it as inactive")


@pytest.mark.parametrize(
    ("expiration", "decision"),
    [
        (NOW + MICROSECOND, IN),
        (NOW, out("expired", "it expired on 2024-06-01")),
        (NOW - DAYS_30, out("expired", "it expired on 2024-05-02")),
    ],
)
def test_indicator_by_its_expiration(expiration, decision):
    assert of_facts(expiration=expiration) == decision


@pytest.mark.parametrize(
    ("age", "decision"),
    [
        (DAYS_30 - MICROSECOND, IN),
        (DAYS_30, out("ttl", "it is older than the 30d that IPv4 live in this collection")),
    ],
)
def test_indicator_by_its_age(age, decision):
    collection = Collection("mail", ttl={T.IPV4: DAYS_30, T.DOMAIN: timedelta(0)})
    assert of_facts(collection=collection, created=NOW - age) == decision


def test_age_is_no_matter_where_otx_gives_an_expiration():
    collection = Collection("mail", ttl={T.IPV4: timedelta(days=1)})
    assert of_facts(collection=collection, expiration=NOW + DAYS_30) == IN


def test_age_of_another_type_is_no_matter():
    assert of_facts(collection=Collection("mail", ttl={T.DOMAIN: timedelta(0)})) == IN


AGAINST = [
    ("own", {"own": "example.com"}),
    ("protection:reserved-range", {"protection": "reserved-range"}),
    ("include.tags", {"pulse": out("include.tags", "…")}),
    ("include.types", {"collection": {"include": Rule(types=words(T.URL), roles=words(C2))}}),
    ("include.roles", {"collection": {"include": Rule(roles=words(C2))}}),
    ("profile:full", {"inexpressible": "…"}),
    ("inactive", {"active": False}),
    ("expired", {"expiration": NOW}),
]


@pytest.mark.parametrize("first", range(len(AGAINST)))
def test_first_that_speaks_against_an_indicator_decides(first):
    """With everything from one place in the order on against it, that one decides."""
    changes = {}
    for _, change in reversed(AGAINST[first:]):
        changes |= change
    collection = Collection("mail", ttl={T.IPV4: timedelta(0)}, **changes.pop("collection", {}))
    assert of_facts(changes.pop("pulse", IN), collection, **changes).rule == AGAINST[first][0]


def test_words_of_a_rule_are_compared_in_any_case():
    assert of_pulse(include=Rule(tags=words("PHISHING"))).included
    assert not of_pulse(exclude=Rule(tags=words("PHISHING"))).included

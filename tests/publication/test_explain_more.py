"""What explain says beyond where a value stands: remedies, neighbours, withdrawals, who fetched it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import event

from publication.feeds import DAY, MAIL, NOW, Feed, a_name, a_pulse
from pulsegate.curation.list_choice import ListChoice
from pulsegate.curation.own import Own
from pulsegate.curation.policy import Policy
from pulsegate.curation.warning_lists import ListFile
from pulsegate.model.collection import Collection, Profile, ReviewMode, Rule
from pulsegate.model.decisions import Allowed, Override, ReviewStatus, Trusted
from pulsegate.model.indicator import Indicator, IndicatorType, RawIndicator
from pulsegate.model.mode import Mode
from pulsegate.model.tlp import TLP
from pulsegate.publication.explain import explain
from pulsegate.publication.explanation import Explanation, Neighbour, Opinion, Standing, Stay
from pulsegate.store import decisions, failures, polls, pulses
from pulsegate.store.digests import digest
from pulsegate.store.polls import Fetch, PollRecord

T = IndicatorType
VALUE = "a.example"
FORCE_IN = "pulsegate indicator force-in a.example --collection mail"


@pytest.fixture
def mail(feed: Feed) -> Feed:
    feed.collection()
    return feed


def one(kind: T, value: str, **raw) -> Indicator:
    return Indicator(kind, value, RawIndicator(kind.value, value, **raw))


def asked(feed: Feed, text: str = VALUE) -> Explanation:
    found = explain(feed.database, feed.policy, text)
    assert found is not None
    return found


def standing(feed: Feed, text: str = VALUE, name: str = "mail") -> Standing:
    return next(one for one in asked(feed, text).standings if one.collection == name)


def decide(feed: Feed, made: Allowed | Override) -> None:
    with feed.database.write() as connection:
        if isinstance(made, Allowed):
            decisions.allow(connection, [made])
        else:
            decisions.force(connection, made)


def forced(inside: bool, collection: str = "", value: str = VALUE, **more) -> Override:
    identity = digest(f"name:{value}")
    return Override(collection, identity, "domain", value, inside, more.get("hard", False), "why", "admin", NOW)


def review(feed: Feed, status: ReviewStatus | None, number: int = 1) -> None:
    with feed.database.write() as connection:
        found = pulses.get(connection, a_pulse(number).id)
        assert found is not None
        decisions.review(connection, [found.pk], status, reason="odd", account="admin")


# --- Each rule, and what would change it ------------------------------------------------------------------------------


def test_value_that_is_in_and_what_takes_it_out(mail):
    mail.put(a_pulse(1), [VALUE])
    mail.publish()
    found = standing(mail)
    assert found.changes == [
        "pulsegate allow add a.example",
        "pulsegate indicator force-out a.example --collection mail",
    ]
    assert (found.others, found.pulse) == ([], a_pulse(1).id)


def test_value_that_waits_for_a_publication(mail):
    mail.put(a_pulse(1), [VALUE])
    assert standing(mail).changes == ["pulsegate publish"]


def test_value_that_leaves_with_the_next_publication(mail, clock):
    mail.put(a_pulse(1), [a_name(VALUE, expiration=NOW + DAY)])
    mail.publish()
    clock.moment += 2 * DAY
    found = standing(mail)
    reason = "it leaves with the next publication: it expired on 2024-06-02"
    assert (found.included, found.since, found.rule, found.reason) == (True, NOW - DAY, "pending", reason)
    mail.publish()
    assert (standing(mail).included, standing(mail).rule) == (False, "expired")


def test_value_that_its_pulse_has_lost_and_that_is_still_there(mail):
    mail.put(a_pulse(1), [VALUE])
    mail.publish()
    mail.put(a_pulse(1), [])
    found = standing(mail)
    assert (asked(mail).pulses, found.included, found.rule) == ([], True, "pending")


RULES = [
    ({"include": Rule(tlp=frozenset({TLP.RED}))}, {}, "include.tlp", ["`include.tlp` of collection mail", FORCE_IN]),
    ({"exclude": Rule(authors=frozenset({"someone"}))}, {}, "exclude.authors", ["`exclude.authors` of collection mail", FORCE_IN]),
    ({"include": Rule(max_age=DAY / 2)}, {}, "include.max_age", ["`include.max_age` of collection mail", FORCE_IN]),
    ({"include": Rule(roles=frozenset({"c2"}))}, {}, "include.roles", ["`include.roles` of collection mail", FORCE_IN]),
    ({"exclude": Rule(types=frozenset({T.DOMAIN}))}, {}, "exclude.types", ["`exclude.types` of collection mail", FORCE_IN]),
    ({"ttl": {T.DOMAIN: DAY}}, {}, "ttl", ["`ttl` of collection mail", FORCE_IN]),
    ({}, {"active": False}, "inactive", [FORCE_IN]),
    ({}, {"expiration": NOW}, "expired", [FORCE_IN]),
    (
        {"review": ReviewMode.PULSES}, {}, "review",
        [
            f"pulsegate pulse approve {a_pulse(1).id}", "pulsegate pulse trust someone", "`review` of collection mail",
            FORCE_IN,
        ],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("rules", "raw", "rule", "changes"), RULES, ids=[rule for _, _, rule, _ in RULES])
def test_rule_that_keeps_it_out(mail, rules, raw, rule, changes):
    mail.collection(**rules)
    mail.put(a_pulse(1), [a_name(VALUE, **raw)])
    mail.publish()
    found = standing(mail)
    assert (found.included, found.rule, found.changes) == (False, rule, changes)
    decide(mail, forced(True, "mail"))
    mail.publish()
    assert (standing(mail).included, standing(mail).rule) == (True, "forced-in")


@pytest.mark.parametrize(
    ("status", "rule", "changes"),
    [
        (ReviewStatus.REJECTED, "review:rejected", [f"pulsegate pulse approve {a_pulse(1).id}", FORCE_IN]),
        (
            ReviewStatus.HELD,
            "review:held",
            [f"pulsegate pulse approve {a_pulse(1).id}", "`review` of collection mail", FORCE_IN],
        ),
    ],
)
def test_pulse_that_somebody_kept_out(mail, status, rule, changes):
    mail.collection(review=ReviewMode.PULSES)
    mail.put(a_pulse(1), [VALUE])
    review(mail, status)
    mail.publish()
    found = standing(mail)
    assert (found.rule, found.changes) == (rule, changes)
    assert "admin" in found.reason
    assert "odd" in found.reason


def test_value_that_came_after_the_approval(mail):
    mail.collection(review=ReviewMode.CHANGES)
    mail.put(a_pulse(1), ["b.example"])
    review(mail, ReviewStatus.APPROVED)
    mail.put(a_pulse(1), ["b.example", VALUE])
    mail.publish()
    assert standing(mail).rule == "review:new"
    found = standing(mail, "b.example")
    assert found.included
    assert [(one.rule, one.reason) for one in found.others] == [("review:approved", "admin approved the pulse")]


def test_author_whose_pulses_pass(mail):
    mail.collection(review=ReviewMode.PULSES)
    mail.put(a_pulse(1), [VALUE])
    with mail.database.write() as connection:
        decisions.trust(connection, Trusted("someone", "", "admin", NOW))
    mail.publish()
    assert [one.rule for one in standing(mail).others] == ["review:trusted"]


def test_allow_list_says_which_entry_and_who(mail):
    mail.put(a_pulse(1), ["www.a.example"])
    decide(mail, Allowed("subtree", VALUE, "a partner", "admin", NOW, NOW + DAY))
    mail.publish()
    found = standing(mail, "www.a.example")
    assert found.rule == "allow-list"
    assert found.reason == "a.example (subtree) is on the allow list, by admin: a partner"
    assert found.changes[0] == "pulsegate allow remove a.example"
    assert asked(mail, "www.a.example").covered == [
        Opinion(
            "allow-list",
            "a.example (subtree) is on the allow list, by admin, until 2024-06-02: a partner",
            ["pulsegate allow remove a.example"],
        )
    ]


def test_own_domain_needs_force(mail):
    mail.policy = Policy(own=Own([VALUE]))
    mail.put(a_pulse(1), [VALUE])
    mail.publish()
    found = standing(mail)
    assert (found.rule, found.changes) == ("own", ["`own` in the settings file", f"{FORCE_IN} --force"])
    decide(mail, forced(True))
    mail.publish()
    assert standing(mail).rule == "own"
    decide(mail, forced(True, hard=True))
    mail.publish()
    found = standing(mail)
    assert (found.rule, found.reason) == ("forced-in", "admin forced it into every collection: why")
    assert [one.rule for one in found.others] == ["own"]
    assert found.changes[0] == "pulsegate indicator unforce a.example"


@pytest.mark.parametrize(("where", "option"), [("", ""), ("mail", " --collection mail")])
def test_value_that_was_forced_out(mail, where, option):
    mail.put(a_pulse(1), [VALUE])
    decide(mail, forced(False, where))
    mail.publish()
    found = standing(mail)
    assert (found.rule, found.reason) == ("forced-out", f"admin forced it out of {where or 'every collection'}: why")
    assert found.changes == [f"pulsegate indicator unforce a.example{option}"]


def test_protection_says_why_and_is_told_where_it_is_off(mail):
    mail.collection(Collection("open"), protections=frozenset())
    mail.put(a_pulse(1), [one(T.IPV4, "10.1.2.3")], protection="reserved-range")
    mail.publish()
    reason = "the built-in protection reserved-range covers it: 10.1.2.3 lies in 10.0.0.0/8, which is private"
    found = standing(mail, "10.1.2.3")
    assert (found.rule, found.reason) == ("protection:reserved-range", reason)
    assert found.changes == [
        "`protections` of collection mail",
        "pulsegate indicator force-in 10.1.2.3 --collection mail --force",
    ]
    found = standing(mail, "10.1.2.3", "open")
    assert found.included
    assert found.others == [Opinion("protection:reserved-range", f"{reason}; it is off here")]


@pytest.fixture
def listed(mail, tmp_path):
    """Two lists of one's own: one blocks, one informs."""
    (tmp_path / "list.txt").write_text(".a.example\n")
    files = [
        ListFile(name, tmp_path / "list.txt", mode, "A list")
        for name, mode in (("blocks", Mode.BLOCK), ("informs", Mode.INFORM))
    ]
    mail.policy = Policy(lists=ListChoice((), tuple(files)))
    mail.put(a_pulse(1), [VALUE])
    mail.publish()
    return mail


def test_warning_list_says_its_title_and_entry(listed):
    said = 'the warning list blocks ("A list") names a.example and all below it'
    found = standing(listed)
    assert (found.rule, found.reason) == ("warning-list:blocks", said)
    assert found.changes == [
        "`warning_lists` of collection mail",
        "`mode` of blocks in `warning_lists.files` in the settings file",
        FORCE_IN,
    ]
    covered = [(one.rule, one.reason) for one in asked(listed).covered]
    informs = 'the warning list informs ("A list") names a.example and all below it; it only informs'
    assert covered == [("warning-list:blocks", said), ("warning-list:informs", informs)]


def test_list_that_informs_here_is_told_of_a_value_that_is_in(listed):
    listed.collection(warning_lists=frozenset())
    listed.publish()
    found = standing(listed)
    assert found.included
    assert [one.rule for one in found.others] == ["warning-list:blocks", "warning-list:informs"]
    assert all(one.reason.endswith("; here it only informs") for one in found.others)


def test_list_that_a_collection_names_blocks_though_it_informs_elsewhere(listed):
    listed.collection(warning_lists=frozenset({"informs"}))
    listed.publish()
    found = standing(listed)
    assert (found.rule, found.changes[:2]) == ("warning-list:informs", ["`warning_lists` of collection mail", FORCE_IN])


def test_settings_that_changed_count_before_the_next_publication(mail):
    mail.put(a_pulse(1), [VALUE])
    mail.publish()
    mail.policy = Policy(own=Own([VALUE]))
    found = standing(mail)
    assert (found.included, found.rule) == (True, "pending")
    assert found.reason == "it leaves with the next publication: a.example is your own"


def test_value_that_can_not_be_written(mail):
    mail.put(a_pulse(1), [VALUE])
    with mail.database.write() as connection:
        pk = pulses.indicators_of_value(connection, [f"name:{VALUE}"])[0].pk
        failures.mark(connection, pk, "full", "no form")
    mail.publish()
    found = standing(mail)
    assert (found.rule, found.reason, found.changes) == ("profile:full", "no form", ["pulsegate quarantine retry"])


def test_network_that_is_too_large_to_be_written_address_by_address(mail):
    mail.collection(profile=Profile.ESA, expand=16)
    mail.put(a_pulse(1), [one(T.CIDR, "198.51.100.0/24")])
    mail.publish()
    found = standing(mail, "198.51.100.0/24")
    assert (found.rule, found.changes) == (
        "profile:esa",
        ["`expand` of collection mail", "`profile` of collection mail"],
    )


def test_everything_behind_the_rule_that_decides(mail):
    mail.collection(include=Rule(tlp=frozenset({TLP.RED})), exclude=Rule(tags=frozenset({"bad"})))
    mail.put(a_pulse(1, tags=("bad",)), [a_name(VALUE, expiration=NOW)])
    decide(mail, Allowed("exact", VALUE, "", "admin", NOW))
    mail.publish()
    found = standing(mail)
    assert [found.rule, *(one.rule for one in found.others)] == ["allow-list", "exclude.tags", "include.tlp", "expired"]


def test_pulse_that_is_nearest_to_letting_it_in_is_named(mail):
    mail.collection(include=Rule(tags=frozenset({"good"})))
    mail.put(a_pulse(1), [VALUE])
    mail.put(a_pulse(2, tags=("good",)), [a_name(VALUE, expiration=NOW)])
    mail.publish()
    assert (standing(mail).rule, standing(mail).pulse) == ("expired", a_pulse(2).id)


def test_text_that_a_shell_would_read_is_quoted(mail):
    mail.put(a_pulse(1), [one(T.URL, "http://a.example/x?y&z=$(id)")])
    mail.publish()
    found = standing(mail, "http://a.example/x?y&z=$(id)")
    assert found.changes[0] == "pulsegate allow add 'http://a.example/x?y&z=$(id)'"


# --- What is near -----------------------------------------------------------------------------------------------------

AROUND = [
    one(T.CIDR, "198.51.100.0/24"),
    one(T.CIDR, "198.51.100.0/28"),
    one(T.CIDR, "198.51.0.0/16"),
    one(T.IPV4, "198.51.100.7"),
    one(T.IPV4, "198.51.101.7"),
    one(T.URL, "http://198.51.100.7/x"),
    one(T.DOMAIN, "a.example"),
    one(T.HOSTNAME, "www.a.example"),
    one(T.HOSTNAME, "deep.www.a.example"),
    one(T.DOMAIN, "aa.example"),
    one(T.URL, "http://www.a.example/1"),
    one(T.URL, "http://www.a.example/2"),
    one(T.EMAIL, "x@a.example"),
    one(T.EMAIL, "y@a.example"),
]
NEAR = {
    "198.51.100.7": {"networks": ["198.51.100.0/28", "198.51.100.0/24", "198.51.0.0/16"], "urls": ["http://198.51.100.7/x"]},
    "198.51.100.9": {"networks": ["198.51.100.0/28", "198.51.100.0/24", "198.51.0.0/16"]},
    "198.51.100.0/24": {"networks": ["198.51.0.0/16"], "holds": ["198.51.100.0/28", "198.51.100.7"]},
    "198.51.0.0/16": {"holds": ["198.51.100.0/24", "198.51.100.0/28", "198.51.100.7", "198.51.101.7"]},
    "198.51.101.0/28": {"networks": ["198.51.0.0/16"], "holds": ["198.51.101.7"]},
    "http://198.51.100.7/x": {
        "networks": ["198.51.100.0/28", "198.51.100.0/24", "198.51.0.0/16"],
        "host": ["198.51.100.7"],
    },
    "a.example": {"below": ["www.a.example", "deep.www.a.example"], "mailboxes": ["x@a.example", "y@a.example"]},
    "www.a.example": {
        "parents": ["a.example"],
        "below": ["deep.www.a.example"],
        "urls": ["http://www.a.example/1", "http://www.a.example/2"],
    },
    "new.deep.www.a.example": {"parents": ["deep.www.a.example", "www.a.example", "a.example"]},
    "http://www.a.example/1": {
        "parents": ["a.example"],
        "host": ["www.a.example"],
        "urls": ["http://www.a.example/2"],
    },
    "x@a.example": {"domain": ["a.example"], "mailboxes": ["y@a.example"]},
    "z@www.a.example": {"parents": ["a.example"], "domain": ["www.a.example"]},
}  # fmt: skip


@pytest.mark.parametrize("text", NEAR)
def test_what_is_near(mail, text):
    mail.put(a_pulse(1), AROUND)
    mail.put(a_pulse(2), AROUND[:3])
    found = {group.relation: [one.value for one in group.first] for group in asked(mail, text).neighbours}
    assert found == NEAR[text]


def test_neighbours_are_counted_and_each_says_in_how_many_collections_it_is(mail):
    mail.collection(Collection("each"), deduplicate=False)
    mail.collection(Collection("none"), include=Rule(types=frozenset({T.URL})))
    names = [f"n{number:02}.a.example" for number in range(12)]
    mail.put(a_pulse(1), [VALUE, *names])
    mail.put(a_pulse(2, author="other"), names[:1])
    mail.publish()
    (below,) = asked(mail).neighbours
    assert (below.relation, below.number, below.is_all) == ("below", 12, True)
    assert below.first == [
        Neighbour("domain", names[0], 4, 1),
        *(Neighbour("domain", name, 3, 1) for name in names[1:10]),
    ]


def test_more_neighbours_than_are_counted(mail, monkeypatch):
    monkeypatch.setattr("pulsegate.store.around.LOOKED_AT", 5)
    mail.put(a_pulse(1), [f"n{number}.a.example" for number in range(9)])
    (below,) = asked(mail).neighbours
    assert (below.number, below.is_all) == (5, False)


TEXTS = [*NEAR, "2001:db8::1", "2001:db8::/32", "com", "d41d8cd98f00b204e9800998ecf8427e", "nothing", "192.0.2.0/24"]


@pytest.mark.parametrize("text", TEXTS)
def test_no_query_looks_at_all_indicators(mail, text):
    if not mail.database.is_sqlite:
        pytest.skip("SQLite tells its plan without statistics")
    mail.put(a_pulse(1), AROUND)
    mail.publish()
    plans = []

    def note(_connection, cursor, statement, parameters, *_rest):
        if statement.startswith("SELECT"):
            plan = cursor.connection.cursor().execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
            plans.extend(row[3] for row in plan)

    event.listen(mail.database.engine, "before_cursor_execute", note)
    explain(mail.database, mail.policy, text)
    event.remove(mail.database.engine, "before_cursor_execute", note)
    assert any("indicators" in plan for plan in plans)
    for table in ("indicators", "placements", "withdrawals", "content_blocks", "blocks"):
        assert not [plan for plan in plans if plan.startswith(f"SCAN {table}")]


# --- Values that no pulse has -----------------------------------------------------------------------------------------


def test_value_that_only_the_allow_list_knows(mail):
    decide(mail, Allowed("subtree", VALUE, "ours", "admin", NOW))
    found = asked(mail, "www.a.example")
    assert (found.value, found.type, found.pulses) == ("www.a.example", "hostname", [])
    assert [one.rule for one in found.covered] == ["allow-list"]
    assert [(one.included, one.rule, one.changes) for one in found.standings] == [
        (False, "no-pulse", ["pulsegate indicator add www.a.example"])
    ]
    assert [other.rule for other in found.standings[0].others] == ["allow-list"]


@pytest.mark.parametrize(
    ("kind", "entry", "text"),
    [
        ("network", "192.0.2.0/24", "192.0.2.77"),
        ("network", "192.0.2.77/32", "192.0.2.0/24"),
        ("network", "192.0.2.0/24", "http://192.0.2.77/x"),
        ("network", "192.0.2.0/24", "2002:c000:24d::1"),
        ("exact", "a.example", "x@a.example"),
        ("subtree", "a.example", "http://www.a.example/"),
    ],
)
def test_entry_of_the_allow_list_for_something_else_that_covers_it(mail, kind, entry, text):
    decide(mail, Allowed(kind, entry, "", "admin", NOW))
    assert [one.rule for one in asked(mail, text).covered if one.rule == "allow-list"] == ["allow-list"]


def test_entry_that_is_over_is_not_known(mail, clock):
    decide(mail, Allowed("exact", VALUE, "", "admin", NOW, NOW + DAY))
    clock.moment += DAY
    assert explain(mail.database, mail.policy, VALUE) is None


def test_value_that_is_own_or_forced_out_beforehand(mail):
    decide(mail, forced(False))
    assert [one.rule for one in asked(mail).covered] == ["forced-out"]
    mail.policy = Policy(own=Own(["b.example"]))
    assert [one.rule for one in asked(mail, "b.example").covered] == ["own"]


def test_value_that_only_a_list_knows(listed):
    found = asked(listed, "below.a.example")
    assert (found.pulses, [one.rule for one in found.covered]) == ([], ["warning-list:blocks", "warning-list:informs"])


def test_address_of_a_network_that_is_written_address_by_address(mail):
    mail.collection(Collection("esa"), profile=Profile.ESA)
    mail.put(a_pulse(1), [one(T.CIDR, "198.51.100.0/28")])
    mail.publish()
    found = standing(mail, "198.51.100.9", "esa")
    reason = "it is written as an address of 198.51.100.0/28, which the collection holds"
    assert (found.included, found.since, found.rule, found.reason) == (True, NOW - DAY, "network", reason)
    assert found.changes == [
        "pulsegate allow add 198.51.100.9",
        "pulsegate indicator force-out 198.51.100.9 --collection esa",
        "pulsegate indicator force-out 198.51.100.0/28 --collection esa",
    ]
    assert "198.51.100.9" in mail.served("esa")[0].content.decode()
    assert not standing(mail, "198.51.100.9").included
    assert explain(mail.database, mail.policy, "198.51.101.9") is None


# --- Withdrawals, and who fetched it ----------------------------------------------------------------------------------

HOUR = DAY / 24


def a_poll(account, time, begin, end, **more) -> PollRecord:
    poll = PollRecord(time, account, "192.0.2.7", "", "mail", begin, end, None, 1, 1, 1, 0.1, "answered")
    return replace(poll, **more)


def log(feed: Feed, *records: PollRecord) -> None:
    with feed.database.write() as connection:
        polls.insert_many(connection, records)


def test_who_fetched_a_value_that_is_in(mail):
    mail.put(a_pulse(1), [VALUE])
    mail.publish()
    label = NOW - DAY
    log(
        mail,
        a_poll("old", label - HOUR, None, label - HOUR),
        a_poll("full", NOW + HOUR, None, NOW),
        a_poll("full", NOW + 2 * HOUR, None, NOW + HOUR, address="192.0.2.8"),
        a_poll("full", NOW + 3 * HOUR, None, NOW + HOUR, address="192.0.2.8"),
        a_poll("delta", NOW + HOUR, label - HOUR, NOW),
        a_poll("edge", NOW + HOUR, label - HOUR, label),
        a_poll("late", NOW + HOUR, label, NOW),
        a_poll("early", NOW, None, label - HOUR),
        a_poll("elsewhere", NOW + HOUR, None, NOW, collection="other"),
        a_poll("refused", NOW + HOUR, None, NOW, outcome="NOT_FOUND"),
        a_poll("counted", NOW + HOUR, None, NOW, outcome="counted"),
        a_poll("cut", NOW + HOUR, None, NOW, outcome="cut"),
    )
    assert standing(mail).fetched == [
        Fetch("full", "192.0.2.8", NOW + 2 * HOUR, NOW + 3 * HOUR, 2),
        *(Fetch(account, "192.0.2.7", NOW + HOUR, NOW + HOUR, 1) for account in ("delta", "edge", "full")),
    ]
    assert asked(mail).logged == label - HOUR


def test_who_fetched_a_value_that_was_withdrawn(mail, clock):
    mail.put(a_pulse(1), [VALUE])
    mail.publish()
    clock.moment = NOW + 5 * HOUR
    mail.put(a_pulse(1), [])
    mail.publish()
    log(
        mail,
        a_poll("gateway", NOW + HOUR, None, NOW),
        a_poll("missed", NOW + HOUR, NOW - HOUR, NOW),
        a_poll("after", NOW + 6 * HOUR, None, NOW + 6 * HOUR),
    )
    found = standing(mail)
    assert (found.included, found.rule, found.fetched) == (False, "no-pulse", ())
    fetch = Fetch("gateway", "192.0.2.7", NOW + HOUR, NOW + HOUR, 1)
    assert found.left == [Stay(NOW - DAY, NOW + 5 * HOUR, "", (fetch,))]


def test_value_that_left_with_its_pulses_row_where_each_carries_its_own(mail, clock):
    mail.collection(deduplicate=False)
    mail.put(a_pulse(1), [VALUE])
    mail.publish()
    clock.moment = NOW + 5 * HOUR
    mail.put(a_pulse(1), [])
    mail.publish()
    log(mail, a_poll("gateway", NOW + HOUR, None, NOW))
    found = standing(mail)
    fetch = Fetch("gateway", "192.0.2.7", NOW + HOUR, NOW + HOUR, 1)
    assert (found.included, found.rule) == (False, "no-pulse")
    assert found.left == [Stay(NOW - DAY, NOW + 5 * HOUR, "", (fetch,))]


def test_value_that_came_back_has_each_of_its_stays(mail, clock):
    mail.put(a_pulse(1), [VALUE])
    for hours, there in ((0, True), (2, False), (4, True), (6, False), (8, True)):
        clock.moment = NOW + hours * HOUR
        mail.put(a_pulse(1), [VALUE] if there else [])
        mail.publish()
        log(mail, a_poll(f"at{hours}", clock.moment + HOUR, None, clock.moment))
    found = standing(mail)
    assert [one.account for one in found.fetched] == ["at8"]
    assert [(stay.since, stay.ended, [one.account for one in stay.fetched]) for stay in found.left] == [
        (NOW + 4 * HOUR, NOW + 6 * HOUR, ["at4"]),
        (NOW - DAY, NOW + 2 * HOUR, ["at0"]),
    ]


def test_value_that_left_a_collection_where_each_pulse_carries_its_own(mail, clock):
    mail.collection(deduplicate=False)
    for number in (1, 2):
        mail.put(a_pulse(number, NOW - number * DAY), [VALUE])
    mail.publish()
    clock.moment += HOUR
    mail.withdraw(a_pulse(1))
    mail.publish()
    found = standing(mail)
    assert (found.included, found.since) == (True, NOW - 2 * DAY)
    assert [(stay.since, stay.ended) for stay in found.left] == [(NOW - DAY, NOW + HOUR)]


def test_address_that_left_with_its_network(mail, clock):
    mail.collection(profile=Profile.ESA)
    mail.put(a_pulse(1), [one(T.CIDR, "198.51.100.0/28")])
    mail.publish()
    clock.moment += HOUR
    mail.put(a_pulse(1), [])
    mail.publish()
    assert standing(mail, "198.51.100.9").left == [Stay(NOW - DAY, NOW + HOUR, "198.51.100.0/28", ())]


def test_refreshed_value_was_fetched_under_any_of_its_labels(mail, clock):
    mail.collection(MAIL, refresh=5 * DAY)
    mail.put(a_pulse(1), [VALUE])
    mail.publish()
    clock.moment += 20 * DAY
    mail.publish()
    (again,) = [one.label for one in mail.served()]
    log(
        mail,
        a_poll("first", NOW, None, NOW),
        a_poll("second", again + HOUR, again - HOUR, again),
        a_poll("later", again + HOUR, again, again + HOUR),
    )
    assert {one.account for one in standing(mail).fetched} == {"first", "second"}


def test_log_that_is_empty(mail):
    mail.put(a_pulse(1), [VALUE])
    mail.publish()
    assert asked(mail).logged is None


def test_all_entries_of_the_allow_list_that_cover_it_are_told(mail):
    mail.put(a_pulse(1), [VALUE])
    decide(mail, Allowed("subtree", VALUE, "first", "admin", NOW))
    decide(mail, Allowed("exact", VALUE, "second", "admin", NOW))
    assert sorted(one.reason for one in asked(mail).covered) == [
        "a.example (exact) is on the allow list, by admin: second",
        "a.example (subtree) is on the allow list, by admin: first",
    ]

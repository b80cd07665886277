"""Each kind of entry against each type of indicator, and the set against its entries one by one."""

from __future__ import annotations

import re
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulsegate.curation import value_set
from pulsegate.curation.value_set import Batch, Entry, EntryKind, ValueSet
from pulsegate.model.indicator import IndicatorType as T
from pulsegate.values.locators import host_of

K = EntryKind
MD5 = "d41d8cd98f00b204e9800998ecf8427e"
BATCHES = (
    Batch(K.EXACT, ["plain.example", "someone@mail.example", "http://url.example/x", MD5, "CVE-2017-0144"], "exact"),
    Batch(K.SUBTREE, ["tree.example", "deep.tree.example"], "tree"),
    Batch(K.NETWORK, ["192.0.2.0/24", "192.0.2.7", "2001:db8::/32"], "network"),
    Batch(K.SUBSTRING, ["sandbox"], "part", frozenset({T.DOMAIN, T.HOSTNAME})),
    Batch(K.REGEX, ["/^abuse@/i"], "pattern", frozenset({T.EMAIL})),
)
PLAIN, HOSTS = ValueSet(BATCHES), ValueSet(BATCHES, hosts=True)


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (T.DOMAIN, "plain.example", (K.EXACT, "plain.example")),
        (T.HOSTNAME, "plain.example", (K.EXACT, "plain.example")),
        (T.HOSTNAME, "www.plain.example", None),
        (T.DOMAIN, "tree.example", (K.SUBTREE, "tree.example")),
        (T.HOSTNAME, "a.b.tree.example", (K.SUBTREE, "tree.example")),
        (T.HOSTNAME, "a.deep.tree.example", (K.SUBTREE, "deep.tree.example")),
        (T.DOMAIN, "nottree.example", None),
        (T.DOMAIN, "tree.example.bad.example", None),
        (T.HOSTNAME, "my-sandbox-1.bad.example", (K.SUBSTRING, "sandbox")),
        (T.IPV4, "192.0.2.9", (K.NETWORK, "192.0.2.0/24")),
        (T.IPV4, "192.0.2.7", (K.NETWORK, "192.0.2.7/32")),
        (T.IPV4, "192.0.3.1", None),
        (T.IPV6, "2001:db8::1", (K.NETWORK, "2001:db8::/32")),
        (T.IPV6, "2002:c000:207::1", (K.NETWORK, "192.0.2.7/32")),
        (T.CIDR, "192.0.2.0/30", (K.NETWORK, "192.0.2.0/24")),
        (T.CIDR, "192.0.0.0/16", (K.NETWORK, "192.0.2.0/24")),
        (T.CIDR, "192.0.3.0/24", None),
        (T.EMAIL, "someone@mail.example", (K.EXACT, "someone@mail.example")),
        (T.EMAIL, "other@mail.example", None),
        (T.EMAIL, "ABUSE@bad.example", (K.REGEX, "/^abuse@/i")),
        (T.EMAIL, "sandbox@bad.example", None),
        (T.URL, "http://url.example/x", (K.EXACT, "http://url.example/x")),
        (T.URL, "http://url.example/", None),
        (T.URI, "http://url.example/x", (K.EXACT, "http://url.example/x")),
        (T.MD5, MD5, (K.EXACT, MD5)),
        (T.IMPHASH, MD5, (K.EXACT, MD5)),
        (T.SHA1, "da39a3ee5e6b4b0d3255bfef95601890afd80709", None),
        (T.CVE, "CVE-2017-0144", (K.EXACT, "CVE-2017-0144")),
        (T.MUTEX, "tree.example", None),
        (T.FILE_PATH, "192.0.2.7", None),
        (T.OSQUERY, "plain.example\nsomeone@mail.example", None),
    ],
)
def test_entry_that_covers_a_value_whether_hosts_count_or_not(kind, value, expected):
    found = [one.covering(kind, value) for one in (PLAIN, HOSTS)]
    assert [entry and (entry.kind, entry.text) for entry in found] == [expected, expected]


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (T.URL, "http://www.tree.example/x", (K.SUBTREE, "tree.example")),
        (T.URL, "http://192.0.2.7:8080/x", (K.NETWORK, "192.0.2.7/32")),
        (T.URI, "ftp://[2001:db8::5]/x", (K.NETWORK, "2001:db8::/32")),
        (T.EMAIL, "other@plain.example", (K.EXACT, "plain.example")),
        (T.EMAIL, "other@a.tree.example", (K.SUBTREE, "tree.example")),
        (T.EMAIL, "other@[192.0.2.7]", (K.NETWORK, "192.0.2.7/32")),
    ],
)
def test_host_counts_only_where_it_is_asked_for(kind, value, expected):
    assert PLAIN.covering(kind, value) is None
    found = HOSTS.covering(kind, value)
    assert found
    assert (found.kind, found.text) == expected


@pytest.mark.parametrize(
    "value", ["http://plain.example/", "http://www.plain.example/", "http://tree.example.bad.example/"]
)
def test_exact_name_says_nothing_of_urls_on_it(value):
    assert HOSTS.covering(T.URL, value) is None


def test_every_source_says_its_closest_entry():
    found = ValueSet(
        [
            Batch(K.SUBTREE, ["example.com", "www.example.com"], "first"),
            Batch(K.EXACT, ["a.www.example.com"], "second"),
            Batch(K.SUBSTRING, ["example"], "third"),
            Batch(K.EXACT, ["a.www.example.com"], "not for names", frozenset({T.URL})),
        ]
    ).all_covering(T.HOSTNAME, "a.www.example.com")
    assert found == (
        Entry(K.EXACT, "a.www.example.com", "second"),
        Entry(K.SUBTREE, "www.example.com", "first"),
        Entry(K.SUBSTRING, "example", "third"),
    )


def test_large_batch_answers_as_small_ones_do(monkeypatch):
    monkeypatch.setattr(value_set, "_LARGE", 1)
    large = ValueSet(BATCHES, hosts=True)
    for kind, value in [
        (T.DOMAIN, "plain.example"),
        (T.HOSTNAME, "x.tree.example"),
        (T.MD5, MD5),
        (T.DOMAIN, "example"),
    ]:
        assert large.all_covering(kind, value) == HOSTS.all_covering(kind, value)


def test_set_with_nothing_in_it():
    empty = ValueSet([Batch(K.SUBTREE, [])])
    assert not empty
    assert [empty.covering(kind, "x") for kind in T] == [None] * len(T)


@pytest.mark.parametrize("pattern", ["(", "/a/y"])
def test_pattern_that_is_none(pattern):
    with pytest.raises(ValueError):
        ValueSet([Batch(K.REGEX, [pattern])])


def test_substrings_that_lie_inside_each_other_or_are_short():
    found = ValueSet([Batch(K.SUBSTRING, ["b", "example", "example.com", ""])])
    values = ["x.example.com", "x.example.net", "a.b", "xyz", ""]
    assert [entry and entry.text for entry in (found.covering(T.DOMAIN, value) for value in values)] == [
        "example.com", "example", "b", None, None,
    ]  # fmt: skip


NAMES = st.lists(st.sampled_from(["a", "b", "com"]), min_size=1, max_size=4).map(".".join)
ADDRESSES = st.builds("10.0.{}.{}".format, st.integers(0, 2), st.integers(0, 3))
NETWORKS = st.builds(
    lambda address, prefix: str(ip_network((address, prefix), strict=False)), ADDRESSES, st.integers(8, 31)
)
VALUES = (
    st.tuples(st.sampled_from([T.DOMAIN, T.HOSTNAME]), NAMES)
    | st.tuples(st.just(T.IPV4), ADDRESSES)
    | st.tuples(st.just(T.CIDR), NETWORKS)
    | st.tuples(st.just(T.EMAIL), st.builds("a@{}".format, NAMES))
    | st.tuples(st.sampled_from([T.URL, T.URI]), st.builds("http://{}/a".format, NAMES | ADDRESSES))
    | st.tuples(st.just(T.MUTEX), NAMES)
)
ENTRIES = st.one_of(
    st.builds(Entry, st.just(K.EXACT), NAMES | st.builds("http://{}/a".format, NAMES)),
    st.builds(Entry, st.just(K.SUBTREE), NAMES),
    st.builds(Entry, st.just(K.NETWORK), NETWORKS),
    st.builds(Entry, st.just(K.REGEX), st.sampled_from(["^a", "b$", "[.]"])),
    st.builds(Entry, st.just(K.SUBSTRING), st.sampled_from(["com", "10", "b"])),
)


def covers(entry, kind, value, hosts):
    """The rules as the documentation has them, for one entry."""
    if entry.kind in (K.SUBSTRING, K.REGEX):
        return bool(re.search(entry.text, value))
    if kind in (T.DOMAIN, T.HOSTNAME, T.IPV4, T.CIDR):
        return covers_host(entry, value)
    if entry.kind is K.EXACT and value == entry.text:
        return True
    if not hosts or kind is T.MUTEX or (entry.kind is K.EXACT and kind is not T.EMAIL):
        return False
    return covers_host(entry, value.removeprefix("a@") if kind is T.EMAIL else host_of(value))


def covers_host(entry, host):
    is_address = host.startswith("10.")
    if entry.kind is K.NETWORK:
        return is_address and ip_network(host).overlaps(ip_network(entry.text))
    below = entry.kind is K.SUBTREE and host.endswith(f".{entry.text}")
    return not is_address and (host == entry.text or below)


@given(st.lists(ENTRIES, max_size=12), st.lists(VALUES, max_size=12), st.booleans())
def test_value_is_covered_when_one_entry_covers_it_and_the_entry_told_does(entries, values, hosts):
    found = ValueSet((Batch(one.kind, [one.text], str(place)) for place, one in enumerate(entries)), hosts=hosts)
    for kind, value in values:
        told = {int(entry.source) for entry in found.all_covering(kind, value)}
        assert told == {place for place, one in enumerate(entries) if covers(one, kind, value, hosts)}
        closest = found.covering(kind, value)
        assert (closest is None) == (not told)
        assert closest is None or covers(closest, kind, value, hosts)


@given(st.lists(ENTRIES, max_size=12), st.lists(VALUES, max_size=12), st.booleans())
def test_many_look_ups_at_once_agree_with_single_ones(entries, values, hosts):
    found = ValueSet((Batch(one.kind, [one.text], one.kind) for one in entries), hosts=hosts)
    single = {value: found.all_covering(*value) for value in values}
    assert found.among(values) == {value: entries for value, entries in single.items() if entries}


@given(st.sampled_from(list(T)), st.text())
def test_no_value_raises(kind, value):
    HOSTS.all_covering(kind, value)

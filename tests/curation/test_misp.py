"""MISP's lists: each type of list against each type of indicator, made-up lists and those of the package."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulsegate.curation import misp
from pulsegate.curation.misp_entries import is_plain_name, sort_entries
from pulsegate.curation.value_set import EntryKind, ValueSet
from pulsegate.errors import SettingsError
from pulsegate.model.indicator import IndicatorType as T
from pulsegate.model.indicator import RawIndicator
from pulsegate.values.normalise import normalise

NAMES = ["domain", "hostname"]
WITH_URLS = [*NAMES, "url", "domain|ip"]
ADDRESSES = ["ip-src", "ip-dst", "domain|ip"]
HASHES = ["md5", "sha1", "sha256", "filename|md5"]
SHA1, MD5 = "da39a3ee5e6b4b0d3255bfef95601890afd80709", "d41d8cd98f00b204e9800998ecf8427e"


@pytest.fixture
def folder(tmp_path):
    """``folder(name, type, entries, attributes)`` writes a list and gives the folder of all."""

    def write(name, type_, entries, attributes):
        document = {"name": f"About {name}", "type": type_, "list": entries, "description": "", "version": 1}
        if attributes is not None:
            document["matching_attributes"] = attributes
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / "list.json").write_text(json.dumps(document), "utf-8")
        return tmp_path

    return write


def covered(found, kind, value):
    entry = ValueSet(found.batches).covering(kind, value)
    return entry and (entry.kind.value, entry.text)


@pytest.mark.parametrize(
    ("type_", "entries", "attributes", "kind", "value", "expected"),
    [
        ("string", ["Example.COM."], NAMES, T.DOMAIN, "example.com", ("exact", "example.com")),
        ("string", [".example.com"], NAMES, T.DOMAIN, "example.com", ("exact", "example.com")),
        ("string", [".example.com"], NAMES, T.HOSTNAME, "www.example.com", None),
        ("string", ["bücher.example"], NAMES, T.HOSTNAME, "xn--bcher-kva.example", ("exact", "xn--bcher-kva.example")),
        ("string", ["COM"], NAMES, T.DOMAIN, "com", ("exact", "com")),
        ("string", ["example.com"], WITH_URLS, T.URL, "http://example.com/", None),
        ("string", ["example.com"], WITH_URLS, T.EMAIL, "a@example.com", None),
        ("string", ["example.com"], WITH_URLS, T.MUTEX, "example.com", None),
        ("string", ["example.com/a"], WITH_URLS, T.URL, "http://example.com/a", ("exact", "http://example.com/a")),
        ("string", ["8.8.8.8", "example.com"], [*NAMES, *ADDRESSES], T.IPV4, "8.8.8.8", ("network", "8.8.8.8/32")),
        ("string", [MD5.upper()], HASHES, T.MD5, MD5, ("exact", MD5)),
        ("string", [SHA1], HASHES, T.SHA1, SHA1, ("exact", SHA1)),
        ("string", [MD5], HASHES, T.JA3, MD5, None),
        ("string", [SHA1], ["x509-fingerprint-sha1"], T.SSL_CERT_FINGERPRINT, SHA1, ("exact", SHA1)),
        ("string", ["A@Example.com"], ["email-src"], T.EMAIL, "A@example.com", ("exact", "A@example.com")),
        ("hostname", ["example.com"], NAMES, T.DOMAIN, "example.com", ("subtree", "example.com")),
        ("hostname", [".example.com"], NAMES, T.HOSTNAME, "a.b.example.com", ("subtree", "example.com")),
        ("hostname", [".github.io"], NAMES, T.HOSTNAME, "a.github.io", ("subtree", "github.io")),
        ("hostname", ["example.com"], WITH_URLS, T.URL, "http://www.example.com/", None),
        ("hostname", ["example.com/a"], WITH_URLS, T.URL, "http://example.com/a", ("exact", "http://example.com/a")),
        ("hostname", ["example.com"], ["domain"], T.HOSTNAME, "www.example.com", ("subtree", "example.com")),
        ("hostname", ["example.com"], NAMES, T.EMAIL, "a@example.com", None),
        ("cidr", ["192.0.2.0/24"], ADDRESSES, T.IPV4, "192.0.2.9", ("network", "192.0.2.0/24")),
        ("cidr", ["192.0.2.0/24"], ADDRESSES, T.CIDR, "192.0.0.0/16", ("network", "192.0.2.0/24")),
        ("cidr", ["192.0.2.0/24"], ADDRESSES, T.URL, "http://192.0.2.9/", None),
        ("cidr", ["192.0.2.9"], ADDRESSES, T.IPV4, "192.0.2.9", ("network", "192.0.2.9/32")),
        ("cidr", ["2001:DB8::/32"], ADDRESSES, T.IPV6, "2001:db8::5", ("network", "2001:db8::/32")),
        ("cidr", ["::ffff:9270:3d68"], ADDRESSES, T.IPV4, "146.112.61.104", ("network", "146.112.61.104/32")),
        ("substring", ["Sand.Example"], WITH_URLS, T.HOSTNAME, "a.sand.example.net", ("substring", "sand.example")),
        ("substring", ["sand.example"], WITH_URLS, T.URL, "http://bad.example/sand.example", None),
        ("substring", ["mail.example"], ["email-src"], T.EMAIL, "a@mail.example", ("substring", "mail.example")),
        ("substring", ["mail.example"], ["email-src"], T.DOMAIN, "mail.example", None),
        ("substring", ["192.0.2.9"], [*NAMES, *ADDRESSES], T.IPV4, "192.0.2.9", ("network", "192.0.2.9/32")),
        ("substring", ["92.0.2.9"], [*NAMES, *ADDRESSES], T.IPV4, "192.0.2.9", None),
        ("regex", ["/^noc\\@.*$/i"], ["email-dst"], T.EMAIL, "NOC@x.example", ("regex", "/^noc\\@.*$/i")),
        ("regex", ["/0/g"], ["email-dst"], T.IPV4, "10.0.0.1", None),
        ("regex", ["/0/g"], ["phone-number"], T.IPV4, "10.0.0.1", None),
        ("string", ["Some Mutex"], ["mutex"], T.MUTEX, "Some Mutex", None),
        ("string", ["example.com"], None, T.DOMAIN, "example.com", ("exact", "example.com")),
        ("string", [MD5], None, T.MD5, MD5, ("exact", MD5)),
    ],
)  # fmt: skip
def test_value_against_a_list(folder, type_, entries, attributes, kind, value, expected):
    assert covered(misp.read("x", folder("x", type_, entries, attributes)), kind, value) == expected


@pytest.mark.parametrize("type_", ["string", "hostname"])
@pytest.mark.parametrize("name", sorted(misp.POPULARITY))
def test_popularity_list_matches_exact_hosts_whatever_its_type(folder, type_, name):
    found = misp.read(name, folder(name, type_, ["example.com"], WITH_URLS))
    values = [(T.DOMAIN, "example.com"), (T.HOSTNAME, "www.example.com"), (T.URL, "http://example.com/")]
    assert [covered(found, *value) for value in values] == [("exact", "example.com"), None, None]


@pytest.mark.parametrize(
    ("type_", "entry", "attributes", "reason"),
    [
        ("string", "two words", NAMES, "not a domain name: white space inside"),
        ("hostname", "a..b", NAMES, "not a domain name: two dots in a row"),
        ("hostname", "178.211.56.71", NAMES, "of type IPv4, which the list is not for"),
        ("string", "3::", HASHES, "not a SHA-256 hash: not hexadecimal"),
        ("string", "0" * 128, HASHES, "not a SHA-256 hash: 128 hexadecimal digits, not 64"),
        ("cidr", "example.com", ADDRESSES, "of type domain, which the list is not for"),
        ("cidr", "1.2.3.4/33", ADDRESSES, "not an IP address: the prefix length is not a number from 0 to 32"),
        ("regex", "/(/", NAMES, "no regular expression: missing ), unterminated subpattern at position 0"),
    ],
)
def test_entry_that_is_no_value_is_told_and_the_others_stay(folder, type_, entry, attributes, reason):
    good = {"string": "0" * 32 if attributes is HASHES else "good.example", "hostname": "good.example"}
    good |= {"cidr": "192.0.2.1", "regex": "/^good/"}
    found = misp.read("x", folder("x", type_, [good[type_], entry], attributes))
    assert (found.entries, found.rejected) == (1, (f"{entry}: {reason}",))


def test_long_entries_among_plain_ones(folder):
    long = ".".join(["a" * 40] * 3)
    found = misp.read("x", folder("x", "string", ["a.example", f"{'a' * 64}.example", long], NAMES))
    assert [covered(found, T.DOMAIN, value) is not None for value in ("a.example", long)] == [True, True]
    assert [one.partition(": ")[2] for one in found.rejected] == ["not a domain name: label longer than 63 characters"]


def test_list_is_told_with_its_name_and_title(folder):
    found = misp.read("x", folder("x", "string", ["example.com"], NAMES))
    assert (found.name, found.title, found.entries) == ("x", "About x", 1)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tranko", "tranko: no such warning list. Did you mean tranco?"),
        ("../tranco", "../tranco: no such warning list. Did you mean tranco?"),
        ("zzz", "zzz: no such warning list. See pymispwarninglists for the names"),
        ("", ": no such warning list. See pymispwarninglists for the names"),
    ],
)
def test_list_that_is_not_there(folder, name, message):
    place = folder("tranco", "hostname", [], NAMES)
    with pytest.raises(SettingsError) as caught:
        misp.read(name, place)
    assert str(caught.value).removeprefix(": ") == message.removeprefix(": ")


@pytest.mark.parametrize("text", ["[]", '{"type": "other", "list": []}', '{"type": "cidr"}', '{"list": []}'])
def test_file_that_is_no_list(folder, text):
    place = folder("x", "cidr", [], ADDRESSES)
    (place / "x" / "list.json").write_text(text)
    with pytest.raises(SettingsError, match="not a warning list as MISP writes them"):
        misp.read("x", place)


def test_head_of_a_list_that_is_in_the_order_of_its_ranks(folder):
    found = misp.read("tranco:2", folder("tranco", "hostname", ["google.com", "apple.com", "bing.com"], NAMES))
    assert (found.name, found.title, found.entries) == ("tranco:2", "About tranco, the first 2", 2)
    assert [covered(found, T.DOMAIN, name) is not None for name in ("google.com", "apple.com", "bing.com")] == [
        True, True, False,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tranco:2", "the list is in alphabetical order, so its head can't be told"),
        ("tranco:0", "'0' is no number of entries"),
        ("tranco:", "'' is no number of entries"),
        ("tranco:x", "'x' is no number of entries"),
        ("dax30:2", "only a popularity list has a head"),
    ],
)
def test_head_that_can_not_be_told(folder, name, message):
    folder("dax30", "hostname", ["b.example", "a.example"], NAMES)
    place = folder("tranco", "hostname", ["apple.com", "bing.com", "google.com"], NAMES)
    with pytest.raises(SettingsError, match=message):
        misp.read(name, place)


def test_no_popularity_list_of_the_package_is_in_the_order_of_its_ranks():
    """So ``NAME:1000`` is of no use with this release; when this fails, offer it."""
    for name in sorted(misp.POPULARITY):
        with pytest.raises(SettingsError, match="alphabetical"):
            misp.read(f"{name}:1000")


def test_every_list_of_the_package_is_read_and_hardly_an_entry_is_no_value():
    for name in misp.names():
        found = misp.read(name)
        assert len(found.rejected) <= 20, (name, found.rejected[:5])
        assert found.entries or name.startswith("crl-") or name in {"phone_numbers", "microsoft-azure-appid"}, name


@given(
    st.text(st.sampled_from("ab0-_.A"), max_size=70)
    | st.from_regex(r"[a-z0-9_-]{1,64}\.[a-z0-9-]{1,5}", fullmatch=True)
)
def test_plain_name_is_its_own_normal_form(text):
    if is_plain_name(text):
        assert getattr(normalise(RawIndicator("domain", text)), "value", None) == text


@given(st.lists(st.text(st.sampled_from("ab0.-:/é"), max_size=9) | st.just("plain.example"), max_size=6))
def test_whole_list_is_read_as_its_entries_one_by_one(texts):
    types = frozenset({T.DOMAIN, T.HOSTNAME, T.IPV4, T.IPV6, T.CIDR})
    whole = sort_entries(EntryKind.SUBTREE, texts, types, exact=False)
    single = [sort_entries(EntryKind.SUBTREE, [text], types, exact=False) for text in texts]
    for kind in EntryKind:
        assert sorted(whole.texts.get(kind, [])) == sorted(t for one in single for t in one.texts.get(kind, []))
    assert sorted(whole.rejected) == sorted(reason for one in single for reason in one.rejected)

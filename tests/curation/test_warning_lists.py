"""Warning lists as they are shipped and as administrators choose them; reports of users against other systems."""

from __future__ import annotations

import json

import pytest

from pulsegate.curation import misp
from pulsegate.curation.choices import DEFAULTS, TABLE, Mode
from pulsegate.curation.entry_file import read_entries
from pulsegate.curation.misp import ReadList
from pulsegate.curation.value_set import Batch, Entry, EntryKind, ValueSet
from pulsegate.curation.warning_lists import Hit, ListFile, WarningLists
from pulsegate.errors import SettingsError
from pulsegate.model.indicator import IndicatorType as T

K, B, I = EntryKind, Mode.BLOCK, Mode.INFORM  # noqa: E741


@pytest.fixture(scope="module")
def shipped():
    return WarningLists.load()


def made(name, *texts, kind=K.EXACT):
    return ReadList(name, f"About {name}", (Batch(kind, list(texts), name),))


def test_every_list_of_the_package_is_decided_on_with_a_reason():
    assert set(DEFAULTS) == set(misp.names())
    assert len(TABLE) == len(DEFAULTS)
    assert all(reason for _, _, reason in TABLE)


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        # What a block would stop, or what means nothing.
        (T.IPV4, "8.8.8.8", ("public-dns-v4", "8.8.8.8/32")),
        (T.IPV6, "2001:4860:4860::8888", ("public-dns-v6", "2001:4860:4860::8888/128")),
        (T.CIDR, "8.8.8.0/24", ("public-dns-v4", "8.8.8.8/32")),
        (T.IPV4, "10.1.2.3", ("rfc1918", "10.0.0.0/8")),
        (T.IPV4, "40.107.22.52", ("microsoft-office365-ip", "40.107.0.0/16")),
        (T.IPV4, "209.85.220.41", ("google-gmail-sending-ips", "209.85.128.0/17")),
        (T.IPV4, "17.57.155.1", ("apple", "17.0.0.0/8")),
        (T.IPV4, "146.112.61.104", ("umbrella-blockpage-v4", "146.112.61.104/32")),
        (T.DOMAIN, "google.com", ("alexa", "google.com")),
        (T.DOMAIN, "outlook.com", ("microsoft", "outlook.com")),
        (T.DOMAIN, "dropbox.com", ("tranco10k", "dropbox.com")),
        (T.HOSTNAME, "outlook.office365.com", ("microsoft-win10-connection-endpoints", "outlook.office365.com")),
        (T.HOSTNAME, "mail.deutsche-boerse.com", ("dax30", "deutsche-boerse.com")),
        (T.DOMAIN, "co.uk", ("second-level-tlds", "co.uk")),
        (T.MD5, "d41d8cd98f00b204e9800998ecf8427e", ("empty-hashes", "d41d8cd98f00b204e9800998ecf8427e")),
        (T.MD5, "44d88612fea8a8f36de82e1278abb02f", ("eicar.com", "44d88612fea8a8f36de82e1278abb02f")),
    ],
)
def test_what_the_shipped_choice_blocks(shipped, kind, value, expected):
    blocking = {(hit.name, hit.entry.text) for hit in shipped.hits(kind, value) if hit.mode is B}
    assert expected in blocking


@pytest.mark.parametrize(
    ("kind", "value", "informs"),
    [
        (T.HOSTNAME, "evil.duckdns.org", {"dynamic-dns", "lots-project"}),
        (T.HOSTNAME, "evil-login.azurewebsites.net", {"lots-project"}),
        (T.HOSTNAME, "evil.github.io", {"lots-project"}),
        (T.HOSTNAME, "login.google.com.evil.example", set()),
        (T.DOMAIN, "googIe-support.example", set()),
        (T.URL, "http://dropbox.com/s/abc/invoice.exe", set()),
        (T.URL, "https://drive.google.com/uc?id=1", set()),
        (T.URL, "http://8.8.8.8/x", set()),
        (T.EMAIL, "evil@gmail.com", set()),
        (T.EMAIL, "security@paypa1.example", {"common-contact-emails"}),
        (T.IPV4, "80.82.77.139", {"shodan-nt-scanning", "shodan-scanning"}),
        (T.SHA256, "0" * 64, set()),
        (T.MUTEX, "google.com", set()),
        (T.CVE, "CVE-2017-0144", set()),
    ],
)
def test_what_the_shipped_choice_lets_through(shipped, kind, value, informs):
    hits = shipped.hits(kind, value)
    assert [hit for hit in hits if hit.mode is B] == []
    assert {hit.name for hit in hits} >= informs
    assert informs or not hits


def test_hit_tells_the_list_the_entry_and_a_sentence():
    lists = WarningLists(
        [
            (made("shown", "example.com", kind=K.SUBTREE), I),
            (made("held", "www.example.com"), B),
            (made("off", "www.example.com"), Mode.OFF),
        ]
    )
    hits = lists.hits(T.HOSTNAME, "www.example.com")
    assert hits == (
        Hit("held", "About held", B, Entry(K.EXACT, "www.example.com", "held")),
        Hit("shown", "About shown", I, Entry(K.SUBTREE, "example.com", "shown")),
    )
    assert [hit.sentence for hit in hits] == [
        'the warning list held ("About held") names www.example.com',
        'the warning list shown ("About shown") names example.com and all below it; it only informs',
    ]
    assert len(lists) == 2


@pytest.mark.parametrize(
    ("kind", "text", "value", "sentence"),
    [
        (K.NETWORK, "10.0.0.0/8", (T.IPV4, "10.1.2.3"), "names the network 10.0.0.0/8"),
        (K.SUBSTRING, "sand", (T.DOMAIN, "sand.example"), "names sand, which stands in the value"),
        (K.REGEX, "/^a@/", (T.EMAIL, "a@x.example"), "has the pattern /^a@/, which the value matches"),
    ],
)
def test_sentence_of_each_kind(kind, text, value, sentence):
    (hit,) = WarningLists([(made("x", text, kind=kind), B)]).hits(*value)
    assert hit.sentence == f'the warning list x ("About x") {sentence}'


def test_only_the_chosen_lists_are_read(tmp_path):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "list.json").write_text("no JSON")
    (tmp_path / "good").mkdir()
    document = {"name": "Good", "type": "string", "list": ["a.example", "b"], "matching_attributes": ["domain"]}
    (tmp_path / "good" / "list.json").write_text(json.dumps(document))
    lists = WarningLists.load({"broken": Mode.OFF, "good": I}, folder=tmp_path)
    assert [(one.name, one.title, one.mode, one.entries) for one in lists.lists] == [("good", "Good", I, 2)]


def test_many_look_ups_at_once_agree_with_single_ones(shipped):
    values = [(T.DOMAIN, "google.com"), (T.IPV4, "8.8.8.8"), (T.DOMAIN, "nothing.example"), (T.DOMAIN, "google.com")]
    assert shipped.hits_among(values) == {value: shipped.hits(*value) for value in values[:2]}


def test_list_of_ones_own_blocks_or_informs_or_is_not_read(tmp_path):
    path = tmp_path / "partners.txt"
    path.write_text(".partner.example\n192.0.2.0/24\n")
    missing = ListFile("later", tmp_path / "missing.txt", Mode.OFF)
    lists = WarningLists.load({}, [ListFile("partners", path, B), missing])
    (hit,) = lists.hits(T.HOSTNAME, "www.partner.example")
    assert (hit.mode, hit.title, hit.entry.text) == (B, "your own list partners", "partner.example")
    assert lists.hits(T.URL, "http://www.partner.example/") == ()


def test_two_lists_of_one_name(tmp_path):
    path = tmp_path / "x.txt"
    path.write_text("a.example")
    with pytest.raises(SettingsError, match="alexa: two warning lists have this name"):
        WarningLists.load({"alexa": B}, [ListFile("alexa", path, B)])


def test_no_lists_hit_nothing():
    assert WarningLists().hits(T.DOMAIN, "google.com") == ()


class TestReports:
    """Faults that users reported against other systems."""

    def test_public_resolver_in_a_pulse_is_stopped_with_the_reason_shown(self, shipped):
        """graylog-plugin-threatintel#102."""
        hit = shipped.hits(T.IPV4, "8.8.8.8")[0]
        assert (hit.mode, hit.sentence) == (
            B,
            'the warning list public-dns-v4 ("List of known IPv4 public DNS resolvers") names the network 8.8.8.8/32',
        )

    @pytest.mark.parametrize(
        ("entry", "covered"),
        [
            ("github.com", [True, False, False]),
            (".github.com", [True, True, True]),
            ("http://www.github.com/x", [False, False, True]),
        ],
    )
    def test_curator_chooses_exact_or_subtree(self, tmp_path, entry, covered):
        """opencti#10059: github.com was excluded, www.github.com and a URL below it came."""
        path = tmp_path / "allow.txt"
        path.write_text(entry)
        allowed = ValueSet(read_entries(path), hosts=True)
        values = [(T.DOMAIN, "github.com"), (T.HOSTNAME, "www.github.com"), (T.URL, "http://www.github.com/x")]
        assert [allowed.covering(*value) is not None for value in values] == covered

    @pytest.mark.parametrize("name", ["dropbox.com", "amazonaws.com", "wordpress.com"])
    def test_malicious_name_below_a_listed_domain_is_not_blocked(self, shipped, name):
        """MISP#10302."""
        assert B in {hit.mode for hit in shipped.hits(T.DOMAIN, name)}
        assert B not in {hit.mode for hit in shipped.hits(T.HOSTNAME, f"evil.{name}")}

    @pytest.mark.parametrize(("mode", "modes"), [(B, [B]), (I, [I]), (Mode.OFF, [])])
    def test_each_list_blocks_or_informs(self, mode, modes):
        """MISP#7277."""
        lists = WarningLists.load({"public-dns-v4": mode})
        assert [hit.mode for hit in lists.hits(T.IPV4, "8.8.8.8")] == modes

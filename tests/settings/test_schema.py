"""The shape of the settings: defaults, what a value may be, and the models made of it."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from pulsegate.model.collection import Collection, CollectionKind, Profile, ReviewMode, Rule
from pulsegate.model.indicator import IndicatorType
from pulsegate.model.mode import Mode
from pulsegate.model.tlp import TLP
from pulsegate.settings import CollectionSettings, ListFileSettings, ListSettings, OTXSettings, RuleSettings, Settings

DAY = timedelta(days=1)
EXAMPLE = """
name: mail-gateway
profile: esa          # esa: only what the appliance uses, in the form it reads; full: everything that STIX 1.2 can say
deduplicate: true
review: false         # true: a pulse waits until a curator approves it
include: {authors: [], tags: [], adversaries: [], malware_families: [], countries: [], industries: [], types: [], tlp: [white, green], max_age: 90d}
exclude: {}           # the same keys
protections: true     # true | false | a list of names
warning_lists: default  # default | none | a list of names
ttl: {IPv4: 30d, domain: 90d}   # where OTX gives no expiration
refresh: null         # 25d: republish what is still live, for consumers that age it out
blocks_per_part: 0    # 0: one streamed part
"""


def faults(model, values):
    """What is wrong with the values: the key and the message of each fault."""
    with pytest.raises(ValidationError) as caught:
        model.model_validate(values)
    return [
        (".".join(str(part) for part in one["loc"]), one["msg"].removeprefix("Value error, "))
        for one in caught.value.errors()
    ]


def test_settings_by_default():
    assert Settings().model_dump() == {
        "database": None,
        "host": "127.0.0.1",
        "port": 9000,
        "workers": 2,
        "threads": 32,
        "domain": None,
        "proxies": [],
        "tls": {
            "certificate": None,
            "key": None,
            "client_ca": None,
            "client_certificates": "optional",
            "client_header": None,
        },
        "data_dir": Path("var"),
        "admin_password": None,
        "log_format": "text",
        "skew": "10m",
        "open_after": "10m",
        "results_kept": "1h",
        "retention": "90d",
        "polls_kept": "30d",
        "audit_kept": "730d",
        "warning_lists": {"modes": {}, "files": []},
        "own": [],
        "otx": {
            "url": "https://otx.alienvault.com",
            "api_key": None,
            "api_key_file": None,
            "enabled": True,
            "subscription": True,
            "authors": [],
            "pulses": [],
            "searches": [],
            "interval": "15m",
            "jitter": None,
            "cron": None,
            "backfill": "365d",
            "backoff": "1s",
            "compare": "1h",
            "max_removal": "20%",
            "stale_after": "6h",
            "retry": "1m",
            "page_size": 20,
            "timeout": "1m",
            "proxy": None,
            "ca_file": None,
        },
        "sources": [],
        "upstreams": [],
        "alarms": {"notify": [], "notify_file": None},
        "metrics": {"allow": []},
        "taxii": {"gzip": False, "max_block": "5MB", "token_life": "1h", "max_body": "10MB"},
        "pages": {"enabled": True, "idle": "30m", "max_upload": "5MB"},
        "relay": {
            "origin": None,
            "key": None,
            "outbox": None,
            "interval": "1h",
            "full_every": "1d",
            "repeat": 0,
            "part_size": None,
            "receipts": None,
            "inbox": None,
            "write_receipts": None,
            "stale_after": "1d",
            "kept": "30d",
            "trust": [],
            "revoked": [],
            "curation": False,
            "take": [],
        },
        "collections": [],
    }


def test_settings_after_loading_do_not_change():
    with pytest.raises(ValidationError, match="frozen"):
        Settings().port = 1


def test_collection_by_default_filters_nothing():
    assert CollectionSettings(name="all").to_model() == Collection(
        name="all",
        kind=CollectionKind.OWN,
        author=None,
        description="",
        profile=Profile.FULL,
        deduplicate=True,
        expand=256,
        include=Rule(),
        exclude=Rule(),
        protections=None,
        ttl={},
        refresh=None,
    )


def test_collection_as_the_design_writes_it():
    assert CollectionSettings.model_validate(yaml.safe_load(EXAMPLE)).to_model() == Collection(
        name="mail-gateway",
        profile=Profile.ESA,
        deduplicate=True,
        include=Rule(tlp=frozenset({TLP.WHITE, TLP.GREEN}), max_age=timedelta(days=90)),
        exclude=Rule(),
        protections=None,
        ttl={IndicatorType.IPV4: timedelta(days=30), IndicatorType.DOMAIN: timedelta(days=90)},
    )


def test_rule_with_every_key_keeps_words_as_written():
    rule = RuleSettings(
        authors=["AlienVault"],
        tags=["Phishing", "STRASSE", "Straße"],
        adversaries=["Example Bear"],
        malware_families=["ExampleRAT"],
        countries=["Japan"],
        industries=["Energy"],
        words=["Spear Phishing", "emotet*"],
        attack_ids=["T1566", "t1059.001", "TA0011"],
        types=["IPv4", "URL"],
        roles=["command_and_control"],
        tlp=["amber"],
        max_age="6h",
    )
    assert rule.to_model() == Rule(
        authors=frozenset({"AlienVault"}),
        tags=frozenset({"Phishing", "STRASSE", "Straße"}),
        adversaries=frozenset({"Example Bear"}),
        malware_families=frozenset({"ExampleRAT"}),
        countries=frozenset({"Japan"}),
        industries=frozenset({"Energy"}),
        words=frozenset({"Spear Phishing", "emotet*"}),
        attack_ids=frozenset({"T1566", "t1059.001", "TA0011"}),
        roles=frozenset({"command_and_control"}),
        types=frozenset({IndicatorType.IPV4, IndicatorType.URL}),
        tlp=frozenset({TLP.AMBER}),
        max_age=timedelta(hours=6),
    )


NO_WORD = "{!r} is no word; write a word, a phrase, or what one begins with: phish*"
NO_END = "{!r} has a * elsewhere than at the end of a word; write phish* or phishing"
NO_ID = "{!r} is no ATT&CK id, such as T1566, T1566.001 or TA0011"


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        *(("words", word, NO_WORD) for word in ("", " ", "*", "**", "a *", "* a")),
        *(("words", word, NO_END) for word in ("a*b", "*a", "a *b* c")),
        *(
            ("attack_ids", one, NO_ID)
            for one in ("", "1566", "T156", "T1566.1", "T1566 ", "T1566*", "phishing", "S0001")
        ),
        ("roles", " ", "an empty role is none; write one as OTX names it, such as scanning_host"),
    ],
)
def test_rule_with_a_word_that_means_nothing(key, value, message):
    assert faults(RuleSettings, {key: ["T1000" if key == "attack_ids" else "fine", value]}) == [
        (key, message.format(value))
    ]


@pytest.mark.parametrize("value", [0, 1, 256])
def test_size_of_a_network_that_is_written_address_by_address(value):
    assert CollectionSettings(name="a", expand=value).to_model().expand == value


@pytest.mark.parametrize("value", [-1, 257, "many"])
def test_size_of_a_network_that_has_no_room_in_a_block(value):
    assert [key for key, _ in faults(CollectionSettings, {"name": "a", "expand": value})] == ["expand"]


@pytest.mark.parametrize(
    ("written", "meant"),
    [(True, None), (False, frozenset()), ([], frozenset()), (["single-label"], frozenset({"single-label"}))],
)
def test_protections_as_a_switch_or_as_names(written, meant):
    assert CollectionSettings(name="a", protections=written).to_model().protections == meant


def test_protections_with_an_unknown_name():
    found = faults(CollectionSettings, {"name": "a", "protections": ["reserved-ranges"]})
    assert [key for key, _ in found] == ["protections"]


@pytest.mark.parametrize("name", ["subscribed", "user_", "user_AlienVault"])
def test_collection_named_as_one_of_pulsegates_own(name):
    assert faults(CollectionSettings, {"name": name}) == [
        ("name", f"{name!r} is a name that Pulsegate gives itself; choose another one")
    ]


@pytest.mark.parametrize("name", ["", " ", "a\nb", "a\0", "x" * 301])
def test_collection_with_an_unusable_name(name):
    assert faults(CollectionSettings, {"name": name}) == [
        ("name", "a collection's name is 1 to 300 printable characters")
    ]


@pytest.mark.parametrize("name", ["x" * 300, "café", "Mail Gateway", "users", "subscribed-2"])
def test_collection_with_a_usable_name(name):
    assert CollectionSettings(name=name).name == name


def test_collections_of_the_same_name():
    assert faults(Settings, {"collections": [{"name": "a"}, {"name": "b"}, {"name": "a"}]}) == [
        ("", "two collections are named 'a'; rename one")
    ]


@pytest.mark.parametrize(
    ("written", "meant"),
    [(False, ReviewMode.NONE), (None, ReviewMode.NONE), (True, ReviewMode.PULSES), ("changes", ReviewMode.CHANGES)],
)
def test_review_of_pulses_or_of_their_changes(written, meant):
    assert CollectionSettings(name="a", review=written).to_model().review is meant


def test_review_of_something_else():
    found = faults(CollectionSettings, {"name": "a", "review": "always"})
    assert {key.partition(".")[0] for key, _ in found} == {"review"}


@pytest.mark.parametrize(
    ("written", "meant"),
    [("default", None), (None, None), ("none", frozenset()), ([], frozenset()), (["a", "b"], frozenset("ab"))],
)
def test_warning_lists_that_block_in_a_collection(written, meant):
    assert CollectionSettings(name="a", warning_lists=written).to_model().warning_lists == meant


@pytest.mark.parametrize(
    ("written", "meant"), [("block", Mode.BLOCK), ("inform", Mode.INFORM), ("off", Mode.OFF), (False, Mode.OFF)]
)
def test_mode_of_a_warning_list_where_yaml_takes_off_for_false(written, meant):
    assert ListSettings(modes={"tranco": written}).modes == {"tranco": meant}
    assert ListFileSettings(name="a", file="b", mode=written).mode is meant


@pytest.mark.parametrize("written", [True, "on", 0, None])
def test_mode_of_a_warning_list_that_is_none(written):
    assert [key for key, _ in faults(ListSettings, {"modes": {"tranco": written}})] == ["modes.tranco"]


@pytest.mark.parametrize("name", ["", "two words", "-a", "a,b", "x" * 101])
def test_warning_list_with_an_unusable_name(name):
    message = "a list's name has letters, digits, dots, dashes and underscores, 100 at most"
    assert faults(ListFileSettings, {"name": name, "file": "b"}) == [("name", message)]


def test_warning_lists_of_the_same_name():
    files = [{"name": "a", "file": "b"}, {"name": "a", "file": "c"}]
    message = "two warning lists are named 'a'; rename one"
    assert faults(Settings, {"warning_lists": {"files": files}}) == [("", message)]


@pytest.mark.parametrize(("written", "meant"), [(None, None), ("3d", 3 * DAY), ("72h", 3 * DAY), ("25d", 25 * DAY)])
def test_refresh_from_three_days_on(written, meant):
    assert CollectionSettings(name="a", refresh=written).to_model().refresh == meant


@pytest.mark.parametrize("written", ["71h", "4319m", "1d", "100ms"])
def test_refresh_below_three_days_is_refused(written):
    assert faults(CollectionSettings, {"name": "a", "refresh": written}) == [
        ("", "refresh is at least 3d: slow clients need time to fetch")
    ]


def test_collection_with_unknown_types():
    found = faults(CollectionSettings, {"name": "a", "ttl": {"ipv4": "1d"}, "include": {"types": ["ip"], "tlp": ["x"]}})
    assert [key for key, _ in found] == ["include.types.0", "include.tlp.0", "ttl.ipv4.[key]"]


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://otx.example", "https://otx.example"),
        ("https://otx.example:8443/", "https://otx.example:8443"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://127.3.2.1", "http://127.3.2.1"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("http://localhost:8080/", "http://localhost:8080"),
        ("http://LOCALHOST", "http://LOCALHOST"),
    ],
)
def test_otx_url_that_keeps_the_key_safe(url, kept):
    assert OTXSettings(url=url).url == kept


IN_CLEAR = "the API key would travel in the clear; write https://"
NO_ADDRESS = "write an address such as https://otx.alienvault.com"
TOO_MUCH = "write scheme, host and port only"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://otx.alienvault.com", IN_CLEAR),
        ("HTTP://otx.alienvault.com", IN_CLEAR),
        ("http://127.0.0.1.otx.example", IN_CLEAR),
        ("http://localhost@otx.example", IN_CLEAR),
        ("http://localhost.example", IN_CLEAR),
        ("http://192.168.0.1", IN_CLEAR),
        ("http://0.0.0.0", IN_CLEAR),
        ("ftp://otx.example", NO_ADDRESS),
        ("otx.alienvault.com", NO_ADDRESS),
        ("", NO_ADDRESS),
        ("https://", NO_ADDRESS),
        ("https://someone:secret@otx.example", TOO_MUCH),
        ("https://otx.example/?a=1", TOO_MUCH),
        ("https://otx.example/#a", TOO_MUCH),
        ("https://[::1", "Invalid IPv6 URL"),
    ],
)
def test_otx_url_that_is_refused(url, message):
    assert faults(OTXSettings, {"url": url}) == [("url", message)]


@pytest.mark.parametrize("url", ["https://:secret@otx.example", "https://otx.example:99999", "https://otx.example:x"])
def test_otx_url_with_a_password_alone_or_an_impossible_port(url):
    assert [key for key, _ in faults(OTXSettings, {"url": url})] == ["url"]


def test_api_key_and_its_file_together():
    assert faults(OTXSettings, {"api_key": "k", "api_key_file": "/f"}) == [
        ("", "api_key and api_key_file are both set; keep one of them")
    ]


@pytest.mark.parametrize(
    ("database", "url"),
    [
        ("postgresql://u:p@h/d", "postgresql+psycopg://u:p@h/d"),
        ("postgres://u:p@h/d", "postgresql+psycopg://u:p@h/d"),
        ("postgresql+psycopg://u:p@h/d", "postgresql+psycopg://u:p@h/d"),
        ("sqlite:////srv/feed.db", "sqlite:////srv/feed.db"),
    ],
)
def test_database_url_has_the_driver_that_is_installed(database, url):
    assert Settings(database=database).database_url == url


def test_database_url_by_default_lies_in_the_data_folder(tmp_path):
    assert Settings(data_dir=tmp_path / "d").database_url == f"sqlite:///{tmp_path}/d/pulsegate.db"


@pytest.mark.parametrize("database", ["", "mysql://u:p@h/d", "sqlite://", "/srv/feed.db"])
def test_database_of_another_kind(database):
    assert faults(Settings, {"database": database}) == [
        ("database", "write sqlite:///FILE or postgresql://user:password@host/name")
    ]


@pytest.mark.parametrize(
    ("key", "value"), [("port", -1), ("port", 65536), ("workers", 0), ("workers", 65), ("threads", 0), ("threads", 257)]
)
def test_number_out_of_its_range(key, value):
    assert [key for key, _ in faults(Settings, {key: value})] == [key]


def test_inbox_has_no_rules():
    given = {"name": "partners", "description": "x", "kind": "inbox", "max_age": "90d", "blocks_per_part": 5}
    assert CollectionSettings.model_validate(given).to_model() == Collection(
        name="partners",
        kind=CollectionKind.INBOX,
        description="x",
        deduplicate=False,
        blocks_per_part=5,
        max_age=timedelta(days=90),
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"include": {"tags": ["a"]}, "ttl": {"IPv4": "1d"}}, "no rule applies; leave out include, ttl$"),
        ({"profile": "full"}, "leave out profile$"),
        ({"deduplicate": True}, "leave out deduplicate$"),
        ({"review": False}, "leave out review$"),
        ({"exclude": {}}, "leave out exclude$"),
        ({"protections": True, "warning_lists": "none"}, "leave out protections, warning_lists$"),
        ({"refresh": "25d"}, "leave out refresh$"),
        ({"expand": 16}, "leave out expand$"),
        ({"max_age": "0d"}, "max_age must be longer than nothing"),
    ],
)
def test_rules_of_an_inbox_are_refused(given, message):
    with pytest.raises(ValidationError) as error:
        CollectionSettings.model_validate({"name": "partners", "kind": "inbox"} | given)
    assert re.search(message, error.value.errors()[0]["msg"])


def test_empty_rules_of_an_inbox_are_none():
    given = {"name": "partners", "kind": "inbox", "include": None, "ttl": None}
    assert CollectionSettings.model_validate(given).to_model().kind is CollectionKind.INBOX


def test_age_of_a_collection_by_rule_is_refused_where_it_would_do_nothing():
    with pytest.raises(ValidationError, match="max_age of a collection by rule stands below include"):
        CollectionSettings.model_validate({"name": "feed", "max_age": "90d"})


@pytest.mark.parametrize("domain", ["gate.example", "gate.example:9443", "https://gate.example", "http://[::1]:9000"])
def test_domain_with_and_without_scheme_and_port(domain):
    assert Settings(domain=domain).domain == domain


@pytest.mark.parametrize(
    "domain", ["", "https://gate.example/", "ftp://gate.example", "gate.example/taxii", "a b", "a:x"]
)
def test_domain_that_is_no_address_is_refused(domain):
    assert faults(Settings, {"domain": domain}) == [
        ("domain", "write host, host:port or https://host:port, without a path")
    ]


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ({}, "http://127.0.0.1:9000"),
        ({"host": "::1", "port": 80}, "http://[::1]:80"),
        ({"tls": {"certificate": "c", "key": "k"}}, "https://127.0.0.1:9000"),
        ({"domain": "gate.example:8080"}, "http://gate.example:8080"),
        ({"domain": "gate.example:443"}, "https://gate.example:443"),
        ({"domain": "https://gate.example"}, "https://gate.example"),
        ({"domain": "gate.example", "proxies": ["127.0.0.1"]}, "https://gate.example"),
        ({"domain": "http://gate.example", "proxies": ["127.0.0.1"]}, "http://gate.example"),
    ],
)
def test_public_address(given, address):
    assert Settings.model_validate(given).public_address == address


@pytest.mark.parametrize("proxies", ["127.0.0.1, 10.0.0.0/8", ["127.0.0.1", "10.0.0.0/8"]])
def test_proxies_as_a_list_or_as_words(proxies):
    assert Settings(proxies=proxies).proxies == ["127.0.0.1", "10.0.0.0/8"]


def test_proxy_by_its_name_is_refused():
    message = "'proxy.example' is neither an address nor a network, such as 192.0.2.7 or 192.0.2.0/24"
    assert faults(Settings, {"proxies": ["127.0.0.1", "proxy.example"]}) == [("proxies", message)]


@pytest.mark.parametrize(
    ("tls", "message"),
    [
        ({"certificate": "c"}, "certificate is set without key; HTTPS needs both"),
        ({"key": "k"}, "key is set without certificate; HTTPS needs both"),
        (
            {"client_ca": "a"},
            "client_ca is set without certificate and key; only HTTPS has client certificates",
        ),
        (
            {"certificate": "c", "key": "k", "client_certificates": "required"},
            "client_certificates: required needs client_ca, to tell whose certificates are accepted",
        ),
    ],
)
def test_tls_of_which_a_part_is_missing(tls, message):
    assert faults(Settings, {"tls": tls}) == [("tls", message)]


def test_header_of_the_clients_certificate_is_believed_of_proxies_only():
    given = {"tls": {"client_header": "X-SSL-Client-S-DN"}}
    assert faults(Settings, given) == [("", "tls.client_header is believed of proxies only; name them in proxies")]
    assert Settings.model_validate(given | {"proxies": ["::1"]}).tls.client_header == "X-SSL-Client-S-DN"


@pytest.mark.parametrize("name", ["", "X Header", "X_Header", "X-Header:"])
def test_header_with_an_unusable_name_is_refused(name):
    found = faults(Settings, {"proxies": ["::1"], "tls": {"client_header": name}})
    assert found == [("tls.client_header", "write the name of a header, such as X-SSL-Client-S-DN")]

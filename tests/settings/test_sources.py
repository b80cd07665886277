"""Sources and alarms in the settings."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from pulsegate.errors import SettingsError
from pulsegate.settings import OTXSettings, Settings, load
from pulsegate.settings.sources import AlarmSettings, SourceSettings, UpstreamSettings
from settings.test_schema import faults

IDENTITY = "5f1a2b3c4d5e6f7a8b9c0d1e"
OTHER = "0123456789abcdef01234567"
SECRET = "s3cret-0123456789"
DAY = timedelta(days=1)
SOURCE = """
name: partner
url: https://otx.example
api_key_file: /etc/pulsegate/partner-key
subscription: false
authors: [AlienVault, CyberHunter_NL]
pulses: [https://otx.alienvault.com/pulse/5f1a2b3c4d5e6f7a8b9c0d1e]
searches: [emotet, "a, b"]
interval: 1h
jitter: 5m
cron: "*/30 6-20 * * mon-fri"
backfill: 30d
backoff: 2s
compare: 6h
max_removal: 5%
stale_after: 12h
retry: 30s
page_size: 50
timeout: 90s
proxy: http://proxy.example.com:3128
ca_file: /etc/ssl/proxy.pem
"""


def fault(environment):
    with pytest.raises(SettingsError) as caught:
        load(environment)
    return str(caught.value)


# --- Names -----------------------------------------------------------------------------------------------------------


def test_source_with_every_key():
    found = SourceSettings.model_validate(yaml.safe_load(SOURCE))
    assert {name: getattr(found, name) for name in SourceSettings.model_fields} == {
        "name": "partner",
        "url": "https://otx.example",
        "api_key": None,
        "api_key_file": Path("/etc/pulsegate/partner-key"),
        "enabled": True,
        "subscription": False,
        "authors": ["AlienVault", "CyberHunter_NL"],
        "pulses": [IDENTITY],
        "searches": ["emotet", "a, b"],
        "interval": timedelta(hours=1),
        "jitter": timedelta(minutes=5),
        "cron": "*/30 6-20 * * mon-fri",
        "backfill": 30 * DAY,
        "backoff": timedelta(seconds=2),
        "compare": timedelta(hours=6),
        "max_removal": 0.05,
        "stale_after": timedelta(hours=12),
        "retry": timedelta(seconds=30),
        "page_size": 50,
        "timeout": timedelta(seconds=90),
        "proxy": "http://proxy.example.com:3128",
        "ca_file": Path("/etc/ssl/proxy.pem"),
    }


@pytest.mark.parametrize("name", ["partner", "a", "A-b_9", "x" * 50])
def test_source_with_a_usable_name(name):
    assert SourceSettings(name=name).name == name


@pytest.mark.parametrize("name", ["", "a b", "a/b", "../x", "x" * 51, "ä", "a\n"])
def test_source_with_an_unusable_name(name):
    assert faults(SourceSettings, {"name": name}) == [("name", "a source's name is 1 to 50 letters, digits, _ or -")]


@pytest.mark.parametrize("name", ["otx", "files", "own"])
def test_source_with_a_name_of_pulsegates_own(name):
    assert faults(SourceSettings, {"name": name}) == [
        ("name", f"{name!r} is a name that Pulsegate gives itself; choose another one")
    ]


def test_source_without_a_name():
    assert (
        fault({"PULSEGATE_SOURCES": "[{interval: 1h}]"})
        == "environment: source 1: name (PULSEGATE_SOURCES): is missing"
    )


def test_sources_of_the_same_name():
    assert faults(Settings, {"sources": [{"name": "a"}, {"name": "b"}, {"name": "a"}]}) == [
        ("", "two sources are named 'a'; rename one")
    ]


# --- What is pulled --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "written",
    [
        IDENTITY,
        f" {IDENTITY.upper()} ",
        f"https://otx.alienvault.com/pulse/{IDENTITY}",
        f"https://otx.alienvault.com/pulse/{IDENTITY}/",
        f"https://otx.alienvault.com/pulse/{IDENTITY}/related?page=2#top",
        f"https://otx.alienvault.com/api/v1/pulses/{IDENTITY}",
    ],
)
def test_pulse_by_its_id_or_address(written):
    assert OTXSettings(pulses=[written]).pulses == [IDENTITY]


def test_pulses_are_kept_in_order_and_each_once():
    assert OTXSettings(pulses=[OTHER, IDENTITY, f"https://otx.alienvault.com/pulse/{OTHER}"]).pulses == [
        OTHER,
        IDENTITY,
    ]


@pytest.mark.parametrize(
    "written",
    ["", "x", IDENTITY[:-1], IDENTITY + "0", "https://otx.alienvault.com/pulse/", f"pulse {IDENTITY}", "g" * 24],
)
def test_pulse_that_is_none(written):
    assert faults(OTXSettings, {"pulses": [IDENTITY, written]}) == [
        ("pulses", f"{written!r} is no pulse's id (24 hex digits) or address")
    ]


@pytest.mark.parametrize("more", [{"pulses": [IDENTITY]}, {"searches": ["emotet"]}])
def test_source_without_a_subscription(more):
    assert OTXSettings(subscription=False, **more).subscription is False


def test_source_that_gives_nothing():
    assert faults(OTXSettings, {"subscription": False}) == [
        ("", "subscription: false leaves nothing to pull; name pulses or searches")
    ]


# --- When ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["interval", "compare", "stale_after", "retry", "timeout"])
def test_time_that_is_none(key):
    assert faults(OTXSettings, {key: "0s"}) == [(key, "must be longer than nothing")]


@pytest.mark.parametrize("key", ["interval", "retry", "jitter"])
def test_time_after_which_nothing_comes(key):
    assert getattr(OTXSettings(**{key: "365d"}), key) == 365 * DAY
    assert faults(OTXSettings, {key: "366d"}) == [(key, "must be at most 365d; enabled: false pulls never")]


def test_jitter_that_is_none_is_not_the_default():
    assert (OTXSettings().jitter, OTXSettings(jitter="0s").jitter) == (None, timedelta())


@pytest.mark.parametrize(
    "cron", ["*/15 6-20 * * mon-fri", "0 3 * * *", "5,35 * 1 jan,jul *", "0 0 29 2 *", "0 6 * * sun"]
)
def test_cron_that_is_one(cron):
    assert OTXSettings(cron=cron).cron == cron


@pytest.mark.parametrize(
    ("cron", "why"),
    [
        ("", "Wrong number of fields; got 0, expected 5"),
        ("* * * *", "Wrong number of fields; got 4, expected 5"),
        ("@daily", "Wrong number of fields; got 1, expected 5"),
        ("61 * * * *", "Error validating expression '61': the last value (61) is higher than the maximum value (59)"),
        ("x * * * *", 'Unrecognized expression "x" for field "minute"'),
        ("0 6 * * 1-5", "write the days of the week as mon, tue, …"),
        ("0 6 * * 0", "write the days of the week as mon, tue, …"),
        ("0 0 30 2 *", "that day never comes"),
    ],
)
def test_cron_that_is_none(cron, why):
    ((key, message),) = faults(OTXSettings, {"cron": cron})
    assert (key, message) == ("cron", f"{cron!r} is no schedule such as '*/15 6-20 * * mon-fri': {why}")


@pytest.mark.parametrize("written", ["20", "120%", "a fifth"])
def test_share_that_is_none(written):
    assert faults(OTXSettings, {"max_removal": written}) == [
        ("max_removal", f"{written!r} is no share; write 20% or 0.2")
    ]


# --- From the environment --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("written", ["a, b", "[a, b]", "[\"a\", 'b']"])
def test_authors_in_a_variable(written):
    assert load({"PULSEGATE_OTX__AUTHORS": written}).otx.authors == ["a", "b"]


@pytest.mark.parametrize("written", [f"{IDENTITY},https://otx.alienvault.com/pulse/{OTHER}", f"[{IDENTITY}, {OTHER}]"])
def test_pulses_in_a_variable(written):
    assert load({"PULSEGATE_OTX__PULSES": written}).otx.pulses == [IDENTITY, OTHER]


@pytest.mark.parametrize(
    ("written", "searches"), [("emotet", ["emotet"]), ("a, b", ["a, b"]), ("[emotet, 'a, b']", ["emotet", "a, b"])]
)
def test_searches_in_a_variable(written, searches):
    assert load({"PULSEGATE_OTX__SEARCHES": written}).otx.searches == searches


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("mailtos://u:p@h?to=a,b", ["mailtos://u:p@h?to=a,b"]),
        ("['json://a/?x=[1]', jsons://b/c]", ["json://a/?x=[1]", "jsons://b/c"]),
    ],
)
def test_alarm_addresses_in_a_variable(written, told):
    found = load({"PULSEGATE_ALARMS__NOTIFY": written}).alarms.notify
    assert [one.get_secret_value() for one in found] == told


def test_sources_in_a_variable():
    found = load(
        {"PULSEGATE_SOURCES": f"[{{name: a, api_key: {SECRET}, authors: 'x, y'}}, {{name: b, enabled: false}}]"}
    )
    assert [(one.name, one.authors, one.enabled) for one in found.sources] == [
        ("a", ["x", "y"], True),
        ("b", [], False),
    ]
    assert found.sources[0].api_key.get_secret_value() == SECRET


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            "[{name: a, intervall: 1h}]",
            "environment: source a: intervall (PULSEGATE_SOURCES) is no setting; did you mean interval?",
        ),
        (
            "[{name: a, interval: 1}]",
            "environment: source a: interval (PULSEGATE_SOURCES): 1 is no duration; write 100ms, 90s, 15m, 6h or 30d",
        ),
        (
            "[{name: a}, {name: b, url: x}]",
            "environment: source b: url (PULSEGATE_SOURCES): write an address such as https://otx.alienvault.com",
        ),
        ("x", "environment: sources (PULSEGATE_SOURCES): write a list: [a, b]"),
        ("[x]", "environment: source 1 (PULSEGATE_SOURCES): write keys and values: {key: value}"),
    ],
)
def test_fault_of_a_source_names_it(given, message):
    assert fault({"PULSEGATE_SOURCES": given}) == message


# --- Secrets ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("section", "values"),
    [
        (OTXSettings, {"api_key": SECRET}),
        (SourceSettings, {"name": "a", "api_key": SECRET}),
        (AlarmSettings, {"notify": [f"json://u:{SECRET}@host/"]}),
        (AlarmSettings, {"notify": f"json://u:{SECRET}@host/"}),
    ],
)
def test_secret_does_not_show(section, values):
    found = section.model_validate(values)
    assert (
        SECRET
        not in f"{found!r} {found} {found.model_dump()} {found.model_dump(mode='json')} {found.model_dump_json()}"
    )


@pytest.mark.parametrize("section", [OTXSettings, SourceSettings])
def test_password_of_a_proxy_does_not_show(section):
    found = section.model_validate({"name": "a"} | {"proxy": f"http://u:{SECRET}@p:1"}) if section is SourceSettings else section(proxy=f"http://u:{SECRET}@p:1")  # fmt: skip
    assert SECRET not in f"{found!r} {found}"


@pytest.mark.parametrize(
    "environment",
    [
        {"PULSEGATE_SOURCES": f"[{{name: a, api_key: {SECRET}, api_key_file: /f}}]"},
        {"PULSEGATE_SOURCES": f"[{{name: a, api_key: {SECRET}, subscription: false}}]"},
        {"PULSEGATE_SOURCES": f"[{{name: a, api_kye: {SECRET}}}]"},
        {"PULSEGATE_SOURCES": f"[{{name: a, api_key: [{SECRET}]}}]"},
        {"PULSEGATE_SOURCES": f"[{{name: a, api_key: '{SECRET}}}]"},
        {"PULSEGATE_SOURCES": f"[{{name: a, proxy: 'http://u:{SECRET}@p', interval: x}}]"},
        {"PULSEGATE_ALARMS__NOTIFY": f"['json://u:{SECRET}@h]"},
        {"PULSEGATE_ALARMS__NOTIFY": f"[[{SECRET}]]"},
        {"PULSEGATE_ALARMS__NOTIFI": f"json://u:{SECRET}@h"},
    ],
)
def test_fault_does_not_show_a_secret(environment):
    assert SECRET not in fault(environment)


UPSTREAM = {"name": "partner", "url": "https://taxii.example.com/taxii/poll", "collection": "feed"}


def test_upstream_has_its_defaults():
    found = UpstreamSettings.model_validate(UPSTREAM)
    assert (found.published_in, found.backfill, found.segment, found.compare, found.interval, found.max_age) == (
        "taxii_partner", timedelta(days=30), timedelta(days=1), timedelta(days=1), timedelta(minutes=15), None,
    )  # fmt: skip
    assert UpstreamSettings.model_validate(UPSTREAM | {"segment": "none", "into": "theirs"}).segment is None


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"url": "http://taxii.example.com/"}, "the password would travel in the clear; write https://"),
        ({"url": "https://u:p@taxii.example.com/"}, "username and password are keys of their own"),
        ({"url": "ftp://taxii.example.com/"}, "write an address such as https://host/taxii/poll"),
        ({"username": "a"}, "belong together"),
        ({"password": "a"}, "belong together"),
        ({"username": "a", "password": "b", "password_file": "c"}, "keep one of them"),
        ({"username": "a:b", "password": "c"}, "no colon"),
        ({"segment": "1s"}, "write at least 1m"),
        ({"name": "otx"}, "Pulsegate gives itself"),
        ({"collection": ""}, "at least 1 character"),
        ({"interval": "0s"}, "longer than nothing"),
        ({"cron": "nonsense"}, "is no schedule"),
        ({"api_key": "k"}, "Extra inputs"),
    ],
)
def test_upstream_that_cannot_work_is_refused(given, words):
    with pytest.raises(ValidationError, match=re.escape(words)):
        UpstreamSettings.model_validate(UPSTREAM | given)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"sources": [{"name": "partner", "api_key": "k"}]}, "two sources are named 'partner'"),
        ({"collections": [{"name": "taxii_partner"}]}, "two collections are named 'taxii_partner'"),
        ({"upstreams": [UPSTREAM, UPSTREAM | {"name": "b", "into": "taxii_partner"}]}, "two collections are named"),
        ({"upstreams": [UPSTREAM | {"into": "subscribed"}]}, "Pulsegate gives itself"),
        ({"upstreams": [UPSTREAM | {"sgment": "1d"}]}, "upstream partner: sgment is no setting; did you mean segment?"),
    ],
)
def test_names_of_upstreams_are_their_own(more, words, tmp_path):
    file = tmp_path / "settings.yml"
    file.write_text(json.dumps({"pulsegate": {"upstreams": [UPSTREAM]} | more}))
    with pytest.raises(SettingsError, match=re.escape(words)):
        load({"PULSEGATE_CONFIG": str(file)})

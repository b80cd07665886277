"""``pulsegate config check``: what is in force, what is wrong, and no secret."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pulsegate.cli.commands import app
from pulsegate.errors import RelayError, SettingsError
from pulsegate.relay import keys

SECRET = "s3cret-0123456789"
FILE = f"""
pulsegate:
  admin_password: {SECRET}
  database: postgresql://user:{SECRET}@db.example/feed
  otx: {{api_key: {SECRET}, proxy: 'http://u:{SECRET}@proxy.example:3128', cron: '*/15 6-20 * * mon-fri'}}
  sources:
    - {{name: partner, api_key: {SECRET}, proxy: 'http://u:{SECRET}@proxy.example:3128', interval: 1h}}
    - {{name: shut, enabled: false}}
    - {{name: bare, url: 'https://otx.example'}}
  alarms:
    notify: ['json://u:{SECRET}@hook.example/{SECRET}?x={SECRET}', 'slack://{SECRET}']
"""


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Put the text into the settings file."""

    def put(text: str) -> None:
        (tmp_path / "settings.yml").write_text(text)
        (tmp_path / "settings.yml").chmod(0o600)

    monkeypatch.setenv("PULSEGATE_CONFIG", str(tmp_path / "settings.yml"))
    return put


def run(*words: str) -> str:
    result = CliRunner().invoke(app, ["config", "check", *words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def fault(*words: str) -> str:
    """The error, and that nothing of a secret is in it or was printed or logged on the way."""
    result = CliRunner().invoke(app, ["config", "check", *words])
    assert isinstance(result.exception, SettingsError)
    assert SECRET not in f"{result.exception} {result.exception!r} {result.output} {result.stderr}"
    return str(result.exception)


def test_settings_in_force_are_said(write) -> None:
    write(FILE.replace(f", 'slack://{SECRET}'", ""))
    lines = run().splitlines()
    assert lines[3:] == [
        "OTX: at '*/15 6-20 * * mon-fri' (UTC) from https://otx.alienvault.com; API key set",
        "Source partner: every 1h from https://otx.alienvault.com; API key set",
        "Source shut: pulling is off; API key not set",
        "Source bare: every 15m from https://otx.example; API key not set",
        "Own collections: none",
        "Alarms: in the log, and to 1 address",
        "The settings are right.",
    ]


@pytest.mark.parametrize("words", [(), ("--json",)])
def test_no_secret_is_shown(write, words: tuple[str, ...]) -> None:
    write(FILE.replace(f", 'slack://{SECRET}'", ""))
    assert SECRET not in run(*words)


def test_settings_for_programs(write) -> None:
    write(FILE.replace(f", 'slack://{SECRET}'", ""))
    found = json.loads(run("--json"))["settings"]
    assert found["sources"][0]["proxy"] == "http://u:***@proxy.example:3128"
    assert found["sources"][0]["api_key"] == found["alarms"]["notify"][0] == "**********"


def test_address_that_is_none_is_named_by_its_place(write) -> None:
    write(FILE)
    assert fault() == (
        "alarms: address 2 is none that Apprise knows. They read like jsons://host/path; "
        "https://github.com/caronc/apprise lists them"
    )


@pytest.mark.parametrize("address", [SECRET, f"{SECRET}://a", f"tgram://{SECRET}/1", f"mailtos://{SECRET}", "json://"])
def test_address_of_any_wrong_kind_does_not_show(write, address: str) -> None:
    write(f"pulsegate: {{alarms: {{notify: '{address}'}}}}")
    assert "address 1 is none that Apprise knows" in fault()


def test_addresses_in_a_file_with_comments_and_empty_lines(write, tmp_path: Path) -> None:
    (tmp_path / "alarms").write_text("# whom to call\n\n  json://a.example/\n  # not any more\njson://b.example/\n")
    write("pulsegate: {alarms: {notify: json://c.example/, notify_file: alarms}}")
    assert "Alarms: in the log, and to 3 addresses" in run().splitlines()


def test_file_of_addresses_that_can_not_be_read(write) -> None:
    write("pulsegate: {alarms: {notify_file: not-there}}")
    assert (
        fault()
        == "not-there: alarms.notify_file can't be read: No such file or directory. Write it, or let Pulsegate's user read it"
    )


def test_test_message_to_nobody(write) -> None:
    write("pulsegate: {}")
    assert fault("--notify") == "alarms: nobody is named. Set alarms.notify or alarms.notify_file"


def test_key_of_a_source_that_can_not_be_read(write) -> None:
    write("pulsegate: {sources: [{name: partner, api_key_file: not-there}]}")
    assert (
        fault()
        == "not-there: api_key_file can't be read: No such file or directory. Write it, or let Pulsegate's user read it"
    )


@pytest.mark.parametrize(
    ("section", "reason"),
    [
        ("warning_lists: {modes: {trancoo: off}}", "trancoo: warning_lists.modes: there is no such list. Did you mean"),
        ("collections: [{name: a, warning_lists: [trancoo]}]", "trancoo: collection a: there is no such warning list"),
        (
            "warning_lists: {files: [{name: ours, file: nowhere.txt}]}",
            r"^nowhere\.txt: can't be read: No such file or directory$",
        ),
        ("warning_lists: {files: [{name: ours, file: odd.txt}]}", "odd.txt: is not UTF-8 text. Save it as UTF-8"),
        ("warning_lists: {files: [{name: ours, file: bad.txt}]}", "bad.txt: line 2: 'no value' is no domain"),
        ("warning_lists: {files: [{name: tranco, file: settings.yml}]}", "tranco: .*MISP has a list of this name"),
    ],
)
def test_warning_lists_that_are_none(write, tmp_path: Path, section: str, reason: str) -> None:
    (tmp_path / "bad.txt").write_text("a.example\nno value\n")
    (tmp_path / "odd.txt").write_bytes(b"\xff\xfe")
    write(f"pulsegate: {{{section}}}\n")
    with pytest.raises(SettingsError, match=reason):
        CliRunner().invoke(app, ["config", "check"], catch_exceptions=False)


def test_relay_in_force_is_said(write, tmp_path: Path) -> None:
    keys.generate(tmp_path / "relay.key")
    revoked = keys.generate(tmp_path / "stolen.key")
    write(
        f"""
pulsegate:
  relay:
    key: {tmp_path}/relay.key
    outbox: /srv/out
    inbox: /srv/in
    trust:
      - {{name: outside, key: {tmp_path}/relay.key.pub}}
      - {{name: old, key: {tmp_path}/stolen.key.pub}}
      - {{name: over, key: {tmp_path}/relay.key.pub, until: 2026-01-01}}
    revoked: ["{revoked}"]
"""
    )
    lines = run().splitlines()
    assert "Relay: writes a bundle into /srv/out every 1h" in lines
    assert "Relay: takes bundles from /srv/in, trusted are: outside" in lines


@pytest.mark.parametrize("relay", ["key: nowhere", "inbox: in, trust: [{name: outside, key: nowhere}]"])
def test_key_of_the_relay_that_is_none_is_told_before_a_start(write, relay: str) -> None:
    write(f"pulsegate: {{relay: {{{relay}}}}}\n")
    with pytest.raises(RelayError, match=r"nowhere: can't be read: No such file or directory\. Correct the path"):
        run()

"""Secrets at rest: files that others may read are told, the database and its folder are shut, none is on a command line."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

import pytest
import structlog
import typer
from pydantic import BaseModel
from structlog.testing import LogCapture
from typer.testing import CliRunner

from pulsegate.cli import logs, secrecy
from pulsegate.cli.commands import app
from pulsegate.settings import Settings, load
from pulsegate.store.database import Database

SECRET = "s3cret-0123456789"


def written(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


@contextmanager
def warnings_logged(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """What is logged meanwhile, by commands too."""
    capture = LogCapture()
    structlog.configure(processors=[capture], wrapper_class=structlog.make_filtering_bound_logger(30))
    monkeypatch.setattr(logs, "configure", lambda *_, **__: None)
    yield capture.entries


def exposed(folder: Path, text: str, mode: int = 0o600, monkeypatch: pytest.MonkeyPatch | None = None, **given: str):
    """The settings that tell of an exposed file, when the settings file has that text and mode."""
    path = written(folder / "settings.yml", text, mode)
    if monkeypatch is not None:
        for name, value in {"PULSEGATE_CONFIG": str(path), **given}.items():
            monkeypatch.setenv(name, value)
    return [(one.key, one.file.name, f"{one.mode:04o}") for one in secrecy.exposed(load())]


FILES = """
pulsegate:
  otx: {api_key_file: otx}
  sources: [{name: partner, api_key_file: partner}]
  upstreams: [{name: gate, url: 'https://gate.example/poll', collection: a, username: u, password_file: gate}]
  alarms: {notify_file: alarms}
  tls: {certificate: tls.pem, key: tls.key}
  relay: {key: relay.key}
  database: postgresql://u@db.example/feed
  database_password_file: database
  admin_password_file: admin
"""
NAMED = {
    "otx": "otx.api_key_file", "partner": "source partner: api_key_file", "gate": "upstream gate: password_file",
    "alarms": "alarms.notify_file", "tls.key": "tls.key", "relay.key": "relay.key",
    "database": "database_password_file", "admin": "admin_password_file",
}  # fmt: skip


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
@pytest.mark.parametrize("name", NAMED)
def test_file_that_others_may_read_is_named(tmp_path: Path, monkeypatch, name: str, mode: int) -> None:
    for one in NAMED:
        written(tmp_path / one, SECRET)
    written(tmp_path / "tls.pem", "public", 0o644)
    assert exposed(tmp_path, FILES, 0o644, monkeypatch) == []
    (tmp_path / name).chmod(mode)
    assert exposed(tmp_path, FILES, 0o644, monkeypatch) == [(NAMED[name], name, f"{mode:04o}")]


def fields(section: type[BaseModel]) -> Iterator[str]:
    """The names of all fields, those of the sections in it too."""
    for name, one in section.model_fields.items():
        inner = [two for two in (one.annotation, *get_args(one.annotation)) if is_section(two)]
        yield from (f"{name}.{field}" for two in inner for field in fields(two))
        if not inner:
            yield name


def is_section(one: object) -> bool:
    return isinstance(one, type) and issubclass(one, BaseModel)


def test_every_setting_that_names_a_file_with_a_secret_is_known() -> None:
    found = {one for one in fields(Settings) if one.rpartition(".")[2].endswith(("_file", "key"))}
    public = {"otx.ca_file", "sources.ca_file", "upstreams.ca_file", "relay.trust.key"}
    written_out = {"otx.api_key", "sources.api_key"}
    known = {
        one.replace("source partner: ", "sources.").replace("upstream gate: ", "upstreams.") for one in NAMED.values()
    }
    assert found - public - written_out == known


@pytest.mark.parametrize(
    "section",
    [
        "database: 'postgresql://u@db.example/feed'",
        "database: 'sqlite:///at@home.db'",
    ],
)
def test_user_without_a_password_is_no_secret(tmp_path: Path, monkeypatch, section: str) -> None:
    assert exposed(tmp_path, f"pulsegate: {{{section}}}", 0o644, monkeypatch) == []


@pytest.mark.parametrize("text", ["", "two\nlines\n"])
def test_config_check_reads_the_first_password(tmp_path: Path, monkeypatch, text: str) -> None:
    written(tmp_path / "admin", text)
    monkeypatch.setenv("PULSEGATE_ADMIN_PASSWORD_FILE", str(tmp_path / "admin"))
    result = CliRunner().invoke(app, ["config", "check"])
    assert result.exit_code != 0
    assert "admin_password_file must hold the password in one line" in str(result.exception)


@pytest.mark.parametrize(
    ("section", "key"),
    [
        ("admin_password: S", "admin_password"),
        ("database: 'postgresql://u:S@db.example/feed'", "database"),
        ("database: 'postgresql://u@db.example/feed?password=S'", "database"),
        ("otx: {api_key: S}", "otx.api_key"),
        ("sources: [{name: b, api_key: S}]", "source b.api_key"),
        ("otx: {proxy: 'http://u:S@p.example:3128'}", "otx.proxy"),
        ("alarms: {notify: 'json://u:S@hook.example'}", "alarms.notify"),
        ("upstreams: [{name: g, url: 'https://g.example/', collection: a, username: u, password: S}]",
         "upstream g.password"),
    ],
)  # fmt: skip
def test_settings_file_with_a_secret_in_it(tmp_path: Path, monkeypatch, section: str, key: str) -> None:
    text = f"pulsegate: {{{section.replace('S', SECRET)}}}"
    assert exposed(tmp_path, text, 0o600, monkeypatch) == []
    assert exposed(tmp_path, text, 0o644, monkeypatch) == [
        (f"{key} stands in the settings file", "settings.yml", "0644")
    ]


def test_secret_of_the_environment_makes_the_settings_file_none(tmp_path: Path, monkeypatch) -> None:
    assert exposed(tmp_path, "pulsegate: {port: 9001}", 0o644, monkeypatch, OTX_API_KEY=SECRET) == []


def test_file_of_another_user_that_is_read_by_its_group_is_right(tmp_path: Path, monkeypatch) -> None:
    written(tmp_path / "otx", SECRET, 0o640)
    text = "pulsegate: {otx: {api_key_file: otx}}"
    assert exposed(tmp_path, text, 0o600, monkeypatch) == [("otx.api_key_file", "otx", "0640")]
    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    assert exposed(tmp_path, text, 0o600, monkeypatch) == []
    (tmp_path / "otx").chmod(0o644)
    assert exposed(tmp_path, text, 0o600, monkeypatch) == [("otx.api_key_file", "otx", "0644")]


def test_file_that_is_not_there_is_no_exposed_one(tmp_path: Path, monkeypatch) -> None:
    assert exposed(tmp_path, "pulsegate: {otx: {api_key_file: nowhere}}", 0o600, monkeypatch) == []


def test_config_check_warns_without_the_secret(tmp_path: Path, monkeypatch) -> None:
    path = written(tmp_path / "settings.yml", f"pulsegate: {{admin_password: {SECRET}}}", 0o644)
    monkeypatch.setenv("PULSEGATE_CONFIG", str(path))
    told = (
        f"admin_password stands in the settings file: others on this machine may read {path} (mode 0644). "
        f"Run: chmod 600 {path}"
    )
    result = CliRunner().invoke(app, ["config", "check"], catch_exceptions=False)
    assert result.output.splitlines()[-2:] == [f"Warning: {told}", "The settings are right."]
    result = CliRunner().invoke(app, ["config", "check", "--json"], catch_exceptions=False)
    assert json.loads(result.stdout)["warnings"] == [told]
    assert SECRET not in result.output


def test_log_warns(tmp_path: Path, monkeypatch) -> None:
    path = written(tmp_path / "settings.yml", f"pulsegate: {{admin_password: {SECRET}}}", 0o644)
    monkeypatch.setenv("PULSEGATE_CONFIG", str(path))
    with warnings_logged(monkeypatch) as logged:
        secrecy.warn(load())
    assert [(one["event"], one["log_level"], one["mode"]) for one in logged] == [("secrets.exposed", "warning", "0644")]
    assert SECRET not in str(logged)


@pytest.fixture
def umask() -> Iterator[None]:
    """That of a process which is not careful."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode(path: Path) -> str:
    return f"{stat.S_IMODE(path.stat().st_mode):04o}"


def run(*words: str) -> Any:
    return CliRunner().invoke(app, words, catch_exceptions=False)


@pytest.mark.sqlite("its file")
def test_database_and_folder_are_for_their_user_only(tmp_path: Path, monkeypatch, umask: None) -> None:
    monkeypatch.setenv("PULSEGATE_DATA_DIR", str(tmp_path / "data"))
    run("db", "upgrade")
    run("status")
    assert mode(tmp_path / "data") == "0700"
    assert {mode(one) for one in (tmp_path / "data").glob("pulsegate.db*") if one.suffix != ".lock"} == {"0600"}


@pytest.mark.sqlite("its file")
def test_open_ones_are_shut_with_a_warning(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("PULSEGATE_DATA_DIR", str(tmp_path / "data"))
    run("status")
    folder, file = tmp_path / "data", tmp_path / "data" / "pulsegate.db"
    folder.chmod(0o755)
    file.chmod(0o664)
    with warnings_logged(monkeypatch) as logged:
        assert run("status").exit_code == 0
    assert (mode(folder), mode(file)) == ("0700", "0600")
    told = [(one["event"], one["path"], one["before"], one["mode"]) for one in logged]
    assert sorted(told) == [
        ("secrets.closed", str(folder), "0755", "0700"),
        *(("secrets.closed", f"{file}{suffix}", "0664", "0600") for suffix in ("", "-shm", "-wal")),
    ]
    with warnings_logged(monkeypatch) as logged:
        run("status")
    assert logged == []


@pytest.mark.sqlite("its file")
def test_folder_that_holds_other_things_is_not_shut(tmp_path: Path, monkeypatch) -> None:
    folder = tmp_path / "home"
    folder.mkdir()
    written(folder / "letter", "to somebody", 0o644)
    written(folder / "pulsegate.db.backup", "somebody's", 0o640)
    folder.chmod(0o755)
    monkeypatch.setenv("PULSEGATE_DATA_DIR", str(folder))
    run("status")
    modes = mode(folder), mode(folder / "letter"), mode(folder / "pulsegate.db.backup"), mode(folder / "pulsegate.db")
    assert modes == ("0755", "0644", "0640", "0600")


@pytest.mark.sqlite("its file")
def test_what_can_not_be_shut_is_told(tmp_path: Path, monkeypatch) -> None:
    file = tmp_path / "pulsegate.db"
    database = Database(f"sqlite:///{file}")
    written(file, "", 0o644)

    def refused(_path: Path, _mode: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "chmod", refused)
    with warnings_logged(monkeypatch) as logged:
        secrecy.keep(database, tmp_path / "elsewhere")
    assert [(one["event"], one["reason"], one["hint"]) for one in logged] == [
        ("secrets.open", "Operation not permitted", f"chmod 600 {file}")
    ]


def options() -> Iterator[tuple[str, Any]]:
    def walk(name: str, command: Any) -> Iterator[tuple[str, Any]]:
        for one in command.params:
            yield name, one
        for word, inner in getattr(command, "commands", {}).items():
            yield from walk(f"{name} {word}", inner)

    return walk("pulsegate", typer.main.get_command(app))


def test_no_command_takes_a_secret_in_its_line() -> None:
    """Everybody on the machine may see command lines (``ps``): a secret comes by a file or by standard input."""
    named = {
        (name, one.name): one for name, one in options() for word in ("password", "secret", "token", "api_key", "key")
        if one.name is not None and word in one.name
    }  # fmt: skip
    assert named, "account add has --password-stdin"
    assert sorted(key for key, one in named.items() if not one.is_flag) == [("pulsegate relay export", "key")], "a file"

"""docker-compose.yml: nothing has more rights than it needs, no secret is in it, and what it names is there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.dockerfile import ROOT, stages
from pulsegate import __version__
from pulsegate.cli.pages import AT_ONCE
from pulsegate.cli.processes import GRACE
from pulsegate.errors import SettingsError
from pulsegate.settings import load
from pulsegate.settings.duration import parse_duration

FILES = ["docker-compose.yml", "deploy/docker-compose.sqlite.yml"]
OURS = ["server1", "server2", "worker", "migrate"]


def read(name: str) -> dict[str, Any]:
    return yaml.safe_load((ROOT / name).read_text())


WHOLE = read(FILES[0])
SERVICES = [(name, key, one) for name in FILES for key, one in read(name)["services"].items()]


@pytest.mark.parametrize(("file", "name", "service"), SERVICES, ids=[f"{file}-{name}" for file, name, _ in SERVICES])
def test_service_has_no_more_rights_than_it_needs(file: str, name: str, service: dict[str, Any]) -> None:
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is True
    assert service.get("cap_add", []) == (["NET_BIND_SERVICE"] if name == "proxy" else [])
    limits = service["deploy"]["resources"]["limits"]
    assert limits.keys() == {"cpus", "memory"}
    assert service["pids_limit"] > 0
    assert service["restart"] == ("no" if name == "migrate" else "unless-stopped")
    image, _, tag = service["image"].partition(":")
    assert tag not in ("", "latest"), image
    assert "privileged" not in service


@pytest.mark.parametrize("name", FILES)
def test_image_has_this_version(name: str) -> None:
    ours = [one["image"] for one in read(name)["services"].values() if "build" in one]
    assert set(ours) == {f"pulsegate:{__version__}"}


@pytest.mark.parametrize("name", FILES)
def test_secrets_are_files_and_no_value_stands_in_the_file(name: str) -> None:
    found = read(name)
    assert all(one.keys() == {"file"} for one in found["secrets"].values())
    for service in found["services"].values():
        for key, value in service.get("environment", {}).items():
            if "PASSWORD" in key or "KEY" in key:
                assert key.endswith("_FILE")
                assert Path(value).name in service["secrets"], "a secret that the service does not get"


def test_only_the_proxy_is_reached_from_outside_and_the_database_by_nobody_but_us() -> None:
    assert [name for name, one in WHOLE["services"].items() if "ports" in one] == ["proxy"]
    assert WHOLE["services"]["db"]["networks"] == ["back"]
    assert WHOLE["networks"]["back"]["internal"] is True
    assert "back" not in WHOLE["services"]["proxy"]["networks"]


def test_our_settings_are_read_and_each_secret_that_is_missing_is_told(tmp_path: Path) -> None:
    """What the services get as their environment is what Pulsegate knows, and the proxy that it trusts is the proxy."""
    for name in OURS:
        given = WHOLE["services"][name]["environment"]
        given = {
            key: value.replace(value[8:], "taxii.example.com") if "${" in value else value
            for key, value in given.items()
        }
        found = load(given)
        assert found.proxies == [WHOLE["services"]["proxy"]["networks"]["front"]["ipv4_address"]]
        assert found.public_address == "https://taxii.example.com"
        assert str(found.database_password_file) == "/run/secrets/database_password"


def test_missing_or_empty_password_is_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pulsegate.cli.setup import load_settings

    file = tmp_path / "database_password"
    monkeypatch.setenv("PULSEGATE_DATABASE", "postgresql://pulsegate@db/pulsegate")
    monkeypatch.setenv("PULSEGATE_DATABASE_PASSWORD_FILE", str(file))
    with pytest.raises(SettingsError, match="database_password_file can't be read: No such file"):
        load_settings()
    file.write_text("\n")
    with pytest.raises(SettingsError, match="must hold the password in one line, and nothing else"):
        load_settings()
    file.write_text("p/a:s@s%0\n")
    assert load_settings().database_url == "postgresql+psycopg://pulsegate:p%2Fa%3As%40s%250@db/pulsegate"
    monkeypatch.setenv("PULSEGATE_DATABASE", "postgresql://pulsegate:both@db/pulsegate")
    with pytest.raises(SettingsError, match="without a password") as caught:
        load_settings()
    assert "both" not in str(caught.value)
    monkeypatch.setenv("PULSEGATE_DATABASE", "sqlite:///x.db")
    with pytest.raises(SettingsError, match="SQLite has no password"):
        load_settings()


def test_server_drains_longer_than_the_proxy_takes_to_see_it() -> None:
    interval = re.search(r"health_interval (\S+)", (ROOT / "deploy" / "Caddyfile").read_text())[1]
    given = WHOLE["services"]["server1"]
    drain = parse_duration(given["environment"]["PULSEGATE_DRAIN"])
    assert parse_duration(interval) < drain < parse_duration(given["stop_grace_period"]) / 2


def test_static_addresses_are_none_that_docker_gives_to_others() -> None:
    given = WHOLE["networks"]["front"]["ipam"]["config"][0]
    whole, ranged = ip_network(given["subnet"]), ip_network(given["ip_range"])
    assert ranged.subnet_of(whole)
    told = re.findall(r"10\.213\.47\.\d+", (ROOT / "docs" / "operation.md").read_text())
    static = {WHOLE["services"]["proxy"]["networks"]["front"]["ipv4_address"], *told}
    assert all(ip_address(one) in whole and ip_address(one) not in ranged for one in static)


def test_database_takes_all_connections_that_the_servers_may_want() -> None:
    database, servers = WHOLE["services"]["db"], ["server1", "server2"]
    allowed = int(dict(one.split("=") for one in database["command"] if "=" in one)["max_connections"])
    usual = load({})
    wanted = len(servers) * (usual.workers * usual.threads + AT_ONCE)
    assert wanted + 20 <= allowed < database["pids_limit"] - 20, "20 for worker, commands and the database's own"


@pytest.mark.parametrize("name", FILES)
def test_answers_have_the_time_to_end(name: str) -> None:
    for service in read(name)["services"].values():
        if "build" in service and "stop_grace_period" in service:
            drain = parse_duration(service["environment"].get("PULSEGATE_DRAIN", "0ms")).total_seconds()
            assert parse_duration(service["stop_grace_period"]).total_seconds() >= GRACE + drain + 5


def test_data_and_commands_are_those_of_the_image() -> None:
    last = stages((ROOT / "Dockerfile").read_text())[1][-1]
    uid, gid = last.last("USER").text.split(":")
    for name in OURS:
        assert f"/data:uid={uid},gid={gid},mode=0700" in WHOLE["services"][name]["tmpfs"]
    assert WHOLE["services"]["db"]["group_add"] == [gid]
    assert read(FILES[1])["services"]["pulsegate"]["volumes"][0] == f"data:{last.last('VOLUME').text}"


@pytest.mark.parametrize("name", FILES)
def test_mounted_files_are_there(name: str) -> None:
    for service in read(name)["services"].values():
        for one in service.get("volumes", []):
            source = one.split(":")[0]
            assert not source.startswith("./") or source == "./tls" or (ROOT / source).is_file(), source


def compose() -> list[str] | None:
    for words in (["docker", "compose"], ["docker-compose"]):
        if (
            shutil.which(words[0])
            and not subprocess.run([*words, "version"], capture_output=True, check=False).returncode
        ):
            return words
    return None


@pytest.mark.parametrize("name", FILES)
def test_compose_takes_the_file(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    words = compose()
    if words is None:
        pytest.skip("no docker compose on this machine")

    def config(**given: str) -> subprocess.CompletedProcess[str]:
        command = [*words, "-f", ROOT / name, "--project-directory", ROOT, "config"]
        kept = {key: value for key, value in os.environ.items() if not key.startswith("SITE_")}
        return subprocess.run(command, env=kept | given, capture_output=True, text=True, check=False)

    done = config(SITE_NAME="taxii.example.com")
    assert done.returncode == 0, done.stderr
    if name == FILES[0]:
        done = config()
        assert done.returncode != 0
        assert "set SITE_NAME to the name that clients poll" in done.stderr

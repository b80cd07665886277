"""Finding the file, laying the environment over it, and saying what is wrong."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from opentaxii.config import ServerConfig

from pulsegate.errors import SettingsError
from pulsegate.settings import Settings, find_file, load

SECRET = "hunter2correcthorse"
KEYS = ", ".join(sorted(Settings.model_fields))
TOP_KEYS = ", ".join(sorted(["pulsegate", *ServerConfig.ALL_VALID_OPTIONS]))


@pytest.fixture
def write(tmp_path):
    """Write ./opentaxii.yml (the test's working folder is empty)."""

    def to_file(text: str | bytes, name: str = "opentaxii.yml") -> Path:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return to_file


def fault(environment=None):
    with pytest.raises(SettingsError) as caught:
        load(environment or {})
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_settings_without_file_and_environment_are_the_defaults():
    assert load({}).port == 9000


def test_file_is_found_in_order(write):
    write("")
    variables = {"PULSEGATE_CONFIG": "/a", "OPENTAXII_CONFIG": "/b"}
    assert find_file(variables) == Path("/a")
    assert find_file(variables | {"PULSEGATE_CONFIG": ""}) == Path("/b")
    assert find_file({}) == Path("opentaxii.yml")


def test_file_that_nobody_names_and_that_is_not_there():
    assert find_file({}) is None


def test_environment_of_the_process_is_read_by_default(monkeypatch):
    monkeypatch.setenv("PULSEGATE_PORT", "9001")
    assert load().port == 9001


def test_environment_beats_file_beats_default(write):
    write("pulsegate: {port: 9001, host: 192.0.2.1, otx: {interval: 5m, retry: 2m}}")
    settings = load({"PULSEGATE_PORT": "9002", "PULSEGATE_OTX__INTERVAL": "7m"})
    assert (settings.port, settings.host, settings.workers) == (9002, "192.0.2.1", 2)
    assert settings.otx.model_dump(include={"interval", "retry", "backoff"}) == {
        "interval": "7m",
        "retry": "2m",
        "backoff": "1s",
    }


def test_file_with_nothing_in_it(write):
    for text in ("", "# nothing\n", "pulsegate:\n", "---\n"):
        write(text)
        assert load({}) == load({"PULSEGATE_CONFIG": str(write("pulsegate: {}", "other.yml"))})


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("pulsegate:\n  own: [a.example]\n  port: 1\n  own: [b.example]\n", "line 4, column 3"),
        ("pulsegate: {port: 1}\npulsegate: {host: a}\n", "line 2, column 1"),
        ("pulsegate: {collections: [{name: a, ttl: {URL: 1d, 'URL': 2d}}]}", "line 1, column 52"),
    ],
)
def test_file_with_a_key_that_stands_twice(write, text, place):
    write(text)
    assert fault({}) == f"opentaxii.yml: is not valid YAML: the key there stands a second time in its section ({place})"


def test_file_with_keys_taken_over_from_elsewhere(write):
    write("pulsegate:\n  otx: &one {interval: 1h, retry: 2m}\n  sources: [{<<: *one, name: b, retry: 3m}]\n")
    (source,) = load({}).sources
    assert (source.interval, source.retry) == (timedelta(hours=1), timedelta(minutes=3))


@pytest.mark.parametrize("text", ["", " ", "\n"])
def test_environment_with_variables_that_are_empty(write, text):
    write("pulsegate: {host: 192.0.2.1, own: [a.example], otx: {interval: 5m, enabled: false, proxy: 'http://a:1'}}")
    names = (
        "HOST",
        "PORT",
        "OWN",
        "DATA_DIR",
        "DATABASE",
        "DOMAIN",
        "ADMIN_PASSWORD",
        "COLLECTIONS",
        "OTX",
        "RELAY__KEY",
    )
    names += ("OTX__INTERVAL", "OTX__ENABLED", "OTX__PROXY", "OTX__API_KEY_FILE", "TLS__CERTIFICATE")
    assert load({f"PULSEGATE_{name}": text for name in names}) == load({})
    assert fault({"PULSEGATE_PROT": text}).endswith("prot (PULSEGATE_PROT) is no setting; did you mean port?")


def test_file_with_an_empty_host(write):
    write("pulsegate: {host: ''}")
    assert fault({}) == "opentaxii.yml: host: write an address; 0.0.0.0 is every one of the machine"


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("port: yes", "port"),
        ("workers: on", "workers"),
        ("otx: {page_size: true}", "otx.page_size"),
        ("collections: [{name: a, blocks_per_part: yes}]", "collection a: blocks_per_part"),
    ],
)
def test_file_with_yes_for_a_number(write, text, key):
    write(f"pulsegate: {{{text}}}")
    assert fault() == f"opentaxii.yml: {key}: write a whole number"


def test_file_with_a_byte_order_mark(write):
    write("\ufeffpulsegate: {port: 9001}")
    assert load({}).port == 9001


@pytest.mark.parametrize("section", ["otx", "own", "collections"])
def test_file_with_a_section_that_has_no_lines(write, section):
    write(f"pulsegate:\n  {section}:\n    # interval: 15m\n")
    assert load({}) == load({"PULSEGATE_CONFIG": str(write("", "empty.yml"))})


def test_environment_with_lists_and_mappings():
    collection = "{name: a, include: {types: [URL]}}"
    settings = load({"PULSEGATE_OWN": "[a.example, 192.0.2.0/24]", "PULSEGATE_COLLECTIONS": f"[{collection}]"})
    assert settings.own == ["a.example", "192.0.2.0/24"]
    assert [one.name for one in settings.collections] == ["a"]


def test_environment_with_warning_lists():
    modes = load({"PULSEGATE_WARNING_LISTS__MODES": "{public-dns-v4: off}"}).warning_lists.modes
    assert modes == {"public-dns-v4": "off"}
    assert load({"PULSEGATE_WARNING_LISTS": "{modes: {tranco: block}}"}).warning_lists.modes == {"tranco": "block"}
    assert load({"PULSEGATE_WARNING_LISTS__MODES__TRANCO": "off"}).warning_lists.modes == {"tranco": "off"}
    assert fault({"PULSEGATE_WARNING_LISTS__MODES": "{tranco: on}"}) == (
        "environment: warning_lists.modes.tranco (PULSEGATE_WARNING_LISTS__MODES): Input should be 'block', 'inform' or 'off'"
    )


def test_environment_with_a_section():
    settings = load(
        {
            "PULSEGATE_METRICS__ALLOW": "[192.0.2.1, 192.0.2.64/26]",
            "PULSEGATE_PAGES": "{enabled: false}",
            "PULSEGATE_PAGES__IDLE": "5m",
            "PULSEGATE_DATABASE_PASSWORD_FILE": "{a}",
            "PULSEGATE_DATABASE": "postgresql://a@[::1]/b",
        }
    )
    assert settings.metrics.allow == ["192.0.2.1", "192.0.2.64/26"]
    assert (settings.pages.enabled, settings.pages.idle.seconds) == (False, 300)
    assert settings.database_password_file == Path("{a}")  # no list, no section: to the letter


def test_fault_in_a_section_of_the_environment_is_not_the_file_s(write):
    write("pulsegate: {port: 9001, otx: {interval: 5m}}")
    assert fault({"PULSEGATE_OTX": "{intervall: 5m}"}) == (
        "environment: otx.intervall (PULSEGATE_OTX) is no setting; did you mean interval?"
    )


def test_environment_with_a_broken_list():
    assert fault({"PULSEGATE_OWN": "[a.example"}) == (
        "PULSEGATE_OWN: is not valid YAML: expected ',' or ']', but got '<stream end>' (line 1, column 11)"
    )


def test_otx_api_key_is_the_key():
    key = load({"OTX_API_KEY": "k", "PULSEGATE_OTX__API_KEY": "other"}).otx.api_key
    assert key is not None
    assert key.get_secret_value() == "k"


def test_otx_api_key_that_is_empty_is_none():
    assert load({"OTX_API_KEY": ""}).otx.api_key is None


@pytest.mark.parametrize("variable", ["OTX_API_KEY", "PULSEGATE_OTX__API_KEY"])
def test_api_key_in_the_environment_beats_the_file_of_the_key(write, variable):
    write("pulsegate: {otx: {api_key_file: /f, interval: 1m}}")
    otx = load({variable: "k"}).otx
    assert (otx.api_key_file, otx.api_key and otx.api_key.get_secret_value()) == (None, "k")


def test_file_of_the_key_in_the_environment_beats_the_api_key(write):
    write("pulsegate: {otx: {api_key: k}}")
    otx = load({"PULSEGATE_OTX__API_KEY_FILE": "/f"}).otx
    assert (otx.api_key_file, otx.api_key) == (Path("/f"), None)


def test_api_key_and_its_file_together(write):
    path = write("pulsegate: {otx: {api_key: k, api_key_file: /f}}")
    assert fault({"PULSEGATE_CONFIG": str(path)}) == (
        f"{path}: otx: api_key and api_key_file are both set; keep one of them"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pulsegat: {}", "pulsegat is no setting; did you mean pulsegate?"),
        ("pulsegate: {prot: 1}", "prot is no setting; did you mean port?"),
        ("pulsegate: {otx: {intervall: 1m}}", "otx.intervall is no setting; did you mean interval?"),
        (
            "pulsegate: {collections: [{name: a}, {name: b, dedupliacte: true}]}",
            "collection b: dedupliacte is no setting; did you mean deduplicate?",
        ),
        (
            "pulsegate: {collections: [{name: a, include: {tag: [x]}}]}",
            "collection a: include.tag is no setting; did you mean tags?",
        ),
        (
            "pulsegate: {zzz: 1}",
            f"zzz is no setting; the keys there are: {KEYS}",
        ),
        ("zzz: 1", f"zzz is no setting; the keys there are: {TOP_KEYS}"),
    ],
)
def test_key_in_the_file_that_is_unknown(write, text, message):
    write(text)
    assert fault() == f"opentaxii.yml: {message}"


@pytest.mark.parametrize(
    ("variable", "message"),
    [
        ("PULSEGATE_PROT", "prot (PULSEGATE_PROT) is no setting; did you mean port?"),
        (
            "PULSEGATE_OTX__INTERVALL",
            "otx.intervall (PULSEGATE_OTX__INTERVALL) is no setting; did you mean interval?",
        ),
    ],
)
def test_key_in_the_environment_that_is_unknown(variable, message):
    assert fault({variable: "1m"}) == f"environment: {message}"


@pytest.mark.parametrize("key", ["str", "bool", "a[b"])
def test_key_that_is_unknown_and_reads_like_a_type(write, key):
    write(f"pulsegate: {{'{key}': 1}}")
    assert fault().startswith(f"opentaxii.yml: {key} is no setting; ")


def test_every_fault_is_named_at_once(write):
    write("pulsegate: {port: x, otx: {interval: 5}}")
    assert fault({"PULSEGATE_WORKERS": "0"}) == (
        "opentaxii.yml: port: write a whole number; "
        "workers (PULSEGATE_WORKERS): Input should be greater than or equal to 1; "
        "otx.interval: 5 is no duration; write 100ms, 90s, 15m, 6h or 30d"
    )


def test_keys_that_opentaxii_itself_reads(write):
    keys = "\n".join(f"{key}: whatever" for key in ServerConfig.ALL_VALID_OPTIONS)
    write(f"{keys}\npulsegate: {{port: 9001}}\n")
    assert load({}).port == 9001


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pulsegate: [", "is not valid YAML: expected the node content, but found '<stream end>' (line 1, column 13)"),
        (
            "pulsegate:\n  port: 1\n host: x\n",
            "is not valid YAML: expected <block end>, but found '<block mapping start>' (line 3, column 2)",
        ),
        (
            "pulsegate:\n\tport: 1\n",
            "is not valid YAML: found character '\\t' that cannot start any token (line 2, column 1)",
        ),
        ("pulsegate: {}\n---\n{}\n", "is not valid YAML: but found another document (line 2, column 1)"),
        ("[a]", "has no keys at its top. Begin it with 'pulsegate:'"),
        ("pulsegate", "has no keys at its top. Begin it with 'pulsegate:'"),
        ("pulsegate: 3", "pulsegate: holds keys, not a single value"),
        (b"pulsegate: {host: \xff}", "is not UTF-8 text. Save it as UTF-8"),
    ],
)
def test_file_that_can_not_be_read(write, text, message):
    write(text)
    assert fault() == f"opentaxii.yml: {message}"


def test_file_with_an_impossible_date(write):
    write("pulsegate:\n  domain: 2024-99-01\n")
    assert fault().startswith("opentaxii.yml: is not valid YAML: ")


@pytest.mark.parametrize("variable", ["PULSEGATE_CONFIG", "OPENTAXII_CONFIG"])
def test_file_that_is_named_and_not_there(variable, tmp_path):
    path = tmp_path / "none.yml"
    assert fault({variable: str(path)}).startswith(f"{path}: can't be read: No such file or directory. ")


def test_file_that_is_a_folder(tmp_path):
    assert fault({"PULSEGATE_CONFIG": str(tmp_path)}).startswith(f"{tmp_path}: can't be read: Is a directory. ")


def test_variables_that_kubernetes_sets_are_no_settings():
    variables = {
        "PULSEGATE_SERVICE_HOST": "10.3.241.5",
        "PULSEGATE_SERVICE_PORT": "9000",
        "PULSEGATE_SERVICE_PORT_HTTP": "9000",
        "PULSEGATE_PORT_9000_TCP": "tcp://10.3.241.5:9000",
        "PULSEGATE_PORT_9000_TCP_PROTO": "tcp",
        "PULSEGATE_PORT_9000_TCP_PORT": "9000",
        "PULSEGATE_PORT_9000_TCP_ADDR": "10.3.241.5",
    }
    assert load(variables) == load({})


def test_port_that_kubernetes_sets_is_no_setting():
    assert load({"PULSEGATE_PORT": "tcp://10.3.241.5:9000"}) == load({})


def test_variables_of_a_service_beside_it_are_no_settings():
    variables = {
        "PULSEGATE_DB_SERVICE_HOST": "10.3.241.6",
        "PULSEGATE_DB_SERVICE_PORT": "5432",
        "PULSEGATE_DB_PORT": "tcp://10.3.241.6:5432",
        "PULSEGATE_DB_PORT_5432_TCP_ADDR": "10.3.241.6",
    }
    assert load(variables) == load({})


@pytest.mark.parametrize("password", ["{abc", "[abc]", "{a: b}"])
def test_password_in_the_environment_is_taken_to_the_letter(password):
    found = load({"PULSEGATE_ADMIN_PASSWORD": password}).admin_password
    assert found is not None
    assert found.get_secret_value() == password


@pytest.mark.parametrize("variable", ["OTX_API_KEY", "PULSEGATE_OTX__API_KEY", "PULSEGATE_ADMIN_PASSWORD"])
def test_secret_does_not_show(variable):
    settings = load({variable: SECRET})
    assert (
        SECRET not in f"{settings!r} {settings} {settings.otx!r} {settings.model_dump()} {settings.model_dump_json()}"
    )


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("PULSEGATE_DATABASE", f"postgresql://user:{SECRET}@db.example/feed"),
        ("PULSEGATE_OTX__PROXY", f"http://user:{SECRET}@proxy.example:3128"),
    ],
)
def test_password_in_an_address_does_not_show(variable, text):
    settings = load({variable: text})
    assert SECRET not in f"{settings!r} {settings}"


@pytest.mark.parametrize(
    "environment",
    [
        {"PULSEGATE_DATABASE": f"mysql://user:{SECRET}@db.example/feed"},
        {"PULSEGATE_OTX__URL": f"https://user:{SECRET}@otx.example"},
        {"PULSEGATE_OTX__API_KEY": SECRET, "PULSEGATE_OTX__API_KEY_FILE": "/f"},
        {"OTX_API_KEY": SECRET, "PULSEGATE_PORT": "x"},
        {"PULSEGATE_ADMIN_PASSWORD": SECRET, "PULSEGATE_ADMIN_PASSWROD": SECRET},
        {"PULSEGATE_OTX": SECRET},
    ],
)
def test_fault_does_not_show_a_secret(environment):
    with pytest.raises(SettingsError) as caught:
        load(environment)
    assert SECRET not in f"{caught.value} {caught.value!r} {caught.value.__cause__!r}"


@pytest.mark.parametrize(
    "text",
    [
        f"pulsegate: {{otx: {{api_key: [{SECRET}]}}}}",
        f"pulsegate:\n  admin_password: {{{SECRET}: 1}}\n",
        f"pulsegate:\n  otx:\n    api_key:{SECRET}\n",
        f"pulsegate:\n  admin_password: '{SECRET}\n",
    ],
)
def test_fault_in_the_file_does_not_show_a_secret(write, text):
    write(text)
    assert SECRET not in fault()


@pytest.mark.parametrize("mark", ["*", "!"])
def test_fault_of_a_password_that_is_not_quoted_does_not_show_it(write, mark):
    write(f"pulsegate:\n  admin_password: {mark}{SECRET}\n")
    assert SECRET not in fault()

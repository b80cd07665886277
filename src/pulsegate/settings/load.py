"""Finding and reading opentaxii.yml, laying the environment over it, and saying which key is wrong."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Hashable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from pulsegate.errors import SettingsError
from pulsegate.settings import fields
from pulsegate.settings.collections import CollectionSettings
from pulsegate.settings.schema import Settings
from pulsegate.settings.section import Section

PREFIX = "PULSEGATE_"
DEFAULT_FILE = Path("opentaxii.yml")
_KEYS = (["otx", "api_key"], ["otx", "api_key_file"])
_QUOTED = re.compile(r"'([^']*)'")
_SEVERAL_FORMS = ("protections", "warning_lists", "review")  # of a collection
# What OpenTAXII itself reads from the same file (opentaxii.config.ServerConfig of 0.9.3).
OPENTAXII_KEYS = frozenset({
    "domain", "support_basic_auth", "return_server_error_details", "logging", "auth_api", "taxii1", "taxii2",
    "persistence_api", "save_raw_inbox_messages", "xml_parser_supports_huge_tree", "count_blocks_in_poll_responses",
    "unauthorized_status", "hooks",
})  # fmt: skip
# Kubernetes sets the first ones in every container beside a service whose name begins with "pulsegate".
_NOT_OURS = re.compile(
    r"PULSEGATE_(\w+_)?(SERVICE_HOST|SERVICE_PORT\w*|PORT_\d+_(TCP|UDP)\w*)|PULSEGATE_(CONFIG|CHECK_(USERNAME|PASSWORD))"
)
_ADDRESS_OF_A_SERVICE = re.compile(r"(tcp|udp)://")  # in a variable that ends in _PORT
_NAMED = {"collections": "collection", "sources": "source", "upstreams": "upstream"}


class _Loader(yaml.SafeLoader):
    """Refuses a key that stands twice: PyYAML would drop what the first one says, such as half of the collections."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key, _ in node.value:
            if key.tag != "tag:yaml.org,2002:merge" and isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, "the key there stands a second time in its section", key.start_mark
                    )
                seen.add(key.value)
        return super().construct_mapping(node, deep)


def find_file(environment: Mapping[str, str] | None = None) -> Path | None:
    """The settings file: PULSEGATE_CONFIG, else OPENTAXII_CONFIG, else ./opentaxii.yml, else none."""
    environment = os.environ if environment is None else environment
    for variable in ("PULSEGATE_CONFIG", "OPENTAXII_CONFIG"):
        if environment.get(variable):
            return Path(environment[variable])
    return DEFAULT_FILE if DEFAULT_FILE.exists() else None


def load(environment: Mapping[str, str] | None = None) -> Settings:
    """The settings in force. SettingsError names the file, the key and what to write instead."""
    environment = os.environ if environment is None else environment
    path = find_file(environment)
    section = _read_section(path) if path else {}
    given = [one for one in _from_environment(environment) if not _says_nothing(*one)]
    if any(keys in _KEYS for keys, _, _ in given) and isinstance(section.get("otx"), dict):
        # The environment's key beats the file's, however each is given.
        section["otx"] = {key: value for key, value in section["otx"].items() if ["otx", key] not in _KEYS}
    for keys, variable, text in given:
        _lay_over(section, keys, text, variable)
    try:
        return Settings.model_validate(section)
    except ValidationError as error:
        raise SettingsError(_explain(error, section, environment), resource=_source(error, path, environment)) from None


def read_yaml(path: Path, hint: str) -> Any:
    """What the file says. SettingsError when it can't be read (then ``hint`` says what to do) or is no YAML."""
    try:
        return yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506 - it is a SafeLoader
    except OSError as error:
        raise SettingsError(f"can't be read: {error.strerror}", resource=str(path), hint=hint) from error
    except UnicodeDecodeError as error:
        raise SettingsError("is not UTF-8 text", resource=str(path), hint="Save it as UTF-8") from error
    except (yaml.YAMLError, ValueError) as error:  # ValueError: an impossible date
        raise SettingsError(f"is not valid YAML: {_where(error)}", resource=str(path)) from None


def read_value(text: str, resource: str) -> Any:
    """One value as YAML writes it, a list or keys and values too. SettingsError when it is none."""
    try:
        return yaml.load(text, _Loader)  # noqa: S506 - it is a SafeLoader
    except (yaml.YAMLError, ValueError) as error:
        raise SettingsError(f"is not valid YAML: {_where(error)}", resource=resource) from None


def collection(given: Mapping[str, Any], resource: str) -> CollectionSettings:
    """One entry of ``collections``. SettingsError names the key of it that is wrong, and ``resource``."""
    section = {"collections": [dict(given)]}
    try:
        return Settings.model_validate(section).collections[0]
    except ValidationError as error:
        raise SettingsError(_explain(error, section, {}), resource=resource) from None


def collection_faults(given: Mapping[str, Any]) -> dict[str, str]:
    """What is wrong with an entry of ``collections``, by key, as ``include.tags``; empty: of it all."""
    try:
        Settings.model_validate({"collections": [dict(given)]})
    except ValidationError as error:
        found = ((_path(dict(one))[2:], _plainly(dict(one))) for one in error.errors(include_input=False))
        return {".".join(part for part in path if isinstance(part, str)): message for path, message in found}
    return {}


def _read_section(path: Path) -> dict[str, Any]:
    document = read_yaml(path, "Correct PULSEGATE_CONFIG or the file's rights")
    document = {} if document is None else document
    if not isinstance(document, dict):
        raise SettingsError("has no keys at its top", resource=str(path), hint="Begin it with 'pulsegate:'")
    for key in document:
        if key != "pulsegate" and key not in OPENTAXII_KEYS:
            raise SettingsError(_unknown(str(key), ["pulsegate", *OPENTAXII_KEYS]), resource=str(path))
    section = document.get("pulsegate")
    if section is not None and not isinstance(section, dict):
        raise SettingsError("pulsegate: holds keys, not a single value", resource=str(path))
    return dict(section or {})


def _own_words(quoted: re.Match[str]) -> str:
    """A parser's own words (in <>, or one character) stay; a piece of the file's text does not."""
    return quoted[0] if quoted[1].startswith("<") or len(quoted[1]) <= len("\\t") else "'…'"


def _where(error: Exception) -> str:
    """Place and kind of the fault; without the text that PyYAML quotes, which may be a password."""
    mark = getattr(error, "problem_mark", None)
    problem = _QUOTED.sub(_own_words, getattr(error, "problem", None) or "unreadable")
    return f"{problem} (line {mark.line + 1}, column {mark.column + 1})" if mark else str(problem)


def _from_environment(environment: Mapping[str, str]) -> Iterator[tuple[list[str], str, str]]:
    for variable, text in sorted(environment.items()):
        is_service = variable.endswith("_PORT") and _ADDRESS_OF_A_SERVICE.match(text)
        if variable.startswith(PREFIX) and not _NOT_OURS.fullmatch(variable) and not is_service:
            yield variable.removeprefix(PREFIX).lower().split("__"), variable, text
    if environment.get("OTX_API_KEY"):
        yield ["otx", "api_key"], "OTX_API_KEY", environment["OTX_API_KEY"]


def _lay_over(section: dict[str, Any], keys: list[str], text: str, variable: str) -> None:
    target = section
    for key in keys[:-1]:
        inner = target.get(key)
        target[key] = dict(inner) if isinstance(inner, dict) else {}
        target = target[key]
    target[keys[-1]] = _value(text, variable) if _is_structured(keys) else text


def _says_nothing(keys: list[str], _variable: str, text: str) -> bool:
    """A variable that is there but empty is as good as none: an empty host would be every address of the machine."""
    return not text.strip() and _field(keys) is not None


def _is_structured(keys: list[str]) -> bool:
    """Whether the key's value is written as in YAML; any other is taken to the letter."""
    field = _field(keys)
    return field is not None and fields.is_structured(field.annotation)


def _field(keys: list[str]) -> FieldInfo | None:
    """The setting of that name; None: there is none."""
    model = _model(keys[:-1])
    return model.model_fields.get(keys[-1]) if model else None


def _value(text: str, variable: str) -> Any:
    return read_value(text, variable) if text.startswith(("[", "{")) else text


def _source(error: ValidationError, path: Path | None, environment: Mapping[str, str]) -> str:
    """The file, unless every fault is in a variable."""
    if all(_giver(_path(dict(one)), environment) for one in error.errors()):
        return "environment"
    return str(path or "settings")


def _path(one: dict[str, Any]) -> list[Any]:
    """The keys that lead to the fault, without the form that pydantic tried for a key that takes several."""
    found: list[Any] = []
    for part in one["loc"]:
        if not (len(found) > 1 and found[-1] in _SEVERAL_FORMS and isinstance(part, str)):
            found.append(part)
    return found


def _variable(path: list[Any]) -> str:
    return PREFIX + "__".join(str(part) for part in path).upper()


def _giver(path: list[Any], environment: Mapping[str, str]) -> str | None:
    """The variable that gives the key, or the list or section that it stands in; None: it is the file's."""
    every = (_variable(path[:length]) for length in range(len(path), 0, -1))
    return next((one for one in every if one in environment), None)


def _explain(error: ValidationError, section: Mapping[str, Any], environment: Mapping[str, str]) -> str:
    found = (_explain_one(dict(one), section, environment) for one in error.errors(include_input=False))
    return "; ".join(dict.fromkeys(found))


def _explain_one(one: dict[str, Any], section: Mapping[str, Any], environment: Mapping[str, str]) -> str:
    path = _path(one)
    key, variable = _spell(path, section), _giver(path, environment)
    key = f"{key} ({variable})" if variable else key
    if one["type"] == "extra_forbidden":
        known = _known_keys(path[:-1])
        return _unknown(key, known, str(path[-1]))
    message = _plainly(one)
    return f"{key}: {message}" if key else message


def _plainly(one: Mapping[str, Any]) -> str:
    return _PLAIN.get(one["type"]) or str(one["msg"]).removeprefix("Value error, ")


# pydantic's words, where ours say better what to write.
_PLAIN = {
    "int_parsing": "write a whole number",
    "int_type": "write a whole number",
    "bool_parsing": "write true or false",
    "bool_type": "write true or false",
    "list_type": "write a list: [a, b]",
    "dict_type": "write keys and values: {key: value}",
    "model_type": "write keys and values: {key: value}",
    "string_type": "write text",
    "missing": "is missing",
}


def _spell(path: list[Any], section: Mapping[str, Any]) -> str:
    """The path of a key; a collection and a source are named by their names, not by their places in the list."""
    words = [str(part) for part in path]
    kind = _NAMED.get(words[0]) if words else None
    if kind is None or len(path) < 2 or not isinstance(path[1], int):  # noqa: PLR2004 - list and place
        return ".".join(words)
    listed = section.get(words[0])
    one = listed[path[1]] if isinstance(listed, list) else None
    name = one.get("name") if isinstance(one, dict) else None
    rest = ".".join(words[2:])
    return f"{kind} {name or path[1] + 1}" + (f": {rest}" if rest else "")


def _unknown(key: str, known: list[str], word: str | None = None) -> str:
    near = difflib.get_close_matches(word or key, known, n=1, cutoff=0.5)
    advice = f"did you mean {near[0]}?" if near else f"the keys there are: {', '.join(sorted(known))}"
    return f"{key} is no setting; {advice}"


def _known_keys(path: list[Any]) -> list[str]:
    """The keys that the section at ``path`` has."""
    model = _model(path)
    return list(model.model_fields) if model else []


def _model(path: list[Any]) -> type[Section] | None:
    """The section at ``path``, in which an entry of a list is its place."""
    model: type[Section] = Settings
    for key in path:
        if isinstance(key, int):
            continue
        field = model.model_fields.get(key)
        inner = fields.held(field.annotation) if field else None
        if inner is None:
            return None
        model = inner.model
    return model

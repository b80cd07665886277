"""Finding and reading opentaxii.yml, laying the environment over it, and saying which key is wrong."""

from __future__ import annotations

import difflib
import os
import re
import types
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from pulsegate.errors import SettingsError
from pulsegate.settings.schema import Settings

PREFIX = "PULSEGATE_"
DEFAULT_FILE = Path("opentaxii.yml")
# What OpenTAXII itself reads from the same file (opentaxii.config.ServerConfig of 0.9.3).
OPENTAXII_KEYS = frozenset({
    "domain", "support_basic_auth", "return_server_error_details", "logging", "auth_api", "taxii1", "taxii2",
    "persistence_api", "save_raw_inbox_messages", "xml_parser_supports_huge_tree", "count_blocks_in_poll_responses",
    "unauthorized_status", "hooks",
})  # fmt: skip
# Kubernetes sets these in every container beside a service named "pulsegate".
_NOT_OURS = re.compile(r"PULSEGATE_(SERVICE_HOST|SERVICE_PORT.*|PORT_\d+_.*)|PULSEGATE_CONFIG")


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
    for keys, variable, text in _from_environment(environment):
        _lay_over(section, keys, text, variable)
    try:
        return Settings.model_validate(section)
    except ValidationError as error:
        raise SettingsError(_explain(error, environment), resource=str(path or "settings")) from None


def _read_section(path: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(
            f"can't be read: {error.strerror}", resource=str(path), hint="Correct PULSEGATE_CONFIG or the file's rights"
        ) from error
    except UnicodeDecodeError as error:
        raise SettingsError("is not UTF-8 text", resource=str(path), hint="Save it as UTF-8") from error
    except yaml.YAMLError as error:
        raise SettingsError(f"is not valid YAML: {_where(error)}", resource=str(path)) from error
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


def _where(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or "unreadable"
    return f"{problem} (line {mark.line + 1}, column {mark.column + 1})" if mark else str(problem)


def _from_environment(environment: Mapping[str, str]) -> Iterator[tuple[list[str], str, str]]:
    for variable, text in sorted(environment.items()):
        if variable.startswith(PREFIX) and not _NOT_OURS.fullmatch(variable):
            yield variable.removeprefix(PREFIX).lower().split("__"), variable, text
    if environment.get("OTX_API_KEY"):
        yield ["otx", "api_key"], "OTX_API_KEY", environment["OTX_API_KEY"]


def _lay_over(section: dict[str, Any], keys: list[str], text: str, variable: str) -> None:
    if keys == ["otx", "api_key"] and isinstance(section.get("otx"), dict):
        section["otx"] = {key: value for key, value in section["otx"].items() if key != "api_key_file"}
    target = section
    for key in keys[:-1]:
        inner = target.get(key)
        target[key] = dict(inner) if isinstance(inner, dict) else {}
        target = target[key]
    target[keys[-1]] = _value(text, variable)


def _value(text: str, variable: str) -> Any:
    """Lists and mappings are written as in YAML; everything else is the text itself."""
    if not text.startswith(("[", "{")):
        return text
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise SettingsError(f"is not valid YAML: {_where(error)}", resource=variable) from error


def _explain(error: ValidationError, environment: Mapping[str, str]) -> str:
    return "; ".join(_explain_one(dict(one), environment) for one in error.errors(include_input=False))


def _explain_one(one: dict[str, Any], environment: Mapping[str, str]) -> str:
    path = [part for part in one["loc"] if not (isinstance(part, str) and _is_union_branch(part))]
    key = ".".join(str(part) for part in path)
    variable = PREFIX + "__".join(str(part) for part in path).upper()
    key = f"{key} ({variable})" if variable in environment else key
    if one["type"] == "extra_forbidden":
        known = _known_keys(path[:-1])
        return _unknown(key, known, str(path[-1]))
    message = str(one["msg"]).removeprefix("Value error, ")
    return f"{key}: {message}" if key else message


def _is_union_branch(part: str) -> bool:
    return part in ("bool", "str") or "[" in part


def _unknown(key: str, known: list[str], word: str | None = None) -> str:
    near = difflib.get_close_matches(word or key, known, n=1, cutoff=0.5)
    advice = f"did you mean {near[0]}?" if near else f"the keys there are: {', '.join(sorted(known))}"
    return f"{key} is no setting; {advice}"


def _known_keys(path: list[Any]) -> list[str]:
    """The keys that the section at ``path`` has."""
    model: type[BaseModel] = Settings
    for part in path:
        if isinstance(part, int):
            continue
        field = model.model_fields.get(part)
        inner = _inner_model(field.annotation) if field else None
        if inner is None:
            return []
        model = inner
    return list(model.model_fields)


def _inner_model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if typing.get_origin(annotation) in (list, typing.Union, types.UnionType):
        for argument in typing.get_args(annotation):
            if (found := _inner_model(argument)) is not None:
                return found
    return None

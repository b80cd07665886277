"""The form of a collection: its rules as opentaxii.yml writes them, in fields, and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from wtforms import (
    BooleanField,
    Field,
    RadioField,
    SelectMultipleField,
    StringField,
    TextAreaField,
)
from wtforms.widgets import CheckboxInput, ListWidget

from pulsegate.model.collection import PROTECTIONS, Profile
from pulsegate.model.indicator import IndicatorType
from pulsegate.model.tlp import TLP
from pulsegate.settings.load import collection_faults
from pulsegate.web.forms import Form, choices
from pulsegate.web.words import LazyString, _, later

SIDES = ("include", "exclude")
TEXTS: dict[str, LazyString] = {
    "authors": later("Authors"),
    "tags": later("Tags"),
    "adversaries": later("Adversaries"),
    "malware_families": later("Malware families"),
    "attack_ids": later("ATT&CK ids"),
    "countries": later("Targeted countries"),
    "industries": later("Industries"),
    "words": later("Words of the pulse's name"),
    "roles": later("Roles of the indicator"),
}
TYPES, LEVELS, OLDEST = later("Types"), later("TLP"), later("Not older than")


class Ticks(SelectMultipleField):  # type: ignore[misc]  # WTForms is not typed
    """Several of a few, as boxes."""

    widget = ListWidget(prefix_label=False)
    option_widget = CheckboxInput()


def _ticks(label: LazyString, values: Iterable[str], default: Iterable[str] = ()) -> Ticks:
    return Ticks(label, choices=choices((one, one) for one in values), default=list(default))


def _side(name: str) -> dict[str, Field]:
    """The fields of ``include`` or ``exclude``."""
    found: dict[str, Field] = {f"{name}_{key}": TextAreaField(label) for key, label in TEXTS.items()}
    found[f"{name}_types"] = _ticks(TYPES, (one.value for one in IndicatorType))
    found[f"{name}_tlp"] = _ticks(LEVELS, (one.value for one in TLP))
    found[f"{name}_max_age"] = StringField(OLDEST)
    return found


class Rules(Form):
    """All of it; a collection of kind inbox has a few of the fields only."""

    name = StringField(later("Name"))
    kind = RadioField(
        later("Filled"),
        choices=choices(
            [("rules", later("from pulses, by the rules below")), ("inbox", later("by clients that push"))]
        ),
        default="rules",
    )
    description = StringField(later("Description"))
    profile = RadioField(
        later("Profile"),
        choices=choices(
            [
                (Profile.ESA.value, later("esa: what the mail gateway uses, in the form it reads")),
                (Profile.FULL.value, later("full: everything that STIX 1.2 can say")),
            ]
        ),
        default=Profile.ESA.value,
    )
    review = RadioField(
        later("Review"),
        choices=choices(
            [
                ("false", later("none: pulses come in by themselves")),
                ("true", later("a pulse waits until a curator approves it")),
                ("changes", later("so does what is added to it after that")),
            ]
        ),
        default="false",
    )
    deduplicate = BooleanField(later("Each value once, however many pulses have it"), default=True)
    protections = _ticks(later("Protections: never served"), sorted(PROTECTIONS), PROTECTIONS)
    warning_lists = RadioField(
        later("Warning lists"),
        choices=choices(
            [
                ("default", later("those of mode block keep values out")),
                ("none", later("none keeps anything out")),
                ("named", later("only these:")),
            ]
        ),
        default="default",
    )
    warning_list_names = TextAreaField(later("Names of warning lists"))
    ttl = TextAreaField(later("Where OTX gives no end"))
    refresh = StringField(later("Publish again every"))
    blocks_per_part = StringField(later("Blocks in a part of an answer"), default="0")
    expand = StringField(later("Networks written address by address up to"), default="256")
    max_age = StringField(later("Withdraw what was pushed longer ago than"))

    def side(self, name: str) -> list[Field]:
        """The text fields of ``include`` or ``exclude``."""
        return [self[f"{name}_{key}"] for key in TEXTS]


for _name in SIDES:
    for _key, _made in _side(_name).items():
        setattr(Rules, _key, _made)


def filled(given: Mapping[str, Any]) -> Rules:
    """The form of a collection as opentaxii.yml writes it."""
    values: dict[str, Any] = {
        key: given.get(key) for key in ("name", "description", "profile", "deduplicate") if key in given
    }
    values["kind"] = given.get("kind", "rules")
    values["review"] = {False: "false", True: "true"}.get(given.get("review", False), "changes")
    protections = given.get("protections", True)
    values["protections"] = sorted(PROTECTIONS) if protections is True else protections or []
    lists = given.get("warning_lists", "default")
    values["warning_lists"] = lists if isinstance(lists, str) else "named"
    values["warning_list_names"] = "" if isinstance(lists, str) else "\n".join(lists)
    values["ttl"] = "\n".join(f"{kind}: {age}" for kind, age in (given.get("ttl") or {}).items())
    for key in ("refresh", "blocks_per_part", "expand", "max_age"):
        values[key] = "" if given.get(key) is None else str(given[key])
    for side in SIDES:
        values |= _filled_side(side, given.get(side) or {})
    return Rules(**values)


def _filled_side(side: str, rule: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {f"{side}_{key}": "\n".join(rule.get(key, ())) for key in TEXTS}
    found |= {f"{side}_{key}": rule.get(key, []) for key in ("types", "tlp")}
    found[f"{side}_max_age"] = rule.get("max_age") or ""
    return found


def written(form: Rules, name: str) -> dict[str, Any]:
    """What the fields say, as opentaxii.yml writes it, right or wrong."""
    given: dict[str, Any] = {"name": name, "description": _text(form.description)}
    given["blocks_per_part"] = _text(form.blocks_per_part) or 0
    if form.kind.data == "inbox":
        return given | {"kind": "inbox", "max_age": _text(form.max_age) or None}
    protections = form.protections.data or []
    return given | {
        "profile": form.profile.data,
        "review": {"false": False, "true": True}.get(form.review.data, form.review.data),
        "deduplicate": bool(form.deduplicate.data),
        "expand": _text(form.expand) or 0,
        "protections": True if set(protections) == PROTECTIONS else protections or False,
        "warning_lists": _lists(form),
        "ttl": _ages(form.ttl),
        "refresh": _text(form.refresh) or None,
        **{side: _written_side(form, side) for side in SIDES},
    }


def _written_side(form: Rules, side: str) -> dict[str, Any]:
    found: dict[str, Any] = {key: _lines(form[f"{side}_{key}"]) for key in TEXTS}
    found |= {key: form[f"{side}_{key}"].data or [] for key in ("types", "tlp")}
    found["max_age"] = _text(form[f"{side}_max_age"]) or None
    return {key: value for key, value in found.items() if value}


def _lists(form: Rules) -> str | list[str]:
    chosen = str(form.warning_lists.data or "default")
    return (_lines(form.warning_list_names) or "none") if chosen == "named" else chosen


def _ages(field: Field) -> dict[str, str]:
    pairs = (line.partition(":") for line in _lines(field))
    return {kind.strip(): age.strip() for kind, _colon, age in pairs}


def _text(field: Field) -> str:
    return str(field.data or "").strip()


def _lines(field: Field) -> list[str]:
    return [line.strip() for line in str(field.data or "").splitlines() if line.strip()]


def complain(form: Rules, given: Mapping[str, Any], lists: Iterable[str]) -> bool:
    """Put each fault beside its field; whether there is any. ``lists``: the names of all warning lists."""
    faults = collection_faults(given)
    named = given.get("warning_lists")
    if isinstance(named, list) and not faults:
        unknown = sorted(set(named) - set(lists))
        faults |= {"warning_lists": _("there is no warning list %(name)s", name=unknown[0])} if unknown else {}
    for key, message in faults.items():
        _field(form, key or message.partition(" ")[0]).errors = [message]
    return bool(faults)


def _field(form: Rules, key: str) -> Field:
    """The field of a key; what has none stands at the description."""
    side, _dot, rest = key.partition(".")
    if side in SIDES:
        found = f"{side}_{rest.partition('.')[0]}"
    elif side == "warning_lists":
        found = "warning_list_names"
    else:
        found = side
    return form[found] if found in form else form["description"]

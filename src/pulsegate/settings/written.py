"""Collections in the form that opentaxii.yml takes."""

from __future__ import annotations

from typing import Any

from pulsegate.model.collection import Collection, CollectionKind, ReviewMode, Rule
from pulsegate.settings.duration import format_duration


def as_settings(collection: Collection) -> dict[str, Any]:
    """The collection as opentaxii.yml writes it."""
    if collection.kind is CollectionKind.INBOX:
        return {
            "name": collection.name,
            "description": collection.description,
            "kind": "inbox",
            "max_age": None if collection.max_age is None else format_duration(collection.max_age),
            "blocks_per_part": collection.blocks_per_part,
        }
    protections = collection.protections
    return {
        "name": collection.name,
        "description": collection.description,
        "profile": collection.profile.value,
        "expand": collection.expand,
        "deduplicate": collection.deduplicate,
        "include": _rule(collection.include),
        "exclude": _rule(collection.exclude),
        "review": _REVIEWS[collection.review],
        "protections": True if protections is None else sorted(protections) or False,
        "warning_lists": _lists(collection.warning_lists),
        "ttl": {kind.value: format_duration(age) for kind, age in collection.ttl.items()},
        "refresh": None if collection.refresh is None else format_duration(collection.refresh),
        "blocks_per_part": collection.blocks_per_part,
    }


_REVIEWS = {ReviewMode.NONE: False, ReviewMode.PULSES: True, ReviewMode.CHANGES: "changes"}


def _lists(names: frozenset[str] | None) -> str | list[str]:
    return "default" if names is None else sorted(names) or "none"


def _rule(rule: Rule) -> dict[str, Any]:
    words: dict[str, Any] = {
        key: sorted(str(word) for word in getattr(rule, key)) for key in Rule.__dataclass_fields__ if key != "max_age"
    }
    words["max_age"] = None if rule.max_age is None else format_duration(rule.max_age)
    return {key: value for key, value in words.items() if value}

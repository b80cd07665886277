"""How the models of the settings hang together: which section a key holds, and in which form."""

from __future__ import annotations

import types
import typing
from dataclasses import dataclass
from enum import Enum
from typing import Any

from pulsegate.settings.section import Section


class Form(Enum):
    """How a section stands below its key."""

    KEYS = "keys"
    LIST = "a list of entries"
    NAMED = "names"  # each with such a section


_SEVERAL = {list: Form.LIST, dict: Form.NAMED}
_EITHER = (typing.Union, types.UnionType)


@dataclass(frozen=True, slots=True)
class Held:
    """A section that a key holds, or several of it."""

    model: type[Section]
    form: Form


def held(annotation: Any) -> Held | None:
    """What a field of this type holds; None: no section."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return Held(annotation, Form.KEYS)
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return held(inner[0])
    if origin in _EITHER:
        return next((found for one in inner if (found := held(one))), None)
    found = held(inner[-1]) if origin in _SEVERAL else None
    return Held(found.model, _SEVERAL[origin]) if found else None


def is_structured(annotation: Any) -> bool:
    """Whether a list, or keys and values, may stand there."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated or origin in _EITHER:
        return any(is_structured(one) for one in typing.get_args(annotation))
    return origin in _SEVERAL or held(annotation) is not None

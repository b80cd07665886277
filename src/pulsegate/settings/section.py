"""What every section of the settings is."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator, model_validator


@dataclass(frozen=True, slots=True)
class Written:
    """Marks a type with what may be written, in words for people; docs/settings.md tells them in place of the type."""

    words: str


File = Annotated[Path, Written("a file")]
Folder = Annotated[Path, Written("a folder")]
Address = Annotated[str, Written("an address")]


class Section(BaseModel):
    """A section: unknown keys are errors, values don't change after loading.

    Docstring and descriptions are what docs/settings.md says of it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    example: ClassVar[str] = ""  # what may stand below its key, in YAML

    @model_validator(mode="before")
    @classmethod
    def _empty_is_default(cls, given: object) -> object:
        """``own:`` with every line below it commented out is the same as no ``own`` at all."""
        if not isinstance(given, dict):
            return given
        return {key: value for key, value in given.items() if value is not None or key not in cls.model_fields}

    @field_validator("*", mode="before")
    @classmethod
    def _yes_is_no_number(cls, value: object, info: ValidationInfo) -> object:
        """YAML's ``yes`` would be 1."""
        if isinstance(value, bool) and cls.model_fields[info.field_name or ""].annotation is int:
            raise ValueError("write a whole number")
        return value


def is_loopback(host: str) -> bool:
    """Whether nobody but this machine is reached there."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def split(value: object) -> object:
    """A list may be written as words with commas, as in an environment variable."""
    return [word.strip() for word in value.split(",") if word.strip()] if isinstance(value, str) else value

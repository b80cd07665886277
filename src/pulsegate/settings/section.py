"""What every section of the settings is."""

from __future__ import annotations

import ipaddress

from pydantic import BaseModel, ConfigDict, model_validator


class Section(BaseModel):
    """A section: unknown keys are errors, values don't change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _empty_is_default(cls, given: object) -> object:
        """``own:`` with every line below it commented out is the same as no ``own`` at all."""
        if not isinstance(given, dict):
            return given
        return {key: value for key, value in given.items() if value is not None or key not in cls.model_fields}


def is_loopback(host: str) -> bool:
    """Whether nobody but this machine is reached there."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def split(value: object) -> object:
    """A list may be written as words with commas, as in an environment variable."""
    return [word.strip() for word in value.split(",") if word.strip()] if isinstance(value, str) else value

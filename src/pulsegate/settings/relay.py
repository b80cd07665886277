"""The settings of the relay."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from pathlib import Path

from pydantic import Field, field_validator

from pulsegate.settings.section import Section


class TrustedKeySettings(Section):
    """A sender's key that bundles may be signed with."""

    name: str = Field(description="what you call it")
    key: Path = Field(description="the file with the public key, from `pulsegate relay keygen` on the sender")
    origin: str | None = Field(
        None, description="the only sender that it may sign for; default: the one that it has signed for first"
    )
    until: datetime | None = Field(None, description="it is trusted until then, such as 2027-01-31 (UTC)")

    @field_validator("until", mode="before")
    @classmethod
    def _until_is_a_moment(cls, value: object) -> object:
        """YAML gives dates and instants without a zone, which are meant to be UTC."""
        if isinstance(value, date) and not isinstance(value, datetime):
            return datetime(value.year, value.month, value.day, tzinfo=UTC)
        found = datetime.fromisoformat(value) if isinstance(value, str) else value
        return found.replace(tzinfo=UTC) if isinstance(found, datetime) and found.tzinfo is None else found


class RelaySettings(Section):
    """Bundles for, or from, a Pulsegate in a network with no way out."""

    origin: str | None = Field(
        None, description="the name that this sender's bundles bear; default: one is made up at the first export"
    )
    key: Path | None = Field(None, description="the file with the secret key that this sender signs with")
    trust: list[TrustedKeySettings] = Field([])
    revoked: list[str] = Field([], description="fingerprints of keys that count no more")

    @field_validator("revoked")
    @classmethod
    def _revoked_are_fingerprints(cls, found: list[str]) -> list[str]:
        """As ``keygen`` tells them, in either case: one that is misspelt would revoke nothing."""
        if wrong := [one for one in found if not re.fullmatch(r"[0-9A-Fa-f]{64}", one)]:
            raise ValueError(f"a fingerprint has 64 hex digits, as 'pulsegate relay keygen' tells them: {wrong[0]}")
        return [one.lower() for one in found]

    @field_validator("origin")
    @classmethod
    def _origin_is_a_name(cls, name: str | None) -> str | None:
        if name is not None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}", name):
            raise ValueError("an origin has letters, digits, dots, dashes and underscores, 80 at most")
        return name

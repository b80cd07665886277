"""The settings of the relay."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from inspect import cleandoc
from typing import Annotated, ClassVar, Self

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from pulsegate.model.relay import Take, as_origin
from pulsegate.settings.duration import Seconds
from pulsegate.settings.section import File, Folder, Section, Written, split
from pulsegate.settings.size import Size

Origin = Annotated[str, AfterValidator(as_origin), Written("1 to 80 letters, digits, `.`, `-`, `_`")]


class TrustedKeySettings(Section):
    """A sender's key that bundles may be signed with."""

    example: ClassVar[str] = cleandoc("""
        name: outside
        key: /etc/pulsegate/relay.key.pub
        """)

    name: str = Field(description="what you call it")
    key: File = Field(description="the file with the public key, from `pulsegate relay keygen` on the sender")
    origin: Origin | None = Field(
        None, description="the only sender that it may sign for; default: the one that it has signed for first"
    )
    until: Annotated[datetime, Written("a date, or a date and a time")] | None = Field(
        None, description="it is trusted until then, such as 2027-01-31 (UTC)"
    )

    @field_validator("until", mode="before")
    @classmethod
    def _until_is_a_moment(cls, value: object) -> object:
        """YAML gives dates and instants without a zone, which are meant to be UTC."""
        if isinstance(value, date) and not isinstance(value, datetime):
            return datetime(value.year, value.month, value.day, tzinfo=UTC)
        found = datetime.fromisoformat(value) if isinstance(value, str) else value
        return found.replace(tzinfo=UTC) if isinstance(found, datetime) and found.tzinfo is None else found


class RelaySettings(Section):
    """Bundles for, or from, a Pulsegate in a network with no way out.

    A sender has ``key`` and ``outbox``, a receiver ``inbox`` and ``trust``. [air-gap.md](air-gap.md) goes through it.
    """

    example: ClassVar[str] = cleandoc("""
        key: /etc/pulsegate/relay.key
        outbox: /srv/relay/out      # something of yours carries the files away
        repeat: 3                   # each delta is repeated in the next three files: where some are lost on the way
        part_size: 600MB            # for discs and diodes
        """)

    origin: Origin | None = Field(
        None, description="the name that this sender's bundles bear; default: one is made up at the first export"
    )
    key: File | None = Field(None, description="the file with the secret key that this sender signs with")
    outbox: Folder | None = Field(None, description="the folder into which the worker writes bundles")
    interval: Seconds = Field(timedelta(hours=1), description="the time between two bundles")
    full_every: Seconds = Field(timedelta(days=1), description="after so long a full snapshot takes a delta's place")
    repeat: Annotated[int, Field(ge=0, le=500)] = Field(
        0, description="in how many of the following bundles each delta is repeated, where some are lost on the way"
    )
    part_size: Size | None = Field(
        None, description="larger bundles are split into parts of so many bytes, such as `100MB`"
    )
    receipts: Folder | None = Field(None, description="of a sender: the folder in which receipts of receivers may lie")
    inbox: Folder | None = Field(None, description="the folder from which the worker takes bundles")
    write_receipts: Folder | None = Field(None, description="of a receiver: the folder into which it writes receipts")
    stale_after: Seconds = Field(
        timedelta(days=1), description="an alarm is raised when a sender's last bundle is as old as that"
    )
    kept: Seconds = Field(
        timedelta(days=30), description="how long bundles that were written, taken or refused are kept"
    )
    trust: list[TrustedKeySettings] = Field(
        [], description="the public keys that bundles may be signed with; needed with `inbox`"
    )
    revoked: Annotated[list[str], BeforeValidator(split), Written("a list of fingerprints")] = Field(
        [], description="fingerprints of keys that count no more"
    )
    curation: bool = Field(
        False, description="what was decided on this sender, and its own pulses, go into its bundles, too"
    )
    take: Annotated[list[Take], BeforeValidator(split)] = Field(
        [],
        description="what is taken of the senders' curation: `collections`, `allow`, `decisions` (values forced in or "
        "out, reviews, trusted authors), `own` (their own pulses)",
    )

    @field_validator("revoked")
    @classmethod
    def _revoked_are_fingerprints(cls, found: list[str]) -> list[str]:
        """As ``keygen`` tells them, in either case: one that is misspelt would revoke nothing."""
        if wrong := [one for one in found if not re.fullmatch(r"[0-9A-Fa-f]{64}", one)]:
            raise ValueError(f"a fingerprint has 64 hex digits, as 'pulsegate relay keygen' tells them: {wrong[0]}")
        return [one.lower() for one in found]

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.outbox is not None and self.key is None:
            raise ValueError("outbox is set without key; bundles are signed with it ('pulsegate relay keygen')")
        if self.inbox is not None and not self.trust:
            raise ValueError("inbox is set without trust; name the public keys that bundles may be signed with")
        if self.inbox is not None and self.inbox == self.outbox:
            raise ValueError("inbox and outbox are the same folder")
        return self

"""Sources: OTX accounts and other TAXII servers, what is asked of each, and when."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from inspect import cleandoc
from typing import Annotated, ClassVar, Self
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, field_validator, model_validator

from pulsegate.settings.duration import Duration
from pulsegate.settings.section import Address, File, Section, Written, is_loopback, split
from pulsegate.settings.share import Share

RESERVED_NAMES = ("otx", "files", "own")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,50}")
_PULSE = re.compile(r"(?:https?://\S+/)?([0-9a-f]{24})(?:[/?#]\S*)?", re.IGNORECASE)
_LONGEST = timedelta(days=365)
SHORTEST_WINDOW = timedelta(minutes=1)


def _are_pulse_ids(entries: list[str]) -> list[str]:
    found = {}
    for entry in entries:
        match = _PULSE.fullmatch(entry.strip())
        if match is None:
            raise ValueError(f"{entry!r} is no pulse's id (24 hex digits) or address")
        found[match[1].lower()] = True
    return list(found)


def _listed(value: object) -> object:
    """One is a list too."""
    return [value] if isinstance(value, str) else value


Names = Annotated[list[str], BeforeValidator(split), Written("a list of names")]
SomeTime = Annotated[Duration, Written("a duration, at least `1ms`")]
Often = Annotated[Duration, Written("a duration, `1ms` to `365d`")]


class PullSettings(Section):
    """What every source has, whatever is pulled from it."""

    brings: ClassVar[str] = "pulses"  # what comes from it, in words

    url: Address = Field("https://otx.alienvault.com", description="https, except on loopback")
    enabled: bool = Field(True, description="false: never pull (a gate that only relays)")
    interval: Often = Field(timedelta(minutes=15), description="the time between two pulls")
    jitter: Annotated[Duration, Written("a duration, at most `365d`")] | None = Field(
        None, description="delays each pull by up to so much; with `interval` a tenth of it"
    )
    cron: Annotated[str, Written("a schedule of five fields")] | None = Field(
        None,
        description="when to pull, in place of `interval`: `*/15 6-20 * * mon-fri` (UTC); the days of the week are "
        "written as names",
    )
    backfill: Duration = Field(timedelta(days=365), description="how far back the first pull reaches")
    backoff: Duration = Field(timedelta(seconds=1), description="the first wait after an error, doubling up to 5m")
    compare: SomeTime = Field(
        timedelta(hours=1), description="how often the whole subscription is compared with what is stored"
    )
    max_removal: Share = Field(
        0.2, description="the share of a subscription, and of `pulses`, that may leave at once unasked"
    )
    stale_after: SomeTime = Field(timedelta(hours=6), description="an alarm is raised after so long without a pull")
    retry: Often = Field(
        timedelta(minutes=1), description="the next try after a failed run, then twice as long, up to `interval` or 1h"
    )
    timeout: SomeTime = Field(timedelta(seconds=60), description="the longest silence within one request")
    proxy: Address | None = Field(None, repr=False, description="an HTTP proxy: `http://host:port`")
    ca_file: File | None = Field(None, description="certificates (PEM) to trust instead of the built-in ones")

    @field_validator("interval", "compare", "stale_after", "retry", "timeout")
    @classmethod
    def _is_some_time(cls, value: timedelta) -> timedelta:
        if not value:
            raise ValueError("must be longer than nothing")
        return value

    @field_validator("interval", "retry", "jitter")
    @classmethod
    def _comes_again(cls, value: timedelta | None) -> timedelta | None:
        if value is not None and value > _LONGEST:
            raise ValueError("must be at most 365d; enabled: false pulls never")
        return value

    @field_validator("cron")
    @classmethod
    def _cron_is_one(cls, text: str | None) -> str | None:
        if text is not None:
            _check_cron(text)
        return text


class OTXSettings(PullSettings):
    """Where pulses come from: an account on OTX, and what is asked of it."""

    example: ClassVar[str] = cleandoc("""
        api_key_file: /etc/pulsegate/otx-key
        authors: [AlienVault, CyberHunter_NL]     # only theirs, of all that the subscription holds
        pulses: [https://otx.alienvault.com/pulse/5f1a2b3c4d5e6f7a8b9c0d1e]
        searches: [emotet]
        """)

    api_key: SecretStr | None = Field(None, description="the key from OTX's settings page; also as `OTX_API_KEY`")
    api_key_file: File | None = Field(None, description="a file that holds the key, and nothing else")
    subscription: bool = Field(True, description="false: only `pulses` and `searches` are pulled")
    authors: Names = Field([], description="only these authors' pulses, of all that are subscribed to or found")
    pulses: Annotated[Names, AfterValidator(_are_pulse_ids), Written("a list of ids or addresses")] = Field(
        [], description="ids or addresses of pulses that are followed without a subscription"
    )
    searches: Annotated[list[str], BeforeValidator(_listed), Written("a list of words or phrases, or one")] = Field(
        [], description="what these words find on OTX is followed too"
    )
    page_size: Annotated[int, Field(ge=1, le=1000)] = Field(20, description="pulses in one request")

    @field_validator("url")
    @classmethod
    def _url_is_safe(cls, url: str) -> str:
        parts = _checked_url(url, "https://otx.alienvault.com", "the API key")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("write scheme, host and port only")
        return url.rstrip("/")

    @model_validator(mode="after")
    def _one_key(self) -> Self:
        if self.api_key and self.api_key_file:
            raise ValueError("api_key and api_key_file are both set; keep one of them")
        return self

    @model_validator(mode="after")
    def _gives_something(self) -> Self:
        if not (self.subscription or self.pulses or self.searches):
            raise ValueError("subscription: false leaves nothing to pull; name pulses or searches")
        return self


def _check_cron(text: str) -> None:
    from apscheduler.triggers.cron import CronTrigger  # noqa: PLC0415 - few settings need it

    no_schedule = f"{text!r} is no schedule such as '*/15 6-20 * * mon-fri'"
    try:
        trigger = CronTrigger.from_crontab(text, timezone=UTC)
    except ValueError as error:
        raise ValueError(f"{no_schedule}: {error}") from None
    if any(digit in text.rsplit(maxsplit=1)[-1] for digit in "0123456789"):
        raise ValueError(f"{no_schedule}: write the days of the week as mon, tue, …")  # APScheduler's 0 is Monday
    if trigger.get_next_fire_time(None, datetime.now(UTC)) is None:
        raise ValueError(f"{no_schedule}: that day never comes")


def _checked_url(url: str, example: str, secret: str) -> SplitResult:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"write an address such as {example}")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError(f"{secret} would travel in the clear; write https://")
    _ = parts.port  # ValueError: out of range, or no number
    return parts


def _checked_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError("a source's name is 1 to 50 letters, digits, _ or -")
    if name in RESERVED_NAMES:
        raise ValueError(f"{name!r} is a name that Pulsegate gives itself; choose another one")
    return name


SourceName = Annotated[str, AfterValidator(_checked_name), Written("1 to 50 letters, digits, `_` or `-`")]


class SourceSettings(OTXSettings):
    """One more source beside ``otx``: another account, with a key, a proxy, a schedule of its own.

    A pulse stays in the feed as long as one source has it. A source that is taken out of the settings keeps its pulses
    until ``pulsegate source remove NAME``.
    """

    example: ClassVar[str] = cleandoc("""
        name: partner
        api_key_file: /etc/pulsegate/partner-key
        proxy: http://proxy.example.com:3128
        cron: "*/30 6-20 * * mon-fri"
        """)

    name: SourceName = Field(description="what it is called in commands and in the log")


def _none(value: object) -> object:
    """YAML's null is the default; the word is nothing."""
    return None if value == "none" else value


class UpstreamSettings(PullSettings):
    """Another TAXII 1.1 server, whose packages are served on, as they are."""

    example: ClassVar[str] = cleandoc("""
        name: partner
        url: https://taxii.example.com/taxii/poll   # or its discovery address
        collection: mail-gateway
        username: reader
        password_file: /etc/pulsegate/partner-password
        """)

    brings: ClassVar[str] = "packages"

    name: SourceName = Field(description="what it is called in commands and in the log; no other source has it")
    url: Address = Field(description="its poll or discovery address, such as `https://host/taxii/poll`")
    collection: Annotated[str, Field(min_length=1)] = Field(description="the collection there that is polled")
    username: str | None = Field(None, description="for Basic authentication; with `password` or `password_file`")
    password: SecretStr | None = Field(None, description="the password")
    password_file: File | None = Field(None, description="a file that holds the password, and nothing else")
    backfill: Duration = Field(timedelta(days=30), description="how far back the first pull reaches")
    segment: Annotated[Duration | None, BeforeValidator(_none), Written("a duration, at least `1m`, or `none`")] = (
        Field(timedelta(days=1), description="the window of one poll; `none`: each pull polls everything at once")
    )
    compare: SomeTime = Field(
        timedelta(days=1), description="how often everything is polled, and what is gone there leaves here"
    )
    max_removal: Share = Field(0.2, description="the share of the packages that may leave at once unasked")
    into: str | None = Field(
        None, description="the collection that it is published in, to which nobody can push; default: `taxii_NAME`"
    )
    max_age: Annotated[Duration, Written("a duration, at least `1m`")] | None = Field(
        None, description="what was published longer ago is withdrawn"
    )

    @property
    def published_in(self) -> str:
        return self.into or f"taxii_{self.name}"

    @field_validator("url")
    @classmethod
    def _url_is_safe(cls, url: str) -> str:
        parts = _checked_url(url, "https://host/taxii/poll", "the password")
        if parts.username or parts.password or parts.fragment:
            raise ValueError("write the address only; username and password are keys of their own")
        return url

    @field_validator("segment", "max_age")
    @classmethod
    def _is_a_while(cls, value: timedelta | None) -> timedelta | None:
        if value is not None and value < SHORTEST_WINDOW:
            raise ValueError("write at least 1m")
        return value

    @model_validator(mode="after")
    def _account_is_whole(self) -> Self:
        if self.password and self.password_file:
            raise ValueError("password and password_file are both set; keep one of them")
        if bool(self.username) != bool(self.password or self.password_file):
            raise ValueError("username and a password (password or password_file) belong together; set both or none")
        if self.username and ":" in self.username:
            raise ValueError("a username for Basic authentication has no colon")
        return self


class AlarmSettings(Section):
    """Who is told when a source fails for too long, when removals are held, and when the certificate ends soon.

    ``pulsegate config check --notify`` sends a test.
    """

    example: ClassVar[str] = cleandoc("""
        notify_file: /etc/pulsegate/alarms     # mailtos://user:password@mail.example.com?to=soc@example.com
        """)

    notify: Annotated[list[SecretStr], BeforeValidator(_listed), Written("a list of addresses, or one")] = Field(
        [], description="Apprise addresses, such as `jsons://host/path` or `mailtos://user:password@example.com?to=you`"
    )
    notify_file: File | None = Field(None, description="a file with such addresses, one a line")

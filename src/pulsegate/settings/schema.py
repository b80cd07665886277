"""The shape of the settings, with each key's meaning; the README's table is made from the descriptions here."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)

from pulsegate.model.collection import EXPAND, PROTECTIONS, Collection, CollectionKind, Profile, ReviewMode, Rule
from pulsegate.model.indicator import IndicatorType
from pulsegate.model.mode import Mode
from pulsegate.model.network import Networks
from pulsegate.model.tlp import TLP
from pulsegate.settings.duration import Duration, format_duration
from pulsegate.settings.relay import RelaySettings
from pulsegate.settings.section import Section, is_loopback, split
from pulsegate.settings.size import Size
from pulsegate.settings.sources import AlarmSettings, OTXSettings, SourceSettings, UpstreamSettings

RESERVED_NAMES = ("subscribed", "user_")
MIN_REFRESH = timedelta(days=3)
MAX_NAME = 300  # OpenTAXII's data_collections.name
_OF_AN_INBOX = frozenset({"name", "description", "kind", "max_age", "blocks_per_part"})


_TEXTS = (
    "authors", "tags", "adversaries", "malware_families", "countries", "industries", "words", "attack_ids", "roles",
)  # fmt: skip
_TECHNIQUE = re.compile(r"T[0-9]{4}(\.[0-9]{3})?|TA[0-9]{4}", re.IGNORECASE)


def _are_words(words: list[str]) -> list[str]:
    for word in words:
        parts = [part.rstrip("*") for part in word.split()]
        if not all(parts) or not parts:
            raise ValueError(f"{word!r} is no word; write a word, a phrase, or what one begins with: phish*")
        if any("*" in part for part in parts):
            raise ValueError(f"{word!r} has a * elsewhere than at the end of a word; write phish* or phishing")
    return words


def _are_techniques(ids: list[str]) -> list[str]:
    for one in ids:
        if not _TECHNIQUE.fullmatch(one):
            raise ValueError(f"{one!r} is no ATT&CK id, such as T1566, T1566.001 or TA0011")
    return ids


def _are_roles(roles: list[str]) -> list[str]:
    for role in roles:
        if not role.strip():
            raise ValueError("an empty role is none; write one as OTX names it, such as scanning_host")
    return roles


class RuleSettings(Section):
    """``include`` and ``exclude`` of a collection. An empty key filters nothing."""

    authors: list[str] = Field([], description="pulse authors, as OTX names them")
    tags: list[str] = Field([], description="pulse tags, in any case")
    adversaries: list[str] = Field([])
    malware_families: list[str] = Field([])
    countries: list[str] = Field([])
    industries: list[str] = Field([])
    words: Annotated[list[str], AfterValidator(_are_words)] = Field(
        [], description="words or phrases in the pulse's name, whole; `phish*` is also found in phishing"
    )
    attack_ids: Annotated[list[str], AfterValidator(_are_techniques)] = Field(
        [], description="the pulse's ATT&CK ids; `T1566` covers `T1566.001` too"
    )
    types: list[IndicatorType] = Field([], description="indicator types, as OTX spells them")
    roles: Annotated[list[str], AfterValidator(_are_roles)] = Field(
        [], description="indicator roles, as OTX names them: `command_and_control`, `scanning_host`"
    )
    tlp: list[TLP] = Field([])
    max_age: Duration | None = Field(None, description="counted from the pulse's `modified`")

    def to_model(self) -> Rule:
        return Rule(
            **{key: frozenset(getattr(self, key)) for key in _TEXTS},
            types=frozenset(self.types),
            tlp=frozenset(self.tlp),
            max_age=self.max_age,
        )


def _known_protections(value: object) -> object:
    for name in value if isinstance(value, list) else ():
        if name not in PROTECTIONS:
            raise ValueError(f"{name!r} is no protection; there are {', '.join(sorted(PROTECTIONS))}")
    return value


def _usable_name(name: str) -> str:
    if not name.strip() or len(name) > MAX_NAME or not name.isprintable():
        raise ValueError(f"a collection's name is 1 to {MAX_NAME} printable characters")
    if name == "subscribed" or name.startswith("user_"):
        raise ValueError(f"{name!r} is a name that Pulsegate gives itself; choose another one")
    return name


class CollectionSettings(Section):
    """A collection of the administrator's own."""

    name: str
    description: str = ""
    kind: Literal["rules", "inbox"] = Field(
        "rules", description="`rules`: filled from pulses; `inbox`: it holds what clients push"
    )
    profile: Profile = Profile.FULL
    expand: Annotated[int, Field(ge=0, le=EXPAND)] = Field(
        EXPAND,
        description="`profile: esa`: a network of at most so many addresses is written address by address; `0`: none",
    )
    deduplicate: bool = True
    review: bool | Literal["changes"] = Field(
        False,
        description="a pulse waits until a curator approves it; `changes`: so does what is added to it after that",
    )
    include: RuleSettings = RuleSettings()
    exclude: RuleSettings = RuleSettings()
    protections: Annotated[bool | list[str], AfterValidator(_known_protections)] = True
    warning_lists: Literal["default", "none"] | list[str] = Field(
        "default", description="`default`: those of mode `block`; `none`; or the names of the lists that block here"
    )
    ttl: dict[IndicatorType, Duration] = Field({})
    refresh: Duration | None = None
    blocks_per_part: Annotated[int, Field(ge=0)] = 0
    max_age: Duration | None = Field(None, description="of an inbox: what was pushed longer ago is withdrawn")

    @field_validator("name")
    @classmethod
    def _name_is_usable(cls, name: str) -> str:
        return _usable_name(name)

    @model_validator(mode="after")
    def _only_what_works(self) -> Self:
        """A key that this version can't honour is refused, never silently ignored."""
        if self.refresh is not None and self.refresh < MIN_REFRESH:
            raise ValueError(f"refresh is at least {format_duration(MIN_REFRESH)}: slow clients need time to fetch")
        return self

    @model_validator(mode="after")
    def _keys_fit_the_kind(self) -> Self:
        if self.kind == "rules" and self.max_age is not None:
            raise ValueError("max_age of a collection by rule stands below include; here it is for kind: inbox only")
        if self.kind == "inbox" and self.max_age == timedelta():
            raise ValueError("max_age must be longer than nothing; leave it out to keep what is pushed for ever")
        rules = [key for key in type(self).model_fields if key in self.model_fields_set - _OF_AN_INBOX]
        if self.kind == "inbox" and rules:
            raise ValueError(
                f"kind: inbox keeps packages as they are pushed, no rule applies; leave out {', '.join(rules)}"
            )
        return self

    def to_model(self) -> Collection:
        if self.kind == "inbox":
            return Collection(
                name=self.name,
                kind=CollectionKind.INBOX,
                description=self.description,
                deduplicate=False,
                blocks_per_part=self.blocks_per_part,
                max_age=self.max_age,
            )
        return Collection(
            name=self.name,
            description=self.description,
            profile=self.profile,
            expand=self.expand,
            deduplicate=self.deduplicate,
            blocks_per_part=self.blocks_per_part,
            include=self.include.to_model(),
            exclude=self.exclude.to_model(),
            review=_REVIEWS[self.review],
            protections=_protections(self.protections),
            warning_lists=_chosen_lists(self.warning_lists),
            ttl=dict(self.ttl),
            refresh=self.refresh,
        )


_REVIEWS = {False: ReviewMode.NONE, True: ReviewMode.PULSES, "changes": ReviewMode.CHANGES}


def _chosen_lists(value: str | list[str]) -> frozenset[str] | None:
    if value == "default":
        return None
    return frozenset() if value == "none" else frozenset(value)


def _protections(value: bool | list[str]) -> frozenset[str] | None:
    if isinstance(value, bool):
        return None if value else frozenset()
    return frozenset(value)


def _positive(value: timedelta) -> timedelta:
    if value < timedelta(seconds=1):
        raise ValueError("write at least 1s")
    return value


def _is_off(value: object) -> object:
    """YAML takes the bare word ``off`` for false."""
    return Mode.OFF.value if value is False else value


ListMode = Annotated[Mode, BeforeValidator(_is_off)]


class ListFileSettings(Section):
    """A warning list of your own."""

    name: str = Field(description="what a collection's `warning_lists` and `explain` call it")
    file: Path = Field(
        description="a text file, an entry a line: `example.com`, `.example.com` with all below, a network …"
    )
    mode: ListMode = Field(Mode.BLOCK, description="`block`, `inform` or `off`")
    title: str = Field("", description="what it is, for people")

    @field_validator("name")
    @classmethod
    def _name_is_a_word(cls, name: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", name):
            raise ValueError("a list's name has letters, digits, dots, dashes and underscores, 100 at most")
        return name


class ListSettings(Section):
    """Which warning lists block, and which only inform."""

    modes: dict[str, ListMode] = Field(
        {},
        description="`block`, `inform` or `off` for MISP's lists that are to be other than `pulsegate lists list` says",
    )
    files: list[ListFileSettings] = Field([])


class TAXIISettings(Section):
    """How the service answers, and what clients may send."""

    gzip: bool = Field(False, description="compress answers to polls for clients that ask for it; slower on a LAN")
    max_block: Size = Field(5_000_000, description="the largest package that an inbox takes, such as `500kB`")
    token_life: Annotated[Duration, AfterValidator(_positive)] = Field(
        timedelta(hours=1), description="how long a token from `/management/auth` lets its holder in"
    )
    max_body: Annotated[Size, Field(ge=1024)] = Field(
        10_000_000, description="the longest message that a client may send, such as `500kB`"
    )


def _are_networks(entries: list[str]) -> list[str]:
    for entry in entries:
        try:
            Networks.of([entry])
        except ValueError:
            raise ValueError(
                f"{entry!r} is neither an address nor a network, such as 192.0.2.7 or 192.0.2.0/24"
            ) from None
    return entries


class MetricsSettings(Section):
    """Who may read ``/metrics``."""

    allow: Annotated[list[str], BeforeValidator(split), AfterValidator(_are_networks)] = Field(
        [], description="addresses and networks that may read `/metrics`, besides this machine"
    )


class PagesSettings(Section):
    """The administration pages."""

    enabled: bool = Field(True, description="false: there are no pages at `/admin/`")
    idle: Annotated[Duration, AfterValidator(_positive)] = Field(
        timedelta(minutes=30), description="who does nothing for so long is logged out; after 12h everybody is"
    )
    max_upload: Annotated[Size, Field(ge=1024)] = Field(
        5_000_000,
        description="the largest file of own indicators that the pages take; `taxii.max_body` holds too",
    )


class TLSSettings(Section):
    """HTTPS without a proxy, and the certificates of clients."""

    certificate: Path | None = Field(
        None, description="the server's certificate and those between it and its CA (PEM); with `key`: HTTPS"
    )
    key: Path | None = Field(None, description="the certificate's key (PEM, not encrypted)")
    client_ca: Path | None = Field(None, description="the CAs (PEM) whose client certificates are accepted")
    client_certificates: Literal["optional", "required"] = Field(
        "optional", description="`required`: with `client_ca`, who has no certificate is not served"
    )
    client_header: str | None = Field(
        None, description="the header in which `proxies` give the subject of their client's certificate (RFC 4514)"
    )

    @field_validator("client_header")
    @classmethod
    def _header_is_a_name(cls, name: str | None) -> str | None:
        if name is not None and not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]*", name):
            raise ValueError("write the name of a header, such as X-SSL-Client-S-DN")
        return name

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            there, missing = ("certificate", "key") if self.key is None else ("key", "certificate")
            raise ValueError(f"{there} is set without {missing}; HTTPS needs both")
        if self.client_ca is not None and self.certificate is None:
            raise ValueError("client_ca is set without certificate and key; only HTTPS has client certificates")
        if self.client_certificates == "required" and self.client_ca is None:
            raise ValueError("client_certificates: required needs client_ca, to tell whose certificates are accepted")
        return self

    @property
    def is_on(self) -> bool:
        return self.certificate is not None


_DOMAIN = re.compile(r"(https?://)?([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?")


class Settings(Section):
    """Everything under ``pulsegate:``."""

    database: str | None = Field(
        None,
        repr=False,
        description="`sqlite:///FILE` or `postgresql://user:password@host/name`; default: SQLite in `data_dir`",
    )
    host: str = Field("127.0.0.1", description="the address to listen at")
    port: Annotated[int, Field(ge=0, le=65535)] = Field(9000, description="the port to listen at")
    workers: Annotated[int, Field(ge=1, le=64)] = Field(2, description="server processes")
    threads: Annotated[int, Field(ge=1, le=256)] = Field(32, description="polls answered at once by each process")
    domain: str | None = Field(
        None, description="`[https://]host[:port]` that clients see, where it is not what they ask for"
    )
    proxies: Annotated[list[str], BeforeValidator(split), AfterValidator(_are_networks)] = Field(
        [], description="addresses and networks of reverse proxies; what they say of their clients is believed"
    )
    tls: TLSSettings = TLSSettings()
    data_dir: Path = Field(Path("var"), description="holds the SQLite file `pulsegate.db` and locks")
    admin_password: SecretStr | None = Field(
        None, description="presets the first admin's password; else one is generated and printed once"
    )
    log_format: Literal["text", "json"] = Field(
        "text", description="`json`: each line of the log is a JSON object, for programs"
    )
    skew: Duration = Field(timedelta(minutes=10), description="how far ahead a client's clock may run")
    open_after: Duration = Field(
        timedelta(minutes=10), description="a collection is served after this time even if its backfill goes on"
    )
    results_kept: Duration = Field(
        timedelta(hours=1), description="superseded renderings are kept so long, for polls that began before"
    )
    retention: Duration = Field(
        timedelta(days=90), description="withdrawn pulses and the records of pulls are kept so long"
    )
    polls_kept: Duration = Field(timedelta(days=30), description="the records of polls are kept so long")
    audit_kept: Duration = Field(timedelta(days=730), description="the record of who changed what is kept so long")
    warning_lists: ListSettings = ListSettings()
    own: Annotated[list[str], BeforeValidator(split)] = Field(
        [], description="your own domains and networks; they are never served"
    )
    otx: OTXSettings = OTXSettings()
    sources: list[SourceSettings] = Field([])
    upstreams: list[UpstreamSettings] = Field([])
    alarms: AlarmSettings = AlarmSettings()
    metrics: MetricsSettings = MetricsSettings()
    taxii: TAXIISettings = TAXIISettings()
    pages: PagesSettings = PagesSettings()
    relay: RelaySettings = RelaySettings()
    collections: list[CollectionSettings] = Field([])

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        named = {
            "collections": [one.name for one in self.collections] + [one.published_in for one in self.upstreams],
            "sources": [one.name for one in self.sources] + [one.name for one in self.upstreams],
            "warning lists": [one.name for one in self.warning_lists.files],
        }
        for what, names in named.items():
            for name in names:
                if names.count(name) > 1:
                    raise ValueError(f"two {what} are named {name!r}; rename one")
        return self

    @model_validator(mode="after")
    def _upstreams_have_collections(self) -> Self:
        for one in self.upstreams:
            _usable_name(one.published_in)
        return self

    @field_validator("domain")
    @classmethod
    def _domain_is_an_authority(cls, domain: str | None) -> str | None:
        if domain is not None and not _DOMAIN.fullmatch(domain):
            raise ValueError("write host, host:port or https://host:port, without a path")
        return domain

    @model_validator(mode="after")
    def _header_has_its_proxies(self) -> Self:
        if self.tls.client_header is not None and not self.proxies:
            raise ValueError("tls.client_header is believed of proxies only; name them in proxies")
        return self

    @property
    def collection_names(self) -> frozenset[str]:
        """The collections that are kept as the settings say: by rule, inboxes, and those of upstreams."""
        return frozenset(one.name for one in self.collections) | {one.published_in for one in self.upstreams}

    @property
    def is_public(self) -> bool:
        """Whether others than this machine reach the port."""
        return not is_loopback(self.host)

    @property
    def public_address(self) -> str:
        """``https://host:port`` by which clients reach this server, as far as the settings tell."""
        if self.domain is not None and "://" in self.domain:
            return self.domain
        host = f"[{self.host}]" if ":" in self.host else self.host
        is_https = self.tls.is_on or (self.domain is not None and (bool(self.proxies) or self.domain.endswith(":443")))
        return f"{'https' if is_https else 'http'}://{self.domain or f'{host}:{self.port}'}"

    @property
    def database_url(self) -> str:
        """The SQLAlchemy URL, with the driver that is installed."""
        if self.database is None:
            return f"sqlite:///{(self.data_dir / 'pulsegate.db').resolve()}"
        for scheme in ("postgresql://", "postgres://"):
            if self.database.startswith(scheme):
                return "postgresql+psycopg://" + self.database.removeprefix(scheme)
        return self.database

    @field_validator("database")
    @classmethod
    def _database_is_known(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith(
            ("sqlite:///", "postgresql://", "postgresql+psycopg://", "postgres://")
        ):
            raise ValueError("write sqlite:///FILE or postgresql://user:password@host/name")
        return url

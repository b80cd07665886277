"""The settings as a whole: the server's own keys, and the sections.

docs/settings.md is made of the docstrings and descriptions here and in the modules of the sections (``make settings``).
"""

from __future__ import annotations

import re
from datetime import timedelta
from inspect import cleandoc
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, field_validator, model_validator

from pulsegate.files import sqlite_url
from pulsegate.settings.collections import CollectionSettings, usable_name
from pulsegate.settings.duration import Duration
from pulsegate.settings.lists import ListSettings
from pulsegate.settings.relay import RelaySettings
from pulsegate.settings.section import Address, File, Folder, Section, Written, is_loopback, split
from pulsegate.settings.service import ListedNetworks, MetricsSettings, PagesSettings, TAXIISettings, TLSSettings
from pulsegate.settings.sources import AlarmSettings, OTXSettings, SourceSettings, UpstreamSettings

_DOMAIN = re.compile(r"(https?://)?([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?")


class Settings(Section):
    """The server itself: where it listens, where the data lies, how long what is kept."""

    example: ClassVar[str] = cleandoc("""
        host: 192.0.2.10
        own: [example.com, 192.0.2.0/24]
        """)

    database: Address | None = Field(
        None,
        repr=False,
        description="`sqlite:///FILE` or `postgresql://user:password@host/name`; default: SQLite in `data_dir`",
    )
    database_password_file: File | None = Field(
        None, description="a file that holds the database's password, which then is not in `database`"
    )
    host: Annotated[str, Written("an address or a name")] = Field(
        "127.0.0.1", description="the address to listen at; `0.0.0.0`: all of the machine"
    )
    port: Annotated[int, Field(ge=0, le=65535)] = Field(9000, description="the port to listen at")
    workers: Annotated[int, Field(ge=1, le=64)] = Field(2, description="server processes")
    threads: Annotated[int, Field(ge=1, le=256)] = Field(32, description="polls answered at once by each process")
    domain: Annotated[str, Written("`host`, `host:port` or `https://host:port`")] | None = Field(
        None, description="what clients see, where it is not what they ask for"
    )
    proxies: ListedNetworks = Field(
        [], description="addresses and networks of reverse proxies; what they say of their clients is believed"
    )
    drain: Duration = Field(
        timedelta(),
        description="a server that is told to stop serves on so long, and says at `/readyz` that it will stop",
    )
    tls: TLSSettings = Field(TLSSettings(), description="HTTPS")
    data_dir: Folder = Field(
        Path("var"),
        description="holds the SQLite file `pulsegate.db` and locks; relative to the folder in which the command is "
        "called",
    )
    admin_password: SecretStr | None = Field(
        None, description="presets the first admin's password; else one is generated and printed once"
    )
    admin_password_file: File | None = Field(None, description="a file that holds it, read at the first start")
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
    warning_lists: ListSettings = Field(ListSettings(), description="which warning lists block, and your own")
    own: Annotated[list[str], BeforeValidator(split), Written("a list of domains and networks")] = Field(
        [], description="your own domains and networks; they are never served"
    )
    otx: OTXSettings = Field(OTXSettings(), description="where pulses come from")
    sources: list[SourceSettings] = Field([], description="further sources, each with a `name` and the keys of `otx`")
    upstreams: list[UpstreamSettings] = Field([], description="other TAXII 1.1 servers whose packages are served on")
    alarms: AlarmSettings = Field(AlarmSettings(), description="who is told when a source fails")
    metrics: MetricsSettings = Field(MetricsSettings(), description="who may read `/metrics`")
    taxii: TAXIISettings = Field(TAXIISettings(), description="how clients are served")
    pages: PagesSettings = Field(PagesSettings(), description="the administration pages")
    relay: RelaySettings = Field(RelaySettings(), description="bundles for, or from, a network with no way out")
    collections: list[CollectionSettings] = Field([], description="collections of your own")

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
            usable_name(one.published_in)
        return self

    @field_validator("host")
    @classmethod
    def _host_is_named(cls, host: str) -> str:
        if not host.strip():
            raise ValueError("write an address; 0.0.0.0 is every one of the machine")  # what nothing would mean, too
        return host.strip()

    @field_validator("domain")
    @classmethod
    def _domain_is_an_authority(cls, domain: str | None) -> str | None:
        if domain is not None and not _DOMAIN.fullmatch(domain):
            raise ValueError("write host, host:port or https://host:port, without a path")
        return domain

    @model_validator(mode="after")
    def _password_stands_once(self) -> Self:
        """In the URL or in the file, and only where there is something to log in to."""
        if self.database_password_file is not None:
            url = urlsplit(self.database or "sqlite:")
            if url.scheme == "sqlite":
                raise ValueError("database_password_file is set, and SQLite has no password; set database")
            if url.password is not None or not url.username:
                raise ValueError("with database_password_file write postgresql://user@host/name, without a password")
        if self.admin_password is not None and self.admin_password_file is not None:
            raise ValueError("admin_password and admin_password_file are both set; leave out one")
        return self

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
            return sqlite_url((self.data_dir / "pulsegate.db").resolve())
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

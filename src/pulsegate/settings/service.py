"""How clients, people and Prometheus are served: the TAXII service, HTTPS, the pages, metrics."""

from __future__ import annotations

import re
from datetime import timedelta
from inspect import cleandoc
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from pulsegate.model.network import Networks
from pulsegate.settings.duration import Seconds
from pulsegate.settings.section import File, Section, Written, split
from pulsegate.settings.size import Size


class TAXIISettings(Section):
    """How the service answers, and what clients may send."""

    gzip: bool = Field(False, description="compress answers to polls for clients that ask for it; slower on a LAN")
    max_block: Size = Field(5_000_000, description="the largest package that an inbox takes, such as `500kB`")
    token_life: Seconds = Field(
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


ListedNetworks = Annotated[
    list[str], BeforeValidator(split), AfterValidator(_are_networks), Written("a list of addresses and networks")
]


class MetricsSettings(Section):
    """Who may read ``/metrics``, which tells everything in numbers, for Prometheus."""

    example: ClassVar[str] = cleandoc("""
        allow: [192.0.2.0/28]
        """)

    allow: ListedNetworks = Field(
        [], description="addresses and networks that may read `/metrics`, besides this machine"
    )


class PagesSettings(Section):
    """The administration pages at ``/admin/``."""

    enabled: bool = Field(True, description="false: there are no pages at `/admin/`")
    idle: Seconds = Field(
        timedelta(minutes=30), description="who does nothing for so long is logged out; after 12h everybody is"
    )
    max_upload: Annotated[Size, Field(ge=1024)] = Field(
        5_000_000,
        description="the largest file of own indicators, or bundle, that the pages take; `taxii.max_body` holds too",
    )


class TLSSettings(Section):
    """HTTPS without a proxy, and the certificates of clients."""

    example: ClassVar[str] = cleandoc("""
        certificate: /etc/pulsegate/tls.pem     # the server's own first, then those between it and its CA
        key: /etc/pulsegate/tls.key             # not encrypted, and readable by the user of Pulsegate only
        """)

    certificate: File | None = Field(
        None, description="the server's certificate and those between it and its CA (PEM); with `key`: HTTPS"
    )
    key: File | None = Field(None, description="the certificate's key (PEM, not encrypted)")
    client_ca: File | None = Field(None, description="the CAs (PEM) whose client certificates are accepted")
    client_certificates: Literal["optional", "required"] = Field(
        "optional", description="`required`: with `client_ca`, who has no certificate is not served"
    )
    client_header: Annotated[str, Written("the name of a header")] | None = Field(
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

"""What is typed into a Cisco Secure Email Gateway to poll a collection, and what speaks against it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from urllib.parse import urlsplit

from pulsegate.model.collection import Collection, CollectionKind, Profile
from pulsegate.settings.schema import Settings
from pulsegate.settings.section import is_loopback

POLLING_PATH = "/taxii/poll"
PREFERRED = "mail-gateway"
INTERVAL = timedelta(minutes=60)
AGE = timedelta(days=30)
SEGMENT = timedelta(days=30)
_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - a comparison, nothing is bound


class Obstacle(StrEnum):
    """Why what is typed in may not work, or not well."""

    HOST_UNKNOWN = "host-unknown"  # listening everywhere, and no name is configured
    HOST_LOCAL = "host-local"
    PLAIN_HTTP = "plain-http"
    OWN_CERTIFICATE = "own-certificate"  # it may be of a CA that the appliance has to be told of
    PROFILE_FULL = "profile-full"
    INBOX = "inbox"


@dataclass(frozen=True, slots=True)
class SourceForm:
    """The fields of the appliance's form. ``host``: None where the settings tell none that others can use."""

    name: str
    host: str | None
    path: str
    collection: str
    https: bool
    port: int
    interval: timedelta = INTERVAL
    age: timedelta = AGE
    segment: timedelta = SEGMENT

    def address(self, host: str) -> str:
        """Where the appliance polls, when it takes that host."""
        return f"{'https' if self.https else 'http'}://{f'[{host}]' if ':' in host else host}:{self.port}"


def source_form(settings: Settings, collection: str) -> SourceForm:
    """What to type in, as far as the settings tell."""
    address = urlsplit(settings.public_address)
    is_https = address.scheme == "https"
    is_known = settings.domain is not None or settings.host not in _EVERYWHERE
    host = address.hostname or settings.host
    port = address.port or (443 if is_https else 80)
    return SourceForm(f"Pulsegate {collection}", host if is_known else None, POLLING_PATH, collection, is_https, port)


def obstacles(settings: Settings, collection: Collection) -> list[Obstacle]:
    """What speaks against polling the collection so."""
    form = source_form(settings, collection.name)
    found = []
    if form.host is None:
        found.append(Obstacle.HOST_UNKNOWN)
    elif is_loopback(form.host):
        found.append(Obstacle.HOST_LOCAL)
    if not form.https:
        found.append(Obstacle.PLAIN_HTTP)
    elif settings.tls.is_on:
        found.append(Obstacle.OWN_CERTIFICATE)
    if collection.kind is CollectionKind.INBOX:
        found.append(Obstacle.INBOX)
    elif collection.profile is Profile.FULL:
        found.append(Obstacle.PROFILE_FULL)
    return found


def best(every: list[Collection]) -> str:
    """The collection that suits an appliance best."""
    own = [one.name for one in every if one.kind is CollectionKind.OWN]
    return PREFERRED if PREFERRED in own else next(iter(own), "subscribed")

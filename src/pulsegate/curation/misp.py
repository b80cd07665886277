"""MISP's warning lists as the package ``pymispwarninglists`` carries them: JSON files, one in each folder.

Of the package only the data is used: its code loads every list, and takes minutes of memory and time for what a few
chosen ones need. Source of the format: ``schema.json`` beside the lists, and MISP's documentation of ``type``:

- ``string``: the same value; ``hostname``: the same name or one below; ``cidr``: an address in the network;
  ``substring``: a part of the value; ``regex``: as PHP writes it;
- ``matching_attributes``: MISP's attribute types that the list is for. Composite ones (``domain|ip``) have no
  counterpart here.

Two things differ on purpose. Popularity lists match exact hosts, whatever type they declare: what strangers put below a
popular name is no less bad for it. And a substring list is not held against URLs, since its entries are hosts, and a
URL is more than its host.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache, lru_cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pulsegate.curation.misp_entries import sort_entries
from pulsegate.curation.value_set import Batch, EntryKind
from pulsegate.errors import SettingsError
from pulsegate.model.indicator import ADDRESSES, LOCATORS, NAMES, IndicatorType

T = IndicatorType
PACKAGE = "pymispwarninglists"
_LIST = b'"list": [\n'
POPULARITY = frozenset(
    {
        "alexa",
        "cisco_top1000",
        "cisco_top5k",
        "cisco_top10k",
        "cisco_top20k",
        "google-chrome-crux-1million",
        "majestic_million",
        "moz-top500",
        "tranco",
        "tranco10k",
    }
)
_FINGERPRINT = frozenset({T.SSL_CERT_FINGERPRINT})
_MAIL = frozenset({T.EMAIL})
_TYPES: Mapping[str, frozenset[IndicatorType]] = {
    "ip-src": ADDRESSES,
    "ip-dst": ADDRESSES,
    "domain": NAMES,
    "hostname": NAMES,
    "url": LOCATORS,
    "uri": LOCATORS,
    "md5": frozenset({T.MD5}),
    "sha1": frozenset({T.SHA1}),
    "sha256": frozenset({T.SHA256}),
    "x509-fingerprint-md5": _FINGERPRINT,
    "x509-fingerprint-sha1": _FINGERPRINT,
    "x509-fingerprint-sha256": _FINGERPRINT,
    "email-src": _MAIL,
    "email-dst": _MAIL,
    "target-email": _MAIL,
    "whois-registrant-email": _MAIL,
    "dns-soa-email": _MAIL,
}
_KINDS = {
    "string": EntryKind.EXACT,
    "hostname": EntryKind.SUBTREE,
    "cidr": EntryKind.NETWORK,
    "substring": EntryKind.SUBSTRING,
    "regex": EntryKind.REGEX,
}


@dataclass(frozen=True, slots=True)
class ReadList:
    """A list that was read. ``name``: its folder; ``rejected``: the entries that are no value, each with the reason."""

    name: str
    title: str
    batches: tuple[Batch, ...]
    rejected: tuple[str, ...] = ()

    @property
    def entries(self) -> int:
        return sum(len(batch.texts) for batch in self.batches)


@cache
def data_folder() -> Path:
    """Where the installed package has its lists."""
    found = find_spec(PACKAGE)
    places = found.submodule_search_locations if found else None
    if not places:
        raise SettingsError(f"the package {PACKAGE} is not installed", hint="Install Pulsegate anew")
    return Path(places[0]) / "data" / "misp-warninglists" / "lists"


def names(folder: Path | None = None) -> tuple[str, ...]:
    """The names of all lists, in order."""
    return tuple(sorted(path.parent.name for path in (folder or data_folder()).glob("*/list.json")))


@cache
def release() -> str:
    """The version of the lists."""
    return version(PACKAGE)


def read(name: str, folder: Path | None = None) -> ReadList:
    """The list of that name; ``NAME:1000`` is the first thousand of a popularity list, if it is in order of its ranks.

    Of release 1.7.0 none is: all are sorted by name. SettingsError when there is no such list, or when its head can't
    be told.
    """
    front, colon, number = name.partition(":")
    document = _document(front, folder or data_folder())
    texts, title = document["list"], document.get("name") or name
    if colon:
        texts, title = _head(front, texts, number), f"{title}, the first {number}"
    types = _types(document.get("matching_attributes"))
    found = sort_entries(_KINDS[document["type"]], texts, types, exact=front in POPULARITY)
    batches = (Batch(kind, kept, name, _held_against(kind, types)) for kind, kept in found.texts.items() if kept)
    return ReadList(name, title, tuple(batches), tuple(found.rejected))


@dataclass(frozen=True, slots=True)
class Outline:
    """What a list says of itself. ``entries``: how many texts it has, wrong ones too."""

    title: str
    description: str
    entries: int


@lru_cache(512)
def outline(name: str, folder: Path | None = None) -> Outline:
    """The list's outline, without a look at its entries where the file stands as MISP writes it: a line for each."""
    front = name.partition(":")[0]
    text = ((folder or data_folder()) / front / "list.json").read_bytes()
    begin, end = text.find(_LIST), text.find(b"\n  ]")
    if 0 <= begin < end:
        document = json.loads(text[:begin] + _LIST + b"]" + text[end + 4 :])
        entries = text.count(b"\n", begin + len(_LIST), end + 1)
    else:
        document = json.loads(text)
        entries = len(document["list"])
    return Outline(str(document.get("name") or name), str(document.get("description") or ""), entries)


def _document(name: str, folder: Path) -> Mapping[str, Any]:
    path = folder / name / "list.json"
    if Path(name).name != name or not path.is_file():
        near = get_close_matches(name, names(folder), 1)
        hint = f"Did you mean {near[0]}?" if near else f"See {PACKAGE} for the names"
        raise SettingsError("no such warning list", resource=name, hint=hint)
    found = json.loads(path.read_bytes())
    if not (isinstance(found, dict) and found.get("type") in _KINDS and isinstance(found.get("list"), list)):
        raise SettingsError("not a warning list as MISP writes them", resource=str(path))
    return found


def _head(name: str, texts: list[str], number: str) -> list[str]:
    if name not in POPULARITY:
        raise SettingsError("only a popularity list has a head", resource=f"{name}:{number}")
    if not (number.isascii() and number.isdigit() and int(number)):
        raise SettingsError(f"{number!r} is no number of entries", resource=f"{name}:{number}")
    if texts == sorted(texts):
        raise SettingsError(
            "the list is in alphabetical order, so its head can't be told",
            resource=f"{name}:{number}",
            hint="Choose a list that is a head: cisco_top1000, alexa, moz-top500, tranco10k",
        )
    return texts[: int(number)]


def _types(attributes: Iterable[str] | None) -> frozenset[IndicatorType]:
    """The indicator types that the attributes stand for; all where a list names none."""
    if attributes is None:
        return frozenset(T)
    return frozenset().union(*(_TYPES.get(attribute, frozenset()) for attribute in attributes))


def _held_against(kind: EntryKind, types: frozenset[IndicatorType]) -> frozenset[IndicatorType]:
    return types - LOCATORS if kind is EntryKind.SUBSTRING else types

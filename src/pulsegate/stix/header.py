"""What a package says of its pulse: title, description, source, references, marking."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from cybox.bindings.cybox_common import DateTimeWithPrecisionType, TimeType
from stix.bindings.data_marking import MarkingType
from stix.bindings.stix_common import (
    ContributingSourcesType,
    ControlledVocabularyStringType,
    IdentityType,
    InformationSourceType,
    ReferencesType,
    StructuredTextType,
)
from stix.bindings.stix_core import STIXHeaderType
from stix.common.vocabs import PackageIntent
from stix.data_marking import Marking, MarkingSpecification
from stix.extensions.marking.tlp import TLPMarkingStructure

from pulsegate.model.pulse import Pulse
from pulsegate.model.tlp import TLP
from pulsegate.stix.text import cut, text

SOURCE = "Alienvault OTX"
NAME_LIMIT = 1_000

# References are xs:anyURI in the schema. Only what every validator takes for one goes there; RFC 3986, with
# characters beyond ASCII (RFC 3987) let through.
_REFERENCE = re.compile(
    r"(?:https?|ftp)://[A-Za-z0-9.-]+(?::[0-9]{1,5})?"
    r"(?:[/?](?:[A-Za-z0-9._~!$&'()*+,;=:@/?\u00a1-\ud7ff-]|%[0-9A-Fa-f]{2})*)?"
    r"(?:#(?:[A-Za-z0-9._~!$&'()*+,;=:@/?\u00a1-\ud7ff-]|%[0-9A-Fa-f]{2})*)?"
)


def build(pulse: Pulse, limit: int) -> STIXHeaderType:
    """The STIX_Header; descriptions and references are cut at ``limit`` characters each.

    Title, descriptions and intent are deprecated in STIX 1.2 but valid, they are what OTX sends and readers show.
    """
    return STIXHeaderType(
        Title=text(cut(pulse.name, NAME_LIMIT)) or None,
        Package_Intent=[
            ControlledVocabularyStringType(
                valueOf_=PackageIntent.TERM_INDICATORS_WATCHLIST, xsi_type="stixVocabs:PackageIntentVocab-1.0"
            )
        ],
        Description=_described(text(cut(pulse.description, limit))),
        Short_Description=_described(text(pulse.address)),
        Handling=marking(pulse.tlp, "//node() | //@*"),
        Information_Source=_source(pulse, limit),
    )


@lru_cache
def marking(tlp: TLP, reach: str) -> MarkingType:
    """The TLP marking of the nodes that the XPath ``reach`` selects (STIX 1.2, Data Marking); it is shared."""
    return Marking(
        MarkingSpecification(controlled_structure=reach, marking_structures=[TLPMarkingStructure(tlp.upper())])
    ).to_obj()


def producer(pulse: Pulse) -> InformationSourceType:
    """Who made an indicator: the author of the pulse, through OTX unless it is an own one."""
    if not pulse.author:
        return InformationSourceType(Identity=IdentityType(Name=SOURCE))
    if pulse.is_own:
        return InformationSourceType(Identity=IdentityType(Name=author(pulse)))
    return InformationSourceType(Identity=IdentityType(Name=author(pulse)), Description=_described(SOURCE))


def author(pulse: Pulse) -> str:
    """The name of the author as python-stix has to get it; empty when OTX names none."""
    return text(cut(pulse.author, NAME_LIMIT))


def _source(pulse: Pulse, limit: int) -> InformationSourceType:
    addresses, others = _references(pulse, limit)
    source = InformationSourceType(
        Identity=IdentityType(Name=author(pulse) if pulse.is_own else SOURCE),
        Description=_described(text(cut("\n".join(_context(pulse, others)), limit))),
        Time=TimeType(Produced_Time=DateTimeWithPrecisionType(valueOf_=pulse.created.isoformat())),
        References=ReferencesType(Reference=addresses) if addresses else None,
    )
    if pulse.author and not pulse.is_own:
        by = InformationSourceType(Identity=IdentityType(Name=author(pulse)))
        source.Contributing_Sources = ContributingSourcesType(Source=[by])
    return source


def _described(value: str) -> list[StructuredTextType]:
    return [StructuredTextType(valueOf_=value)] if value else []


def _references(pulse: Pulse, limit: int) -> tuple[list[str], list[str]]:
    """The references that are addresses, up to ``limit`` characters in all, and those that are other text."""
    addresses: list[str] = []
    others: list[str] = []
    for reference in filter(None, pulse.references):
        if not _REFERENCE.fullmatch(reference):
            others.append(reference)
        elif len(reference) <= limit:
            limit -= len(reference)
            addresses.append(text(reference))
    return addresses, others


def _context(pulse: Pulse, others: list[str]) -> list[str]:
    """What STIX 1.2 has no simple place for, as lines for people."""
    lines: list[tuple[str, Any]] = [
        ("Tags", pulse.tags),
        ("Adversary", (pulse.adversary,)),
        ("Malware families", pulse.malware_families),
        ("ATT&CK", pulse.attack_ids),
        ("Targeted countries", pulse.targeted_countries),
        ("Industries", pulse.industries),
        ("References", others),
    ]
    return [f"{title}: {', '.join(filter(None, words))}" for title, words in lines if any(words)]

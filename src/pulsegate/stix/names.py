"""The namespaces that a package declares, and the ids in it: derived, so the same input gives the same bytes."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from types import MappingProxyType

PREFIX = "pulsegate"
NAMESPACE = "urn:pulsegate:otx"

_ROOT = uuid.uuid5(uuid.NAMESPACE_URL, NAMESPACE)

# Prefix -> namespace. python-stix writes these prefixes into xsi:type values, so they can't be chosen freely.
NAMESPACES = MappingProxyType(
    {
        "stix": "http://stix.mitre.org/stix-1",
        "stixCommon": "http://stix.mitre.org/common-1",
        "stixVocabs": "http://stix.mitre.org/default_vocabularies-1",
        "indicator": "http://stix.mitre.org/Indicator-2",
        "cybox": "http://cybox.mitre.org/cybox-2",
        "cyboxCommon": "http://cybox.mitre.org/common-2",
        "cyboxVocabs": "http://cybox.mitre.org/default_vocabularies-2",
        "marking": "http://data-marking.mitre.org/Marking-1",
        "tlpMarking": "http://data-marking.mitre.org/extensions/MarkingStructure#TLP-1",
        "ttp": "http://stix.mitre.org/TTP-1",
        "et": "http://stix.mitre.org/ExploitTarget-1",
        "ta": "http://stix.mitre.org/ThreatActor-1",
        "genericTM": "http://stix.mitre.org/extensions/TestMechanism#Generic-1",
        "yaraTM": "http://stix.mitre.org/extensions/TestMechanism#YARA-1",
        "AddressObj": "http://cybox.mitre.org/objects#AddressObject-2",
        "CustomObj": "http://cybox.mitre.org/objects#CustomObject-1",
        "DomainNameObj": "http://cybox.mitre.org/objects#DomainNameObject-1",
        "FileObj": "http://cybox.mitre.org/objects#FileObject-2",
        "MutexObj": "http://cybox.mitre.org/objects#MutexObject-2",
        "URIObj": "http://cybox.mitre.org/objects#URIObject-2",
        "X509CertificateObj": "http://cybox.mitre.org/objects#X509CertificateObject-2",
        "xsi": "http://www.w3.org/2001/XMLSchema-instance",
        PREFIX: NAMESPACE,
    }
)
# What every package uses, whatever is in it.
BASE = frozenset({"stix", "stixCommon", "stixVocabs", "cyboxCommon", "marking", "tlpMarking", "xsi", PREFIX})

# Namespace -> prefix, as the export functions of python-stix want it.
PREFIXES = MappingProxyType({namespace: prefix for prefix, namespace in NAMESPACES.items()})


def declarations(prefixes: Iterable[str]) -> str:
    """The xmlns attributes for ``prefixes``, in a fixed order.

    python-stix would collect them itself, but in the order of a set (another one in each process) and with the
    namespace of its example ids. No schema locations: a reader must not be sent to the network.
    """
    wanted = frozenset(prefixes)
    return " ".join(f'xmlns:{prefix}="{namespace}"' for prefix, namespace in NAMESPACES.items() if prefix in wanted)


def key(*parts: str) -> str:
    """The UUID (version 5) of ``parts``."""
    return str(uuid.uuid5(_ROOT, "\n".join(parts)))


def name(kind: str, key: str) -> str:
    """The id, a QName (STIX 1.2, section 3.1), of the ``kind`` of thing whose UUID is ``key``."""
    return f"{PREFIX}:{kind}-{key}"

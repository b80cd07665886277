"""What an indicator has instead of an observable: a rule to run, or a vulnerability that is exploited."""

from __future__ import annotations

from typing import Any

from stix.bindings.extensions.test_mechanism.generic import GenericTestMechanismType
from stix.bindings.extensions.test_mechanism.yara import YaraTestMechanismType
from stix.bindings.indicator import IndicatorType as StixIndicator
from stix.bindings.indicator import TestMechanismsType
from stix.bindings.stix_common import ControlledVocabularyStringType, EncodedCDATAType
from stix.exploit_target import ExploitTarget, Vulnerability
from stix.indicator import Indicator as IndicatorEntity
from stix.ttp import TTP

from pulsegate.stix import names
from pulsegate.stix.text import text, verbatim


def query(value: str, content: str) -> str:
    """The osquery statement: OTX sends it as the content or as the value itself; empty when there is none."""
    if content.strip():
        return content
    return value if value.lstrip().lower().startswith(("select ", "with ")) else ""


def attach_yara(node: StixIndicator, rule: str, key: str) -> None:
    """A YARA rule (STIX extension TestMechanism#YARA-1)."""
    _attach(node, YaraTestMechanismType(id=_id(key), Rule=_encoded(rule)))


def attach_osquery(node: StixIndicator, statement: str, key: str) -> None:
    """An osquery statement (STIX extension TestMechanism#Generic-1)."""
    kind = ControlledVocabularyStringType(valueOf_="osquery")
    _attach(node, GenericTestMechanismType(id=_id(key), Type=kind, Specification=_encoded(statement)))


def attach_cve(node: StixIndicator, value: str, key: str) -> None:
    """The exploit target of a CVE, inline below a TTP: readers that don't resolve idref find it all the same."""
    cve = text(value)
    target = ExploitTarget(names.name("et", key), timestamp=node.timestamp, title=cve)
    vulnerability = Vulnerability()
    vulnerability.cve_id = cve
    target.add_vulnerability(vulnerability)
    ttp = TTP(names.name("ttp", key), timestamp=node.timestamp, title=f"Exploitation of {cve}")
    ttp.add_exploit_target(target)
    # The relation between the two is python-stix's to build; only its binding object is kept.
    holder = IndicatorEntity(node.id, timestamp=node.timestamp)
    holder.add_indicated_ttp(ttp)
    node.Indicated_TTP = holder.to_obj().Indicated_TTP


def cve_sample(_: str) -> str:
    """The schema takes nothing but numbers (et:VulnerabilityType)."""
    return "CVE-1000-1000000001"


def _id(key: str) -> str:
    return names.name("testmechanism", key)


def _encoded(rule: str) -> EncodedCDATAType:
    """A rule as it is: python-stix's own conversion drops CDATA marks inside and breaks on ``]]>``."""
    return EncodedCDATAType(encoded=None, valueOf_=verbatim(rule))


def _attach(node: StixIndicator, mechanism: Any) -> None:
    node.Test_Mechanisms = TestMechanismsType(Test_Mechanism=[mechanism])

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

from pulsegate.model.indicator import Indicator
from pulsegate.stix import names
from pulsegate.stix.text import cdata, text


def query(value: str, content: str) -> str:
    """The osquery statement: OTX sends it as the content or as the value itself; empty when there is none."""
    if content.strip():
        return content
    return value if value.lstrip().lower().startswith(("select ", "with ")) else ""


def attach_yara(node: StixIndicator, indicator: Indicator, key: str) -> None:
    """A YARA rule (STIX extension TestMechanism#YARA-1)."""
    _attach(node, YaraTestMechanismType(id=_id(key), Rule=_verbatim(indicator.raw.content)))


def attach_osquery(node: StixIndicator, indicator: Indicator, key: str) -> None:
    """An osquery statement (STIX extension TestMechanism#Generic-1)."""
    statement = _verbatim(query(indicator.value, indicator.raw.content))
    kind = ControlledVocabularyStringType(valueOf_="osquery")
    _attach(node, GenericTestMechanismType(id=_id(key), Type=kind, Specification=statement))


def attach_cve(node: StixIndicator, indicator: Indicator, key: str) -> None:
    """The exploit target of a CVE, inline below a TTP: readers that don't resolve idref find it all the same."""
    cve = text(indicator.value)
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


def _id(key: str) -> str:
    return names.name("testmechanism", key)


def _verbatim(rule: str) -> EncodedCDATAType:
    """A rule as it is: python-stix's own conversion drops CDATA marks inside and breaks on ``]]>``."""
    text(rule)
    return EncodedCDATAType(encoded=None, valueOf_=cdata(rule))


def _attach(node: StixIndicator, mechanism: Any) -> None:
    node.Test_Mechanisms = TestMechanismsType(Test_Mechanism=[mechanism])

"""Who and what stands behind a pulse, for the full profile: malware families and techniques as TTPs, the adversary."""

from __future__ import annotations

from collections.abc import Callable

from stix.bindings.stix_common import ControlledVocabularyStringType, IdentityType
from stix.bindings.stix_core import STIXType, ThreatActorsType, TTPsType
from stix.bindings.threat_actor import ThreatActorType
from stix.bindings.ttp import (
    AttackPatternsType,
    AttackPatternType,
    BehaviorType,
    MalwareInstanceType,
    MalwareType,
    TTPType,
)

from pulsegate.model.pulse import Pulse
from pulsegate.stix import names
from pulsegate.stix.text import cut, text

# A pulse may carry hundreds of words, and they are repeated in each of its packages.
WORDS = 50
WORD_LIMIT = 200


def add(package: STIXType, pulse: Pulse, limit: int) -> None:
    """Add malware families and techniques, at most ``WORDS`` each and one for ``WORD_LIMIT`` characters of ``limit``.

    The adversary becomes a threat actor. All of them also stand as lines for people in the header.
    """
    count = min(WORDS, limit // WORD_LIMIT)
    ttps = [_ttp(pulse, "malware", word, _malware) for word in _words(pulse.malware_families)[:count]]
    ttps += [_ttp(pulse, "technique", word, _technique) for word in _words(pulse.attack_ids)[:count]]
    if ttps:
        package.TTPs = TTPsType(TTP=ttps)
    if pulse.adversary:
        package.Threat_Actors = ThreatActorsType(
            Threat_Actor=[_actor(pulse, word) for word in _words((pulse.adversary,))]
        )


def prefixes(pulse: Pulse) -> frozenset[str]:
    """The namespaces that ``add`` needs."""
    wanted = {"ttp"} if any(pulse.malware_families) or any(pulse.attack_ids) else set()
    return frozenset(wanted | {"ta"} if pulse.adversary else wanted)


def _words(words: tuple[str, ...]) -> list[str]:
    return [text(cut(word, WORD_LIMIT)) for word in dict.fromkeys(filter(None, words))]


def _ttp(pulse: Pulse, kind: str, word: str, behave: Callable[[str], BehaviorType]) -> TTPType:
    key = names.key(pulse.id, kind, word)
    return TTPType(id=names.name("ttp", key), timestamp=pulse.modified.isoformat(), Title=word, Behavior=behave(word))


def _malware(word: str) -> BehaviorType:
    name = ControlledVocabularyStringType(valueOf_=word)
    return BehaviorType(Malware=MalwareType(Malware_Instance=[MalwareInstanceType(Name=[name])]))


def _technique(word: str) -> BehaviorType:
    return BehaviorType(Attack_Patterns=AttackPatternsType(Attack_Pattern=[AttackPatternType(Title=word)]))


def _actor(pulse: Pulse, word: str) -> ThreatActorType:
    key = names.key(pulse.id, "actor", word)
    return ThreatActorType(
        id=names.name("threatactor", key),
        timestamp=pulse.modified.isoformat(),
        Title=word,
        Identity=IdentityType(Name=word),
    )

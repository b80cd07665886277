"""Who and what stands behind a pulse, for the full profile: malware families and techniques as TTPs, the adversary."""

from __future__ import annotations

from collections.abc import Callable

from stix.common import Identity
from stix.core import STIXPackage
from stix.threat_actor import ThreatActor
from stix.ttp import TTP, Behavior
from stix.ttp.attack_pattern import AttackPattern
from stix.ttp.malware_instance import MalwareInstance

from pulsegate.model.pulse import Pulse
from pulsegate.stix import names
from pulsegate.stix.text import cut, text

# A pulse may carry hundreds of words, and they are repeated in each of its packages.
WORDS = 50
WORD_LIMIT = 200


def add(package: STIXPackage, pulse: Pulse, limit: int) -> None:
    """Add malware families and techniques, at most ``WORDS`` each and one for ``WORD_LIMIT`` characters of ``limit``.

    The adversary becomes a threat actor. All of them also stand as lines for people in the header.
    """
    count = min(WORDS, limit // WORD_LIMIT)
    for word in _words(pulse.malware_families)[:count]:
        package.add_ttp(_ttp(pulse, "malware", word, _malware))
    for word in _words(pulse.attack_ids)[:count]:
        package.add_ttp(_ttp(pulse, "technique", word, _technique))
    for word in _words((pulse.adversary,)):
        package.add_threat_actor(_actor(pulse, word))


def prefixes(pulse: Pulse) -> frozenset[str]:
    """The namespaces that ``add`` needs."""
    wanted = {"ttp"} if any(pulse.malware_families) or any(pulse.attack_ids) else set()
    return frozenset(wanted | {"ta"} if pulse.adversary else wanted)


def _words(words: tuple[str, ...]) -> list[str]:
    return [text(cut(word, WORD_LIMIT)) for word in dict.fromkeys(filter(None, words))]


def _ttp(pulse: Pulse, kind: str, word: str, behave: Callable[[str], Behavior]) -> TTP:
    built = TTP(names.name("ttp", names.key(pulse.id, kind, word)), timestamp=pulse.modified, title=word)
    built.behavior = behave(word)
    return built


def _malware(word: str) -> Behavior:
    malware = MalwareInstance()
    malware.add_name(word)
    behavior = Behavior()
    behavior.add_malware_instance(malware)
    return behavior


def _technique(word: str) -> Behavior:
    behavior = Behavior()
    behavior.add_attack_pattern(AttackPattern(title=word))
    return behavior


def _actor(pulse: Pulse, word: str) -> ThreatActor:
    built = ThreatActor(names.name("threatactor", names.key(pulse.id, "actor", word)), timestamp=pulse.modified)
    built.title = word
    built.identity = Identity(name=word)
    return built

"""A pulse: a named set of indicators by one author."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pulsegate.model.tlp import TLP

OWN = "own-"  # what the ids of an administrator's own pulses begin with; OTX's are hex digits only


@dataclass(frozen=True, slots=True)
class Pulse:
    """What a pulse says of itself, without its indicators. Texts are clean, times aware and UTC."""

    id: str  # 24 hex digits; of an own pulse ``own-`` and 20
    name: str
    author: str
    created: datetime
    modified: datetime
    description: str = ""
    tlp: TLP = TLP.GREEN
    revision: int = 0
    public: bool = True
    adversary: str = ""
    tags: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    targeted_countries: tuple[str, ...] = ()
    malware_families: tuple[str, ...] = ()
    attack_ids: tuple[str, ...] = ()
    industries: tuple[str, ...] = ()
    extract_source: tuple[str, ...] = ()

    @property
    def is_own(self) -> bool:
        """Whether it is the administrator's own, and OTX knows nothing of it."""
        return self.id.startswith(OWN)

    @property
    def address(self) -> str:
        """The pulse's page on OTX; empty for an own one."""
        return "" if self.is_own else f"https://otx.alienvault.com/pulse/{self.id}"

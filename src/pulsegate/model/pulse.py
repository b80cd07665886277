"""A pulse: a named set of indicators by one author."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pulsegate.model.tlp import TLP


@dataclass(frozen=True, slots=True)
class Pulse:
    """What a pulse says of itself, without its indicators. Texts are clean, times aware and UTC."""

    id: str  # 24 hex digits
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
    def address(self) -> str:
        """The pulse's page on OTX."""
        return f"https://otx.alienvault.com/pulse/{self.id}"

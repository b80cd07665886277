"""Traffic Light Protocol levels as OTX writes them."""

from __future__ import annotations

from enum import StrEnum


class TLP(StrEnum):
    """The four levels of TLP 1, from open to closed; TLP 2's CLEAR is ``white``."""

    WHITE = "white"
    GREEN = "green"
    AMBER = "amber"
    RED = "red"

    @classmethod
    def read(cls, text: str | None) -> TLP:
        """The level that ``text`` names, in any case; an unknown or missing one is the most careful public one, green.

        OTX gives public pulses ``white`` or ``green``; ``amber`` and ``red`` must be private there.
        """
        word = (text or "").strip().lower().removeprefix("tlp:").replace("clear", "white")
        return cls.AMBER if word.startswith("amber") else cls._value2member_map_.get(word, cls.GREEN)  # type: ignore[return-value]

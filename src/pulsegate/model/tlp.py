"""Traffic Light Protocol levels as OTX writes them."""

from __future__ import annotations

import re
from enum import StrEnum

_WORD = re.compile("[a-z]+")


class TLP(StrEnum):
    """The four levels of TLP 1, from open to closed; TLP 2's CLEAR is ``white``."""

    WHITE = "white"
    GREEN = "green"
    AMBER = "amber"
    RED = "red"

    @classmethod
    def read(cls, text: str | None) -> TLP:
        """The level that ``text`` names, however it writes it (``TLP: RED``, ``amber+strict``); of several the closest.

        An unknown or missing one is the most careful public one, green. OTX gives public pulses ``white`` or ``green``;
        ``amber`` and ``red`` must be private there.
        """
        words = set(_WORD.findall((text or "").lower().replace("clear", "white")))
        return next((one for one in reversed(cls) if one in words), cls.GREEN)

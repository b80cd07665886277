"""What a warning list is for."""

from __future__ import annotations

from enum import StrEnum


class Mode(StrEnum):
    """Whether what a list covers is served."""

    BLOCK = "block"  # it is not
    INFORM = "inform"  # it is, and the hit is shown
    OFF = "off"  # the list is not even read

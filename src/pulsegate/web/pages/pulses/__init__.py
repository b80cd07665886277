"""Pulses: the list of them, one of them, and what people decide on them."""

from __future__ import annotations

from pulsegate.web.pages.pulses import authors, deciding, listing, one, stix
from pulsegate.web.pages.pulses.base import pages

__all__ = ["authors", "deciding", "listing", "one", "pages", "stix"]

"""The pages in their order, as the side navigation lists them: those that are there, and that the user may open."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flask import request, url_for

from pulsegate.web import access, relays
from pulsegate.web.words import LazyString, later


@dataclass(frozen=True, slots=True)
class Entry:
    """``name``: the blueprint's, whose view ``index`` is the page. ``is_wanted``: whether it has anything to show."""

    name: str
    title: LazyString
    is_wanted: Callable[[], bool] = lambda: True

    @property
    def address(self) -> str:
        return url_for(f"{self.name}.index")

    @property
    def is_here(self) -> bool:
        """On one of its pages: those of another blueprint are of one that is named ``NAME_…``."""
        return (request.blueprint or "").partition("_")[0] == self.name


ENTRIES = (
    Entry("overview", later("Overview")),
    Entry("pulses", later("Pulses")),
    Entry("indicators", later("Indicators")),
    Entry("collections", later("Collections")),
    Entry("lists", later("Lists")),
    Entry("own", later("Own indicators")),
    Entry("appliances", later("Appliances")),
    Entry("accounts", later("Accounts")),
    Entry("sources", later("Sources")),
    Entry("quarantine", later("Quarantine")),
    Entry("audit", later("Audit")),
    Entry("relay", later("Relay"), relays.is_there),
)


def entries() -> list[Entry]:
    """Those that who is logged in may open."""
    return [one for one in ENTRIES if access.may_open(f"{one.name}.index") and one.is_wanted()]

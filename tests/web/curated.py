"""A published feed for the pages: two pulses with a value in common, and a collection with rules."""

from __future__ import annotations

from collections.abc import Sequence

from pulsegate.model.collection import Collection, Rule
from pulsegate.model.indicator import Indicator, IndicatorType, RawIndicator
from pulsegate.model.pulse import Pulse
from pulsegate.publication.built_in import SUBSCRIBED
from pulsegate.publication.marking import Marker
from pulsegate.publication.publish import publish_all
from pulsegate.store import collections, taken, tasks
from pulsegate.store.database import Database
from pulsegate.web.site import Site
from store.test_pulses import a_name, a_pulse

EVIL = "<script>alert(1)</script>"
WAVE = a_pulse(1, name=f"Wave {EVIL}", author="alice")
TOOLS = a_pulse(2, name="Tools", author="bob")
MAIL = Collection("mail", include=Rule(authors=frozenset({"alice"})))


def a_value(kind: IndicatorType, value: str) -> Indicator:
    return Indicator(kind, value, RawIndicator(kind.value, value))


URL = a_value(IndicatorType.URL, "http://cdn.shop.example.net/x")
ADDRESS = a_value(IndicatorType.IPV4, "45.9.148.3")
PRIVATE = a_value(IndicatorType.IPV4, "10.1.2.3")


def fill(site: Site) -> None:
    with site.database.write() as connection:
        for one in (SUBSCRIBED, MAIL):
            collections.put(connection, one)
    put(site, WAVE, [a_name("shop.example.net"), a_name("a.shop.example.net"), URL, ADDRESS])
    put(site, TOOLS, [a_name("shop.example.net"), a_name("tool.example.org"), PRIVATE])
    publish(site)


def put(site: Site, pulse: Pulse, found: Sequence[Indicator]) -> None:
    """Take a pulse in as a pull does."""
    marker = Marker(site.database, site.policy)
    with site.database.write() as connection:
        taken.put(connection, pulse, list(found), marker)


def publish(site: Site) -> None:
    publish_all(site.database, site.policy)


def waiting(database: Database) -> list[str]:
    """The kinds of the tasks that wait for the worker."""
    with database.read() as connection:
        return [one.kind for one in tasks.unfinished(connection)]

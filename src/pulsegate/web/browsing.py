"""The list of all indicators: its filters, and which walk over the store answers them."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any

from wtforms import DateField, SearchField, SelectField, StringField
from wtforms.validators import Length
from wtforms.validators import Optional as MayBeEmpty

from pulsegate.curation.allow_list import entries_of
from pulsegate.model.collection import CollectionKind
from pulsegate.model.indicator import IndicatorType
from pulsegate.publication.browsing import IN, OUT, WAITING, Shown, browse
from pulsegate.store import collections
from pulsegate.store.browsing import ByHost, Filters, InCollection, Newest, OfAuthor, Walk
from pulsegate.store.collections import StoredCollection
from pulsegate.store.database import Connection
from pulsegate.values.neighbours import Range, below, within
from pulsegate.web import paging
from pulsegate.web.forms import Form, choices
from pulsegate.web.paging import Page, Position
from pulsegate.web.site import site
from pulsegate.web.words import _, later

_OCTETS = re.compile(r"(?:\d{1,3}\.){1,3}(?:\d{1,3}\.?)?")
EVERYTHING: Range = (b"", b"\xff")
NEWEST, BY_HOST = "newest", "host"
STATES = [
    ("", later("any")),
    (IN, later("in")),
    (OUT, later("out")),
    (WAITING, later("changes with the next publication")),
    ("forced", later("out: forced")),
    ("allow-list", later("out: allow list")),
    ("own", later("out: own networks")),
    ("protection", later("out: protections")),
    ("warning-list", later("out: warning lists")),
    ("rules", later("out: rules of the collection")),
    ("withdrawn", later("out: pulse withdrawn")),
    ("profile", later("out: can't be written")),
    ("review", later("out: review")),
    ("life", later("out: expired or inactive")),
]


class Browse(Form):
    text = SearchField(later("Value or part"), [Length(max=1_000)])
    collection = SelectField(later("Collection"), default="")
    state = SelectField(later("State in it"), choices=choices(STATES), default="")
    type = SelectField(later("Type"), default="")
    author = StringField(later("Author"), [Length(max=500)])
    since = DateField(later("Since"), [MayBeEmpty()])
    order = SelectField(
        later("Order"), choices=choices([(NEWEST, later("newest first")), (BY_HOST, later("by name or address"))]),
        default=NEWEST,
    )  # fmt: skip
    feeds: dict[str, StoredCollection]

    def can_be_read(self) -> bool:
        if self.state.data and not self.collection.data:
            self.state.errors = [_("Choose a collection, too.")]
        return not self.errors

    @property
    def feed(self) -> StoredCollection | None:
        return self.feeds.get(self.collection.data or "")


@dataclass(frozen=True, slots=True)
class Browsed(Page[Shown]):
    """``is_cut``: so many were looked at that the search stopped before the page was full."""

    is_cut: bool = False
    looked_at: int = 0


def form(connection: Connection, given: Any) -> Browse:
    made = Browse(given)
    every = collections.every(connection)
    made.feeds = {one.collection.name: one for one in every if one.collection.kind is not CollectionKind.INBOX}
    made.collection.choices = choices([("", _("any")), *((name, name) for name in made.feeds)])
    made.type.choices = choices([("", _("any")), *((one.value, one.value) for one in IndicatorType)])
    return made


def page(connection: Connection, form: Browse) -> Browsed:
    """The page of the list that the address asks for."""
    where = paging.position()
    walk, wanted = _walk(form)
    if where.key is not None and not walk.fits(where.key):
        where = Position()
    found = browse(
        connection, site().policy, walk, where.key, feed=form.feed, wanted=wanted, backwards=where.backwards,
        limit=paging.SIZE + 1,
    )  # fmt: skip
    if len(found.rows) > paging.SIZE or found.is_end:
        made = paging.cut(found.rows, where, lambda one: one.key)
        return Browsed(made.rows, made.previous, made.next)
    return _cut_short(found.rows, where, found.last, found.looked_at)


def _cut_short(rows: Sequence[Shown], where: Position, last: Any, looked_at: int) -> Browsed:
    """A page that is not full, as the search stopped; it goes on behind what was looked at.

    From one that has no rows no way leads back: what it began behind may have been a row.
    """
    shown = list(reversed(rows)) if where.backwards else list(rows)
    edge = shown[-1 if where.backwards else 0].key if shown else None
    there = paging.address("before" if where.backwards else "after", last) if last else None
    back = paging.address("after" if where.backwards else "before", edge) if edge and where.key else None
    previous, next_ = (there, back) if where.backwards else (back, there)
    return Browsed(shown, previous, next_, is_cut=True, looked_at=looked_at)


def _walk(form: Browse) -> tuple[Walk, str | None]:
    """The walk that looks at the fewest, and the state that has to be found out for each."""
    text, wanted, feed = (form.text.data or "").strip(), form.state.data or None, form.feed
    author = (form.author.data or "").strip() or None
    among = _range(text)
    since = datetime.combine(form.since.data, time(), UTC) if form.since.data else None
    filters = Filters(form.type.data or None, None if among else text or None, since)
    if among is not None or form.order.data == BY_HOST:
        return ByHost(among or EVERYTHING, filters, author), wanted or (IN if feed else None)
    if feed is not None and wanted in (None, IN):
        return InCollection(feed.id, author, filters), None
    return (OfAuthor(author, filters) if author else Newest(filters)), wanted


def _range(text: str) -> Range | None:
    """The keys of a name and what is below it, or of a network; None for what is only a part of a value."""
    octets = text.rstrip(".").split(".")
    if _OCTETS.fullmatch(text) and len(octets) < 4:  # noqa: PLR2004 - the beginning of an IPv4 address
        text = f"{'.'.join(octets + ['0'] * (4 - len(octets)))}/{8 * len(octets)}"
    if "." not in text and ":" not in text:
        return None
    try:
        ((kind, entry), *_more) = entries_of(text)
    except ValueError:
        return None
    if kind == "network":
        return within(ipaddress.ip_network(entry))
    is_name = re.fullmatch(r"[^/@:\s]+", entry) is not None
    return below(entry) if is_name else None

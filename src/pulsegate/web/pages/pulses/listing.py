"""The list of pulses, filtered and in an order; the same filters say which pulses a decision on all of them means."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from flask import render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict
from wtforms import SearchField, SelectField, StringField

from pulsegate.model.decisions import ReviewStatus
from pulsegate.model.role import Role
from pulsegate.model.tlp import TLP
from pulsegate.publication import pulse_search
from pulsegate.publication.waiting import WAITING, Statuses
from pulsegate.store import collections, decisions, pulse_list, pulses, sources
from pulsegate.store.database import Connection
from pulsegate.store.digests import storable
from pulsegate.store.pulse_list import Key, Order, Wanted
from pulsegate.store.pulses import StoredPulse
from pulsegate.web import paging
from pulsegate.web.access import needs
from pulsegate.web.forms import Form, choices
from pulsegate.web.pages.pulses.base import STATUSES, clean, pages, whole_number
from pulsegate.web.site import site
from pulsegate.web.words import later

SUGGESTED = 500  # authors that the field proposes
_ANY = ("", later("any"))
_ORDERS = [
    (Order.MODIFIED.value, later("last modified first")),
    (Order.CREATED.value, later("last created first")),
    (Order.NAME.value, later("name")),
    (Order.AUTHOR.value, later("author")),
]
_AGES = [
    _ANY,
    ("1", later("24 hours")),
    ("7", later("7 days")),
    ("30", later("30 days")),
    ("90", later("90 days")),
    ("365", later("a year")),
]
_REVIEWS = [
    _ANY,
    (WAITING, later("waits for a look")),
    ("approved", later("approved")),
    ("rejected", later("rejected")),
    ("held", later("held")),
]


class Filters(Form):
    text = SearchField(later("Search"))
    review = SelectField(later("Review"), choices=choices(_REVIEWS), default="")
    author = StringField(later("Author"))
    tag = StringField(later("Tag"))
    tlp = SelectField(later("TLP"), choices=choices([_ANY, *((one.value, one.value) for one in TLP)]), default="")
    collection = SelectField(later("Stands in"), default="")
    state = SelectField(
        later("On OTX"),
        choices=choices([_ANY, ("active", later("yes")), ("withdrawn", later("withdrawn"))]),
        default="",
    )
    days = SelectField(later("Modified within"), choices=choices(_AGES), default="")
    source = SelectField(later("Source"), default="")
    sort = SelectField(later("In the order of"), choices=choices(_ORDERS), default=Order.MODIFIED.value)

    @property
    def order(self) -> Order:
        return Order(self.sort.data) if self.sort.data in list(Order) else Order.MODIFIED

    @property
    def given(self) -> list[tuple[str, str]]:
        """What is filtered by, for hidden fields of another form."""
        return [(name, str(value)) for name, value in self.data.items() if value and name != "sort"]


def filters(connection: Connection, given: MultiDict[str, str]) -> Filters:
    """The form, with the choices that this store has."""
    form = Filters(given)
    names = [(str(one.id), one.collection.name) for one in collections.every(connection)]
    form.collection.choices = choices([_ANY, *names])
    form.source.choices = choices([_ANY, *((one, one) for one in sorted(sources.counts(connection)))])
    return form


def wanted(form: Filters, statuses: Statuses) -> Wanted:
    """What the form asks for; what it can't mean is left out."""
    review = form.review.data
    days = whole_number(form.days.data, 10_000)
    return Wanted(
        text=clean(form.text.data),
        author=clean(form.author.data),
        tag=clean(form.tag.data),
        tlp=TLP(form.tlp.data) if form.tlp.data in list(TLP) else None,
        active={"active": True, "withdrawn": False}.get(form.state.data or ""),
        review=pulse_search.waits(statuses) if review == WAITING else _status(review),
        collection=whole_number(form.collection.data),
        since=statuses.moment - timedelta(days=days) if days else None,
        source=clean(form.source.data),
    )


def _status(text: str | None) -> ReviewStatus | None:
    return ReviewStatus(text) if text in list(ReviewStatus) else None


@pages.get("/")
@needs(Role.VIEWER)
def index() -> ResponseReturnValue:
    with site().database.snapshot() as connection:
        form = filters(connection, request.args)
        statuses = Statuses(connection, [])
        meant = wanted(form, statuses)
        page = _page(connection, form.order, statuses, meant)
        number, is_all = pulse_search.count(connection, statuses, meant)
        more = _beside(connection, [one.pk for one in page.rows])
    return render_template(
        "pulses/index.html", form=form, page=page, number=number, is_all=is_all, statuses=statuses, words=STATUSES,
        is_filtered=not meant.is_everything, **more,
    )  # fmt: skip


def _page(connection: Connection, order: Order, statuses: Statuses, meant: Wanted) -> paging.Page[StoredPulse]:
    where = paging.position()
    key = _key(order, where)
    where = where if key is not None else paging.Position()
    found = pulse_search.page(connection, statuses, meant, order, key, backwards=where.backwards, limit=paging.SIZE + 1)
    return paging.cut(found, where, lambda one: pulse_list.key_of(order, one))


def _beside(connection: Connection, keys: Sequence[int]) -> dict[str, Any]:
    """What the page shows beside the pulses themselves."""
    return {
        "sizes": pulse_list.sizes(connection, keys),
        "standing": pulse_list.standing(connection, keys),
        "authors": pulses.authors(connection)[:SUGGESTED],
        "trusted": len(decisions.trusted(connection)),
    }


def _key(order: Order, where: paging.Position) -> Key | None:
    """The position's key, if it may be one of this order."""
    if where.key is None or len(where.key) != 2:  # noqa: PLR2004 - value and key
        return None
    value, pk = where.key[0], whole_number(where.key[1])
    if order.is_falling:
        is_good = isinstance(value, datetime) and value.tzinfo is not None
    else:
        is_good = isinstance(value, str) and storable(value) == value
    return (value, pk) if is_good and pk is not None else None

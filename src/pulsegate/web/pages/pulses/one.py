"""One pulse: all that OTX tells of it, what was decided, and where each of its indicators stands, and why not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flask import render_template, request
from flask.typing import ResponseReturnValue
from wtforms import SearchField, SelectField

from pulsegate.model.indicator import IndicatorType
from pulsegate.model.role import Role
from pulsegate.publication import spots
from pulsegate.publication.spots import Spot, Stand
from pulsegate.publication.waiting import Statuses
from pulsegate.store import audit, pulse_list, pulse_parts, quarantine
from pulsegate.store.database import now
from pulsegate.store.pulse_parts import Life
from pulsegate.web import paging
from pulsegate.web.access import needs
from pulsegate.web.forms import Form, choices
from pulsegate.web.pages.pulses.base import STATUSES, by_id, clean, pages, whole_number
from pulsegate.web.site import site
from pulsegate.web.words import later

REJECTED = 20  # values that are shown
CHANGES = 20
_ANY = ("", later("any"))


class Filters(Form):
    text = SearchField(later("Search"))
    type = SelectField(
        later("Type"), choices=choices([_ANY, *((one.value, one.value) for one in IndicatorType)]), default=""
    )
    life = SelectField(
        later("State"),
        choices=choices(
            [
                _ANY,
                (Life.LIVE.value, later("live")),
                (Life.INACTIVE.value, later("inactive on OTX")),
                (Life.EXPIRED.value, later("expired")),
            ]
        ),
        default="",
    )


@pages.get("/<pulse_id>")
@needs(Role.VIEWER)
def show(pulse_id: str) -> ResponseReturnValue:
    where, form = paging.position(), Filters(request.args)
    with site().database.snapshot() as connection:
        stored = by_id(connection, pulse_id)
        key = whole_number(where.key[0]) if where.key else None
        where = where if key is not None else paging.Position()
        found = pulse_parts.page(
            connection, stored.pk, _wanted(form, now(connection)), key, backwards=where.backwards, limit=paging.SIZE + 1
        )
        page = paging.cut(found, where, lambda one: (one.pk,))
        standing = spots.spots(site().database, connection, site().policy, stored, page.rows)
        statuses = Statuses(connection, [stored])
        rejected = quarantine.of_pulse(connection, stored.pulse.id)
        more: dict[str, Any] = {
            "feeds": spots.feeds(connection, stored),
            "size": pulse_list.sizes(connection, [stored.pk]).get(stored.pk, 0),
            "claims": pulse_parts.claims(connection, stored.pk),
            "history": audit.every(connection, limit=CHANGES, action="pulse", subject=stored.pulse.id),
        }
    return render_template(
        "pulses/show.html", stored=stored, pulse=stored.pulse, page=page, form=form, statuses=statuses, words=STATUSES,
        spots={pk: _together(some) for pk, some in standing.items()}, stands=STANDS,
        rejected=rejected[:REJECTED], rejected_number=len(rejected), **more,
    )  # fmt: skip


STANDS = {
    Stand.IN: (later("in"), "in"),
    Stand.ELSEWHERE: (later("in, by another pulse"), "in"),
    Stand.COMES: (later("enters with the next publication"), "waiting"),
    Stand.LEAVES: (later("leaves with the next publication"), "waiting"),
    Stand.OUT: (later("out"), "out"),
}
"""The words for how an indicator stands in collections, and the badge that they stand in."""


def _wanted(form: Filters, moment: Any) -> pulse_parts.Wanted:
    kind, life = form.type.data, form.life.data
    return pulse_parts.Wanted(
        moment,
        type=IndicatorType(kind) if kind in list(IndicatorType) else None,
        life=Life(life) if life in list(Life) else None,
        text=clean(form.text.data),
    )


def _together(found: Iterable[Spot]) -> list[tuple[Spot, list[str]]]:
    """Collections in which an indicator stands alike, and for the same reason, by one of them."""
    alike: dict[tuple[Stand, str], tuple[Spot, list[str]]] = {}
    for one in found:
        says = one.reason if one.stand in (Stand.OUT, Stand.LEAVES) else ""
        alike.setdefault((one.stand, says), (one, []))[1].append(one.collection)
    return list(alike.values())

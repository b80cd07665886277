"""Warning lists: which are in force, what each hits, what they say of a value; one's own networks and domains."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import NotFound
from wtforms import SearchField
from wtforms.validators import Length

from pulsegate.curation import misp
from pulsegate.curation.choices import DEFAULTS, TABLE
from pulsegate.curation.entry_file import lines_of
from pulsegate.curation.warning_lists import Hit, WarningLists
from pulsegate.model.mode import Mode
from pulsegate.model.role import Role
from pulsegate.publication import listed
from pulsegate.publication.marking import recalled
from pulsegate.store import affected, collections, marked
from pulsegate.values.normalise import readings
from pulsegate.web import idle, paging
from pulsegate.web.access import needs
from pulsegate.web.forms import Form
from pulsegate.web.remedies import page as page_of
from pulsegate.web.site import site
from pulsegate.web.words import _, later

pages = Blueprint("lists", __name__, url_prefix="/lists")

COUNTED = 10_000  # stored indicators that an entry of ``own`` covers, at most


class Check(Form):
    value = SearchField(later("Value"), [Length(max=100_000)])


@dataclass(frozen=True, slots=True)
class Shown:
    """A list with its mode in force. ``is_named``: some collection blocks by it, whatever its mode."""

    name: str
    title: str
    description: str
    entries: int | None  # None: of a file that can't be read
    mode: Mode
    reason: str
    is_named: bool

    @property
    def default(self) -> Mode:
        return DEFAULTS.get(self.name, self.mode)

    @property
    def setting(self) -> str:
        """What changes its mode, as it is written in the settings."""
        if self.name in DEFAULTS:
            return f"warning_lists:\n  modes:\n    {self.name}: {self.mode}"
        return f"warning_lists:\n  files:\n    - name: {self.name}\n      mode: {self.mode}"


@pages.get("/")
@needs(Role.VIEWER)
def index() -> ResponseReturnValue:
    with site().database.snapshot() as connection:
        counts, named = marked.listed(connection), collections.named_lists(connection)
    found = sorted(_every(named), key=lambda one: (one.mode is Mode.OFF and not one.is_named, -counts[one.name]))
    return render_template("lists/index.html", lists=found, counts=counts, check=Check(), page_of=page_of)


@pages.get("/check")
@needs(Role.VIEWER)
def check() -> ResponseReturnValue:
    """Which of the lists in force a value is on, as each of the values that it may be."""
    form = Check(request.args)
    text = (form.value.data or "").strip()
    known = readings(text) if text and form.validate() else ()
    if text and not known and not form.errors:
        form.value.errors = [_("This is no value of any type.")]
    hits, number = _hits(known) if known else ([], 0)
    template = "lists/check.html"
    return render_template(template, check=form, text=text, known=known, hits=hits, number=number)


@pages.get("/of/<path:name>")
@needs(Role.VIEWER)
def show(name: str) -> ResponseReturnValue:
    """One list, with the stored indicators that it covers."""
    where = paging.position()
    with site().database.snapshot() as connection:
        named = collections.named_lists(connection)
        shown = next((one for one in _every(named) if one.name == name), None)
        if shown is None:
            raise NotFound
        number = marked.listed(connection)[name]
        limit = paging.SIZE + 1
        found = marked.page_on_list(connection, name, _key(where), backwards=where.backwards, limit=limit)
        page = paging.cut(found, where, lambda one: (one.lists, one.indicator.pk))
        told = listed.told(connection, site().policy, name, [one.indicator for one in page.rows])
    return render_template("lists/show.html", one=shown, page=page, told=told, number=number, page_of=page_of)


@pages.get("/own")
@needs(Role.VIEWER)
def own() -> ResponseReturnValue:
    """One's own networks and domains, from the settings."""
    with site().database.read() as connection:
        found = [
            (one, affected.reach(connection, "network" if "/" in one else "subtree", one, COUNTED))
            for one in site().policy.own.entries
        ]
    return render_template("lists/own.html", entries=found, most=COUNTED)


def _every(named: frozenset[str]) -> Iterator[Shown]:
    """MISP's lists in the order of their names, then those of one's own."""
    choice = site().policy.lists
    for name, _default, reason in TABLE:
        told = misp.outline(name)
        yield Shown(name, told.title, told.description, told.entries, choice.mode(name), reason, name in named)
    for one in choice.files:
        title, reason = one.title or one.name, _("your own: %(file)s", file=str(one.path))
        yield Shown(one.name, title, "", _lines(one.path), one.mode, reason, one.name in named)


def _lines(path: Path) -> int | None:
    """How many entries a list of one's own has."""
    try:
        return sum(1 for _number, _line in lines_of(path.read_text(encoding="utf-8-sig")))
    except (OSError, UnicodeDecodeError):
        return None


def _hits(known: tuple[tuple[object, str], ...]) -> tuple[list[tuple[str, str, Hit]], int]:
    """What the lists in force say, and how many they are."""
    idle.used()
    with site().database.read() as connection:
        lists = recalled(connection, site().policy).lists.load() or WarningLists()
    found = [(str(kind), text, hit) for kind, text in known for hit in lists.hits(kind, text)]  # type: ignore[arg-type]
    return found, len(lists)


def _key(where: paging.Position) -> tuple[str, int] | None:
    match where.key:
        case (str(lists), int(pk)):
            return lists, pk
    return None

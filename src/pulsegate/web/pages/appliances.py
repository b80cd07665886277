"""What to type into each appliance, a test of it, and what appliances have polled."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import BadRequest, NotFound
from wtforms import SearchField, SelectField

from pulsegate.errors import UsageError
from pulsegate.model.role import Role
from pulsegate.settings.appliance import Obstacle, SourceForm, best, obstacles, source_form
from pulsegate.store import accounts, collections, polls, tasks
from pulsegate.store.accounts import Account
from pulsegate.store.database import Connection
from pulsegate.store.polls import Kept, PollRecord, Wanted
from pulsegate.sync.rhythm import usual_interval
from pulsegate.web import paging, rehearsal
from pulsegate.web.access import may, needs
from pulsegate.web.forms import Form, choices
from pulsegate.web.outcomes import OUTCOMES, advice, in_words
from pulsegate.web.site import site
from pulsegate.web.tasks import TRY_APPLIANCE, start
from pulsegate.web.words import LazyString, _, later

pages = Blueprint("appliances", __name__, url_prefix="/appliances")

LOOKED_AT = 200  # polls of each account by which its appliances are known
GATEWAY = "gateway"  # the account that is made for them at the first start
NOBODY = "-"  # in the filter: those of no account

WARNINGS: dict[Obstacle, tuple[LazyString, LazyString]] = {
    Obstacle.HOST_UNKNOWN: (
        later("The settings don't name this machine."),
        later(
            "Shown is the name by which you opened this page. Set 'domain' to the one that the appliance can resolve."
        ),
    ),
    Obstacle.HOST_LOCAL: (
        later("The appliance can't reach this host name: it means the machine itself."),
        later("Set 'host' to an address of this machine, and 'domain' to its name (PULSEGATE_HOST, PULSEGATE_DOMAIN)."),
    ),
    Obstacle.PLAIN_HTTP: (
        later("Plain HTTP: the password and the feed cross the network as they are."),
        later("Set 'tls' with a certificate and its key, or put a proxy that speaks HTTPS before it."),
    ),
    Obstacle.OWN_CERTIFICATE: (
        later("If the certificate is of your own CA, or self-signed, the appliance must be told to trust it."),
        later(
            "On the appliance: Network > Certificates > Certificate Authorities > Edit Settings > Custom List: Enable, "
            "and load the CA's certificate as a PEM file. Then submit and commit."
        ),
    ),
    Obstacle.PROFILE_FULL: (
        later("The collection has the profile 'full': it holds things that the appliance ignores."),
        later("Use one of profile 'esa', which has only what the appliance uses, in the form that it reads."),
    ),
    Obstacle.INBOX: (
        later("It is an inbox: it holds what others pushed, in whatever form."),
        later("Poll a collection of profile 'esa' instead, unless you know that the appliance reads what is pushed."),
    ),
}


class Choice(Form):
    collection = SelectField(later("Collection"))
    account = SelectField(later("Account"))


class Filters(Form):
    account = SelectField(later("Account"))
    collection = SearchField(later("Collection"))
    outcome = SelectField(later("Outcome"), choices=choices([("", later("all")), *OUTCOMES]))


@dataclass(frozen=True, slots=True)
class Appliance:
    """What polls with one account from one address.

    ``interval``: the usual one, of the collection that it polls most often; None: not known yet.
    """

    account: str
    address: str
    collections: tuple[str, ...]
    last: PollRecord
    interval: timedelta | None
    polls: int


@pages.get("/")
@needs(Role.VIEWER)
def index() -> ResponseReturnValue:
    with site().database.read() as connection:
        every = [one.collection for one in collections.every(connection)]
        known = accounts.every(connection)
        seen = _appliances(connection)
    if not every:
        return render_template("appliances/none.html")
    name = request.args.get("collection", "") or best(every)
    chosen = next((one for one in every if one.name == name), None)
    if chosen is None:
        raise NotFound
    readers = [one for one in known if one.can_read(name)]
    account = _account(readers, request.args.get("account", ""))
    form = Choice(collection=name, account=account.name if account else "")
    form.collection.choices = choices((one.name, one.name) for one in every)
    form.account.choices = choices((one.name, one.name) for one in readers)
    typed = source_form(site().settings, name)
    return render_template(
        "appliances/index.html", form=form, typed=typed, host=_host(typed), account=account, seen=seen,
        warnings=[WARNINGS[one] for one in obstacles(site().settings, chosen)], in_words=in_words,
        interval=_minutes(typed.interval), looked_at=LOOKED_AT,
    )  # fmt: skip


@pages.post("/test")
@needs(Role.CURATOR)
def test() -> ResponseReturnValue:
    """Have the worker try it; the page that shows how it goes outlives a reload."""
    name, account = request.form.get("collection", ""), request.form.get("account", "")
    with site().database.write() as connection:
        if collections.get(connection, name) is None or accounts.find(connection, account) is None:
            raise BadRequest
        form = source_form(site().settings, name)
        if form.host is None and not may(Role.ADMIN):  # else who sends the request says where this server connects to
            hint = _("An administrator sets 'domain', or tests it")
            raise UsageError(_("the settings name no host to test"), hint=hint)
        host = _host(form)
        address = form.address(host)
        pk = start(
            connection, TRY_APPLIANCE, address=address, path=form.path, collection=name, account=account,
            is_ours=form.host is not None,
        )  # fmt: skip
    return redirect(url_for("appliances.tested", pk=pk), 303)


@pages.get("/tests/<int:pk>")
@needs(Role.VIEWER)
def tested(pk: int) -> ResponseReturnValue:
    with site().database.read() as connection:
        task = tasks.get(connection, pk)
    if task is None or task.kind != TRY_APPLIANCE:
        raise NotFound
    steps = rehearsal.shown((task.result or {}).get("steps", []))
    return render_template("appliances/test.html", task=task, steps=steps)


@pages.get("/polls")
@needs(Role.VIEWER)
def log() -> ResponseReturnValue:
    where = paging.position()
    form = Filters(request.args)
    with site().database.read() as connection:
        named = polls.accounts(connection)
        form.account.choices = choices(
            [("", _("all")), (NOBODY, _("nobody that is known")), *((one, one) for one in named)]
        )
        found = polls.page(connection, _wanted(form), _key(where), backwards=where.backwards, limit=paging.SIZE + 1)
    page = paging.cut(found, where, _place)
    kept = site().settings.polls_kept.days
    return render_template(
        "appliances/polls.html", form=form, page=page, in_words=in_words, advice=advice, polls_kept=kept
    )


def _wanted(form: Filters) -> Wanted:
    account = form.account.data or None
    return Wanted(
        account="" if account == NOBODY else account,
        collection=(form.collection.data or "").strip() or None,
        outcome=form.outcome.data or None,
    )


def _key(where: paging.Position) -> tuple[datetime, int] | None:
    if where.key is None or [type(one) for one in where.key] != [datetime, int]:
        return None
    return where.key[0], where.key[1]


def _place(one: Kept) -> tuple[datetime, int]:
    return one.poll.time, one.pk


def _account(readers: Sequence[Account], wanted: str) -> Account | None:
    """The one that is asked for; else the appliances' own; else one that may no more than poll."""
    found = {one.name: one for one in readers}
    harmless = (one for one in readers if one.role is None and one.disabled is None)
    return found.get(wanted) or found.get(GATEWAY) or next(harmless, None) or next(iter(readers), None)


def _host(form: SourceForm) -> str:
    """Where the settings don't tell: the name by which this page was opened."""
    return form.host or urlsplit(f"//{request.host}").hostname or "localhost"


def _minutes(interval: timedelta) -> int:
    return int(interval.total_seconds()) // 60


def _appliances(connection: Connection) -> list[Appliance]:
    """Who polls, by account and address, as its last polls tell."""
    found = []
    for name in polls.accounts(connection):
        by_address: dict[str, list[PollRecord]] = defaultdict(list)
        for one in polls.recent(connection, name, LOOKED_AT):
            by_address[one.address].append(one)
        found += [_appliance(name, address, each) for address, each in by_address.items()]
    return sorted(found, key=lambda one: one.last.time, reverse=True)


def _appliance(account: str, address: str, each: Sequence[PollRecord]) -> Appliance:
    """``each``: its polls, the newest first."""
    by_collection: dict[str, list[datetime]] = defaultdict(list)
    for one in each:
        by_collection[one.collection].append(one.time)
    known = filter(None, map(usual_interval, by_collection.values()))
    return Appliance(account, address, tuple(sorted(by_collection)), each[0], min(known, default=None), len(each))

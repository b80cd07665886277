"""Who changed what, from what to what."""

from __future__ import annotations

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue
from wtforms import SearchField, SelectField, StringField

from pulsegate.model.role import Role
from pulsegate.store import audit
from pulsegate.store.audit import Wanted
from pulsegate.web import paging
from pulsegate.web.access import needs
from pulsegate.web.forms import Form, choices
from pulsegate.web.site import site
from pulsegate.web.words import later

GROUPS = (
    "account", "allow", "author", "collection", "indicator", "list", "pull", "pulse", "quarantine", "relay", "source",
)  # fmt: skip

pages = Blueprint("audit", __name__, url_prefix="/audit")


class Filters(Form):
    subject = SearchField(later("Changed"))
    account = StringField(later("By"))
    action = SelectField(later("Kind"), choices=choices([("", later("all")), *((one, one) for one in GROUPS)]))


@pages.get("/")
@needs(Role.VIEWER)
def index() -> ResponseReturnValue:
    form = Filters(request.args)
    wanted = Wanted(
        account=form.account.data or None, action=form.action.data or None, subject=form.subject.data or None
    )
    where = paging.position()
    with site().database.read() as connection:
        found = audit.page(connection, wanted, paging.row_key(where), backwards=where.backwards, limit=paging.SIZE + 1)
    page = paging.cut(found, where, lambda one: (one.pk,))
    return render_template("audit/index.html", form=form, page=page)

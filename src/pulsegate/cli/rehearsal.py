"""A test of what an appliance will meet: the way to this server, the account's rights, and what a first poll brings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from pulsegate.cli.setup import Installation
from pulsegate.publication.suitability import suitability
from pulsegate.settings.appliance import SEGMENT
from pulsegate.store import accounts, collections
from pulsegate.store.database import Connection
from pulsegate.taxii.probe import State, Step, probe

Said = dict[str, Any]


def rehearse(where: Installation, arguments: Mapping[str, Any], say: Callable[..., None]) -> Said:
    """The steps of the test, as the page of appliances shows them."""
    address, path, collection, account = (str(arguments[key]) for key in ("address", "path", "collection", "account"))
    steps: list[Step] = []
    is_ours = bool(arguments.get("is_ours"))
    for step in probe(where.database, address, path, collection, account, is_ours=is_ours):
        steps.append(step)
        say("trying", done=len(steps), total=7)
    with where.database.read() as connection:
        steps.append(_account(connection, account, collection))
        steps.append(_content(connection, collection))
    return {"steps": [asdict(one) for one in steps]}


def _account(connection: Connection, name: str, collection: str) -> Step:
    """As the store has it, in case the server could not be asked."""
    found = accounts.find(connection, name)
    values = {"account": name, "collection": collection}
    if found is None:
        return Step("account", State.BAD, "no-account", values)
    if found.disabled is not None:
        return Step("account", State.BAD, "disabled", values)
    if not found.can_read(collection):
        return Step("account", State.BAD, "may-not-read", values)
    if found.is_admin:
        return Step("account", State.DOUBTFUL, "administrator", values)
    return Step("account", State.GOOD, "", values)


def _content(connection: Connection, name: str) -> Step:
    stored = collections.get(connection, name)
    if stored is None:
        return Step("content", State.BAD, "no-collection", {"collection": name})
    size = collections.volumes(connection, name)[name]
    found = suitability(connection, stored, SEGMENT)
    used, ignored = sum(found.used.values()), sum(found.ignored.values())
    values = {
        "days": SEGMENT.days, "blocks": found.blocks, "used": used, "ignored": ignored, "whole": size.indicators,
        "used_types": dict(found.used), "ignored_types": dict(found.ignored),
    }  # fmt: skip
    if not size.opened:
        return Step("content", State.BAD, "not-opened", values)
    if not used:
        return Step("content", State.DOUBTFUL, "nothing", values)
    return Step("content", State.DOUBTFUL if ignored else State.GOOD, "ignores" if ignored else "", values)

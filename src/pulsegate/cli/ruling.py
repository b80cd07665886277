"""What the worker does for the page of collections: tries rules, and takes a collection away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from pulsegate.cli.collection import refuse_settings, take_away
from pulsegate.cli.setup import Installation
from pulsegate.curation.list_choice import require_lists
from pulsegate.errors import UsageError
from pulsegate.publication.trial import trial
from pulsegate.settings.load import collection as read_collection
from pulsegate.store import collections

EXAMPLES = 50


def try_rules(where: Installation, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """``collection``: as opentaxii.yml writes it."""
    given = arguments["collection"]
    collection = read_collection(given, str(given.get("name"))).to_model()
    require_lists(collection, where.policy.lists)
    return asdict(trial(where.database, where.policy, collection, EXAMPLES))


def remove(where: Installation, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """``name``, and the ``account`` that asked for it."""
    name, account = str(arguments["name"]), str(arguments["account"])
    refuse_settings(where, name, "Take it out there, then remove it")
    with where.database.write() as connection:
        stored = collections.get(connection, name)
        if stored is None:
            raise UsageError("there is no such collection", resource=name)
        take_away(connection, stored, account)
    return {}

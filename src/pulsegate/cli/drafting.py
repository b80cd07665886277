"""What the worker does with a draft of own indicators: look at it, and take it in."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from pulsegate.cli.setup import Installation
from pulsegate.errors import UsageError
from pulsegate.reports import Entry, Format, entries, prose
from pulsegate.store import drafts
from pulsegate.store.drafts import Draft
from pulsegate.sync import own as sync
from pulsegate.sync.own import Added, Into
from pulsegate.sync.owning import Wanted, level, note_added, weigh

REPORT = "report"  # in place of a format: prose, out of which people pick
LISTED = 200  # lines of each kind that are shown


def look(where: Installation, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """What taking it in would do. Changes nothing."""
    draft = get(where, arguments)
    if arguments["format"] == REPORT:
        found = weigh(where.database, where.policy, prose.find(draft.content.decode("utf-8", "replace")))
        return {"candidates": [_candidate(one) for one in found], "most": prose.MOST}
    into = _into(where, arguments)
    added = sync.add(where.database, where.policy, _entries(draft, arguments), into, dry_run=True)
    return _told(added, into)


def take(where: Installation, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Store what can be taken, note who did it (``account``), and drop the draft."""
    draft, into = get(where, arguments), _into(where, arguments)
    added = sync.add(where.database, where.policy, _entries(draft, arguments), into)
    with where.database.write() as connection:
        if added.new or added.changed:
            note_added(connection, str(arguments["account"]), into, added)
        drafts.remove(connection, draft.token)
    return {"new": added.new, "changed": added.changed, "there": added.there, "rejected": added.rejected}


def get(where: Installation, arguments: Mapping[str, Any]) -> Draft:
    """What was sent (``draft``: its token). UsageError: it is kept no longer."""
    with where.database.read() as connection:
        found = drafts.get(connection, str(arguments["draft"]))
    if found is None:
        raise UsageError("what was sent is kept no longer", hint="Send it again")
    return found


def _into(where: Installation, arguments: Mapping[str, Any]) -> Into:
    return sync.into(where.database, str(arguments["name"]), sync.AUTHOR, level(str(arguments["tlp"])))


def _entries(draft: Draft, arguments: Mapping[str, Any]) -> Iterator[Entry]:
    expires = arguments["expires"]
    wanted = Wanted(str(arguments["title"]), "", datetime.fromisoformat(expires) if expires else None)
    return wanted.fill(entries(io.BytesIO(draft.content), Format(arguments["format"])))


def _told(added: Added, into: Into) -> dict[str, Any]:
    return {
        "pulse": into.name,
        "author": into.author,
        "new": added.new,
        "changed": added.changed,
        "there": added.there,
        "rejected": added.rejected,
        "protected": added.protected,
        "lines": [asdict(one) for one in added.lines[:LISTED]],
        "refusals": [asdict(one) for one in added.in_order[:LISTED]],
    }


def _candidate(one: Any) -> dict[str, Any]:
    found = one.candidate
    return {
        "type": found.type.value, "value": found.value, "text": found.text, "line": found.line,
        "meant": found.is_meant, "ticked": one.is_ticked, "against": [list(pair) for pair in one.against],
    }  # fmt: skip

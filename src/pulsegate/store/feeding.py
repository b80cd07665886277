"""Which pulses may feed a collection, as a condition of SQL: what the rules of a collection say of the pulse itself."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from pulsegate.model.collection import Collection, Rule
from pulsegate.store.tables import pulses

_LISTS = {
    "tags": "tags",
    "malware_families": "malware_families",
    "countries": "targeted_countries",
    "industries": "industries",
}
"""The keys of a rule by the lists of a pulse (``model.Pulse``) that have their words."""
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)


def has_word(connection: sa.Connection, field: str, word: str) -> sa.ColumnElement[bool]:
    """Whether the pulse's list ``field`` has the word, whatever its case (on SQLite: of ASCII letters)."""
    return _list(connection, field).contains(json.dumps(word.lower(), ensure_ascii=False), autoescape=True)


def may_feed(
    connection: sa.Connection, collection: Collection, moment: datetime
) -> tuple[sa.ColumnElement[bool], bool]:
    """Whether the rules let the pulse in, review apart; and whether that is all: else some of those are kept out.

    Words of a name, techniques, and words with other letters than ASCII's are left to ``curation.decide``, but for what
    they must look like.
    """
    found: list[sa.ColumnElement[bool]] = [pulses.c.active.is_(True)]
    if collection.author is not None:
        found.append(pulses.c.author == collection.author)
    found += _tests(connection, collection.include, moment)
    found += _roughly(connection, collection.include)
    found += [sa.not_(one) for one in _tests(connection, collection.exclude, moment)]
    return sa.and_(*found), not any(_is_left(one) for one in (collection.include, collection.exclude))


def _tests(connection: sa.Connection, rule: Rule, moment: datetime) -> Iterator[sa.ColumnElement[bool]]:
    if rule.tlp:
        yield pulses.c.tlp.in_([level.value for level in rule.tlp])
    if rule.max_age is not None:
        yield pulses.c.modified >= _back(moment, rule.max_age)
    if rule.authors and _is_plain(rule.authors):
        yield sa.func.lower(pulses.c.author).in_([one.lower() for one in rule.authors])
    if rule.adversaries and _is_plain(rule.adversaries):
        yield sa.func.lower(_text(connection, "adversary")).in_([one.lower() for one in rule.adversaries])
    for key, field in _LISTS.items():
        words = getattr(rule, key)
        if words and _is_plain(words):
            yield sa.or_(*(has_word(connection, field, one) for one in words))


def _roughly(connection: sa.Connection, rule: Rule) -> Iterator[sa.ColumnElement[bool]]:
    """What a pulse must have at least, for ``curation.naming`` to find one of the words or techniques in it."""
    if rule.words and _is_plain(rule.words):
        yield sa.or_(_has_accents(connection, pulses.c.name), *(_has_parts(pulses.c.name, one) for one in rule.words))
    if rule.attack_ids and _is_plain(rule.attack_ids):
        ids = _list(connection, "attack_ids")
        yield sa.or_(*(ids.contains(one.lower(), autoescape=True) for one in rule.attack_ids))


def _has_parts(column: sa.ColumnElement[str], phrase: str) -> sa.ColumnElement[bool]:
    return sa.and_(sa.true(), *(column.icontains(one.rstrip("*"), autoescape=True) for one in phrase.split()))


def _has_accents(connection: sa.Connection, column: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
    """Whether there is any letter but ASCII's."""
    if connection.dialect.name == "sqlite":
        return sa.func.length(sa.cast(column, sa.LargeBinary)) != sa.func.length(column)
    return sa.func.octet_length(column) != sa.func.length(column)


def _is_left(rule: Rule) -> bool:
    """Whether the rule says something that no condition stands for as a whole."""
    keys = ("authors", "adversaries", *_LISTS)
    return bool(rule.words or rule.attack_ids) or not all(_is_plain(getattr(rule, key)) for key in keys)


def _is_plain(words: Iterable[str]) -> bool:
    """Whether both databases and Python agree on their letters' case."""
    return all(one.isascii() for one in words)


def _back(moment: datetime, age: timedelta) -> datetime:
    return _EARLIEST if age >= moment - _EARLIEST else moment - age


def _list(connection: sa.Connection, field: str) -> sa.ColumnElement[str]:
    """A list of the pulse as JSON, in small letters."""
    if connection.dialect.name == "sqlite":
        found: Any = sa.func.json_extract(pulses.c.details, f"$.{field}")
    else:
        found = sa.cast(sa.cast(pulses.c.details, sa.JSON)[field], sa.Text)
    return sa.func.lower(sa.func.coalesce(found, ""))


def _text(connection: sa.Connection, field: str) -> sa.ColumnElement[str]:
    """A text of the pulse."""
    if connection.dialect.name == "sqlite":
        found: Any = sa.func.json_extract(pulses.c.details, f"$.{field}")
    else:
        found = sa.cast(pulses.c.details, sa.JSON)[field].as_string()
    return sa.func.coalesce(found, "")

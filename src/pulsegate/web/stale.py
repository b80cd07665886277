"""Forms tell what their page showed: what stands under a key by now may be another thing, or a changed one.

SQLite gives the key of a row that was removed to the next one, so a page that was left open would act on that. A form
on a row has the hidden fields of ``seen`` (in templates ``as_seen``, for ``ui.post``, ``ui.confirm``, ``ui.hidden``),
and its view asks ``still`` or ``differs`` in the transaction of the change.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from flask import request, url_for

from pulsegate.errors import PulsegateError
from pulsegate.store.digests import digest
from pulsegate.values.text import clean_line
from pulsegate.web.words import _

STAMP, NAME = "seen", "seen_name"
LONGEST = 200  # characters of a name that a refusal tells
Row = TypeVar("Row")


class StaleError(PulsegateError):
    """The page showed something that is there no more. ``back``: the address of the list that it is gone from."""

    def __init__(self, message: str, back: str) -> None:
        super().__init__(message)
        self.back = back


def seen(name: str, *more: object) -> dict[str, str]:
    """The hidden fields for what is shown by that name; ``more``: what else of it must not have changed."""
    return {STAMP: _stamp(name, more), NAME: clean_line(name)[:LONGEST]}


def differs(name: str, *more: object) -> bool:
    """Whether the page that sent this form showed something else."""
    return request.form.get(STAMP) != _stamp(name, more)


def there(found: Row | None, view: str) -> Row:
    """What a form acts on; StaleError, which leads to the list ``view``, when it is gone."""
    if found is None:
        raise _gone(view)
    return found


def still(found: Row | None, shown: Callable[[Row], Sequence[str]], view: str) -> Row:
    """What a form acts on; StaleError when it is gone, or another one than the page showed has its key.

    ``shown``: what the page gave to ``seen``.
    """
    if found is None or differs(*shown(found)):
        raise _gone(view)
    return found


def _gone(view: str) -> StaleError:
    if STAMP not in request.form:
        text = _("The form is out of date. Open the page again and repeat what you did.")
    else:
        name = request.form.get(NAME, "")[:LONGEST]
        text = _("%(name)s has been removed since the page was opened. Nothing was changed.", name=name)
    return StaleError(text, url_for(view))


def _stamp(name: str, more: tuple[object, ...]) -> str:
    return digest(name, *map(str, more)).hex()

"""What people read, in their language: ``_`` now, ``later`` when it is shown, ``several`` by a number.

The catalogues are made from these names by ``make translations`` (``catalogue.py``).
"""

from __future__ import annotations

from typing import Any

import flask_babel
from flask_babel import LazyString

__all__ = ["LazyString", "_", "later", "several"]


def _(text: str, /, **values: Any) -> str:
    """The text in the language of the request, with ``%(name)s`` filled in."""
    return str(flask_babel.gettext(text, **values))


def several(one: str, many: str, number: int, **values: Any) -> str:
    """One text or the other, by the number, which is ``%(num)s`` in it."""
    return str(flask_babel.ngettext(one, many, number, **values))


def later(text: str) -> LazyString:
    """For what is written at import: labels, titles."""
    return flask_babel.lazy_gettext(text)

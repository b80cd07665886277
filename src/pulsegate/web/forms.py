"""Forms: WTForms' fields, with messages in the page's language. app.py has the CSRF token of each POST checked."""

from __future__ import annotations

from collections.abc import Iterable

from flask_wtf import FlaskForm
from wtforms import SelectChoice

from pulsegate.web.words import LazyString


class Form(FlaskForm):  # type: ignore[misc]  # Flask-WTF is not typed
    """The base of all forms. Templates write ``{{ csrf() }}`` into each."""

    class Meta(FlaskForm.Meta):  # type: ignore[misc]
        csrf = False  # it is checked before a view is called


def choices(pairs: Iterable[tuple[str, str | LazyString]]) -> list[SelectChoice]:
    """For a field of which one is chosen: what is sent, and what people read."""
    return [SelectChoice(value, label) for value, label in pairs]

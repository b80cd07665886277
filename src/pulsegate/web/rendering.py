"""What templates use: times, numbers, links that are safe, and which frame a page has."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from datetime import date as date_
from typing import Any
from urllib.parse import urlsplit

from babel.units import format_unit
from flask import Flask, request
from flask_babel import format_date, format_decimal, format_percent, format_timedelta, get_locale
from markupsafe import Markup

from pulsegate import __version__
from pulsegate.model.role import Role
from pulsegate.web import access, navigation
from pulsegate.web.local import here
from pulsegate.web.said import fault, said
from pulsegate.web.site import site
from pulsegate.web.stale import seen

_LINKS = ("http", "https")
_SHORT = timedelta(seconds=10)
_UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))


def install(app: Flask) -> None:
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters.update(
        number=format_decimal, percent=format_percent, moment=moment, ago=ago, link=link, pretty=pretty,
        duration=duration, day=day, said=said, fault=fault,
    )  # fmt: skip
    app.jinja_env.globals.update(
        version=__version__, Role=Role, may=access.may, current_user=access.current, here=here,
        navigation=navigation.entries, frame=frame, is_demo=lambda: site().demo, as_seen=seen,
    )  # fmt: skip


def frame() -> str:
    """What a template extends: the whole page, or nothing around the part that htmx asked for."""
    return "part.html" if "HX-Request" in request.headers else "page.html"


def moment(time: datetime | None) -> Markup:
    """A moment in UTC as people of the language write it, and as programs do."""
    if time is None:
        return Markup("&ndash;")
    time = time.astimezone(UTC)
    shown = _written(time)
    return Markup('<time datetime="{}">{} UTC</time>').format(time.isoformat(timespec="seconds"), shown)


def ago(time: datetime | None) -> Markup:
    """How long ago (or ahead) a moment is; the moment itself stands in the title."""
    if time is None:
        return Markup("&ndash;")
    time = time.astimezone(UTC)
    shown = format_timedelta(time - datetime.now(UTC), add_direction=True)
    exact = _written(time)
    return Markup('<time datetime="{}" title="{} UTC">{}</time>').format(
        time.isoformat(timespec="seconds"), exact, shown
    )


def day(date: date_) -> str:
    """A day as people of the language write it."""
    return str(format_date(date, "medium"))


def duration(length: timedelta) -> str:
    """A length of time by its two largest units, so that an hour and a half does not become two hours."""
    left = round(length.total_seconds(), 1) if length < _SHORT else round(length.total_seconds())
    parts = []
    for unit, size in _UNITS:
        number = left if unit == "second" else int(left // size)
        left -= number * size
        if number:
            parts.append(str(format_unit(number, f"duration-{unit}", "short", locale=get_locale())))
    return " ".join(parts[:2]) or str(format_unit(0, "duration-second", "short", locale=get_locale()))


def _written(time: datetime) -> str:
    """With 24 hours in every language: so the logs have them."""
    return f"{format_date(time, 'medium', rebase=False)} {time:%H:%M:%S}"


def link(address: str | None) -> Markup:
    """An address that somebody else wrote: a link where it is of the web, else the text that it is."""
    text = address or ""
    if not is_web(text):
        return Markup("<span class=value>{}</span>").format(text)
    return Markup('<a class="value" href="{}" rel="noreferrer noopener">{}</a>').format(text, text)


def is_web(address: str) -> bool:
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    clean = address == address.strip() and address.isprintable()
    return clean and parts.scheme.lower() in _LINKS and bool(parts.netloc)


def pretty(value: Any) -> str:
    """JSON for people."""
    return json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True, default=str)

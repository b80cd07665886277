"""English and Japanese, light and dark: by the browser, or by what was chosen here, which a cookie remembers."""

from __future__ import annotations

from flask import Blueprint, Flask, redirect, request
from flask.typing import ResponseReturnValue
from flask_babel import Babel
from werkzeug.datastructures import MultiDict

from pulsegate.web import access
from pulsegate.web.local import local_address

LANGUAGES = {"en": "English", "ja": "日本語"}
THEMES = ("auto", "light", "dark")
_KEPT = 365 * 24 * 3600  # seconds
_CHOICES: dict[str, tuple[str, ...]] = {"language": tuple(LANGUAGES), "theme": THEMES}

pages = Blueprint("preferences", __name__, url_prefix="/preferences")


def install(app: Flask) -> None:
    Babel(app, locale_selector=language, timezone_selector=lambda: "UTC")
    app.jinja_env.globals.update(language=language, theme=theme, LANGUAGES=LANGUAGES)


def language() -> str:
    chosen = request.cookies.get("language")
    if chosen in LANGUAGES:
        return chosen
    return request.accept_languages.best_match(list(LANGUAGES)) or "en"


def theme() -> str:
    chosen = request.cookies.get("theme", "auto")
    return chosen if chosen in THEMES else "auto"


@pages.post("/")
@access.public
def choose() -> ResponseReturnValue:
    """Remember what was chosen, and go back to the page."""
    response = redirect(local_address(request.form.get("next")), 303)
    for key, value in _valid(request.form).items():
        path = f"{request.root_path}/"
        response.set_cookie(
            key, value, max_age=_KEPT, path=path, secure=request.is_secure, httponly=True, samesite="Lax"
        )
    return response


def _valid(form: MultiDict[str, str]) -> dict[str, str]:
    return {key: form[key] for key, values in _CHOICES.items() if form.get(key) in values}

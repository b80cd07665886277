"""What every answer tells the browser: run nothing but our files, be framed by nobody, keep nothing."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from flask import Flask, Response, request, url_for
from werkzeug.exceptions import Forbidden

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_ALWAYS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
STATIC = Path(__file__).parent / "static"
FOR_EVER = "public, max-age=31536000, immutable"


def install(app: Flask) -> None:
    app.before_request(_refuse_other_sites)
    app.after_request(_dress)
    app.jinja_env.globals["asset"] = asset


def asset(name: str) -> str:
    """The address of a file of ``static``, with its hash: another content has another address."""
    return url_for("static", filename=name, v=_digest(name))


@cache
def _digest(name: str) -> str:
    return hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:16]


def _refuse_other_sites() -> None:
    """Beside the token: browsers say which site has them send something (Fetch Metadata, section 2.3)."""
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    if request.method not in ("GET", "HEAD", "OPTIONS") and site not in ("same-origin", "none"):
        raise Forbidden


def _dress(response: Response) -> Response:
    for header, value in _ALWAYS.items():
        response.headers.setdefault(header, value)
    response.headers["Cache-Control"] = FOR_EVER if _is_named_by_hash(response) else "no-store"
    return response


def _is_named_by_hash(response: Response) -> bool:
    values: dict[str, Any] = request.view_args or {}
    is_there = request.endpoint == "static" and response.status_code in (200, 206, 304)
    return is_there and request.args.get("v") == _digest(values["filename"])

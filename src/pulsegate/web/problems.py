"""What went wrong, in the form of the pages: for browsers a page, for htmx a notice in place of the part."""

from __future__ import annotations

import structlog
from flask import Flask, render_template, request
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from pulsegate.errors import BusyError, PulsegateError
from pulsegate.web.said import refusal
from pulsegate.web.stale import StaleError
from pulsegate.web.words import _

log = structlog.get_logger(__name__)


def install(app: Flask) -> None:
    app.register_error_handler(CSRFError, _outdated)
    app.register_error_handler(HTTPException, _known)
    app.register_error_handler(StaleError, _stale)
    app.register_error_handler(PulsegateError, _refused)
    app.register_error_handler(Exception, _unexpected)


def _outdated(_error: CSRFError) -> ResponseReturnValue:
    return _show(400, _("The form is out of date"), _("Open the page again and repeat what you did."))


def _known(error: HTTPException) -> ResponseReturnValue:
    code = error.code or 500
    if code < 400:  # noqa: PLR2004 - a redirect that Werkzeug raises
        return error.get_response()
    title, text = _texts(code)
    body, status = _show(code, title, text)
    headers = [pair for pair in error.get_headers() if pair[0] in ("Allow", "Retry-After")]
    return body, status, headers


def _texts(code: int) -> tuple[str, str]:
    known = {
        403: (_("Not allowed"), _("Your account may not do this. An administrator can give it another role.")),
        404: (_("Not found"), _("There is no such page; what it showed may be gone.")),
        405: (_("Not allowed"), _("This address takes no such request.")),
        413: (_("Too large"), _("What you sent is larger than this server takes.")),
    }
    return known.get(code, (_("That did not work"), _("The request can't be read.")))


def _refused(error: PulsegateError) -> ResponseReturnValue:
    """What the product refuses on purpose says itself what to do."""
    log.warning("pages.refused", path=request.path, reason=str(error))
    return _show(503 if isinstance(error, BusyError) else 409, _("That did not work"), refusal(error))


def _stale(error: StaleError) -> ResponseReturnValue:
    log.info("pages.stale", path=request.path)
    return _show(409, _("This is not what you saw"), error.message, error.back)


def _unexpected(error: Exception) -> ResponseReturnValue:
    log.error("pages.failed", path=request.path, exc_info=error)
    return _show(500, _("Something is broken"), _("The server's log says more. Nothing was changed by this request."))


def _show(status: int, title: str, text: str, back: str | None = None) -> tuple[str, int]:
    return render_template("problem.html", title=title, text=text, back=back), status

"""Who sends a request: found out before OpenTAXII sees it, in place of OpenTAXII's own way (opentaxii/middleware.py).

That one makes and parses a token for each request with a password, and logs a header that it can't read whole.
"""

from __future__ import annotations

import base64
import binascii
import shlex
from collections.abc import Mapping
from functools import partial
from typing import Any

import structlog
from flask import Flask, Response, jsonify, request
from opentaxii.local import context
from werkzeug.exceptions import RequestEntityTooLarge

from pulsegate.model.subject import normal_subject
from pulsegate.store import accounts
from pulsegate.taxii.auth import Account, AuthAPI
from pulsegate.taxii.edge import CLIENT_SUBJECT
from pulsegate.taxii.refusals import Refusal, UnauthorizedError, dress

log = structlog.get_logger(__name__)

MAX_LOGIN = 16_384  # bytes of a request for a token
_SERVICES = "opentaxii_services_view"  # OpenTAXII's name for every TAXII path


def install(app: Flask, server: Any, api: AuthAPI) -> None:
    """Put our way in place of OpenTAXII's, and of what its management blueprint does with passwords."""
    app.before_request_funcs[None] = [partial(_identify, server, api)]
    app.view_functions["management.auth"] = partial(_login, api)


def _identify(server: Any, api: AuthAPI) -> None:
    """Only what asks for a TAXII path has to say who it is; nobody is refused at ``/healthz`` for a wrong password."""
    context.server = server
    context.account = None
    if request.endpoint == _SERVICES:
        found = account_of(api, request.headers.get("Authorization"), request.environ.get(CLIENT_SUBJECT))
        context.account = Account(found) if found else None


def account_of(api: AuthAPI, authorization: str | None, subject: str | None) -> accounts.Account | None:
    """The account that a request comes from; None when it says nothing of that. A Refusal says why it is not let in.

    :param authorization: the header (RFC 9110, section 11.6.2); it wins over the certificate
    :param subject: of the verified client certificate, as RFC 4514 writes it
    """
    if authorization:
        return _by_header(api, authorization)
    if not subject:
        return None
    found = api.by_certificate(subject)
    if found is None:
        log.warning("auth.certificate_refused", subject=ascii(subject), address=request.remote_addr)
        raise UnauthorizedError(_unmapped(subject))
    return found


def _by_header(api: AuthAPI, authorization: str) -> accounts.Account:
    scheme, _, rest = authorization.strip().partition(" ")
    if scheme.lower() == "basic":
        credentials = decode_basic(rest)
        if credentials is not None:
            return api.by_password(*credentials, request.remote_addr).account
    elif scheme.lower() == "bearer" and rest:
        return api.by_token(rest.strip(), request.remote_addr).account
    log.warning("auth.header_refused", address=request.remote_addr)
    raise UnauthorizedError("The Authorization header can't be read; send HTTP Basic with user name and password")


def decode_basic(text: str) -> tuple[str, str] | None:
    """Name and password (RFC 7617, section 2); None when that is not what ``text`` holds.

    What is not UTF-8 is read as Latin-1: so older clients send it, and Python's ``requests``.
    """
    try:
        octets = base64.b64decode(text.strip(), validate=True)
    except (ValueError, binascii.Error):  # ValueError: not ASCII
        return None
    try:
        decoded = octets.decode("utf-8")
    except UnicodeDecodeError:
        decoded = octets.decode("latin-1")
    name, colon, password = decoded.partition(":")
    return (name, password) if colon and name and password else None


def _unmapped(subject: str) -> str:
    try:
        normal = normal_subject(subject)
    except ValueError:
        return "The subject of the client certificate can't be read; use another certificate, or a password"
    command = f"pulsegate account certificate NAME --subject {shlex.quote(normal)}"
    return f"The client certificate {normal} belongs to no account; the administrator gives it to one: {command}"


def _login(api: AuthAPI) -> Response:
    """``POST /management/auth``: a token for name and password, sent as JSON or as a form. As OpenTAXII has it."""
    try:
        name, password = _sent()
        return jsonify(token=api.token(api.by_password(name, password, request.remote_addr)))
    except RequestEntityTooLarge:
        return _said("The request is too large", 413)
    except ValueError as error:
        return _said(str(error), 400)
    except Refusal as error:
        response = _said(error.message, error.http_status)
        dress(response, error)
        return response


def _sent() -> tuple[str, str]:
    """Name and password; ValueError says how to send them."""
    request.max_content_length = request.max_form_memory_size = MAX_LOGIN
    given: Any = request.form
    if request.is_json:
        try:
            given = request.get_json(silent=True)
        except RecursionError:
            given = None
    found = [given.get(key) if isinstance(given, Mapping) else None for key in ("username", "password")]
    name, password = (one if isinstance(one, str) else "" for one in found)
    if not name or not password:
        raise ValueError("Both username and password are required, as JSON or as a form")
    return name, password


def _said(message: str, status: int) -> Response:
    response = jsonify(message=message)
    response.status_code = status
    return response

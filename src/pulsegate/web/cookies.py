"""The one cookie that says who it is: signed, for this host only, and secure wherever the page came by HTTPS."""

from __future__ import annotations

from flask import Flask, request
from flask.sessions import SecureCookieSessionInterface

NAME = "pulsegate"


class Cookies(SecureCookieSessionInterface):
    """RFC 6265bis, section 4.1.3.2: ``__Host-`` has browsers take it with Secure, without Domain, and with Path=/."""

    def get_cookie_name(self, app: Flask) -> str:  # noqa: ARG002 - Flask's signature
        return f"__Host-{NAME}" if request.is_secure else NAME

    def get_cookie_secure(self, app: Flask) -> bool:  # noqa: ARG002
        return request.is_secure

    def get_cookie_path(self, app: Flask) -> str:  # noqa: ARG002
        return "/" if request.is_secure else f"{request.root_path}/"

    def get_cookie_domain(self, app: Flask) -> str | None:  # noqa: ARG002
        return None

    def get_cookie_httponly(self, app: Flask) -> bool:  # noqa: ARG002
        return True

    def get_cookie_samesite(self, app: Flask) -> str | None:  # noqa: ARG002
        return "Lax"

    def get_cookie_partitioned(self, app: Flask) -> bool:  # noqa: ARG002
        return False

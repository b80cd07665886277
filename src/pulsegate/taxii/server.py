"""OpenTAXII's server with our services, on every path of the interface, and honest about refused passwords."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import structlog
from flask import Response, request
from libtaxii.constants import ST_UNAUTHORIZED
from opentaxii.auth import AuthManager
from opentaxii.server import ServerMapping, TAXII1Server, TAXIIServer
from opentaxii.taxii.exceptions import FailureStatus, StatusMessageException
from opentaxii.taxii.http import make_taxii_response
from opentaxii.taxii.services import CollectionManagementService, DiscoveryService, InboxService
from opentaxii.taxii.status import process_status_exception

from pulsegate.taxii.auth import AuthAPI
from pulsegate.taxii.messages import AnyMessage
from pulsegate.taxii.poll import WindowedPollService
from pulsegate.taxii.refusals import Refusal, UnauthorizedError, dress

log = structlog.get_logger(__name__)


class _Discovery(AnyMessage, DiscoveryService):  # type: ignore[misc]  # OpenTAXII is not typed
    pass


class _CollectionManagement(AnyMessage, CollectionManagementService):  # type: ignore[misc]  # OpenTAXII is not typed
    pass


class PulsegateTAXII1Server(TAXII1Server):  # type: ignore[misc]  # OpenTAXII is not typed
    """The TAXII 1.x part."""

    TYPE_TO_SERVICE = {  # noqa: RUF012 - OpenTAXII's attribute
        "discovery": _Discovery,
        "collection_management": _CollectionManagement,
        "poll": WindowedPollService,
        "inbox": InboxService,  # asked for by name when collections are listed; no such service is offered
    }

    def get_endpoint(self, relative_path: str) -> Callable[[], Response] | None:
        """The service at the path, with or without a trailing slash, below ``/taxii/`` or ``/taxi/``."""
        path = relative_path.rstrip("/")
        if path.startswith("/taxi/"):
            path = "/taxii/" + path.removeprefix("/taxi/")
        for service in self.get_services():
            if service.path == path:
                return partial(self.handle_request, endpoint=service)
        return None

    def handle_status_exception(self, error: StatusMessageException) -> Response | tuple[str, int]:
        """A Status_Message; a refused account gets HTTP 401 with it, so that clients and proxies see the refusal."""
        if error.status_type == ST_UNAUTHORIZED and not isinstance(error, Refusal):
            error = UnauthorizedError("Say who asks: send HTTP Basic with user name and password")
        if not isinstance(error, Refusal):  # a refusal is in the log already
            log.info("taxii.status", status=error.status_type, path=request.path, message=error.message)
        xml, headers = process_status_exception(error, request.headers, request.is_secure)
        response: Response = make_taxii_response(xml, headers)
        if isinstance(error, Refusal):
            dress(response, error)
        return response

    def handle_internal_error(self, error: Exception) -> Response:
        """A Status_Message that tells the client nothing of our insides; the log has them."""
        log.error("taxii.failed", path=request.path, exc_info=error)
        failure = FailureStatus("The server failed to answer this message; its log says why")
        xml, headers = process_status_exception(failure, request.headers, request.is_secure)
        response: Response = make_taxii_response(xml, headers)
        return response


class PulsegateServer(TAXIIServer):  # type: ignore[misc]  # OpenTAXII is not typed
    """OpenTAXII's dispatcher around our parts."""

    def __init__(self, taxii1: PulsegateTAXII1Server, auth: AuthAPI) -> None:
        self.config: dict[str, Any] = {"support_basic_auth": True, "taxii1": taxii1.config, "taxii2": None}
        self.servers = ServerMapping(taxii1=taxii1, taxii2=None)
        self.auth = AuthManager(server=self, api=auth)

    def handle_internal_error(self, error: Exception) -> Response:
        """Also for failures before a service was chosen."""
        response: Response = self.servers.taxii1.handle_internal_error(error)
        return response

    def handle_status_exception(self, error: StatusMessageException) -> Response | tuple[str, int]:
        response: Response | tuple[str, int] = self.servers.taxii1.handle_status_exception(error)
        return response

    def raise_unauthorized(self) -> None:
        self.servers.taxii1.raise_unauthorized()

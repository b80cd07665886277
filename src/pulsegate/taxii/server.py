"""OpenTAXII's server with our services, on every path of the interface, and honest about refused passwords."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import structlog
from flask import Response, g, request
from libtaxii.constants import ST_UNAUTHORIZED, ST_UNSUPPORTED_QUERY, VID_TAXII_HTTP_10, VID_TAXII_HTTPS_10
from libtaxii.messages_11 import UnsupportedQueryException
from opentaxii.auth import AuthManager
from opentaxii.server import ServerMapping, TAXII1Server, TAXIIServer
from opentaxii.taxii.bindings import ALL_PROTOCOL_BINDINGS, SERVICE_BINDINGS
from opentaxii.taxii.exceptions import BadMessageStatus, FailureStatus, StatusMessageException
from opentaxii.taxii.http import (
    get_content_type,
    get_http_headers,
    make_taxii_response,
    validate_request_headers,
    validate_request_headers_post_parse,
)
from opentaxii.taxii.services import DiscoveryService
from opentaxii.taxii.utils import parse_message
from werkzeug.exceptions import ClientDisconnected, HTTPException, MethodNotAllowed, NotFound, RequestEntityTooLarge

from pulsegate.errors import StoreError
from pulsegate.taxii import xml
from pulsegate.taxii.answer import PollAnswer
from pulsegate.taxii.auth import AuthAPI
from pulsegate.taxii.edge import too_large
from pulsegate.taxii.inbox import PushService
from pulsegate.taxii.messages import BINDINGS, AnyMessage
from pulsegate.taxii.poll import StreamedPollService
from pulsegate.taxii.refusals import Refusal, UnauthorizedError, UnavailableError, dress
from pulsegate.taxii.status import write_status
from pulsegate.taxii.subscriptions import SubscribingService

log = structlog.get_logger(__name__)

METHODS = "POST, OPTIONS"
_TEXTS: dict[type[HTTPException], str] = {
    MethodNotAllowed: "This is a TAXII 1.1 service: it answers TAXII messages that are sent to it by POST.",
    NotFound: "There is nothing at this address. TAXII 1.1 is served below /taxii/: discovery, collections, poll.",
    ClientDisconnected: "The request did not come in whole.",
}


class _Discovery(AnyMessage, DiscoveryService):  # type: ignore[misc]  # OpenTAXII is not typed
    """Names the inbox only to those who may push."""

    _advertised: tuple[Any, ...] = ()

    @property
    def advertised_services(self) -> list[Any]:
        return [one for one in self._advertised if not isinstance(one, PushService) or one.is_offered()]

    @advertised_services.setter
    def advertised_services(self, services: list[Any]) -> None:
        self._advertised = tuple(services)


class PulsegateTAXII1Server(TAXII1Server):  # type: ignore[misc]  # OpenTAXII is not typed
    """The TAXII 1.x part."""

    TYPE_TO_SERVICE = {  # noqa: RUF012 - OpenTAXII's attribute
        "discovery": _Discovery,
        "collection_management": SubscribingService,
        "poll": StreamedPollService,
        "inbox": PushService,
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

    def get_services(self, service_ids: list[str] | None = None) -> list[Any]:
        """All services, or those with these ids; made once in a request."""
        if "taxii_services" not in g:
            g.taxii_services = super().get_services()
        found: list[Any] = g.taxii_services
        return found if service_ids is None else [one for one in found if one.id in service_ids]

    def _create_services(self, entities: Any) -> list[Any]:
        """The services, advertised by the protocol of the public address: by which this request came, or as set."""
        services: list[Any] = super()._create_services(entities)
        is_secure = (self.config["scheme"] or request.scheme) == "https"
        for service in services:
            if service.path is not None:  # else its address is whole, with a protocol of its own
                service.supported_protocol_bindings = [VID_TAXII_HTTPS_10 if is_secure else VID_TAXII_HTTP_10]
        return services

    @classmethod
    def _process_with_service(cls, service: Any) -> Response:
        """As OpenTAXII does it, but for polls, which are sent as they are read."""
        if not request.accept_mimetypes["application/xml"]:
            given = ", ".join(name for name, _ in request.accept_mimetypes)
            raise FailureStatus(f"The client accepts only {given}, and this server sends application/xml")
        validate_request_headers(request.headers, BINDINGS)
        body = request.get_data(cache=False)
        xml.check(body)
        message = _parsed(get_content_type(request.headers), xml.plain(body))
        try:
            validate_request_headers_post_parse(request.headers, BINDINGS, SERVICE_BINDINGS, ALL_PROTOCOL_BINDINGS)
        except StatusMessageException as error:
            error.in_response_to = message.message_id
            raise
        answer = service.process(request.headers, message)
        headers = get_http_headers(answer.version, request.is_secure)
        if isinstance(answer, PollAnswer):
            return _streamed(answer, headers, compress=service.server.config["gzip"])
        response: Response = make_taxii_response(answer.to_xml(pretty_print=True), headers)
        return response

    def handle_http_exception(self, error: HTTPException) -> Response:
        """A few words for the person who reads them; a Status_Message for a message that is too long."""
        if isinstance(error, RequestEntityTooLarge):
            body, headers = too_large(request.headers, self.config["max_body"], secure=request.is_secure)
            log.warning("edge.body_refused", client=request.remote_addr)
            return Response(body, 413, headers)
        kind = next((kind for kind in _TEXTS if isinstance(error, kind)), None)
        text = _TEXTS[kind] if kind else error.name
        status = 408 if kind is ClientDisconnected else error.code or 500
        response = Response(text + "\n", status, mimetype="text/plain")
        if isinstance(error, MethodNotAllowed):
            is_taxii = self.get_endpoint(request.path) is not None
            response.headers["Allow"] = METHODS if is_taxii else ", ".join(sorted(error.valid_methods or ()))
        return response

    def handle_status_exception(self, error: StatusMessageException) -> Response:
        """A Status_Message; a refused account gets HTTP 401 with it, so that clients and proxies see the refusal."""
        if error.status_type == ST_UNAUTHORIZED and not isinstance(error, Refusal):
            error = UnauthorizedError("Say who asks: send HTTP Basic with user name and password")
        if not isinstance(error, Refusal):  # a refusal is in the log already
            log.info("taxii.status", status=error.status_type, path=request.path, message=error.message)
        response: Response = make_taxii_response(*write_status(error, request.headers, request.is_secure))
        if isinstance(error, Refusal):
            dress(response, error)
        return response

    def handle_internal_error(self, error: Exception) -> Response:
        """A Status_Message that tells the client nothing of our insides; the log has them."""
        log.error("taxii.failed", path=request.path, exc_info=error)
        failure = FailureStatus("The server failed to answer this message; its log says why")
        response: Response = make_taxii_response(*write_status(failure, request.headers, request.is_secure))
        return response

    def handle_store_error(self, error: StoreError) -> Response:
        """The database is away, or full: nothing that the client could do anything about, and it may pass."""
        log.error("taxii.failed", path=request.path, reason=str(error))
        return self.handle_status_exception(UnavailableError())


def _parsed(binding: str, body: bytes) -> Any:
    """The message. What the schema lets pass, and libtaxii can't read, is the client's fault too."""
    try:
        return parse_message(binding, body)
    except UnsupportedQueryException as error:
        message = "Queries are not supported; poll without one"
        raise StatusMessageException(ST_UNSUPPORTED_QUERY, message=message) from error
    except StatusMessageException:
        raise
    except Exception as error:
        raise BadMessageStatus(f"The message can't be read: {error}", e=error) from error


def _streamed(answer: PollAnswer, headers: dict[str, str], *, compress: bool) -> Response:
    """The response that sends ``answer`` while it is read; it has a length where that is known."""
    answer.compressed = compress and request.accept_encodings.best_match(["gzip"]) == "gzip"
    response = Response(answer, headers=headers, direct_passthrough=True)
    if compress:
        response.vary.add("Accept-Encoding")
    if answer.compressed:
        response.content_encoding = "gzip"
    if answer.length is not None:
        response.content_length = answer.length
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

    def handle_status_exception(self, error: StatusMessageException) -> Response:
        response: Response = self.servers.taxii1.handle_status_exception(error)
        return response

    def handle_http_exception(self, error: HTTPException) -> Response:
        response: Response = self.servers.taxii1.handle_http_exception(error)
        return response

    def raise_unauthorized(self) -> None:
        self.servers.taxii1.raise_unauthorized()

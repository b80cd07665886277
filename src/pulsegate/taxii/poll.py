"""The poll: OpenTAXII's handlers behind a window that the ledger vouches for."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import structlog
from libtaxii.constants import MSG_POLL_FULFILLMENT_REQUEST, MSG_POLL_REQUEST, SD_ESTIMATED_WAIT, ST_RETRY
from opentaxii.local import context
from opentaxii.taxii.exceptions import FailureStatus, StatusMessageException
from opentaxii.taxii.services import PollService
from opentaxii.taxii.services.handlers import PollFulfilmentRequestHandler, PollRequestHandler

from pulsegate.taxii.messages import BINDINGS, AnyMessage

log = structlog.get_logger(__name__)


class WindowedPollRequestHandler(PollRequestHandler):  # type: ignore[misc]  # OpenTAXII is not typed
    """Answers a poll, 1.0 or 1.1, for the window up to an end that no later label can undercut."""

    @classmethod
    def handle_message(cls, service: Any, request: Any) -> Any:
        name = getattr(request, "collection_name", None) or getattr(request, "feed_name", None)
        collection = service.get_collection(name)
        if collection is not None:
            _refuse_unopened(service, collection.name, request)
            request.inclusive_end_timestamp_label = _end(service, collection.name, request)
        response = super().handle_message(service, request)
        log.info(
            "poll.answered",
            account=context.account.username,
            collection=name,
            begin=str(request.exclusive_begin_timestamp_label or ""),
            end=str(request.inclusive_end_timestamp_label),
            blocks=len(response.content_blocks),
        )
        return response


def _refuse_unopened(service: Any, collection: str, request: Any) -> None:
    """A poll in the middle of the first backfill would make its client miss the labels that are still to come."""
    left: timedelta | None = service.server.persistence.api.opening(collection)
    if left is not None:
        wait = max(1, min(30, int(left.total_seconds())))
        raise StatusMessageException(
            ST_RETRY,
            message="The collection is being filled for the first time; poll again in a moment",
            in_response_to=request.message_id,
            status_details={SD_ESTIMATED_WAIT: wait} if request.version == BINDINGS[0] else None,
        )


def _end(service: Any, collection: str, request: Any) -> Any:
    api = service.server.persistence.api
    begin, end = request.exclusive_begin_timestamp_label, request.inclusive_end_timestamp_label
    if begin is not None and end is not None and begin > end:
        raise FailureStatus(
            f"The window begins ({begin.isoformat()}) after it ends ({end.isoformat()})",
            in_response_to=request.message_id,
        )
    answer = api.answered_end(collection, end)
    if begin is None or begin <= answer:
        return answer
    if begin > api.latest_begin():
        raise FailureStatus(
            f"The window begins in the future ({begin.isoformat()}); check the clock of the client",
            in_response_to=request.message_id,
        )
    return api.answered_end(collection, begin)  # a client whose clock runs ahead, and that names no end


class WindowedPollService(AnyMessage, PollService):  # type: ignore[misc]  # OpenTAXII is not typed
    """The poll service with our handler."""

    handlers = {  # noqa: RUF012 - OpenTAXII's attribute
        MSG_POLL_REQUEST: WindowedPollRequestHandler,
        MSG_POLL_FULFILLMENT_REQUEST: PollFulfilmentRequestHandler,
    }

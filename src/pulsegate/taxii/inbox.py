"""The inbox: packages that clients push, taken whole or refused whole (TAXII 1.1 Services, section 3.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import libtaxii.messages_10 as tm10
import libtaxii.messages_11 as tm11
import structlog
from flask import request as http_request
from libtaxii.constants import (
    MSG_INBOX_MESSAGE,
    SD_ACCEPTABLE_DESTINATION,
    SD_SUPPORTED_CONTENT,
    ST_DESTINATION_COLLECTION_ERROR,
    ST_FAILURE,
    ST_SUCCESS,
    ST_UNSUPPORTED_CONTENT_BINDING,
    VID_TAXII_XML_11,
)
from opentaxii.local import context
from opentaxii.taxii.exceptions import StatusMessageException
from opentaxii.taxii.http import HTTP_X_TAXII_ACCEPT
from opentaxii.taxii.services import InboxService
from opentaxii.taxii.services.handlers import InboxMessageHandler

from pulsegate.errors import ContentError, UnsupportedContentError
from pulsegate.publication import inbox
from pulsegate.publication.inbox import Pushed
from pulsegate.store import collections
from pulsegate.store.collections import STIX_BINDINGS, StoredCollection
from pulsegate.store.database import Database
from pulsegate.taxii.messages import AnyMessage

if TYPE_CHECKING:
    from pulsegate.stix import Package

log = structlog.get_logger(__name__)

MAX_REASON = 300  # characters: a schema's message quotes what it is about, however long that is
MAX_BLOCKS = 100  # in one message: they are labelled in one transaction, which polls may have to wait for


class PushHandler(InboxMessageHandler):  # type: ignore[misc]  # OpenTAXII is not typed
    """Takes an Inbox_Message, 1.0 or 1.1. One bad block refuses all of it, and nothing is kept."""

    @classmethod
    def handle_message(cls, service: Any, request: Any) -> Any:
        places = _destinations(service, request)
        pushed = _packages(request, service.server.config["max_block"])
        given = inbox.receive(_database(service), places, pushed) if pushed else {}
        stored = sum(len(labels) for labels in given.values())
        log.info(
            "inbox.received",
            account=context.account.username,
            collections=[place.collection.name for place in places],
            blocks=len(pushed),
            stored=stored,
        )
        module = tm11 if request.version == VID_TAXII_XML_11 else tm10
        return module.StatusMessage(
            cls.generate_id(), request.message_id, status_type=ST_SUCCESS, message=_summary(given, len(pushed))
        )


class PushService(AnyMessage, InboxService):  # type: ignore[misc]  # OpenTAXII is not typed
    """The inbox service. Its row says that it is not available, for a stock OpenTAXII; here it is."""

    handlers = {MSG_INBOX_MESSAGE: PushHandler}  # noqa: RUF012 - OpenTAXII's attribute

    def __init__(self, **properties: Any) -> None:
        super().__init__(**(properties | {"available": True}))

    def is_offered(self) -> bool:
        """Whether the account of this request may push to any collection."""
        return bool(_writable(self))


def _database(service: Any) -> Database:
    database: Database = service.server.persistence.api.database
    return database


def _writable(service: Any) -> dict[str, StoredCollection]:
    """The inboxes that the account may write to, by name."""
    account = getattr(context, "account", None)
    if account is None:
        return {}
    with _database(service).read() as connection:
        every = collections.inboxes(connection)
    return {one.collection.name: one for one in every if account.can_modify(one.collection.name)}


def _destinations(service: Any, request: Any) -> list[StoredCollection]:
    """The collections that the message names; where it names none, the only one that the account may write to.

    Which other collections there are is told to nobody who may not write to them.
    """
    writable = _writable(service)
    named = list(dict.fromkeys(getattr(request, "destination_collection_names", ())))
    unknown = [name for name in named if name not in writable]
    if unknown:
        raise _no_destination(request, writable, f"This account can't push to {unknown[0]!r}")
    if named:
        return [writable[name] for name in named]
    if len(writable) > 1 and request.content_blocks:
        raise _no_destination(request, writable, "The message names no destination collection")
    if not writable:
        raise _no_destination(request, writable, "This account can't push to any collection")
    return list(writable.values()) if request.content_blocks else []


def _no_destination(request: Any, writable: Mapping[str, Any], reason: str) -> StatusMessageException:
    """DESTINATION_COLLECTION_ERROR with the choices; TAXII 1.0 has no such status, and no way to name a collection."""
    names = sorted(writable)
    old = request.version != VID_TAXII_XML_11
    choices = f"it may push to {', '.join(names)}" if names else "an administrator can grant it one"
    if old and len(names) > 1:
        choices += "; TAXII 1.0 can't name one of them, use TAXII 1.1"
    status = ST_FAILURE if old else ST_DESTINATION_COLLECTION_ERROR
    return _refusal(request, status, f"{reason}; {choices}", {SD_ACCEPTABLE_DESTINATION: names} if names else {})


def _packages(request: Any, max_bytes: int) -> list[Pushed]:
    """What the blocks hold, checked; the first bad one refuses the message."""
    blocks = request.content_blocks
    if len(blocks) > MAX_BLOCKS:
        reason = f"The message has {len(blocks)} content blocks, more than {MAX_BLOCKS}; send them in several messages"
        raise _refusal(request, ST_FAILURE, reason)
    return [_package(request, number, block, max_bytes) for number, block in enumerate(blocks, 1)]


def _package(request: Any, number: int, block: Any, max_bytes: int) -> Pushed:
    """The block's package. Its own version decides which binding it gets, whichever of the two was claimed."""
    try:
        collections.check_binding(getattr(block.content_binding, "binding_id", block.content_binding))
        package = _cut_out(block, max_bytes)
    except UnsupportedContentError as error:
        supported = [tm11.ContentBinding(binding) for binding in STIX_BINDINGS.values()]
        reason = _named(number, len(request.content_blocks), error)
        details = {SD_SUPPORTED_CONTENT: supported}
        raise _refusal(request, ST_UNSUPPORTED_CONTENT_BINDING, reason, details) from error
    except ContentError as error:
        raise _refusal(request, ST_FAILURE, _named(number, len(request.content_blocks), error)) from error
    return Pushed(package, getattr(block, "message", None))


def _named(number: int, of: int, error: ContentError) -> str:
    reason = error.message if len(error.message) <= MAX_REASON else error.message[:MAX_REASON] + "…"
    return f"Content block {number} of {of} is refused, and with it the whole message: {reason}"


def _cut_out(block: Any, max_bytes: int) -> Package:
    from pulsegate.stix import receive_content  # noqa: PLC0415 - python-stix takes 30 MB, which no poll needs

    return receive_content(block._content, max_bytes)  # noqa: SLF001 - what is public is a rendering of it


def _refusal(
    request: Any, status: str, reason: str, details: Mapping[str, Sequence[Any]] | None = None
) -> StatusMessageException:
    log.warning("inbox.refused", account=context.account.username, status=status, reason=reason)
    answer = http_request.headers.get(HTTP_X_TAXII_ACCEPT) or request.version
    return StatusMessageException(
        status,
        message=reason,
        in_response_to=request.message_id,
        status_details=dict(details) if details and answer == VID_TAXII_XML_11 else None,  # 1.0 has no named details
    )


def _summary(given: Mapping[str, Sequence[Any]], blocks: int) -> str:
    if not given:
        return "There was no content block in the message"
    told = (f"{name}: {len(labels)} new, {blocks - len(labels)} there already" for name, labels in given.items())
    return "; ".join(told)

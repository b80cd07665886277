"""The poll: a window that the ledger vouches for, streamed from the database, whole or in parts that stay the same."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any, NoReturn, Self

import libtaxii.messages_10 as tm10
import libtaxii.messages_11 as tm11
import structlog
from flask import request as http
from libtaxii.constants import (
    MSG_POLL_FULFILLMENT_REQUEST,
    MSG_POLL_REQUEST,
    RT_COUNT_ONLY,
    SD_ESTIMATED_WAIT,
    SD_ITEM,
    SD_SUPPORTED_CONTENT,
    SS_ACTIVE,
    ST_DENIED,
    ST_INVALID_RESPONSE_PART,
    ST_NOT_FOUND,
    ST_RETRY,
    ST_UNSUPPORTED_CONTENT_BINDING,
    ST_UNSUPPORTED_QUERY,
    VID_TAXII_XML_11,
)
from opentaxii.local import context
from opentaxii.taxii.exceptions import FailureStatus, StatusMessageException
from opentaxii.taxii.services import PollService
from opentaxii.taxii.services.handlers.base_handlers import BaseMessageHandler

from pulsegate.errors import ConversionError, OutdatedRevisionError
from pulsegate.store.collections import STIX_BINDING
from pulsegate.store.versions import FIRST, LAST, Measure, Version, Window
from pulsegate.taxii.answer import BINDINGS, STIX_111, PollAnswer, Sent, as_older
from pulsegate.taxii.edge import REQUEST_ID
from pulsegate.taxii.messages import AnyMessage
from pulsegate.taxii.parts import Result, microseconds
from pulsegate.taxii.persistence import Feed, Label
from pulsegate.taxii.poll_log import PollRecord

log = structlog.get_logger(__name__)

MAX_PART = 2**31 - 1


@dataclass(frozen=True, slots=True)
class _Reading:
    """What is answered: a feed, a window of it, and in which form."""

    feed: Feed
    window: Window
    older: bool = False  # 1.2 packages as 1.1.1
    count_only: bool = False
    subscription: str | None = None
    part: int = 1
    size: int = 0  # blocks in a part; 0: all in one
    result_id: str | None = None

    @property
    def span(self) -> tuple[int, int | None]:
        """Offset and limit of the part."""
        return ((self.part - 1) * self.size, self.size) if self.size else (0, None)


class PollHandler(BaseMessageHandler):  # type: ignore[misc]  # OpenTAXII is not typed
    """Answers Poll_Requests, 1.0 and 1.1 (TAXII 1.1 Services, section 3.4)."""

    supported_request_messages = [tm10.PollRequest, tm11.PollRequest]  # noqa: RUF012 - OpenTAXII's attribute

    @classmethod
    def handle_message(cls, service: Any, request: Any) -> Any:
        name = request.collection_name if request.version == VID_TAXII_XML_11 else request.feed_name
        begin = _instant(request.exclusive_begin_timestamp_label)
        with _Log(service, name, begin) as log:
            feed = _feed(service, name, request)
            asked, count_only = _asked_for(service, feed, request)
            older, binding = _form(feed, asked, request)
            _refuse_unopened(service, feed, request)
            end, revision = _end(service, feed.name, request, begin)
            window = Window(feed.id, begin, end, revision, binding)
            size = feed.blocks_per_part if request.version == VID_TAXII_XML_11 else 0  # 1.0 knows no parts
            reading = _Reading(feed, window, older, count_only, request.subscription_id, size=size)
            return _answer(service, request, reading, log)


class FulfilmentHandler(BaseMessageHandler):  # type: ignore[misc]  # OpenTAXII is not typed
    """Answers Poll_Fulfillment requests (section 3.5): a part of the same reading, whatever was published since."""

    supported_request_messages = [tm11.PollFulfillmentRequest]  # noqa: RUF012 - OpenTAXII's attribute

    @classmethod
    def handle_message(cls, service: Any, request: Any) -> Any:
        with _Log(service, request.collection_name, None) as log:
            feed = _feed(service, request.collection_name, request)
            result = _result(service, feed, request)
            part = _part(request)
            begin, end = result.window
            log.window(begin, end)
            window = Window(feed.id, begin, Label.of(end), result.revision, result.binding)
            reading = _Reading(
                feed, window, result.older, False, result.subscription, part, result.size, request.result_id
            )
            return _answer(service, request, reading, log)


def _feed(service: Any, name: str, request: Any) -> Feed:
    """NOT_FOUND too where the account may not read: that it exists is nobody else's business."""
    feed: Feed | None = service.get_collection(name)
    if feed is None:
        message = f"There is no collection {name!r} that this account may read; ask for the list of collections"
        _refuse(request, ST_NOT_FOUND, message, {SD_ITEM: name})
    if not feed.available:
        raise FailureStatus(f"The collection {name!r} is not available", in_response_to=request.message_id)
    return feed


def _asked_for(service: Any, feed: Feed, request: Any) -> tuple[list[str], bool]:
    """The content bindings asked for, by the subscription or the request itself; and whether only their number is."""
    if request.subscription_id:
        found = service.get_subscription(request.subscription_id)
        if found is None or found.collection_id != feed.id:
            message = "There is no such subscription to this collection; subscribe again, or poll without one"
            _refuse(request, ST_NOT_FOUND, message, {SD_ITEM: request.subscription_id})
        if found.status != SS_ACTIVE:
            message = f"The subscription is {found.status.lower()}; resume it or subscribe again"
            _refuse(request, ST_DENIED, message)
        params = found.params
        return [one.binding for one in params.content_bindings or ()], params.response_type == RT_COUNT_ONLY
    if request.version != VID_TAXII_XML_11:
        return list(request.content_bindings), False
    params = request.poll_parameters
    if params is None:
        return [], False
    if params.query is not None:
        _refuse(request, ST_UNSUPPORTED_QUERY, "Queries are not supported; poll without one")
    return [one.binding_id for one in params.content_bindings], params.response_type == RT_COUNT_ONLY


def _form(feed: Feed, asked: list[str], request: Any) -> tuple[bool, str | None]:
    """Whether 1.2 packages are sent as 1.1.1; and the only binding that is read, where not everything is."""
    known = [one for one in BINDINGS if one in asked]
    if asked and not known:
        new = request.version == VID_TAXII_XML_11
        supported = [tm11.ContentBinding(one) if new else one for one in BINDINGS]
        message = f"This collection is served as {' or '.join(BINDINGS)}"
        _refuse(request, ST_UNSUPPORTED_CONTENT_BINDING, message, {SD_SUPPORTED_CONTENT: supported})
    only_newer = known == [STIX_BINDING] and not feed.is_ours
    return known == [STIX_111], STIX_BINDING if only_newer else None


def _refuse_unopened(service: Any, feed: Feed, request: Any) -> None:
    """A poll in the middle of the first backfill would make its client miss the labels that are still to come."""
    left: timedelta | None = service.server.persistence.api.opening(feed)
    if left is not None:
        wait = max(1, min(30, int(left.total_seconds())))
        message = "The collection is being filled for the first time; poll again in a moment"
        _refuse(request, ST_RETRY, message, {SD_ESTIMATED_WAIT: wait})


def _instant(label: datetime | None) -> datetime | None:
    """A label of a request in UTC; one that no calendar has there is the first or the last that has a day."""
    if label is None:
        return None
    try:
        return label.astimezone(UTC)
    except OverflowError:
        return FIRST if label.year == 1 else LAST


def _end(service: Any, collection: str, request: Any, begin: datetime | None) -> tuple[Label, int]:
    """The inclusive end that is answered, and the revision to read at."""
    api = service.server.persistence.api
    end = _instant(request.inclusive_end_timestamp_label)
    if begin is not None and end is not None and begin > end:
        raise FailureStatus(
            f"The window begins ({begin.isoformat()}) after it ends ({end.isoformat()})",
            in_response_to=request.message_id,
        )
    answer, revision = api.answered_end(collection, end)
    if begin is None or begin <= answer:
        return answer, revision
    if begin > api.latest_begin():
        raise FailureStatus(
            f"The window begins in the future ({begin.isoformat()}); check the clock of the client",
            in_response_to=request.message_id,
        )
    found: tuple[Label, int] = api.answered_end(collection, begin)  # a client that runs ahead, and names no end
    return found


def _result(service: Any, feed: Feed, request: Any) -> Result:
    result: Result | None = service.server.persistence.api.signer.read(request.result_id)
    mine = result is not None and (result.account, result.collection) == (context.account.id, feed.id)
    if result is None or not mine:
        message = "This server gave no such result to this account for this collection; poll again"
        _refuse(request, ST_NOT_FOUND, message, {SD_ITEM: request.result_id})
    if result.is_over:
        _outdated(request)
    return result


def _outdated(request: Any) -> NoReturn:
    _refuse(request, ST_NOT_FOUND, "The result is no longer kept; poll again, from the same begin")


def _part(request: Any) -> int:
    number = int(request.result_part_number)
    if number < 1:
        _refuse(request, ST_INVALID_RESPONSE_PART, "The parts of a result are numbered from 1")
    return min(number, MAX_PART)


def _answer(service: Any, request: Any, reading: _Reading, log: _Log) -> PollAnswer:
    api = service.server.persistence.api
    offset, limit = reading.span
    try:
        whole: Measure = api.measure(reading.window)
        is_all = offset == 0 and (limit is None or whole.blocks <= limit)
        here = whole if is_all else api.measure(reading.window, offset, limit)  # cabby asks until a part is empty
        blocks = _begun(api.read(reading.window, offset, limit)) if here.blocks and not reading.count_only else ()
    except OutdatedRevisionError:
        _outdated(request)
    older = reading.older
    if older and not reading.feed.is_ours:
        blocks, older = _valid_older(blocks), False
    more = limit is not None and offset + limit < whole.blocks and not reading.count_only
    if more and reading.result_id is None:
        reading = replace(reading, result_id=_signed(api, reading))
    if request.version == VID_TAXII_XML_11:
        message = _response_11(service, request, reading, whole, more=more)
    else:
        message = _response_10(service, request, reading)
    counted = reading.count_only or not here.blocks
    measure = Measure(0, 0, 0) if counted else here if reading.feed.is_ours else None
    return PollAnswer(message, blocks, older, measure, on_end=log.answered(reading))


def _valid_older(blocks: Iterable[Version]) -> Iterator[Version]:
    """What others pushed, as STIX 1.1.1; a 1.2 package that uses what only 1.2 has can't be had in that form."""
    from pulsegate.stix import check  # noqa: PLC0415 - python-stix takes 30 MB, which few polls need

    for one in blocks:
        content, binding = as_older(one)
        try:
            if binding != one.binding:
                check(content, "1.1.1")
        except ConversionError as error:
            log.warning("poll.block_left_out", block=one.id, reason=str(error))
        else:
            yield replace(one, content=content, binding=binding)


def _begun(blocks: Iterator[Version]) -> Iterator[Version]:
    """The same, with the first chunk read already: what can still be refused is refused."""
    first = next(blocks, None)
    return iter(()) if first is None else chain((first,), blocks)


def _signed(api: Any, reading: _Reading) -> str:
    window = reading.window
    assert window.end is not None
    result = Result(
        account=context.account.id,
        collection=window.collection_id,
        begin=None if window.begin is None else microseconds(window.begin),
        end=microseconds(window.end),
        revision=window.revision,
        size=reading.size,
        older=reading.older,
        binding=window.binding,
        subscription=reading.subscription,
        expires=int(time.time() + api.results_kept.total_seconds()),
    )
    return str(api.signer.sign(result))


def _response_11(service: Any, request: Any, reading: _Reading, whole: Measure, *, more: bool) -> Any:
    begin = reading.window.begin
    return tm11.PollResponse(
        message_id=service.generate_id(),
        in_response_to=request.message_id,
        collection_name=reading.feed.name,
        exclusive_begin_timestamp_label=None if begin is None else Label.of(begin),
        inclusive_end_timestamp_label=reading.window.end,
        subscription_id=reading.subscription,
        more=more,
        result_id=reading.result_id,
        result_part_number=reading.part,
        record_count=tm11.RecordCount(whole.blocks, False),
    )


def _response_10(service: Any, request: Any, reading: _Reading) -> Any:
    begin = reading.window.begin
    return tm10.PollResponse(
        message_id=service.generate_id(),
        in_response_to=request.message_id,
        feed_name=reading.feed.name,
        inclusive_begin_timestamp_label=None if begin is None else Label.of(begin),
        inclusive_end_timestamp_label=reading.window.end,
        subscription_id=reading.subscription,
    )


def _refuse(request: Any, status: str, message: str, details: dict[str, Any] | None = None) -> NoReturn:
    """A Status_Message. In 1.0 its detail is a text, and it knows fewer types."""
    if request.version != VID_TAXII_XML_11:
        found = next((value for key, value in (details or {}).items() if key in (SD_ITEM, SD_SUPPORTED_CONTENT)), None)
        text = " ".join(found) if isinstance(found, list) else found
        raise StatusMessageException(status, message=message, in_response_to=request.message_id, status_details=text)
    raise StatusMessageException(status, message=message, in_response_to=request.message_id, status_details=details)


class _Log:
    """The record of one poll: written when it is refused, or when its answer has ended."""

    def __init__(self, service: Any, collection: str, begin: datetime | None) -> None:
        self._api = service.server.persistence.api
        self._start = time.monotonic()
        self._record = PollRecord(
            time=datetime.now().astimezone(),
            account=context.account.username,
            address=http.remote_addr or "",
            agent=http.headers.get("User-Agent", ""),
            collection=collection,
            begin=begin,
            end=None,
            part=None,
            blocks=0,
            indicators=0,
            bytes=0,
            seconds=0.0,
            outcome="",
            request=http.environ.get(REQUEST_ID),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if error is None:
            return
        refused = isinstance(error, StatusMessageException)
        self._add(
            outcome=error.status_type if refused else "failed",  # type: ignore[attr-defined]
            detail=error.message if refused else type(error).__name__,  # type: ignore[attr-defined]
        )

    def window(self, begin: datetime | None, end: datetime | None) -> None:
        self._record = replace(self._record, begin=begin, end=end)

    def answered(self, reading: _Reading) -> Any:
        """What a PollAnswer calls at its end."""
        part = reading.part if reading.size else None
        self._record = replace(self._record, begin=reading.window.begin, end=reading.window.end, part=part)

        def on_end(sent: Sent) -> None:
            outcome = "cut" if not sent.whole else "counted" if reading.count_only else "answered"
            self._add(blocks=sent.blocks, indicators=sent.indicators, bytes=sent.bytes, outcome=outcome)

        return on_end

    def _add(self, **fields: Any) -> None:
        seconds = time.monotonic() - self._start
        self._api.poll_log.add(replace(self._record, seconds=seconds, **fields))


class StreamedPollService(AnyMessage, PollService):  # type: ignore[misc]  # OpenTAXII is not typed
    """The poll service with our handlers."""

    handlers = {  # noqa: RUF012 - OpenTAXII's attribute
        MSG_POLL_REQUEST: PollHandler,
        MSG_POLL_FULFILLMENT_REQUEST: FulfilmentHandler,
    }

"""The client of another TAXII 1.1 server: cabby's, which finds the poll service and reads answers as they come."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urljoin, urlsplit

import requests
import urllib3
from cabby import Client11
from cabby.client11 import tm11
from cabby.dispatcher import get_taxii_session, request_stream
from cabby.exceptions import ClientException, UnsuccessfulStatusError
from lxml import etree
from requests.auth import HTTPBasicAuth

from pulsegate.errors import (
    OTXError,
    UnavailableError,
    UpstreamError,
    UpstreamRateLimitedError,
    UpstreamUnavailableError,
)
from pulsegate.otx.checks import checked_ca_file, checked_proxy
from pulsegate.otx.failures import from_exception
from pulsegate.otx.transport import origin
from pulsegate.sync.upstream_answer import SHOWN, PollResponse, Sent, from_status, shortly
from pulsegate.sync.upstream_session import (
    MAX_ANSWER,
    PATIENCE,
    SEGMENT_HINT,
    URL_HINT,
    BoundedSession,
    Meter,
)

FRAME = 4  # times max_block: what is read of a block that is too large, so that it is told and passed over
WAIT_HINT = "What is stored goes on being served; check its address and the network, or wait and pull again"
_FAULTS = (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, zlib.error, OSError)
# What cabby and libtaxii raise for a message that lacks something, or has something else in its place.
_NO_MESSAGE = (etree.LxmlError, ClientException, ValueError, TypeError, AttributeError, LookupError, RuntimeError)


class Result:
    """The blocks of one poll, in all of its parts, read as they come.

    ``end``: the label that it reaches to, and ``count``: how many blocks it has, are known at its end, if told.

    Going over it raises UpstreamUnavailableError (no connection, time-out, broken off, FAILURE, 5xx),
    UpstreamRateLimitedError (RETRY, 429), UpstreamTooLargeError, or UpstreamError for what waiting doesn't mend.
    """

    def __init__(self, blocks: Callable[[Result], Iterator[Sent]]) -> None:
        self.end: datetime | None = None
        self.count: int | None = None
        self._blocks = blocks

    def __iter__(self) -> Iterator[Sent]:
        return self._blocks(self)


class UpstreamClient(Client11):  # type: ignore[misc]  # cabby is not typed
    """One collection of one server. For one thread at a time; close it, or use it as a context manager.

    ``url`` is the address of its poll service, or of its discovery service. ``timeout`` is (seconds to connect, seconds
    of silence while reading); ``max_block`` the largest package that is taken, in bytes.
    """

    def __init__(
        self,
        url: str,
        collection: str,
        *,
        username: str | None = None,
        password: str | None = None,
        timeout: tuple[float, float] = (10.0, 60.0),
        proxy: str | None = None,
        ca_file: Path | None = None,
        max_block: int = 5_000_000,
        max_answer: int = MAX_ANSWER,
        patience: float = PATIENCE,
    ) -> None:
        super().__init__(timeout=timeout)
        self.url, self.collection = url, collection
        self._secret = password or ""
        self._poll_address: str | None = None
        self._meter = Meter(max_answer, FRAME * max_block, patience)
        with _our_words(url):
            self._session = BoundedSession(self._meter, checked_ca_file(ca_file), checked_proxy(proxy))
        if username is not None:
            self._session.auth = HTTPBasicAuth(username.encode(), (password or "").encode())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections."""
        self._session.drop()
        self._session.close()

    def prepare_generic_session(self) -> BoundedSession:
        """Cabby's hook: one session for all requests, in place of a new one for each."""
        return self._session

    def window(self, begin: datetime | None, end: datetime | None) -> Result:
        """What the collection has after ``begin`` and up to ``end``; None: from its beginning, up to now."""
        return Result(lambda result: self._all(result, begin, end))

    def _all(self, result: Result, begin: datetime | None, end: datetime | None) -> Iterator[Sent]:
        self._meter.begin()
        with self._telling():
            address = self._address()
            request = self._prepare_poll_request(self.collection, begin_date=begin, end_date=end)
            last = yield from self._answer(request, address)
            result.end, result.count = last.end, last.count
            yield from self._parts(address, last)
            self._session.drop()

    def _parts(self, address: str, last: PollResponse) -> Iterator[Sent]:
        """The parts after the first one: by number, as long as each says that there are more."""
        number = last.part
        while last.has_more:
            number += 1
            if not last.result_id:
                raise UpstreamError("it says that more parts follow, but not by which result_id they are had")
            request = tm11.PollFulfillmentRequest(
                message_id=self._generate_id(),
                collection_name=self.collection,
                result_id=last.result_id,
                result_part_number=number,
            )
            last = yield from self._answer(request, address)
            if last.has_more and not last.blocks:
                raise UpstreamError(f"part {number} of its result is empty, but it says that more follow")

    def _answer(self, request: Any, address: str) -> Generator[Sent, None, PollResponse]:
        """What comes for a request: cabby asks, the answer is read here.

        cabby stops at the first block that lacks something, and can't be told to go on.
        """
        session = get_taxii_session(self._session, urlsplit(address).scheme, message_binding=self.taxii_binding)
        body, _ = request_stream(session, address, request.to_xml(), self.timeout)
        response = PollResponse(body)
        for one in response:
            self._meter.mark()
            yield one
        return response

    def _address(self) -> str:
        """Of the poll service: as the discovery service tells it, or ``url`` itself, where that is no such service."""
        if self._poll_address is None:
            self._poll_address = self._discovered() or self.url
        return self._poll_address

    def _discovered(self) -> str | None:
        try:
            services = self.discover_services(uri=self.url, cache=False)
        except UnsuccessfulStatusError as error:
            if error.status in ("UNAUTHORIZED", "DENIED", "RETRY"):
                raise
            return None
        except _NO_MESSAGE:
            return None
        found = [one.address for one in services if one.type == "POLL" and one.available is not False]
        if not found:
            raise UpstreamError("its discovery service names no poll service", hint=URL_HINT)
        address: str = urljoin(self.url, found[0])
        if origin(address) != origin(self.url):
            raise UpstreamError(
                f"its discovery service names a poll service at another address, {address[:SHOWN]!r}; not followed, "
                "as the password would go there",
                hint=URL_HINT,
            )
        return address

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Errors say of which server they are and what to do, without the password."""
        try:
            with _our_words(self.url):
                yield
        except UpstreamError as error:
            self._session.drop()
            error.resource = f"{self.collection} of {self.url}"
            if isinstance(error, UpstreamUnavailableError) and not isinstance(error, UpstreamRateLimitedError):
                error.hint = error.hint or WAIT_HINT
            if self._secret:
                error.message = error.message.replace(self._secret, "…")
            if isinstance(error, UpstreamRateLimitedError) and error.retry_after is None:
                error.retry_after = self._session.wait
            error.args = (error.message,)
            raise


@contextmanager
def _our_words(url: str) -> Iterator[None]:
    """Whatever is raised by cabby and what is below it, as an UpstreamError."""
    started = time.monotonic()
    try:
        yield
    except UpstreamError:
        raise
    except UnsuccessfulStatusError as error:
        raise from_status(error.status, error.raw.message, error.raw.status_detail.get("ESTIMATED_WAIT")) from error
    except OTXError as error:  # what is checked and told in the same way of OTX
        raise _reworded(error) from error
    except _FAULTS as error:
        raise _reworded(from_exception(url, error, seconds=time.monotonic() - started)) from error
    except _NO_MESSAGE as error:
        raise UpstreamError(f"its answer can't be read: {shortly(str(error))}", hint=SEGMENT_HINT) from error


def _reworded(error: OTXError) -> UpstreamError:
    kind = UpstreamUnavailableError if isinstance(error, UnavailableError) else UpstreamError
    resource, hint = reworded_hint(error.resource or ""), reworded_hint(error.hint or "")
    return kind(reworded(error.message), resource=resource or None, hint=hint or None)


def reworded(message: str) -> str:
    """What is said of OTX, of an upstream."""
    return message.replace("OTX's", "its").replace("OTX", "it")


def reworded_hint(hint: str) -> str:
    return hint.replace("otx.", "the upstream's ").replace("a private OTX", "the server")

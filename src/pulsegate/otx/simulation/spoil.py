"""How each misbehaviour answers: badly, or well after something happened."""

from __future__ import annotations

import gzip
import json
import math
import random
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from pulsegate.otx.simulation.answer import Answer, Request, json_answer, refusal
from pulsegate.otx.simulation.api import API, ASKS_FOR_KEY, Closed, limit_of, page_of
from pulsegate.otx.simulation.misbehaviour import MODIFIED, Misbehaviour, Trouble

_GZIP = (("Content-Encoding", "gzip"),)
_BLOCK = b" " * 65_536
# Rows that are no pulses, of every sort.
_NO_PULSES: tuple[Any, ...] = (None, "text", {"id": "no-id", "name": "x"}, {}, 17, [], {"id": f"{0:024x}"})


Otx = API | Closed  # what answers well


def spoil(trouble: Trouble, request: Request, otx: Otx) -> Answer:
    """The bad answer to a ``request`` that ``trouble`` strikes."""
    return _SPOILERS[trouble.kind](trouble, request, otx)


Spoiler = Callable[[Trouble, Request, Otx], Answer]
Change = Callable[[Trouble, dict[str, Any], Request, Otx], dict[str, Any]]


def _error_page(status: int, title: str) -> Answer:
    body = f"<html><head><title>{status} {title}</title></head><body><h1>{status} {title}</h1></body></html>\n"
    return Answer(status, body.encode(), "text/html")


def _rate_limit(trouble: Trouble, _request: Request, _otx: Otx) -> Answer:
    headers = () if trouble.retry_after is None else (("Retry-After", trouble.retry_after),)
    return replace(refusal(429, "Request was throttled."), headers=headers)


def _empty_page(_trouble: Trouble, _request: Request, _otx: Otx) -> Answer:
    return json_answer({"count": 0, "next": None, "previous": None, "results": []})


def _redirect(trouble: Trouble, request: Request, _otx: Otx) -> Answer:
    return Answer(302, b"", "text/html", (("Location", f"{trouble.host}/api/v1{request.path}"),))


def _gzip_bomb(trouble: Trouble, request: Request, otx: Otx) -> Answer:
    answer = otx.answer(request)
    return replace(answer, body=b"".join(_bomb(answer.body, trouble.size)), encoded=True, headers=_GZIP)


def _bomb(body: bytes, size: int) -> Iterator[bytes]:
    packer = zlib.compressobj(1, wbits=16 + zlib.MAX_WBITS)
    yield packer.compress(body)
    for start in range(0, size, len(_BLOCK)):
        yield packer.compress(_BLOCK[: size - start])
    yield packer.flush()


def _broken_gzip(_trouble: Trouble, request: Request, otx: Otx) -> Answer:
    """Compressed, with its second half replaced by noise (the same each time)."""
    answer = otx.answer(request)
    packed = gzip.compress(answer.body)
    noise = random.Random(0).randbytes(len(packed) - len(packed) // 2)  # noqa: S311 - no secret
    return replace(answer, body=packed[: len(packed) // 2] + noise, encoded=True, headers=_GZIP)


def _changed(change: Change, trouble: Trouble, request: Request, otx: Otx) -> Answer:
    """The good page with something changed in it; what is no page stays as it is."""
    answer = otx.answer(request)
    page = json.loads(answer.body)
    if not isinstance(page, dict) or "results" not in page:
        return answer
    return replace(answer, body=json.dumps(change(trouble, page, request, otx)).encode())


def _foreign_next(trouble: Trouble, page: dict[str, Any], request: Request, _otx: Otx) -> dict[str, Any]:
    return {**page, "next": f"{trouble.host}/api/v1{request.path}?page=2"}


def _wrong_count(trouble: Trouble, page: dict[str, Any], _request: Request, _otx: Otx) -> dict[str, Any]:
    return {**page, "count": max(page["count"] + trouble.off, 0)}


def _no_count(_trouble: Trouble, page: dict[str, Any], _request: Request, _otx: Otx) -> dict[str, Any]:
    return {key: value for key, value in page.items() if key != "count"}


def _unreadable(_trouble: Trouble, page: dict[str, Any], _request: Request, _otx: Otx) -> dict[str, Any]:
    """Another sort of garbage after each row, and at the end the sorts that didn't have their turn."""
    rows: list[Any] = []
    for number, row in enumerate(page["results"]):
        rows += [row, _NO_PULSES[number % len(_NO_PULSES)]]
    return {**page, "results": [*rows, *_NO_PULSES[len(page["results"]) :]]}


def _duplicates(_trouble: Trouble, page: dict[str, Any], request: Request, otx: Otx) -> dict[str, Any]:
    before = replace(request, query={**request.query, "page": str(page_of(request) - 1)})
    return {**page, "results": [*json.loads(otx.answer(before).body)["results"][-1:], *page["results"]]}


def _shift(trouble: Trouble, request: Request, otx: Otx) -> Answer:
    """A good page, after the rows moved: up, so that some are never sent, or down, so that some are sent twice."""
    if isinstance(otx, API):
        listing = otx.listing(request)
        sent = limit_of(request) * (page_of(request) - 1)
        if trouble.which == MODIFIED:
            for entry in listing[sent:][-trouble.many :]:
                otx.feed.touch(entry.id)
        else:
            for entry in listing[:sent][-trouble.many :]:
                otx.feed.delete(entry.id)
    return otx.answer(request)


def _short_ids(trouble: Trouble, page: dict[str, Any], request: Request, otx: Otx) -> dict[str, Any]:
    everything = replace(request, query={"limit": str(max(page["count"], 1)), "page": "1"})
    ids = json.loads(otx.answer(everything).body)["results"]
    kept = ids[: len(ids) - max(math.ceil(len(ids) * trouble.share), 1)] if ids else ids
    end = limit_of(request) * page_of(request)
    shown = kept[end - limit_of(request) : end]
    return {**page, "count": len(kept), "next": page["next"] if end < len(kept) else None, "results": shown}


_SPOILERS: dict[Misbehaviour, Spoiler] = {
    Misbehaviour.INTERNAL_ERROR: lambda _t, _r, _o: refusal(500, "Internal server error"),
    Misbehaviour.BAD_GATEWAY: lambda _t, _r, _o: _error_page(502, "Bad Gateway"),
    Misbehaviour.UNAVAILABLE: lambda _t, _r, _o: _error_page(503, "Service Unavailable"),
    Misbehaviour.GATEWAY_TIMEOUT: lambda _t, _r, _o: _error_page(504, "Gateway Time-out"),
    Misbehaviour.TOO_SLOW: lambda _t, _r, _o: _error_page(504, "Gateway Time-out"),
    Misbehaviour.RATE_LIMIT: _rate_limit,
    Misbehaviour.ASKS_FOR_KEY: lambda _t, _r, _o: refusal(429, ASKS_FOR_KEY),
    Misbehaviour.SILENCE: lambda t, _r, _o: Answer(200, b"", silence=t.seconds),
    Misbehaviour.DRIP: lambda t, r, o: replace(o.answer(r), rate=t.rate, encoded=True),
    Misbehaviour.CUT: lambda _t, r, o: replace(o.answer(r), cut=True),
    Misbehaviour.HTML: lambda _t, _r, _o: _error_page(200, "Welcome"),
    Misbehaviour.EMPTY_PAGE: _empty_page,
    Misbehaviour.EMPTY_BODY: lambda _t, _r, _o: Answer(200, b""),
    Misbehaviour.NO_RESULTS: lambda _t, _r, _o: json_answer({"detail": "Something else"}),
    Misbehaviour.NOT_AN_OBJECT: lambda _t, _r, _o: json_answer([1, 2, 3]),
    Misbehaviour.FOREIGN_NEXT: partial(_changed, _foreign_next),
    Misbehaviour.REDIRECT: _redirect,
    Misbehaviour.HUGE_BODY: lambda t, r, o: replace(o.answer(r), padding=t.size, encoded=True),
    Misbehaviour.GZIP_BOMB: _gzip_bomb,
    Misbehaviour.BROKEN_GZIP: _broken_gzip,
    Misbehaviour.WRONG_COUNT: partial(_changed, _wrong_count),
    Misbehaviour.NO_COUNT: partial(_changed, _no_count),
    Misbehaviour.UNREADABLE: partial(_changed, _unreadable),
    Misbehaviour.DUPLICATES: partial(_changed, _duplicates),
    Misbehaviour.SHIFT: _shift,
    Misbehaviour.SHORT_IDS: partial(_changed, _short_ids),
    Misbehaviour.EMPTY_IDS: _empty_page,
}

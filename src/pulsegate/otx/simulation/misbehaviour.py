"""What OTX, and what stands before it, was seen to do wrong: each turns a good answer into a bad one."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from pulsegate.otx.simulation.answer import Answer, Request, json_answer, refusal


class Misbehaviour(StrEnum):
    """The kinds of trouble."""

    INTERNAL_ERROR = "internal error"  # 500
    BAD_GATEWAY = "bad gateway"  # 502, HTML
    UNAVAILABLE = "unavailable"  # 503, HTML
    GATEWAY_TIMEOUT = "gateway time-out"  # 504, HTML: what large subscriptions get for hours
    RATE_LIMIT = "rate limit"  # 429 with Retry-After
    ASKS_FOR_KEY = "asks for key"  # 429 that means: please authenticate
    SILENCE = "silence"  # no answer at all
    CUT = "cut"  # the connection ends in mid body
    HTML = "html"  # 200 with an HTML page
    EMPTY_PAGE = "empty page"  # 200, no results, count 0
    EMPTY_BODY = "empty body"  # 200, nothing
    NO_RESULTS = "no results"  # 200, an object that is no page
    NOT_AN_OBJECT = "not an object"  # 200, a JSON list
    FOREIGN_NEXT = "foreign next"  # a good page whose `next` names another host
    REDIRECT = "redirect"  # 302 to another host
    HUGE_BODY = "huge body"  # a good page with so many bytes more
    BROKEN_GZIP = "broken gzip"  # a compressed body, damaged


@dataclass(slots=True)
class Trouble:
    """One misbehaviour: which requests it strikes, how often, and its measures."""

    kind: Misbehaviour
    path: str | None = None  # below /api/v1; None: every path
    page: int | None = None  # None: every page
    times: int | None = None  # None: until told to behave
    retry_after: str | None = "1"  # the header of RATE_LIMIT: seconds or an HTTP date; None: no header
    seconds: float = 30.0  # of SILENCE
    size: int = 64 * 1024 * 1024  # bytes that HUGE_BODY adds
    host: str = "http://198.51.100.1"  # of FOREIGN_NEXT and REDIRECT

    def strikes(self, request: Request) -> bool:
        """Whether ``request`` is one of its own."""
        on_page = self.page is None or request.query.get("page", "1") == str(self.page)
        return self.times != 0 and on_page and self.path in (None, request.path)

    def spoil(self, answer: Answer, request: Request) -> Answer:
        """The bad answer in place of ``answer``."""
        return _SPOILERS[self.kind](self, answer, request)


def _error_page(status: int, title: str) -> Answer:
    body = f"<html><head><title>{status} {title}</title></head><body><h1>{status} {title}</h1></body></html>\n"
    return Answer(status, body.encode(), "text/html")


def _rate_limit(trouble: Trouble, _answer: Answer, _request: Request) -> Answer:
    headers = () if trouble.retry_after is None else (("Retry-After", trouble.retry_after),)
    return replace(refusal(429, "Request was throttled."), headers=headers)


def _empty_page(_trouble: Trouble, _answer: Answer, _request: Request) -> Answer:
    return json_answer({"count": 0, "next": None, "previous": None, "results": []})


def _foreign_next(trouble: Trouble, answer: Answer, request: Request) -> Answer:
    page = json.loads(answer.body)
    return replace(answer, body=json.dumps({**page, "next": f"{trouble.host}/api/v1{request.path}?page=2"}).encode())


def _redirect(trouble: Trouble, _answer: Answer, request: Request) -> Answer:
    return Answer(302, b"", "text/html", (("Location", f"{trouble.host}/api/v1{request.path}"),))


def _huge_body(trouble: Trouble, answer: Answer, _request: Request) -> Answer:
    return replace(answer, body=answer.body + b" " * trouble.size)


def _broken_gzip(_trouble: Trouble, answer: Answer, _request: Request) -> Answer:
    """Compressed, with its second half replaced by noise (the same each time)."""
    packed = gzip.compress(answer.body)
    noise = random.Random(0).randbytes(len(packed) - len(packed) // 2)  # noqa: S311 - no secret
    body = packed[: len(packed) // 2] + noise
    return replace(answer, body=body, encoded=True, headers=(("Content-Encoding", "gzip"),))


_SPOILERS: dict[Misbehaviour, Callable[[Trouble, Answer, Request], Answer]] = {
    Misbehaviour.INTERNAL_ERROR: lambda _t, _a, _r: refusal(500, "Internal server error"),
    Misbehaviour.BAD_GATEWAY: lambda _t, _a, _r: _error_page(502, "Bad Gateway"),
    Misbehaviour.UNAVAILABLE: lambda _t, _a, _r: _error_page(503, "Service Unavailable"),
    Misbehaviour.GATEWAY_TIMEOUT: lambda _t, _a, _r: _error_page(504, "Gateway Time-out"),
    Misbehaviour.RATE_LIMIT: _rate_limit,
    Misbehaviour.ASKS_FOR_KEY: lambda _t, _a, _r: refusal(429, ASKS_FOR_KEY),
    Misbehaviour.SILENCE: lambda t, a, _r: replace(a, silence=t.seconds),
    Misbehaviour.CUT: lambda _t, a, _r: replace(a, cut=True),
    Misbehaviour.HTML: lambda _t, _a, _r: _error_page(200, "Welcome"),
    Misbehaviour.EMPTY_PAGE: _empty_page,
    Misbehaviour.EMPTY_BODY: lambda _t, _a, _r: Answer(200, b""),
    Misbehaviour.NO_RESULTS: lambda _t, _a, _r: json_answer({"detail": "Something else"}),
    Misbehaviour.NOT_AN_OBJECT: lambda _t, _a, _r: json_answer([1, 2, 3]),
    Misbehaviour.FOREIGN_NEXT: _foreign_next,
    Misbehaviour.REDIRECT: _redirect,
    Misbehaviour.HUGE_BODY: _huge_body,
    Misbehaviour.BROKEN_GZIP: _broken_gzip,
}
ASKS_FOR_KEY = "You have exceeded the anonymous rate limit. Please authenticate with an API key."

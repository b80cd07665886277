"""Requests and answers of the local OTX, apart from HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asked, as tests look at it: the key itself isn't kept."""

    path: str  # below /api/v1, such as /pulses/subscribed
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)  # names in lower case
    has_key: bool = False
    base: str = ""  # the address the client used, such as http://127.0.0.1:8080


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    encoded: bool = False  # the body is compressed already, claims to be, or must not be
    cut: bool = False  # the connection ends in the middle of the body
    silence: float = 0.0  # seconds before the connection ends without an answer
    padding: int = 0  # spaces that are sent after the body
    rate: float = 0.0  # bytes a second at which the body is sent; 0: as fast as it goes


def dumped(data: object) -> bytes:
    """``data`` as the JSON that OTX sends."""
    return json.dumps(data).encode()


def json_answer(data: object, status: int = 200) -> Answer:
    """``data`` as OTX sends it."""
    return Answer(status, dumped(data))


def page_answer(
    count: int, following: str | None, previous: str | None, rows: Iterable[bytes], extra: Mapping[str, object]
) -> Answer:
    """A page whose rows are JSON already, so that none is written twice."""
    start = dumped({"count": count, "next": following, "previous": previous, "results": []})[:-2]
    end = dumped({"": 0, **extra})[len('{"": 0') :]
    return Answer(200, b"".join((start, b", ".join(rows), b"]", end)))


def refusal(status: int, detail: str) -> Answer:
    """An error in OTX's words."""
    return json_answer({"detail": detail}, status)

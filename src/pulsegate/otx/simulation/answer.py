"""Requests and answers of the local OTX, apart from HTTP."""

from __future__ import annotations

import json
from collections.abc import Mapping
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
    encoded: bool = False  # the body is compressed already, or claims to be
    cut: bool = False  # the connection ends in the middle of the body
    silence: float = 0.0  # seconds before the connection ends without an answer


def json_answer(data: object, status: int = 200) -> Answer:
    """``data`` as OTX sends it."""
    return Answer(status, json.dumps(data).encode())


def refusal(status: int, detail: str) -> Answer:
    """An error in OTX's words."""
    return json_answer({"detail": detail}, status)

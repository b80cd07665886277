"""Fixed-size keys for values of any length (16 bytes of BLAKE2b), and texts that any database takes."""

from __future__ import annotations

import hashlib

from pulsegate.model.indicator import IndicatorType, identity_of

SIZE = 16


def digest(*parts: str) -> bytes:
    """The key of ``parts``; different splits of the same text give different keys."""
    state = hashlib.blake2b(digest_size=SIZE)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        state.update(len(data).to_bytes(8, "big"))
        state.update(data)
    return state.digest()


def value_key(kind: IndicatorType, value: str) -> bytes:
    """The key of a value in its normal form, in whatever pulse: what ``indicators.identity`` holds."""
    return digest(identity_of(kind, value))


def storable(text: str) -> str:
    """``text`` with what PostgreSQL or UTF-8 can't hold (NUL, lone surrogates) written as an escape."""
    if "\0" not in text and _is_utf8(text):
        return text
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\x00")


def _is_utf8(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True

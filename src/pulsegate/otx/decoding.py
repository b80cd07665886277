"""JSON as OTX's neighbours write it: what is no JSON in one field of one pulse must not cost the whole page.

Python writes NaN and Infinity, hand-made servers leave line ends in strings; neither is JSON (RFC 8259).
"""

from __future__ import annotations

import json

_MOST_DIGITS = 4_300  # Python refuses to read longer integers


def decoded(text: str) -> object:
    """The value that ``text`` is. NaN is a number; an integer that nobody can mean is null.

    ValueError: it is not JSON. RecursionError: it is nested too deep.
    """
    return DECODER.decode(text)


def _integer(digits: str) -> int | None:
    return int(digits) if len(digits) <= _MOST_DIGITS else None


DECODER = json.JSONDecoder(parse_int=_integer, strict=False)

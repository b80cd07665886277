"""The head of a pulse: all of it but its indicators, read from a stream in constant memory."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator

from pulsegate.errors import OTXAnswerError, PulseFormatError
from pulsegate.otx.failures import OTXMissingError, OTXTooLargeError
from pulsegate.otx.jsonstream import JSONStream, TooLongError
from pulsegate.otx.transport import ENCODING

NOT_JSON = "OTX's answer is not JSON"
NOT_AN_OBJECT = "OTX's answer is not a JSON object"


def first_head(pieces: Iterator[bytes], longest: int) -> dict[str, object]:
    """The head of the first pulse in a page, as ``pulse_head`` gives one. Nothing is read after that pulse.

    OTXMissingError: the page has no rows; OTXAnswerError: it is no page.
    """
    return _read(pieces, longest, _first)


def pulse_head(pieces: Iterator[bytes], longest: int) -> dict[str, object]:
    """The head of the pulse that ``pieces`` are the JSON of: its ``indicators``, where it has the member, are null.

    So ``read_pulse`` takes them for not sent, and says that there are more. OTXTooLargeError: what is kept has more
    than ``longest`` characters. PulseFormatError: it is no object. OTXAnswerError: not JSON.
    """
    return _read(pieces, longest, _head)


def _read(
    pieces: Iterator[bytes], longest: int, read: Callable[[JSONStream, int], dict[str, object]]
) -> dict[str, object]:
    try:
        return read(JSONStream(_text(pieces), longest=longest), longest)
    except TooLongError as error:
        raise OTXTooLargeError(f"a part of OTX's answer is too large: {error}") from error
    except (ValueError, RecursionError) as error:
        raise OTXAnswerError(NOT_JSON) from error


def _text(pieces: Iterator[bytes]) -> Callable[[int], str]:
    """What reads characters from ``pieces``: at least as many as are asked for, fewer only at the end."""
    decoder = codecs.getincrementaldecoder(ENCODING)("replace")

    def read(characters: int) -> str:
        parts, size = [], 0
        for piece in pieces:
            parts.append(decoder.decode(piece))
            size += len(parts[-1])
            if size >= characters:
                return "".join(parts)
        return "".join(parts) + decoder.decode(b"", final=True)

    return read


def _first(stream: JSONStream, longest: int) -> dict[str, object]:
    if stream.peek() != "{":
        raise OTXAnswerError(NOT_AN_OBJECT if stream.peek() else NOT_JSON)
    for key in stream.members():
        if key == "results" and stream.peek() == "[":
            for _ in stream.elements():
                return _head(stream, longest)
            raise OTXMissingError("the page is empty")
        stream.skip()
    raise OTXAnswerError("is not a page: it has no list of results")


def _head(stream: JSONStream, longest: int) -> dict[str, object]:
    if stream.peek() != "{":
        raise PulseFormatError("a pulse is a JSON object")
    head: dict[str, object] = {}
    kept = 0
    for key in stream.members():
        start = stream.position
        if key == "indicators":
            stream.skip()
            head[key] = None
            continue
        head[key] = stream.value()
        kept += len(key) + stream.position - start
        if kept > longest:
            raise TooLongError(f"a pulse has more than {longest:,} characters without its indicators")
    return head

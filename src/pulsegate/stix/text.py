"""Text on its way into XML: what may stand in a document, what has to be cut, what has to be quoted."""

from __future__ import annotations

import re

from pulsegate.errors import ConversionError

# Everything outside the Char production of XML 1.0 (section 2.2).
_UNFIT = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_CDATA = "<![CDATA["
_ELLIPSIS = "…"


def text(value: str) -> str:
    """``value`` as python-stix has to get it so that exactly ``value`` is read back.

    Raises ConversionError for a character that XML 1.0 does not have: python-stix would write it straight through.
    """
    unfit = _UNFIT.search(value)
    if unfit:
        raise ConversionError(f"the text holds U+{ord(unfit.group()):04X}, which XML can't carry")
    # python-stix writes a text that opens like a CDATA section without escaping it.
    return cdata(value) if value.startswith(_CDATA) else value


def verbatim(rule: str) -> str:
    """A rule as ``text`` gives a value, but always as CDATA, so that people find it as it is."""
    text(rule)
    return cdata(rule)


def cdata(value: str) -> str:
    """``value`` as one or more CDATA sections; python-stix writes them as they are."""
    return f"{_CDATA}{value.replace(']]>', ']]]]><![CDATA[>')}]]>"


def cut(value: str, limit: int) -> str:
    """``value`` in at most ``limit`` characters, the last one an ellipsis when something was left out."""
    return value if len(value) <= limit else value[: max(limit - 1, 0)].rstrip() + _ELLIPSIS

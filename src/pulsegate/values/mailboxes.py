"""E-mail addresses: the local part as sent, the domain in its normal form.

Sources: RFC 5321 section 4.5.3.1 (lengths), RFC 5322 section 3.4 (display names), RFC 6531 (local parts beyond ASCII).
"""

from __future__ import annotations

import re

from pulsegate.model.indicator import IndicatorType
from pulsegate.values.addresses import address
from pulsegate.values.fault import SEVERAL, WHITE_SPACE, NoValueError, has_white_space, is_glued, limit, show
from pulsegate.values.names import host

_LONGEST_INPUT = 1_024
_LONGEST_LOCAL = 64
_DISPLAYED = re.compile(r"[^<>]*<\s?([^<>]+?)\s?>?")
_LITERAL = re.compile(r"\[(?:IPv6:)?([0-9A-Fa-f:.]+)\]", re.IGNORECASE)
# Dots anywhere: large Japanese providers gave out addresses with two in a row or one before the @.
_LOCAL = re.compile(r"(?:[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]|[^\x00-\xa0\s])+")
_STRANGE = re.compile(r"[^A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]")

WHAT = "not an e-mail address"


def mailbox(text: str) -> str:
    """The normal form of a tidied, re-fanged address; ``Foo <a@b.example>`` and ``mailto:`` are understood.

    Raises NoValueError.
    """
    limit(text, _LONGEST_INPUT, WHAT)
    if (match := _DISPLAYED.fullmatch(text)) and "@" in match[1]:
        text = match[1].strip()
    if text[:7].lower() == "mailto:":
        text = text[7:].partition("?")[0].strip()
    local, at, domain = text.rpartition("@")
    if not at:
        # "gmail.com" here is what is left of somebody's address; as a domain it would stop everybody's mail.
        raise NoValueError(f"{WHAT}: there is no @")
    if is_glued(text, lambda part: "@" in part):
        raise NoValueError(f"{WHAT}: {SEVERAL}")
    return f"{_local(local)}@{_domain(domain)}"


def _local(local: str) -> str:
    if not local:
        raise NoValueError(f"{WHAT}: nothing stands before the @")
    if len(local) > _LONGEST_LOCAL:
        raise NoValueError(f"{WHAT}: more than {_LONGEST_LOCAL} characters before the @")
    if not _LOCAL.fullmatch(local):
        if has_white_space(local):
            raise NoValueError(f"{WHAT}: {WHITE_SPACE}")
        strange = _STRANGE.search(local)
        raise NoValueError(f"{WHAT}: the character {show(strange[0] if strange else local[0])} is not allowed")
    return local


def _domain(domain: str) -> str:
    if not domain:
        raise NoValueError(f"{WHAT}: nothing stands after the @")
    match = _LITERAL.fullmatch(domain)
    if not match:
        return host(domain, WHAT)
    type_, found = address(match[1])
    return f"[IPv6:{found}]" if type_ is IndicatorType.IPV6 else f"[{found}]"

"""Questions about public suffixes, answered from the list that the ``publicsuffixlist`` package carries.

Nothing is fetched. Names are in their normal form (lower case, A-labels, no trailing dot).
"""

from __future__ import annotations

from functools import cache, lru_cache

from publicsuffixlist import PublicSuffixList

_CACHED = 16_384
_LONGEST_LABEL = 63
# Ends that stand in no public suffix list but do occur: RFC 6761/6762/7686/8375, ICANN's "internal", Namecoin, EmerDNS.
_SPECIAL_ENDS = frozenset(
    {"example", "test", "invalid", "localhost", "local", "onion", "internal", "bit", "bazar", "coin", "emc", "lib"},
)


@cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList(accept_unknown=False)


@lru_cache(maxsize=_CACHED)
def is_public_suffix(name: str) -> bool:
    """Whether strangers register names right below it: ``com``, ``co.uk``, ``github.io``. An unlisted end is none."""
    return bool(_suffixes().is_public(name))


def is_single_label(name: str) -> bool:
    """Whether the name has no dot, as names inside a network do: ``localhost``, ``intranet``."""
    return "." not in name


@lru_cache(maxsize=_CACHED)
def registrable(name: str) -> str | None:
    """The name that its owner registered (``www.example.co.uk`` -> ``example.co.uk``); None for a suffix itself.

    Below an end that is not on the list, the two last labels.
    """
    found: str | None = _suffixes().privatesuffix(name, accept_unknown=True)
    return found


def has_known_end(name: str) -> bool:
    """Whether the last of several labels is a top-level domain that exists, no file's extension (``invoice.doc``)."""
    front, _, end = name.rpartition(".")
    return bool(front) and len(end) <= _LONGEST_LABEL and _is_end(end)


@lru_cache(maxsize=_CACHED)
def _is_end(label: str) -> bool:
    return label in _SPECIAL_ENDS or _suffixes().publicsuffix(label) is not None

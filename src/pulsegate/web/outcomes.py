"""How a poll ended, in words, and what to do about it."""

from __future__ import annotations

from pulsegate.store.polls import PollRecord
from pulsegate.web.words import LazyString, later

_WORDS: dict[str, tuple[LazyString, LazyString | None]] = {
    "answered": (later("answered"), None),
    "counted": (later("counted"), None),
    "cut": (
        later("broken off"),
        later(
            "The client went away, or was too slow, before the answer's end. It will ask again; if not, look at its "
            "time-out and at proxies in between."
        ),
    ),
    "failed": (later("failed"), later("Something is broken on this side: the server's log says what.")),
    "UNAUTHORIZED": (
        later("not let in"),
        later(
            "User name or password are wrong, or the account is disabled. Type them in again, or have a new one made."
        ),
    ),
    "NOT_FOUND": (
        later("no such collection"),
        later(
            "There is no collection of that name that the account may read. Compare the name, capitals too, and the "
            "account's rights."
        ),
    ),
    "RETRY": (
        later("told to come back"),
        later("The collection is being filled for the first time. The client asks again by itself."),
    ),
    "DENIED": (later("denied"), later("The account may not do that, or its subscription is paused.")),
    "BAD_MESSAGE": (later("not understood"), later("What it sent is no TAXII message of version 1.0 or 1.1.")),
    "FAILURE": (later("failed"), later("The detail says why. Of a window in the future: look at the client's clock.")),
    "INVALID_RESPONSE_PART": (later("no such part"), later("It asked for a part that this result doesn't have.")),
    "UNSUPPORTED_CONTENT": (later("form not available"), later("It asked for content other than STIX 1.2 or 1.1.1.")),
    "UNSUPPORTED_QUERY": (later("query not available"), later("It sent a query; poll without one.")),
}

OUTCOMES: list[tuple[str, LazyString]] = [(name, words) for name, (words, _) in _WORDS.items()]
FINE = frozenset({"answered", "counted"})
_PASSING = frozenset({"RETRY", "cut"})


def in_words(one: PollRecord) -> tuple[LazyString | str, str]:
    """How it ended, and the state of a badge."""
    words = _WORDS.get(one.outcome, (one.outcome, None))[0]
    if one.outcome in FINE:
        return words, "in"
    return words, "waiting" if one.outcome in _PASSING else "failed"


def advice(one: PollRecord) -> LazyString | None:
    """What to do about it, where something is to be done."""
    return _WORDS.get(one.outcome, (one.outcome, None))[1]

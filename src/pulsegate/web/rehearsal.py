"""The steps of a test of an appliance's connection, in words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from flask_babel import format_decimal

from pulsegate.web.words import LazyString, later


@dataclass(frozen=True, slots=True)
class Shown:
    """``badge``: the state of the macro of that name."""

    title: str
    state: str
    badge: str
    text: str


_BADGES = {"good": "in", "bad": "failed", "doubtful": "waiting"}
_STATES = {
    "good": later("good"), "bad": later("bad"), "doubtful": later("look at it"), "skipped": later("not tested"),
}  # fmt: skip
_TITLES = {
    "name": later("Host name"),
    "connection": later("Connection"),
    "certificate": later("Certificate"),
    "taxii": later("TAXII service"),
    "rights": later("Collections as the account gets them"),
    "account": later("Account"),
    "content": later("What a first poll brings"),
}
_SELF_SIGNED = later(
    "It is of no CA that this machine trusts. If the appliance doesn't either, load the CA's certificate there: "
    "Network > Certificates > Certificate Authorities > Edit Settings > Custom List."
)
_CONTENT = later(
    "Of the last %(days)s days: %(blocks)s blocks with %(used)s indicators that the appliance uses, and "
    "%(ignored)s that it ignores. The whole collection has %(whole)s."
)
_TEXTS: dict[tuple[str, str], LazyString] = {
    ("name", ""): later("%(host)s is %(addresses)s, as this machine resolves it."),
    ("name", "unknown"): later(
        "%(host)s can't be resolved here (%(reason)s). Set 'domain' to a name that your DNS knows.",
    ),
    ("connection", ""): later("%(address)s answers."),
    ("connection", "refused"): later(
        "%(address)s does not answer: %(reason)s. Look at 'host', 'port', and at firewalls in between.",
    ),
    ("certificate", ""): later("It is valid until %(until)s, and of a CA that this machine trusts."),
    ("certificate", "plain"): later("There is none: plain HTTP. The password crosses the network as it is."),
    ("certificate", "self-signed"): _SELF_SIGNED,
    ("certificate", "own-ca"): _SELF_SIGNED,
    ("certificate", "expired"): later("It has expired: the appliance refuses it. Renew it."),
    ("certificate", "not-yet-valid"): later("It is not valid yet: compare the clocks, or wait."),
    ("certificate", "other-name"): later("It is for another host name. Get one for the name that the appliance uses."),
    ("certificate", "invalid"): later("It is refused: %(reason)s."),
    ("certificate", "no-tls"): later("No TLS is spoken there: %(reason)s."),
    ("taxii", "asks-for-password"): later("A TAXII server answers there, and asks for a password."),
    ("taxii", "open"): later("A TAXII server answers there without asking for a password: it may be another one."),
    ("taxii", "not-taxii"): later(
        "What answers there (HTTP %(status)s) is no TAXII server: a proxy may hide the path."
    ),
    ("taxii", "no-answer"): later("No answer came: %(reason)s."),
    ("rights", ""): later(
        "%(account)s is shown %(count)s collections, %(collection)s among them.",
    ),
    ("rights", "not-listed"): later(
        "%(account)s is shown %(count)s collections, and %(collection)s is none of them.",
    ),
    ("rights", "refused"): later(
        "The server does not let %(account)s in: the account is disabled, or another server answers there.",
    ),
    ("rights", "not-sent"): later(
        "The server is asked in the account's name only at the host name of the settings ('domain'), and only with "
        "a certificate of a CA that this machine trusts."
    ),
    ("rights", "no-account"): later("There is no account %(account)s."),
    ("account", ""): later("%(account)s may poll %(collection)s."),
    ("account", "no-account"): later("There is no account %(account)s."),
    ("account", "disabled"): later("%(account)s is disabled: its polls are refused."),
    ("account", "may-not-read"): later("%(account)s may not poll %(collection)s."),
    ("account", "administrator"): later(
        "%(account)s is an administrator. Give the appliance an account that may only poll."
    ),
    ("content", "no-collection"): later("There is no collection %(collection)s."),
    ("content", "not-opened"): later("The collection is being filled for the first time: polls are told to come back."),
    ("content", "nothing"): later(
        "Nothing of the last %(days)s days is anything that the appliance uses: it will say "
        "that 0 observables were fetched.",
    ),
    ("content", "ignores"): _CONTENT,
    ("content", ""): _CONTENT,
}
"""By step and code."""


def shown(steps: Iterable[Mapping[str, Any]]) -> list[Shown]:
    """The steps for people; of one that this version doesn't know the name alone."""
    return [_shown(one) for one in steps]


def _shown(step: Mapping[str, Any]) -> Shown:
    name, state, code = str(step["name"]), str(step["state"]), str(step["code"])
    values = {
        key: format_decimal(value) if isinstance(value, int) else str(value) for key, value in step["values"].items()
    }
    text = _TEXTS.get((name, code))
    said = code if text is None else str(text) % defaultdict(str, values)
    return Shown(str(_TITLES.get(name, name)), str(_STATES.get(state, state)), _BADGES.get(state, "plain"), said)

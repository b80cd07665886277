"""The steps of a test of an appliance's connection, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from flask_babel import format_decimal

from pulsegate.web.words import _


@dataclass(frozen=True, slots=True)
class Shown:
    """``badge``: the state of the macro of that name."""

    title: str
    state: str
    badge: str
    text: str


_BADGES = {"good": "in", "bad": "failed", "doubtful": "waiting"}


def shown(steps: Iterable[Mapping[str, Any]]) -> list[Shown]:
    """The steps for people; of one that this version doesn't know the name alone."""
    return [_shown(one) for one in steps]


def _shown(step: Mapping[str, Any]) -> Shown:
    name, state, code = str(step["name"]), str(step["state"]), str(step["code"])
    values = {
        key: format_decimal(value) if isinstance(value, int) else str(value) for key, value in step["values"].items()
    }
    states = {"good": _("good"), "bad": _("bad"), "doubtful": _("look at it"), "skipped": _("not tested")}
    text = _texts(values).get((name, code), code)
    return Shown(_titles().get(name, name), states.get(state, state), _BADGES.get(state, "plain"), text)


def _titles() -> dict[str, str]:
    return {
        "name": _("Host name"),
        "connection": _("Connection"),
        "certificate": _("Certificate"),
        "taxii": _("TAXII service"),
        "rights": _("Collections as the account gets them"),
        "account": _("Account"),
        "content": _("What a first poll brings"),
    }


def _texts(values: Mapping[str, str]) -> dict[tuple[str, str], str]:
    """By step and code; a value that a text names is always among those of its step."""
    v = _Values(values)
    return {
        ("name", ""): _("%(host)s is %(addresses)s, as this machine resolves it.", **v("host", "addresses")),
        ("name", "unknown"): _(
            "%(host)s can't be resolved here (%(reason)s). Set 'domain' to a name that your DNS knows.",
            **v("host", "reason"),
        ),
        ("connection", ""): _("%(address)s answers.", **v("address")),
        ("connection", "refused"): _(
            "%(address)s does not answer: %(reason)s. Look at 'host', 'port', and at firewalls in between.",
            **v("address", "reason"),
        ),
        ("certificate", ""): _("It is valid until %(until)s, and of a CA that this machine trusts.", **v("until")),
        ("certificate", "plain"): _("There is none: plain HTTP. The password crosses the network as it is."),
        ("certificate", "self-signed"): _self_signed(),
        ("certificate", "own-ca"): _self_signed(),
        ("certificate", "expired"): _("It has expired: the appliance refuses it. Renew it."),
        ("certificate", "not-yet-valid"): _("It is not valid yet: compare the clocks, or wait."),
        ("certificate", "other-name"): _("It is for another host name. Get one for the name that the appliance uses."),
        ("certificate", "invalid"): _("It is refused: %(reason)s.", **v("reason")),
        ("certificate", "no-tls"): _("No TLS is spoken there: %(reason)s.", **v("reason")),
        ("taxii", "asks-for-password"): _("A TAXII server answers there, and asks for a password."),
        ("taxii", "open"): _("A TAXII server answers there without asking for a password: it may be another one."),
        ("taxii", "not-taxii"): _(
            "What answers there (HTTP %(status)s) is no TAXII server: a proxy may hide the path.", **v("status")
        ),
        ("taxii", "no-answer"): _("No answer came: %(reason)s.", **v("reason")),
        ("rights", ""): _(
            "%(account)s is shown %(count)s collections, %(collection)s among them.",
            **v("account", "count", "collection"),
        ),
        ("rights", "not-listed"): _(
            "%(account)s is shown %(count)s collections, and %(collection)s is none of them.",
            **v("account", "count", "collection"),
        ),
        ("rights", "refused"): _(
            "The server does not let %(account)s in: the account is disabled, or another server answers there.",
            **v("account"),
        ),
        ("rights", "not-sent"): _(
            "The server is asked in the account's name only at the host name of the settings ('domain'), and only with "
            "a certificate of a CA that this machine trusts."
        ),
        ("rights", "no-account"): _("There is no account %(account)s.", **v("account")),
        ("account", ""): _("%(account)s may poll %(collection)s.", **v("account", "collection")),
        ("account", "no-account"): _("There is no account %(account)s.", **v("account")),
        ("account", "disabled"): _("%(account)s is disabled: its polls are refused.", **v("account")),
        ("account", "may-not-read"): _("%(account)s may not poll %(collection)s.", **v("account", "collection")),
        ("account", "administrator"): _(
            "%(account)s is an administrator. Give the appliance an account that may only poll.", **v("account")
        ),
        ("content", "no-collection"): _("There is no collection %(collection)s.", **v("collection")),
        ("content", "not-opened"): _("The collection is being filled for the first time: polls are told to come back."),
        ("content", "nothing"): _(
            "Nothing of the last %(days)s days is anything that the appliance uses: it will say "
            "that 0 observables were fetched.",
            **v("days"),
        ),
        ("content", "ignores"): _content(v),
        ("content", ""): _content(v),
    }  # fmt: skip


class _Values:
    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def __call__(self, *names: str) -> dict[str, str]:
        return {name: self._values.get(name, "") for name in names}


def _self_signed() -> str:
    return _(
        "It is of no CA that this machine trusts. If the appliance doesn't either, load the CA's certificate there: "
        "Network > Certificates > Certificate Authorities > Edit Settings > Custom List."
    )


def _content(v: _Values) -> str:
    return _(
        "Of the last %(days)s days: %(blocks)s blocks with %(used)s indicators that the appliance uses, and "
        "%(ignored)s that it ignores. The whole collection has %(whole)s.",
        **v("days", "blocks", "used", "ignored", "whole"),
    )

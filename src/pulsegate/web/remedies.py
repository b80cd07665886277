"""What would change a decision, as the page that does it: explanations name commands and settings."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flask import request, url_for
from werkzeug.urls import iri_to_uri

from pulsegate.model.role import Role
from pulsegate.web import access
from pulsegate.web.said import said
from pulsegate.web.words import _

_OF_COLLECTION = re.compile(r"`([\w.]+)` of collection (.+)")


@dataclass(frozen=True, slots=True)
class Remedy:
    """``text``: what to do; ``address``: the page where it is done, if any; ``command``: the same elsewhere."""

    text: str
    address: str | None = None
    command: str | None = None


def remedy(change: str, kind: str) -> Remedy:
    """Of a value of that type, in its explanation."""
    if change.startswith("pulsegate "):
        words = shlex.split(change)
        make = _BY_COMMAND.get(" ".join(words[1:3]))
        found = make(words[3:], kind) if make else None
        return Remedy(change, None, change) if found is None else Remedy(found.text, found.address, change)
    setting = _OF_COLLECTION.fullmatch(change)
    if setting:
        text = _("the rule %(key)s of the collection %(name)s", key=setting[1], name=setting[2])
        return Remedy(text, page("collections", "named", setting[2]))
    return Remedy(said(change).replace("`", ""))


def page(name: str, *below: str) -> str | None:
    """The address of a page that may be there: of one thing of it, by its name."""
    if not access.may_open(f"{name}.index"):
        return None
    path = "/".join(iri_to_uri(one).replace("/", "%2F") for one in below)
    return f"{request.root_path}/{name}/{path}"


def _curator(endpoint: str, **values: str) -> str | None:
    return url_for(endpoint, **values) if access.may(Role.CURATOR) else None  # type: ignore[arg-type]


def _option(words: list[str], name: str) -> str:
    return words[words.index(name) + 1] if name in words else ""


def _place(words: list[str]) -> str:
    return _option(words, "--collection") or _("all collections")


def _allow(words: list[str], _kind: str) -> Remedy:
    return Remedy(_("put it on the allow list"), _curator("lists_allow.add", entry=words[0], value=words[0]))


def _disallow(words: list[str], _kind: str) -> Remedy:
    text = _("take %(entry)s off the allow list", entry=words[0])
    return Remedy(text, _curator("lists_allow.preview_removal", text=words[0]))


def _force_in(words: list[str], _kind: str) -> Remedy:
    values = {"value": words[0], "way": "in", "collection": _option(words, "--collection")}
    values |= {"force": "y"} if "--force" in words else {}
    text = _("force it in, in %(place)s", place=_place(words))
    return Remedy(text, _curator("lists_forced.force", **values))


def _force_out(words: list[str], _kind: str) -> Remedy:
    values = {"value": words[0], "way": "out", "collection": _option(words, "--collection")}
    text = _("force %(value)s out, of %(place)s", value=words[0], place=_place(words))
    return Remedy(text, _curator("lists_forced.force", **values))


def _unforce(words: list[str], kind: str) -> Remedy:
    values = {"value": words[0], "type": kind, "collection": _option(words, "--collection")}
    return Remedy(_("let the rules decide again, in %(place)s", place=_place(words)), _undo(values))


def _undo(values: dict[str, str]) -> str | None:
    return _curator("lists_forced.preview_undo", back="1", **values)


def _own(_words: list[str], _kind: str) -> Remedy:
    return Remedy(_("add it as an own indicator"), page("own"))


def _approve(words: list[str], _kind: str) -> Remedy:
    return Remedy(_("approve the pulse"), page("pulses", words[0]))


def _undo_review(words: list[str], _kind: str) -> Remedy:
    return Remedy(_("take back what was decided on the pulse"), page("pulses", words[0]))


def _trust(words: list[str], _kind: str) -> Remedy:
    return Remedy(_("always approve the author %(name)s", name=words[0]), page("pulses"))


def _retry(_words: list[str], _kind: str) -> Remedy:
    return Remedy(_("try again to write it"), page("quarantine"))


def _publish(_words: list[str], _kind: str) -> Remedy:
    return Remedy(_("the next publication"))


_BY_COMMAND: Mapping[str, Callable[[list[str], str], Remedy]] = {
    "allow add": _allow,
    "allow remove": _disallow,
    "indicator force-in": _force_in,
    "indicator force-out": _force_out,
    "indicator unforce": _unforce,
    "indicator add": _own,
    "pulse approve": _approve,
    "pulse undo": _undo_review,
    "pulse trust": _trust,
    "quarantine retry": _retry,
    "publish": _publish,
}

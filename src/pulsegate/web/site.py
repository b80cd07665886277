"""What the composition root hands over to the pages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from flask import Flask, current_app

from pulsegate.curation.policy import Policy
from pulsegate.settings import Settings
from pulsegate.store.accounts import Stored
from pulsegate.store.database import Database
from pulsegate.store.sessions import Limits
from pulsegate.sync.standing import Feed

_KEY = "pulsegate.site"


class TryLaterError(Exception):
    """A password was not even checked; ``seconds``: when to try again."""

    def __init__(self, seconds: int) -> None:
        super().__init__(seconds)
        self.seconds = seconds


@dataclass(frozen=True, slots=True)
class Site:
    """An installation, as the pages see it.

    ``check``: the account of a name and a password, asked for from an address; None when they don't fit, TryLaterError
    when too many tried. ``feeds``: the sources of the settings. ``limits``: how long sessions last. ``max_body``: the
    longest request, in octets.
    """

    database: Database
    policy: Policy
    settings: Settings
    check: Callable[[str, str, str | None], Stored | None]
    demo: bool = False
    feeds: tuple[Feed, ...] = ()
    limits: Limits = field(default_factory=Limits)
    max_body: int = 10_000_000


def bind(app: Flask, here: Site) -> None:
    app.extensions[_KEY] = here


def site() -> Site:
    """The site of the current request."""
    found: Site = current_app.extensions[_KEY]
    return found

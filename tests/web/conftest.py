"""The pages on a real database: a site, a client that is logged in, and the words of an answer."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask import Flask
from jinja2 import FileSystemBytecodeCache
from werkzeug import Client, Response
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.security import generate_password_hash

from pulsegate.cli.setup import make_policy
from pulsegate.settings import Settings
from pulsegate.store import accounts, collections
from pulsegate.store.database import Database
from pulsegate.web import app
from pulsegate.web.site import Site, TryLaterError

PASSWORDS = {"ann": "admin word", "carl": "curator word", "vera": "viewer word", "esa": "gateway word"}
ROLES = {"ann": "admin", "carl": "curator", "vera": "viewer", "esa": None}


@pytest.fixture(scope="session", autouse=True)
def _compiled(tmp_path_factory: pytest.TempPathFactory):
    """Templates are compiled once, not by each application."""
    with pytest.MonkeyPatch.context() as patch:
        cache = FileSystemBytecodeCache(str(tmp_path_factory.mktemp("templates")))
        patch.setitem(Flask.jinja_options, "bytecode_cache", cache)
        yield


@pytest.fixture
def site(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """An installation with an account of each role, by name, and one that only polls."""
    monkeypatch.setattr(
        accounts, "generate_password_hash", lambda word: generate_password_hash(word, "pbkdf2:sha256:1")
    )
    with database.write() as connection:
        collections.ensure_services(connection)
        for name, word in PASSWORDS.items():
            accounts.add(connection, name, word)
            accounts.set_role(connection, name, ROLES[name] and accounts.Role(ROLES[name]))
    settings = Settings(data_dir=tmp_path / "data")

    def check(name: str, word: str, address: str | None):
        if name == "busy":
            raise TryLaterError(7)
        with database.read() as connection:
            found = accounts.stored_by_name(connection, name)
        fits = found is not None and found.account.disabled is None and accounts.fits(found, word)
        return found if fits else None

    return Site(database, make_policy(settings), settings, check, max_body=100_000)


class Browser:
    """Flask's client, which sends the token that the last page had, as a form does."""

    def __init__(self, application, base: str = "http://pages.test") -> None:
        self.base = base
        self.client = Client(DispatcherMiddleware(Response("elsewhere", 418), {"/admin": application}))
        self.token = ""

    def get(self, path: str, **more):
        return self._seen(self.client.get(path, base_url=self.base, **more))

    def post(self, path: str, data: dict | None = None, **more):
        data = {"csrf_token": self.token, **(data or {})}
        return self._seen(self.client.post(path, data=data, base_url=self.base, **more))

    def log_in(self, name: str, word: str | None = None):
        self.get("/admin/login")
        return self.post("/admin/login", {"name": name, "password": word or PASSWORDS[name]})

    def _seen(self, answer):
        found = re.search(r'name="csrf-token" content="([^"]+)"', answer.text)
        self.token = found[1] if found else self.token
        answer.close()  # a file that it is read from
        return answer


@pytest.fixture
def application(site: Site):
    return app.create(site)


@pytest.fixture
def browser(application) -> Browser:
    """Nobody is logged in."""
    return Browser(application)


@pytest.fixture
def logged_in(application):
    """A browser in which that account is logged in: ``logged_in("carl")``."""

    def make(name: str) -> Browser:
        made = Browser(application)
        answer = made.log_in(name)
        assert answer.status_code == 303, answer.text
        made.get("/admin/me")
        return made

    return make

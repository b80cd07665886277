"""The WSGI application of the pages."""

from __future__ import annotations

import pkgutil
from importlib import import_module

from flask import Blueprint, Flask
from flask_wtf import CSRFProtect

from pulsegate.store import state
from pulsegate.web import (
    access,
    cookies,
    headers,
    languages,
    login,
    pages,
    paging,
    problems,
    rendering,
    tasks,
)
from pulsegate.web.site import Site, bind

SESSION_SECRET = "secret.pages"  # noqa: S105 - the name under which it is kept


def create(site: Site) -> Flask:
    """The application. Make one in each process; it writes a secret to the database the first time."""
    app = Flask(__name__)
    bind(app, site)
    with site.database.write() as connection:
        app.secret_key = state.secret(connection, SESSION_SECRET)
    app.config.update(
        MAX_CONTENT_LENGTH=site.max_body,
        MAX_FORM_MEMORY_SIZE=site.max_body,
        WTF_CSRF_TIME_LIMIT=None,  # as long as the session
        WTF_CSRF_SSL_STRICT=False,  # it asks for a Referer, which our pages have browsers not send; see headers.py
    )
    app.session_interface = cookies.Cookies()
    app.url_map.converters["int"] = paging.RowKey
    languages.install(app)
    headers.install(app)
    problems.install(app)
    access.install(app)  # who it is comes before what is sent: a session that ended leads to the log-in
    CSRFProtect(app)
    rendering.install(app)
    app.jinja_env.globals["unfinished_tasks"] = tasks.unfinished
    for blueprint in (login.pages, tasks.pages, languages.pages, *_found()):
        app.register_blueprint(blueprint)
    return app


def _found() -> list[Blueprint]:
    """Each module of ``web/pages`` has its blueprint in ``pages``."""
    names = sorted(one.name for one in pkgutil.iter_modules(pages.__path__))
    return [import_module(f"{pages.__name__}.{name}").pages for name in names]

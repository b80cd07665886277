"""Logging: structlog to stderr, one line an event, with secrets taken out; libraries' own logs go the same way."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

# OpenTAXII logs a refused Authorization header and refused tokens whole.
_SECRETS = frozenset({"raw_token", "token", "password", "api_key", "value", "authorization", "secret"})
_INSTANT = "%Y-%m-%dT%H:%M:%S.%fZ"
_NOISE = {"api.initialized", "opentaxii.server_configured"}


_level = logging.WARNING


def in_form(form: str) -> None:
    """Log on in the form that the settings ask for: ``text`` or ``json``."""
    configure(_level, as_json=form == "json")


def configure(level: int, *, as_json: bool = False) -> None:
    """Log from ``level`` on (logging.INFO, …), in lines for people or one JSON object each."""
    global _level  # noqa: PLW0603 - the form is known after the level, when the settings are read
    _level = level
    processors: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        _redact,
        structlog.processors.TimeStamper(fmt=_INSTANT if as_json else "%Y-%m-%d %H:%M:%SZ", utc=True),
    ]
    if level > logging.DEBUG:
        processors.append(_brief)
    structlog.configure(
        processors=[*processors, *(_json() if as_json else [_renderer()])],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=max(level, logging.WARNING), handlers=[_Handler()], force=True)


def _json() -> list[Any]:
    """One object a line, with ``timestamp``, ``level``, ``event`` and, of a request, ``request``."""
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False, default=str)]


def _renderer() -> structlog.dev.ConsoleRenderer:
    """Plain tracebacks: rich ones show local variables, and with them passwords and keys."""
    plain = structlog.dev.plain_traceback
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0, exception_formatter=plain)


def _redact(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key in _SECRETS & event.keys():
        event[key] = "***"
    if event["event"] in _NOISE:
        raise structlog.DropEvent
    return event


def _brief(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """No traceback below error: what OpenTAXII logs with one is a client's mistake."""
    if event.get("level") not in ("error", "critical"):
        event.pop("exc_info", None)
    return event


class _Handler(logging.Handler):
    """Hands records of the standard library's logging to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger(record.name)
        log.log(record.levelno, record.getMessage(), logger=record.name, exc_info=record.exc_info or None)

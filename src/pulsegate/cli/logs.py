"""Logging: structlog to stderr, one line an event, with secrets taken out; libraries' own logs go the same way."""

from __future__ import annotations

import io
import logging
import sys
import threading
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Any, TextIO, cast

import structlog

from pulsegate.cli import visible

# OpenTAXII logs a refused Authorization header and refused tokens whole.
_SECRETS = frozenset({"raw_token", "token", "password", "api_key", "value", "authorization", "secret"})
_INSTANT = "%Y-%m-%dT%H:%M:%S.%fZ"
_NOISE = {"api.initialized", "opentaxii.server_configured"}


_level = logging.WARNING
_as_json = False


def in_form(form: str) -> None:
    """Log on in the form that the settings ask for: ``text`` or ``json``."""
    if _as_json is not (form == "json"):
        configure(_level, as_json=not _as_json)


def is_json() -> bool:
    """Whether each line is a JSON object."""
    return _as_json


def configure(level: int, *, as_json: bool = False) -> None:
    """Log from ``level`` on (logging.INFO, …), in lines for people or one JSON object each."""
    global _level, _as_json
    _level, _as_json = level, as_json
    processors: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        _redact,
        structlog.processors.TimeStamper(fmt=_INSTANT if as_json else "%Y-%m-%d %H:%M:%SZ", utc=True),
    ]
    if level > logging.DEBUG:
        processors.append(_brief)
    structlog.configure(
        processors=[*processors, *(_json() if as_json else [_on_one_line, _renderer()])],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(cast("TextIO", _Bearing(sys.stderr))),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=max(level, logging.WARNING), handlers=[_Handler()], force=True)
    logging.captureWarnings(as_json)
    if as_json:  # what Python itself would write, in lines of its own
        threading.excepthook = lambda told: _unforeseen(told.exc_value, told.thread.name if told.thread else None)
        sys.unraisablehook = lambda told: _unforeseen(told.exc_value, told.err_msg or repr(told.object))


def _unforeseen(error: BaseException | None, where: str | None) -> None:
    structlog.get_logger(__name__).error("error.unforeseen", where=where, exc_info=error)


def _json() -> list[Any]:
    """One object a line, with ``timestamp``, ``level``, ``event`` and, of a request, ``request``."""
    is_utf8 = (sys.stderr.encoding or "").lower().replace("-", "") == "utf8"  # else Python escapes, not as JSON does
    render = structlog.processors.JSONRenderer(ensure_ascii=not is_utf8, default=str)
    return [structlog.processors.format_exc_info, render, _escaped]


def _escaped(_logger: Any, _name: str, text: str) -> str:
    """What a line of JSON may hold, and a terminal, or a reader that splits lines, would take for more than a sign."""
    return visible.escaped(text)


def _renderer() -> structlog.dev.ConsoleRenderer:
    """Plain tracebacks: rich ones show local variables, and with them passwords and keys."""
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0, exception_formatter=_traceback)


def _traceback(stream: TextIO, error: Any) -> None:
    written = io.StringIO()
    structlog.dev.plain_traceback(written, error)
    stream.write(visible.block(written.getvalue()))


def _on_one_line(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """What a client or a pulse wrote makes no line of its own, and does nothing to the terminal that shows the log."""
    for key, value in event.items():
        if isinstance(value, str) and not value.isprintable():
            event[key] = visible.line(value) if key == "event" else _Quoted(value)
    return event


class _Quoted:
    """A text that is shown as Python writes it, whatever is in it."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return repr(self._text)


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


class _Bearing:
    """A stream that may take nothing: a log whose disk is full ends no server and no worker."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with suppress(OSError):
            self._stream.write(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()


class _Handler(logging.Handler):
    """Hands records of the standard library's logging to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger(record.name)
        log.log(record.levelno, record.getMessage(), logger=record.name, exc_info=record.exc_info or None)

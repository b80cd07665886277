"""What the process of the pages knows of a request."""

from __future__ import annotations

import json
from typing import Any

from structlog.contextvars import bind_contextvars, get_contextvars
from werkzeug.wsgi import FileWrapper

from pulsegate.cli import hop
from pulsegate.taxii.edge import REQUEST_ID


def test_pages_log_with_the_id_of_the_request_and_with_nothing_of_the_one_before() -> None:
    seen: list[dict[str, Any]] = []

    def application(_environment: Any, _start_response: Any) -> list[bytes]:
        seen.append(get_contextvars())
        bind_contextvars(page="of this request")
        return []

    call = hop.unpacked(application)
    for number in ("one", "two"):
        packed = json.dumps({REQUEST_ID: number})
        call({"wsgi.file_wrapper": FileWrapper, "HTTP_X_ENVIRONMENT": packed}, lambda *_: None)
    assert seen == [{"request": "one"}, {"request": "two"}]

"""Warning lists that a page had loaded, 75 MB of them, are given back when no page has asked for them for a while."""

from __future__ import annotations

import threading
import time

from pulsegate.curation import list_choice

KEPT = 600.0  # seconds since they were asked for last
_lock = threading.Lock()
_used = 0.0
_watch: threading.Thread | None = None


def used() -> None:
    """A page is about to ask the lists."""
    global _used, _watch  # noqa: PLW0603 - they are the process's, as the loaded lists are
    with _lock:
        _used = time.monotonic()
        if _watch is None:
            _watch = threading.Thread(target=_wait, name="idle lists", daemon=True)
            _watch.start()


def _wait() -> None:
    global _watch  # noqa: PLW0603
    while True:
        with _lock:
            left = _used + KEPT - time.monotonic()
            if left <= 0:
                _watch = None
                list_choice.unload()
                return
        time.sleep(left)

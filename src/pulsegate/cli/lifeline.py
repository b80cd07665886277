"""How a process ends with the one that started it, however that one ended."""

from __future__ import annotations

import os
import threading
import time


def end_with(parent: int) -> None:
    """Have this process end within a second or two after the process ``parent``, whatever it does then."""
    threading.Thread(target=_watch, args=(parent,), name="parent", daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(0)

"""Addresses to go back to: of these pages only."""

from __future__ import annotations

import re

from flask import request

_PATH = re.compile(r"/(?![/\\])[^\\\x00-\x20]*")


def local_address(path: str | None) -> str:
    """``path`` (below ``/admin``) as an address of these pages; the front for what is none."""
    if path is None or not _PATH.fullmatch(path):
        return f"{request.root_path}/"
    return request.root_path + path


def here() -> str:
    """The page that is shown, for ``next`` of a form on it; the front for one that can't be opened again."""
    return request.full_path.rstrip("?") if request.method == "GET" else "/"

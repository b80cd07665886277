"""An empty database of either kind."""

from __future__ import annotations

from store.databases import database, migrated_file

__all__ = ["database", "migrated_file"]

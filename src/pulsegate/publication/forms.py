"""The forms of an export, apart from what writes them: commands name them before anything heavy is imported."""

from __future__ import annotations

from enum import StrEnum


class ExportFormat(StrEnum):
    """The forms of an export."""

    CSV = "csv"
    TEXT = "text"
    STIX = "stix"
    JSONL = "jsonl"

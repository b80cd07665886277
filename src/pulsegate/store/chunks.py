"""Long lists of bound variables, in pieces that every database takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")
SIZE = 500  # SQLite's old limit is 999


def chunks(values: Sequence[T], size: int = SIZE) -> Iterator[Sequence[T]]:
    """The values in pieces of at most ``size``."""
    for start in range(0, len(values), size):
        yield values[start : start + size]

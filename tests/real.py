"""Real pulses, whatever the shape of the files that they lie in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pulsegate.model.indicator import RawIndicator


def indicators(node: Any) -> Iterator[RawIndicator]:
    """Every raw indicator below a node of JSON."""
    if isinstance(node, dict):
        if "indicator" in node and "type" in node:
            yield RawIndicator(type=node["type"], value=node["indicator"], content=node.get("content") or "")
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from indicators(child)

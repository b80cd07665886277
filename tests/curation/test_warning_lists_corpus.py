"""The shipped choice of warning lists over real pulses: what each blocks and informs (``pytest -s`` prints it)."""

import json
from collections import Counter

import pytest

from pulsegate.curation.choices import Mode
from pulsegate.curation.warning_lists import WarningLists
from pulsegate.model.indicator import Indicator
from pulsegate.values.normalise import normalise
from real import indicators

pytestmark = pytest.mark.corpus


def values(path):
    """Type and normal form of every indicator in the file."""
    for raw in indicators(json.loads(path.read_text("utf-8"))):
        found = normalise(raw)
        if isinstance(found, Indicator):
            yield found.type, found.value


def test_few_real_values_are_blocked_and_a_tenth_informed(corpus):
    real = {value for path in corpus.glob("*.json") for value in values(path)}
    hits = WarningLists.load().hits_among(real)
    counts = Counter((hit.mode, hit.name, kind) for (kind, _), found in hits.items() for hit in found)
    for (mode, name, kind), count in sorted(counts.items()):
        print(f"{mode:8}{name:32}{kind:16}{count:6}")  # noqa: T201
    blocked = {value for value, found in hits.items() if found[0].mode is Mode.BLOCK}
    print(*(f"blocked: {value}: {hits[kind, value][0].sentence}" for kind, value in sorted(blocked)), sep="\n")  # noqa: T201
    assert len(real) > 8_000
    assert 1 <= len(blocked) <= len(real) // 1_000
    assert len(real) // 20 <= len(hits) <= len(real) // 5
    assert all(kind in {"IPv4", "IPv6", "CIDR", "domain", "hostname"} for kind, _ in hits)

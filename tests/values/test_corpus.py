"""Real pulses, read where they lie beside a developer's checkout: hardly anything in them is no value."""

import json
from pathlib import Path

import pytest

from pulsegate.model.indicator import Indicator, Rejection
from pulsegate.values.normalise import normalise
from real import indicators

CORPUS = Path(__file__).parents[2].parent / "shared" / "corpus"

pytestmark = [pytest.mark.corpus, pytest.mark.skipif(not CORPUS.is_dir(), reason="the real pulses are not here")]


@pytest.fixture(scope="module")
def raws():
    texts = [path.read_text("utf-8") for path in sorted(CORPUS.glob("*.json"))]
    return sorted(
        {raw for text in texts for raw in indicators(json.loads(text))}, key=lambda raw: (raw.type, raw.value)
    )


def test_few_real_values_are_rejected_and_each_with_a_reason(raws):
    rejections = [found for found in map(normalise, raws) if isinstance(found, Rejection)]
    print(*(f"{found.raw.type} {found.raw.value!a}: {found.reason}" for found in rejections), sep="\n")  # noqa: T201
    assert len(raws) > 8_000
    assert len(rejections) <= len(raws) // 1_000
    assert all(found.reason for found in rejections)


def test_few_real_values_change(raws):
    kept = [found for found in map(normalise, raws) if isinstance(found, Indicator)]
    changed = [found for found in kept if (found.type, found.value) != (found.raw.type, found.raw.value)]
    assert len(changed) <= len(raws) // 100
    assert all(found.type == found.raw.type for found in changed)

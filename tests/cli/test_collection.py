"""``pulsegate collection show`` writes a collection as opentaxii.yml takes it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pulsegate.model.collection import Collection, CollectionKind, Profile, Rule
from pulsegate.model.indicator import IndicatorType
from pulsegate.model.tlp import TLP
from pulsegate.settings import CollectionSettings
from pulsegate.settings.written import as_settings

DAY = timedelta(days=1)


@pytest.mark.parametrize(
    "collection",
    [
        Collection("plain"),
        Collection(
            "rich",
            description="日本語",
            profile=Profile.ESA,
            deduplicate=False,
            expand=16,
            include=Rule(authors=frozenset({"a", "b"}), tlp=frozenset({TLP.WHITE}), max_age=90 * DAY),
            exclude=Rule(
                types=frozenset({IndicatorType.CVE}),
                roles=frozenset({"scanning_host"}),
                words=frozenset({"phish*", "spear phishing"}),
                attack_ids=frozenset({"T1566", "T1059.001"}),
            ),
            protections=frozenset({"single-label"}),
            ttl={IndicatorType.IPV4: 30 * DAY},
            blocks_per_part=5,
            refresh=25 * DAY,
        ),
        Collection("open", protections=frozenset()),
        Collection("pushed", kind=CollectionKind.INBOX, deduplicate=False, blocks_per_part=3, max_age=9 * DAY),
    ],
    ids=lambda one: one.name,
)
def test_collection_that_is_shown_is_the_one_that_is_read(collection: Collection) -> None:
    assert CollectionSettings.model_validate(as_settings(collection)).to_model() == collection

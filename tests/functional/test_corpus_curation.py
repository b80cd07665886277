"""What the shipped ``mail-gateway`` leaves out of real pulses, however old, and why (``pytest -s`` prints every line)."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from pulsegate.curation.list_choice import ListChoice
from pulsegate.curation.policy import Policy
from pulsegate.publication.built_in import SUBSCRIBED
from pulsegate.publication.marking import with_decisions
from pulsegate.publication.verdicts import Verdicts
from pulsegate.settings.collections import CollectionSettings
from pulsegate.store import candidates, collections, pulses
from pulsegate.store.database import Database, now
from pulsegate.sync.pull import pull_files

pytestmark = pytest.mark.corpus
SHIPPED = Path(__file__).parents[2] / "opentaxii.yml"
NO_VALUES_OF_THE_APPLIANCE = "profile:esa"


def test_what_the_shipped_collection_leaves_out_of_real_pulses(database: Database, corpus: Path) -> None:
    found = yaml.safe_load(SHIPPED.read_text("utf-8"))["pulsegate"]["collections"][0]
    shipped = CollectionSettings.model_validate(found).to_model()
    lasting = replace(shipped, ttl={}, include=replace(shipped.include, max_age=None))
    with database.write() as connection:
        collections.ensure_services(connection)
        collections.put(connection, SUBSCRIBED)
        collections.put(connection, lasting)
    policy = Policy(lists=ListChoice.default())
    pull_files(database, sorted(corpus.glob("*.json")), policy)
    left_out: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
    with database.read() as connection:
        verdicts = Verdicts(lasting, with_decisions(connection, policy), now(connection))
        every = {one.pk: one for one in pulses.every(connection)}
        for pulse in every.values():
            verdicts.learn(pulse)
        everything = list(candidates.with_identities(connection, candidates.identities_of(connection, list(every))))
        held = collections.sizes(connection)["mail-gateway"].indicators

    served = set()
    for one in everything:
        decision = verdicts.of(one)
        if decision.included:
            served.add(one.identity)
        else:
            left_out[decision.rule].append((one.type, one.value, decision.reason))
    out = {one.identity for one in everything} - served
    print(f"\n{len(everything):,} indicators, {len(served | out):,} values, {len(served):,} served")  # noqa: T201
    for rule, values in sorted(left_out.items()):
        types = Counter(kind for kind, _, _ in values)
        print(f"{rule}: {len(values):,}: {dict(types.most_common())}")  # noqa: T201
        if rule != NO_VALUES_OF_THE_APPLIANCE and not rule.startswith(("include.", "exclude.")):
            for kind, value, reason in sorted(set(values)):
                print(f"    {kind} {value}: {reason}")  # noqa: T201
    assert held == len(served) > 0.5 * len(served | out)
    against_values = [
        one for rule in left_out if rule.startswith(("warning-list", "protection")) for one in left_out[rule]
    ]
    assert len({value for _, value, _ in against_values}) < 0.005 * len(served)

"""Faults of curation that users reported of other systems, with the right behaviour."""

from __future__ import annotations

import json

import pytest

from pulsegate.curation.list_choice import ListChoice
from pulsegate.curation.policy import Policy
from pulsegate.curation.warning_lists import ListFile
from pulsegate.model.collection import Collection
from pulsegate.model.decisions import Allowed, Override
from pulsegate.model.indicator import IndicatorType
from pulsegate.model.mode import Mode
from pulsegate.publication.explain import explain
from pulsegate.publication.publish import publish_all
from pulsegate.store import blocks, collections, decisions
from pulsegate.store.database import Database, now
from pulsegate.store.digests import digest
from pulsegate.sync.pull import pull_files


class Feed:
    """One collection, filled from a file."""

    def __init__(self, database: Database, folder, policy: Policy, *values: tuple[str, str]) -> None:
        self.database, self.policy = database, policy
        with database.write() as connection:
            collections.ensure_services(connection)
            collections.put(connection, Collection("mail"))
        pulse = {
            "id": f"{1:024x}", "name": "P", "author_name": "someone", "created": "2024-05-01T00:00:00",
            "modified": "2024-05-01T00:00:00", "tlp": "white",
            "indicators": [{"type": kind, "indicator": value} for kind, value in values],
        }  # fmt: skip
        (folder / "pulse.json").write_text(json.dumps(pulse))
        pull_files(database, [folder / "pulse.json"], policy)

    def holds(self) -> set[str]:
        with self.database.read() as connection:
            stored = collections.get(connection, "mail")
            assert stored is not None
            return {one.value for one in blocks.listed(connection, stored.id)}

    def decide(self, how, *given, **more) -> None:
        with self.database.write() as connection:
            how(connection, *given, **more)
        publish_all(self.database, self.policy)

    def allow(self, kind: str, text: str) -> None:
        with self.database.read() as connection:
            moment = now(connection)
        self.decide(decisions.allow, [Allowed(kind, text, "known", "who", moment)], "who")

    def rule(self, value: str) -> tuple[str, str]:
        found = explain(self.database, self.policy, value)
        assert found is not None
        (standing,) = (one for one in found.standings if one.collection == "mail")
        return standing.rule, standing.reason


def own_list(folder, mode: Mode, *entries: str) -> Policy:
    (folder / "list.txt").write_text("\n".join(entries))
    return Policy(lists=ListChoice.of({}, [ListFile("listed", folder / "list.txt", mode)]))


def test_public_resolver_in_a_pulse_is_stopped_by_a_warning_list_with_the_reason(database, tmp_path):
    feed = Feed(database, tmp_path, Policy(lists=ListChoice.default()), ("IPv4", "8.8.8.8"), ("IPv4", "45.77.1.2"))
    assert feed.holds() == {"45.77.1.2"}
    rule, reason = feed.rule("8.8.8.8")
    assert rule == "warning-list:public-dns-v4"
    assert "public-dns-v4" in reason


@pytest.mark.parametrize(
    ("kind", "left"),
    [
        ("exact", {"www.known.example.org", "https://www.known.example.org/x"}),
        ("subtree", set()),
    ],
)
def test_curator_chooses_the_name_alone_or_all_below_it(database, tmp_path, kind, left):
    values = [
        ("domain", "known.example.org"),
        ("hostname", "www.known.example.org"),
        ("URL", "https://www.known.example.org/x"),
    ]
    feed = Feed(database, tmp_path, Policy(), *values)
    assert len(feed.holds()) == 3
    feed.allow(kind, "known.example.org")
    assert feed.holds() == left


def test_bad_name_below_a_listed_domain_can_be_let_through_alone(database, tmp_path):
    policy = own_list(tmp_path, Mode.BLOCK, ".listed.example.org")
    bad, other = "bad.listed.example.org", "other.listed.example.org"
    feed = Feed(database, tmp_path, policy, ("hostname", bad), ("hostname", other))
    assert feed.holds() == set()
    with database.read() as connection:
        moment = now(connection)
    key = digest(f"{IndicatorType.HOSTNAME.family}:{bad}")
    wanted = Override("", key, "hostname", bad, True, False, "phishing", "who", moment)
    feed.decide(decisions.force, wanted)
    assert feed.holds() == {bad}
    assert feed.rule(other)[0] == "warning-list:listed"


def test_list_that_only_informs_stops_nothing(database, tmp_path):
    policy = own_list(tmp_path, Mode.INFORM, ".listed.example.org")
    feed = Feed(database, tmp_path, policy, ("hostname", "bad.listed.example.org"))
    assert feed.holds() == {"bad.listed.example.org"}

"""The dashboard and the alert rules against what /metrics really tells."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from deploy.dockerfile import ROOT
from pulsegate.model.pulse import Pulse
from pulsegate.publication.built_in import SUBSCRIBED
from pulsegate.store import collections, counts, poll_totals, polls, relay, runs, sources, taken
from pulsegate.store.database import Database, now
from pulsegate.store.polls import PollRecord
from pulsegate.store.sources import Walk
from pulsegate.store.taken import Taken
from pulsegate.taxii import metrics

RULES = ROOT / "deploy" / "prometheus-alerts.yml"
DASHBOARD = json.loads((ROOT / "deploy" / "grafana-dashboard.json").read_text())
ALERTS = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
_NAME = re.compile(r"\b(pulsegate_\w+)(?:\{([^}]*)\})?")
_OF_PROMETHEUS = {"instance", "job", "le"}
NOT_SHOWN = {
    "pulsegate_run_pulses",
    "pulsegate_collection_blocks",
    "pulsegate_run_started_timestamp_seconds",
    "pulsegate_relay_sequence",
}


def expressions() -> Iterator[str]:
    for rule in ALERTS:
        yield rule["expr"]
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            yield target["expr"]
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["query"]["query"]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, lasting_database: Callable[..., str]) -> dict[str, set[str]]:
    """The labels of every sample that /metrics has when there is something of everything."""
    database = Database(lasting_database(tmp_path_factory.mktemp("metrics") / "test.db"))
    fill(database)
    text = metrics.write(database, metrics.Certificate(datetime.now(UTC))).decode()
    database.close()
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        assert family.samples, f"fill() makes nothing that {family.name} tells of"
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def fill(database: Database) -> None:
    with database.write() as connection:
        collections.ensure_services(connection)
        collections.put(connection, SUBSCRIBED)
        moment = now(connection)
        sources.ensure(connection, "otx", "shape")
        sources.update(connection, "otx", alarms="stale", walk=Walk(moment, moment, offset=1, count=2))
        number = runs.begin(connection, "otx")
        runs.finish(connection, number, "ok")
        one = PollRecord(moment, "gateway", "192.0.2.1", "", "subscribed", None, None, None, 1, 2, 3, 0.1, "answered")
        polls.insert_many(connection, [one])
        poll_totals.add(connection, [one])
        relay.put_head(connection, "outside", 7, b"d", '{"created": "2026-01-01T00:00:00+00:00"}')
        counts.put(connection, f"{counts.TYPES}subscribed", "1", {"domain": 3})
        claim(connection)


def claim(connection: Any) -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    pulse = Pulse("0" * 24, "A pulse", "someone", moment, moment)
    (stored,) = taken.put_many(connection, [Taken(pulse, [])], taken.unmarked)
    sources.claim(connection, "otx", "subscription", [stored.pk])


def test_every_metric_and_label_that_is_used_is_told(told: dict[str, set[str]]) -> None:
    used = 0
    for expression in expressions():
        names = {match[1] for match in _NAME.finditer(expression)}
        labels = set().union(*(told[name] for name in names)) if names <= told.keys() else None
        assert labels is not None, f"/metrics does not tell {names - told.keys()}: {expression}"
        asked = {one.strip() for match in re.finditer(r"by \(([^)]*)\)", expression) for one in match[1].split(",")}
        for match in _NAME.finditer(expression):
            asked |= {re.split("[=!]", one)[0].strip() for one in (match[2] or "").split(",") if one}
        assert asked - labels - _OF_PROMETHEUS == set(), expression
        used += len(names)
    assert used > 30


def test_every_metric_is_on_the_dashboard_or_in_an_alert(told: dict[str, set[str]]) -> None:
    used = {match[1] for expression in expressions() for match in _NAME.finditer(expression)}
    plain = {re.sub("_(bucket|count|sum|created)$", "", name) for name in told}
    assert plain - {re.sub("_(bucket|count|sum)$", "", name) for name in used} - NOT_SHOWN == set()


def test_outcome_that_counts_as_answered_is_ours() -> None:
    """What alerts leave out as good is what the poll log writes."""
    (rule,) = [one for one in ALERTS if one["alert"] == "PulsegatePollsFail"]
    assert f'outcome!~"{polls.ANSWERED}|counted|RETRY"' in rule["expr"]


def test_every_alert_says_what_is_wrong_and_what_to_do() -> None:
    for rule in ALERTS:
        assert rule["labels"]["severity"] in ("warning", "critical"), rule
        assert rule["annotations"].keys() == {"summary", "description"}, rule


def test_panels_lie_beside_each_other() -> None:
    places = [panel["gridPos"] for panel in DASHBOARD["panels"]]
    cells = [
        (x, y)
        for one in places
        for x in range(one["x"], one["x"] + one["w"])
        for y in range(one["y"], one["y"] + one["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) == 23
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(places)


# The value of each series, every 5 minutes, and the alert that must be raised at that time.
CASES = [
    ('pulsegate_worker_running{instance="a"}', "0x30", "30m", "PulsegateNoWorker", {}),
    ('pulsegate_source_age_seconds{source="otx"}', "21000+300x30", "30m", "PulsegateSourceStale", {"source": "otx"}),
    ('pulsegate_source_age_seconds{source="own"}', "21000+300x30", "30m", "PulsegateSourceStale", None),
    ('pulsegate_account_last_poll_timestamp_seconds{account="esa"}', "60x100", "4h", "PulsegateApplianceStopped",
     {"account": "esa"}),
    ('pulsegate_account_last_poll_timestamp_seconds{account="esa"}', "60x100", "2h", "PulsegateApplianceStopped", None),
    ('pulsegate_account_last_poll_timestamp_seconds{account="esa"}', "60x2500", "8d", "PulsegateApplianceStopped", None),
    ('pulsegate_poll_seconds_count{collection="c",outcome="FAILURE"}', "0+1x30", "1h30m", "PulsegatePollsFail",
     {"collection": "c", "outcome": "FAILURE"}),
    ('pulsegate_poll_seconds_count{collection="c",outcome="answered"}', "0+9x30", "1h30m", "PulsegatePollsFail", None),
    ("pulsegate_quarantined", "5x288 200x20", "1450m", "PulsegateQuarantineJump", {}),
    ('pulsegate_certificate_expires_timestamp_seconds{instance="a"}', "2592000x30", "10m", "PulsegateCertificateEnds",
     {"instance": "a"}),
    ('pulsegate_certificate_expires_timestamp_seconds{instance="a"}', "9999999x30", "10m", "PulsegateCertificateEnds", None),
    ('pulsegate_relay_age_seconds{origin=""}', "90000x30", "30m", "PulsegateRelayOld", {}),
]  # fmt: skip


@pytest.fixture
def promtool() -> str:
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("no promtool on this machine (Debian's package prometheus)")
    return program


def test_rules_are_valid(promtool: str) -> None:
    done = subprocess.run([promtool, "check", "rules", RULES], capture_output=True, text=True, check=False)
    assert (done.returncode, f"{len(ALERTS)} rules found" in done.stdout) == (0, True), done.stdout + done.stderr


def test_rules_are_raised_when_they_should(promtool: str, tmp_path: Path) -> None:
    every = {rule["alert"]: rule for rule in ALERTS}
    cases = [
        {
            "interval": "5m",
            "input_series": [{"series": series, "values": values}],
            "alert_rule_test": [{"eval_time": at, "alertname": alert, "exp_alerts": expected(every[alert], labels)}],
        }
        for series, values, at, alert, labels in CASES
    ]
    # Annotations differ with the values; the test is of the labels, so it gets rules without annotations.
    bare = {"groups": [{"name": "bare", "rules": [{**rule, "annotations": {}} for rule in ALERTS]}]}
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(bare))
    (tmp_path / "test.yml").write_text(yaml.safe_dump({"rule_files": ["rules.yml"], "tests": cases}))
    done = subprocess.run(
        [promtool, "test", "rules", "test.yml"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def expected(rule: dict[str, Any], labels: dict[str, str] | None) -> list[dict[str, Any]]:
    return [] if labels is None else [{"exp_labels": labels | rule["labels"]}]

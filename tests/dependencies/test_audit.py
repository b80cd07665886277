"""``make audit`` says what is wrong, and never that all is well where it could not ask."""

from __future__ import annotations

from dependencies import audit

GOOD = {"name": "flask", "version": "3.1.3", "vulns": []}
BAD = {"name": "jinja2", "version": "1.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["1.1"]}]}
UNKNOWN = {"name": "stix", "skip_reason": "Dependency not found on PyPI and could not be audited: stix (1.2)"}


def test_hole_fails() -> None:
    assert audit.told([GOOD, BAD]) == (
        1, ["jinja2 1.0: PYSEC-1, mended in 1.1", "2 of 2 packages were asked about; 1 known holes."]
    )  # fmt: skip


def test_package_that_nobody_knows_is_not_called_good() -> None:
    code, lines = audit.told([GOOD, UNKNOWN])
    assert (code, lines[0]) == (0, "1 of 2 packages were asked about; 0 known holes.")
    assert lines[1].endswith("stix.")
    assert audit.told([GOOD, UNKNOWN], strict=True)[0] == 2


def test_nobody_to_ask_is_said_and_fails_only_where_that_is_wanted() -> None:
    assert audit.told(None) == (0, ["Nothing is known: pip-audit is not installed, or reached no index."])
    assert audit.told(None, strict=True)[0] == 2


def test_program_that_is_not_there_is_nobody_to_ask(monkeypatch) -> None:
    monkeypatch.setattr(audit.sys, "executable", "/nowhere/python")
    assert audit.asked() is None

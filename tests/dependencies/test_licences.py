"""docs/licences.md is what the installed packages tell, and the pins are all that is needed."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution

import pytest

from dependencies import licences
from dependencies.pins import ROOT, declared, normal, pins


def test_page_is_what_the_packages_tell() -> None:
    assert licences.FILE.read_text(encoding="utf-8") == licences.page(), "run: make licences"


def test_every_dependency_is_pinned_and_listed() -> None:
    """``make setup`` installs what is pinned and nothing else."""
    pinned = {normal(one.name) for one in pins()}
    assert declared() - pinned == set(), "run: make lock"
    everywhere = {one.name: one.version for one in pins() if one.marker is None}
    assert {name: distribution(name).version for name in everywhere} == everywhere


def test_every_line_of_the_pins_is_one() -> None:
    """Nothing without a version, from a URL or with an option, such as another index."""
    lines = [
        one for file in ("requirements.txt", "requirements-dev.txt") for one in (ROOT / file).read_text().splitlines()
    ]
    packages = [one for one in lines if not one.lstrip().startswith("#")]
    assert len(packages) == len(pins()) + len(pins("requirements-dev.txt"))


@pytest.mark.parametrize("name", licences.ELSEWHERE)
def test_package_of_other_machines_is_needed_on_some_only(name: str) -> None:
    assert [one.marker is not None for one in pins() if one.name == name] == [True]


@pytest.mark.parametrize("name", licences.READ)
def test_licence_that_was_read_is_one_of_a_pinned_package_with_a_licence_file(name: str) -> None:
    assert name in {one.name for one in pins()}
    try:
        files = [str(one) for one in distribution(name).files or () if "licen" in one.name.lower()]
    except PackageNotFoundError:  # pragma: no cover
        pytest.fail(f"{name} is not installed")
    assert files


@pytest.mark.parametrize("name", licences.DIGESTS)
def test_vendored_file_is_the_one_that_was_looked_at(name: str) -> None:
    assert licences.digest(name) == licences.DIGESTS[name]

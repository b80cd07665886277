"""``make audit``: what is known to be wrong with the pinned versions, as PyPI's JSON API tells it.

pip-audit says "no known vulnerabilities" also of packages that it could not ask about. This says of how many nothing is
known. Exit code: 1 when something is wrong; 0 also where no index was reached, as that is nobody's fault (``--strict``: 2).
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from dependencies.pins import ROOT

WORDS = ("--no-deps", "--disable-pip", "--progress-spinner", "off", "--format", "json")  # all pinned: pip has no say
PATIENCE = 300  # seconds


def asked(file: Path = ROOT / "requirements.txt") -> list[dict[str, Any]] | None:
    """What pip-audit says of each package of the file; None where it could ask nobody."""
    program = Path(sys.executable).with_name("pip-audit")
    try:
        done = subprocess.run(
            [program, "--requirement", file, *WORDS], capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        found: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (OSError, subprocess.TimeoutExpired, ValueError):
        return None
    return found


def told(found: list[dict[str, Any]] | None, *, strict: bool = False) -> tuple[int, list[str]]:
    """The exit code, and lines for people."""
    if found is None:
        return (2 if strict else 0), ["Nothing is known: pip-audit is not installed, or reached no index."]
    unknown = [one["name"] for one in found if "skip_reason" in one]
    holes = [(one, hole) for one in found for hole in one.get("vulns", ())]
    lines = [
        f"{one['name']} {one['version']}: {hole['id']}, mended in {', '.join(hole['fix_versions']) or 'no version yet'}"
        for one, hole in holes
    ]
    lines.append(f"{len(found) - len(unknown)} of {len(found)} packages were asked about; {len(holes)} known holes.")
    if unknown:
        lines.append(f"Nothing is known of these, which the index does not tell of: {', '.join(unknown)}.")
    return (1 if holes else 2 if unknown and strict else 0), lines


if __name__ == "__main__":
    code, said = told(asked(), strict="--strict" in sys.argv)
    sys.stdout.write("\n".join(said) + "\n")
    sys.exit(code)

"""``make licences``: docs/licences.md, from what the pinned packages say of themselves where they are installed."""

from __future__ import annotations

import hashlib
import sys
from importlib.metadata import PackageNotFoundError, distribution

from dependencies.pins import ROOT, Pin, pins

FILE = ROOT / "docs" / "licences.md"
VENDORED = ROOT / "src" / "pulsegate" / "web" / "static" / "vendor"
# Where the metadata says nothing, or only a family: read in the package's own licence file.
READ = {
    "cabby": "BSD-3-Clause", "cybox": "BSD-3-Clause",
    "flask-wtf": "BSD-3-Clause", "itsdangerous": "BSD-3-Clause", "jinja2": "BSD-3-Clause",
    "libtaxii": "BSD-3-Clause", "mixbox": "BSD-3-Clause", "opentaxii": "BSD-3-Clause", "ordereddict": "MIT",
    "otxv2": "Apache-2.0", "stix": "BSD-3-Clause", "stix-validator": "BSD-3-Clause", "stix2": "BSD-3-Clause",
    "stix2-patterns": "BSD-3-Clause", "wtforms": "BSD-3-Clause", "xlrd": "BSD-3-Clause",
}  # fmt: skip
# Needed on some machines only, and so not always installed.
ELSEWHERE = {"colorama": "BSD-3-Clause", "legacy-cgi": "PSF-2.0"}
LONGEST = 60  # characters; more is the licence itself
_WORDS = {
    "MIT License": "MIT", "ISC License": "ISC", "PSF": "PSF-2.0", "Python Software Foundation License": "PSF-2.0",
}  # fmt: skip
OTHERS = [
    ("htmx", "2.0.11", "0BSD", "`web/static/vendor/htmx`, unchanged"),
    ("Pico CSS", "2.1.1", "MIT", "`web/static/vendor/pico`, unchanged"),
    ("MISP warning lists", "as in pymispwarninglists 1.7.0", "CC0-1.0, as their repository says", "installed"),
    ("Public Suffix List", "as in publicsuffixlist", "MPL-2.0", "installed"),
    ("axe-core", "4.12.1, in axe-playwright-python", "MPL-2.0", "for the tests only"),
]
DIGESTS = {
    "htmx/htmx.min.js": "d6fdc75f204e6bdefa99b69bf1e6d4ac69b8a364f77929f45c13476b4000f717",
    "pico/pico.min.css": "fbc9a63fc9fc9f72d12fd7fc9806e11fa9f77ae4f9cad146b27003a1119ba3db",
}
HEAD = """# Licences of others

What `requirements.txt` installs, with the licence that each package tells of itself. Made by `make licences`; a test
holds it true. A licence with an asterisk was read in the package's licence file, as its metadata doesn't tell which.

| package | version | licence | needed |
| --- | --- | --- | --- |
"""
TAIL = """
## Files and lists of others

| what | version | licence | where |
| --- | --- | --- | --- |
"""


def licence(pin: Pin) -> str:
    """SPDX's identifier, as far as the package tells one. LookupError: nothing tells it."""
    if pin.name in READ:
        return f"{READ[pin.name]} *"
    try:
        metadata = distribution(pin.name).metadata
    except PackageNotFoundError:
        return f"{ELSEWHERE[pin.name]} *"
    if pin.name in ELSEWHERE:
        return f"{ELSEWHERE[pin.name]} *"
    given = metadata.get("License-Expression") or metadata.get("License") or ""
    if not given:
        classifiers = [one.split(" :: ")[-1] for one in metadata.get_all("Classifier", []) if "License ::" in one]
        given = classifiers[0] if len(classifiers) == 1 else ""
    if not given or len(given) > LONGEST or given == "UNKNOWN":
        raise LookupError(f"{pin.name}: its metadata tells no licence; read its licence file, and add it to READ")
    return _WORDS.get(given, given).strip()


def page() -> str:
    rows = (f"| {one.name} | {one.version} | {licence(one)} | {_where(one)} |" for one in pins())
    others = (f"| {' | '.join(cells)} |" for cells in OTHERS)
    return HEAD + "\n".join(rows) + "\n" + TAIL + "\n".join(others) + "\n"


def _where(pin: Pin) -> str:
    return f"`{pin.marker}`" if pin.marker else "everywhere"


def digest(name: str) -> str:
    return hashlib.sha256((VENDORED / name).read_bytes()).hexdigest()


if __name__ == "__main__":
    FILE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{FILE}\n")

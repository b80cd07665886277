"""What a neighbour on the machine sees in the folder for temporary files."""

from __future__ import annotations

import ast
from pathlib import Path

import pulsegate

SOURCE = Path(pulsegate.__file__).parent
GOOD = {"TemporaryFile", "NamedTemporaryFile", "TemporaryDirectory", "SpooledTemporaryFile", "mkstemp"}
HARMLESS = {"gettempdir"}  # only names the folder


def test_temporary_files_have_random_names_and_are_for_their_user() -> None:
    """``tempfile`` makes these 0600 and 0700, with names that nobody knows before; there is no other way to one here."""
    found = set()
    for path in SOURCE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert '"/tmp' not in text, path
        assert "'/tmp" not in text, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ImportFrom) and node.module == "tempfile":
                found |= {one.name for one in node.names}
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "tempfile":
                found.add(node.attr)
    assert found, "the relay makes some"
    assert found <= GOOD | HARMLESS

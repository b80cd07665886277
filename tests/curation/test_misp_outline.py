"""What a warning list says of itself is read without a look at its entries, and is the same."""

from __future__ import annotations

import json

import pytest

from pulsegate.curation import misp


@pytest.mark.parametrize("name", misp.names())
def test_outline_is_what_the_document_says(name):
    document = json.loads((misp.data_folder() / name / "list.json").read_bytes())
    found = misp.outline(name)
    assert (found.title, found.description, found.entries) == (
        document["name"], document["description"], len(document["list"]),
    )  # fmt: skip


@pytest.mark.parametrize("indent", [None, 1, 2])
@pytest.mark.parametrize("texts", [[], ["a.example"], ["a.example", "]", 'b"\n  ]\n.example']])
def test_outline_of_a_file_that_is_written_otherwise(tmp_path, texts, indent):
    document = {"name": "Ours", "description": "why", "list": texts, "type": "string"}
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours" / "list.json").write_text(json.dumps(document, indent=indent))
    misp.outline.cache_clear()
    assert misp.outline("ours", tmp_path) == misp.Outline("Ours", "why", len(texts))

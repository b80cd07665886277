"""Every text of the pages is in the catalogue, translated, and compiled."""

from __future__ import annotations

import re

from babel.messages.catalog import Catalog
from babel.messages.mofile import read_mo

from pulsegate.web import catalogue

ADVICE = "run 'make translations', fill the empty msgstr in messages.po, run it again"


def texts(found):
    return {_fixed(one.id): _fixed(one.string) for one in found if one.id}


def _fixed(text):
    return tuple(text) if isinstance(text, list) else text


def test_every_text_is_translated():
    assert set(texts(catalogue.wanted())) == set(texts(catalogue.stored())), ADVICE
    assert catalogue.lacking(catalogue.stored()) == [], ADVICE


def test_text_that_is_new_lacks_a_translation_until_it_has_one(tmp_path, monkeypatch):
    monkeypatch.setattr(catalogue, "file", lambda kind: tmp_path / f"messages.{kind}")
    new = Catalog(locale="ja")
    new.add("A text")
    new.add(("%(num)s text", "%(num)s texts"))
    catalogue.write(new)
    assert catalogue.lacking(catalogue.stored()) == ["%(num)s text", "A text"]


def test_what_is_compiled_is_what_is_written():
    with catalogue.file("mo").open("rb") as stream:
        assert texts(read_mo(stream)) == texts(catalogue.stored()), ADVICE


def test_translation_fills_in_what_the_text_does():
    for text, translated in texts(catalogue.stored()).items():
        both = [(text, translated)] if isinstance(text, str) else [(text[1], translated[0])]
        for one, other in both:
            assert sorted(re.findall(r"%\(\w+\)s", one)) == sorted(re.findall(r"%\(\w+\)s", str(other))), one

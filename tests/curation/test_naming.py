"""Words in the names of pulses, and techniques among their ids."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulsegate.curation.naming import covers_technique, has_word


@pytest.mark.parametrize(
    ("name", "word", "found"),
    [
        ("Phishing wave", "phishing", True),
        ("Phishing wave", "phish", False),
        ("Phishing wave", "phish*", True),
        ("Phishing wave", "ishing", False),
        ("Phish", "phish*", True),
        ("Vishing, smishing.PHISHING!", "phishing", True),
        ("Emotet_phishing_2024", "phishing", True),
        ("Emotet_phishing_2024", "emotet phishing", True),
        ("phishing2024", "phishing", False),
        ("phishing2024", "phishing*", True),
        ("Spear-Phishing", "spear phishing", True),
        ("Spear / phishing", "spear phishing", True),
        ("Spearphishing", "spear phishing", False),
        ("Spear of phishing", "spear phishing", False),
        ("Spear phishing", "spear-phishing", False),
        ("Credentials theft", "credential* theft", True),
        ("Credentials theft", "credential theft", False),
        ("APT28", "apt", False),
        ("APT28", "apt*", True),
        ("APT 28", "apt 28", True),
        ("Uses .NET and C++", ".net", True),
        ("Uses .NET and C++", "c++", True),
        ("dotNET", ".net", False),
        ("Attaque contre l\u2019État", "etat", True),
        ("ATTAQUE CONTRE L'ETAT", "état", True),
        ("E\u0301tat", "\u00e9tat", True),
        ("Hauptstraße", "HAUPTSTRASSE", True),
        ("İstanbul", "istanbul", True),
        ("\uff30\uff28\uff29\uff33\uff28\uff29\uff2e\uff27", "phishing", True),
        ("ﬁnance", "finance", True),
        ("国内銀行を騙るフィッシング詐欺", "フィッシング", True),
        ("国内銀行を騙るﾌｨｯｼﾝｸﾞ詐欺", "フィッシング", True),
        ("Emotetマルウェア", "emotet", True),
        ("Emotetsマルウェア", "emotet", False),
        ("バス", "ハス", False),
        ("Фишинг", "фишинг", True),
        ("a.b", "a*b", False),
        ("anything", "\u0301", False),
        ("", "a", False),
        ("(a|b)", "(a|b)", True),
    ],
)
def test_word_in_a_name(name, word, found):
    assert has_word(name, word) is found


names = st.text("aAbB1 -_.éÉ", max_size=14)


@given(names, st.text("abAé1", min_size=1, max_size=3), st.booleans())
def test_word_is_found_as_somebody_finds_it_who_reads_the_name_word_by_word(name, word, is_begin):
    plain = str.maketrans("éÉAB", "eeab")
    there = re.split("[^a-z0-9]+", name.translate(plain))
    wanted = word.translate(plain)
    expected = any(one.startswith(wanted) if is_begin else one == wanted for one in there)
    assert has_word(name, word + "*" * is_begin) is expected


def test_search_in_a_long_name_takes_no_time():
    began = time.perf_counter()
    assert not has_word("a" * 20_000, "a* a* a* b")
    assert time.perf_counter() - began < 5


@pytest.mark.parametrize(
    ("wanted", "ids", "covered"),
    [
        ("T1566", ["T1566"], True),
        ("T1566", ["T1000", "t1566.001"], True),
        ("t1566", ["T1566 - Phishing"], True),
        ("T1566", ["T15660", "T15"], False),
        ("T1566.001", ["T1566"], False),
        ("T1566.001", ["T1566.001 - Attachment"], True),
        ("T1566.001", ["T1566.002"], False),
        ("TA0011", ["TA0011"], True),
        ("T1566", ["", " ", "Phishing (T1566)"], False),
        ("T1566", [], False),
    ],
)
def test_technique_among_the_ids_of_a_pulse(wanted, ids, covered):
    assert covers_technique(wanted, ids) is covered

"""Public suffixes, from the bundled list."""

import pytest

from pulsegate.values.suffixes import has_known_end, is_public_suffix, is_single_label, registrable


@pytest.mark.parametrize(
    ("name", "suffix", "registered"),
    [
        ("com", True, None),
        ("co.uk", True, None),
        ("github.io", True, None),
        ("xn--p1ai", True, None),
        ("evil.com", False, "evil.com"),
        ("a.b.evil.co.uk", False, "evil.co.uk"),
        ("foo.github.io", False, "foo.github.io"),
        ("www.ck", False, "www.ck"),  # an exception of *.ck
        ("x.ck", True, None),
        ("localhost", False, None),
        ("evil.example", False, "evil.example"),
        ("a.evil.example", False, "evil.example"),
    ],
)
def test_suffix_and_registrable_name(name, suffix, registered):
    assert (is_public_suffix(name), registrable(name)) == (suffix, registered)


@pytest.mark.parametrize(("name", "expected"), [("localhost", True), ("com", True), ("evil.com", False)])
def test_single_label(name, expected):
    assert is_single_label(name) is expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("evil.com", True),
        ("evil.example", True),
        ("x.onion", True),
        ("invoice.doc", False),
        ("com", False),
        ("a." + "x" * 64, False),
    ],
)
def test_known_end(name, expected):
    assert has_known_end(name) is expected

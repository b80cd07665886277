"""What a value typed by a person may mean."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulsegate.model.indicator import IndicatorType as T
from pulsegate.values.normalise import readings

SHA1 = "01234567" * 5


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ()),
        (
            "evil[.]COM",
            ((T.DOMAIN, "evil.com"), (T.MUTEX, "evil[.]COM"), (T.FILE_PATH, "evil[.]COM"), (T.OSQUERY, "evil[.]COM")),
        ),
        ("www.evil.com", tuple((type_, "www.evil.com") for type_ in (T.HOSTNAME, T.MUTEX, T.FILE_PATH, T.OSQUERY))),
        ("1.2.3.4", tuple((type_, "1.2.3.4") for type_ in (T.IPV4, T.MUTEX, T.FILE_PATH, T.OSQUERY))),
        (
            "2001:DB8::1",
            ((T.IPV6, "2001:db8::1"), *((type_, "2001:DB8::1") for type_ in (T.MUTEX, T.FILE_PATH, T.OSQUERY))),
        ),
        (
            "1.2.3.4/24",
            (
                (T.CIDR, "1.2.3.0/24"),
                (T.URL, "http://1.2.3.4/24"),
                *((type_, "1.2.3.4/24") for type_ in (T.FILE_PATH, T.MUTEX, T.OSQUERY)),
            ),
        ),
        (
            "hxxp://evil.com/X",
            (
                (T.URL, "http://evil.com/X"),
                *((type_, "hxxp://evil.com/X") for type_ in (T.FILE_PATH, T.MUTEX, T.OSQUERY)),
            ),
        ),
        ("/x/", tuple((type_, "/x/") for type_ in (T.URI, T.FILE_PATH, T.MUTEX, T.OSQUERY))),
        ("C:\\x.exe", tuple((type_, "C:\\x.exe") for type_ in (T.FILE_PATH, T.MUTEX, T.OSQUERY))),
        ("A@b.com", tuple((type_, "A@b.com") for type_ in (T.EMAIL, T.MUTEX, T.FILE_PATH, T.OSQUERY))),
        ("some words", tuple((type_, "some words") for type_ in (T.MUTEX, T.FILE_PATH, T.OSQUERY))),
        (
            SHA1,
            tuple(
                (type_, SHA1)
                for type_ in (T.SHA1, T.PEHASH, T.SSL_CERT_FINGERPRINT, T.YARA, T.MUTEX, T.FILE_PATH, T.OSQUERY)
            ),
        ),
    ],
)
def test_readings_begin_with_the_best_guess(text, expected):
    assert readings(text) == expected


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("cve-2017-11882", (T.CVE, "CVE-2017-11882")),
        ("ab" * 16, (T.MD5, "ab" * 16)),
        ("ab" * 32, (T.SHA256, "ab" * 32)),
        ("localhost", (T.DOMAIN, "localhost")),
        ("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", (T.BITCOIN_ADDRESS, "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa")),
    ],
)
def test_first_reading(text, first):
    assert readings(text)[0] == first


@given(st.text())
def test_readings_have_one_of_each_family(text):
    families = [type_.family for type_, _ in readings(text)]
    assert len(families) == len(set(families))

"""The one form of a certificate's subject."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model import certificates
from model.certificates import der
from pulsegate.model.subject import normal_subject, subject_of_certificate


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("CN=esa1,O=Example", "CN=esa1,O=Example"),
        ("  cn = esa1 ,  o= Example ", "CN=esa1,O=Example"),
        ("2.5.4.3=esa1,OID.2.5.4.10=Example", "CN=esa1,O=Example"),
        ("commonName=esa1,organizationName=Example", "CN=esa1,O=Example"),
        ("emailAddress=a@example.org", "EMAILADDRESS=a@example.org"),
        ("E=a@example.org", "EMAILADDRESS=a@example.org"),
        ("1.2.3.4=a", "1.2.3.4=a"),
        ("OU=b+CN=a", "CN=a+OU=b"),
        ("CN=a\\, b\\2C c", "CN=a\\, b\\, c"),
        ("CN=M\\C3\\BCller", "CN=Müller"),
        ("CN=名前 😀", "CN=名前 😀"),
        ("CN=a\\0Ab\\00", "CN=a\\0Ab\\00"),
        ("CN=\\ a\\  ", "CN=\\ a\\ "),
        ("CN=a\\\\  ", "CN=a\\\\"),
        ("CN=\\#a #b", "CN=\\#a #b"),
        ("CN=a=b", "CN=a=b"),
        ("CN=", "CN="),
    ],
)
def test_subject_has_one_form(text, normal):
    assert normal_subject(text) == normal
    assert normal_subject(normal) == normal


def test_subjects_that_differ_stay_different():
    texts = ["CN=a,O=b", "O=b,CN=a", "CN=a+O=b", "CN=A,O=b", "CN=a\\,O=b", "CN=a,O=b\\ ", "CN=a", "UID=a,O=b"]
    assert len({normal_subject(text) for text in texts}) == len(texts)


@pytest.mark.parametrize(
    "text",
    ["", " ", "esa1", "CN", "=a", "CN=a,", ",CN=a", "CN=a;O=b", "/O=b/CN=a", 'CN="a"', "CN=a\\", "CN=a\\FF", "CN=#0401", "CN=a\0", "CN=\ud800"],
)  # fmt: skip
def test_what_is_no_subject_is_refused(text):
    with pytest.raises(ValueError):
        normal_subject(text)


@given(st.lists(st.text(min_size=1), min_size=1, max_size=3))
def test_every_value_survives_being_written(values):
    """Hex pairs are one way to write any value; its normal form must mean the same value."""
    pairs = ["".join(f"\\{octet:02x}" for octet in value.encode()) for value in values]
    normal = normal_subject(",".join(f"CN={one}" for one in pairs))
    assert normal_subject(normal) == normal
    assert normal.isprintable()
    again = normal_subject("+".join(f"CN={one}" for one in pairs))
    assert len(again) == len(normal)


@pytest.mark.parametrize(
    ("pem", "openssl"),
    [
        (certificates.MANY_NAMES, certificates.MANY_NAMES_SUBJECT),
        (certificates.OTHER_ALPHABETS, certificates.OTHER_ALPHABETS_SUBJECT),
    ],
)
def test_certificate_has_the_subject_that_openssl_writes(pem, openssl):
    assert subject_of_certificate(der(pem)) == normal_subject(openssl)


def test_certificate_with_several_names_is_written_from_the_most_specific_on():
    assert subject_of_certificate(der(certificates.MANY_NAMES)) == "CN=esa1,OU=Mail+UID=7,O=Example\\, Inc.,C=DE"


def test_certificate_without_a_subject_is_told():
    with pytest.raises(ValueError, match="is a certificate without a subject"):
        subject_of_certificate(der(certificates.NO_SUBJECT))


def test_certificate_that_is_cut_or_damaged_is_told():
    whole = der(certificates.OTHER_ALPHABETS)
    for size in range(len(whole)):
        with pytest.raises(ValueError, match="is no certificate"):
            subject_of_certificate(whole[:size])


@given(st.binary(max_size=200))
def test_any_bytes_are_a_certificate_or_a_value_error(octets):
    with pytest.raises(ValueError):
        subject_of_certificate(octets)

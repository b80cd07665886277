"""Hexadecimal values."""

import pytest

from pulsegate.model.indicator import IndicatorType as T

MD5, SHA1, SHA256 = "0123456789abcdef" * 2, "01234567" * 5, "0123456789abcdef" * 4
COLONS = ":".join(SHA1[i : i + 2] for i in range(0, 40, 2)).upper()


@pytest.mark.parametrize("declared", [T.MD5, T.SHA1, T.SHA256])
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (MD5, (T.MD5, MD5)),
        (SHA1, (T.SHA1, SHA1)),
        (SHA256, (T.SHA256, SHA256)),
        (MD5.upper(), (T.MD5, MD5)),
        (f" md5: {MD5}\n", (T.MD5, MD5)),
        (f"SHA-256={SHA256}", (T.SHA256, SHA256)),
        (f"0x{SHA1}", (T.SHA1, SHA1)),
        (f"`{SHA1}`", (T.SHA1, SHA1)),
        (f"\u200e{MD5}\u200f", (T.MD5, MD5)),
        ("ａ" * 32, (T.MD5, "a" * 32)),
    ],
)
def test_file_hash_is_told_by_its_length(read, declared, value, expected):
    assert read(declared, value) == expected


@pytest.mark.parametrize(
    ("declared", "value", "expected"),
    [
        (T.IMPHASH, MD5.upper(), MD5),
        (T.PEHASH, SHA1, SHA1),
        (T.PEHASH, MD5, MD5),
        (T.PEHASH, SHA256, SHA256),
        (T.JA3, f"ja3:{MD5}", MD5),
        (T.SSL_CERT_FINGERPRINT, COLONS, SHA1),
        (T.SSL_CERT_FINGERPRINT, COLONS.replace(":", " "), SHA1),
        (T.SSL_CERT_FINGERPRINT, f"SHA1 Fingerprint={COLONS}", SHA1),
        (T.SSL_CERT_FINGERPRINT, f"sha256:{SHA256}", SHA256),
        (T.SSL_CERT_FINGERPRINT, MD5, MD5),
    ],
)
def test_other_hash_keeps_its_type(read, declared, value, expected):
    assert read(declared, value) == (declared, expected)


@pytest.mark.parametrize(
    ("declared", "value", "reason"),
    [
        (T.MD5, MD5[1:], "not an MD5 hash: 31 hexadecimal digits, not 32"),
        (T.SHA1, "0" * 128, "not a SHA-1 hash: 128 hexadecimal digits, not 40"),
        (T.SHA256, "g" * 64, "not a SHA-256 hash: not hexadecimal"),
        (T.SHA256, "evil.com", "not a SHA-256 hash: not hexadecimal"),
        (T.MD5, f"{MD5}, {MD5}", "not an MD5 hash: several values in one field"),
        (T.MD5, "0" * 600, "not an MD5 hash: longer than 512 characters"),
        (T.IMPHASH, SHA1, "not an import hash: 40 hexadecimal digits, not 32"),
        (T.PEHASH, "0" * 50, "not a PE hash: 50 hexadecimal digits, not 32 or 40 or 64"),
        (T.JA3, "771,4866-4867,0-23,29,0", "not a JA3 hash: not hexadecimal"),
        (T.SSL_CERT_FINGERPRINT, "AB:CD", "not a certificate fingerprint: 4 hexadecimal digits, not 32 or 40 or 64"),
    ],
)
def test_what_is_no_hash_is_rejected(read, declared, value, reason):
    assert read(declared, value) == reason

"""Certificates and keys as administrators bring them: each fault is one clear refusal."""

from __future__ import annotations

import contextlib
import os
import ssl
import warnings
from pathlib import Path

import pytest

from pki import Authority, Pair
from pulsegate.cli import tls
from pulsegate.errors import SettingsError
from pulsegate.settings import TLSSettings


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "pki")


def settings(pair: Pair, **more: object) -> TLSSettings:
    return TLSSettings.model_validate({"certificate": pair.certificate, "key": pair.key} | more)


def refusal(given: TLSSettings) -> str:
    with pytest.raises(SettingsError) as caught:
        tls.context(given)
    return str(caught.value)


def test_right_pair_has_no_complaint(authority: Authority) -> None:
    pair = authority.issue("server", "/CN=localhost")
    for more in ({}, {"client_ca": authority.ca}, {"client_ca": authority.ca, "client_certificates": "required"}):
        assert tls.complaint(tls.context(settings(pair, **more)), pair.certificate) is None


def test_expired_certificate_is_complained_of_and_still_served(authority: Authority) -> None:
    pair = authority.issue("old", "/CN=localhost", days="-1")
    assert tls.complaint(tls.context(settings(pair)), pair.certificate) == "it has expired"


@pytest.mark.parametrize(
    ("newest", "is_spoken"),
    [(ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True), (ssl.TLSVersion.TLSv1_3, True)],
)
def test_old_tls_is_not_spoken(authority: Authority, newest: ssl.TLSVersion, is_spoken: bool) -> None:
    server = tls.context(settings(authority.issue("server", "/CN=localhost")))
    assert server.options & ssl.OP_NO_RENEGOTIATION
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    client.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        client.minimum_version, client.maximum_version = ssl.TLSVersion.TLSv1, newest
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = client.wrap_bio(back, there), server.wrap_bio(there, back, server_side=True)

    def shake_hands() -> None:
        for _ in range(10):
            for side in sides:
                with contextlib.suppress(ssl.SSLWantReadError):
                    side.do_handshake()

    if is_spoken:
        shake_hands()
        assert sides[0].version() == newest.name.replace("_", ".")
    else:
        with pytest.raises(ssl.SSLError, match=r"(?i)protocol"):
            shake_hands()


def test_missing_file_is_named(authority: Authority, tmp_path: Path) -> None:
    pair = authority.issue("server", "/CN=localhost")
    assert "tls.key can't be read: No such file" in refusal(settings(pair, key=tmp_path / "none.key"))
    assert "tls.client_ca can't be read: No such file" in refusal(settings(pair, client_ca=tmp_path / "none.pem"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_unreadable_file_is_named(authority: Authority) -> None:
    pair = authority.issue("server", "/CN=localhost")
    pair.key.chmod(0)
    assert "tls.key can't be read: Permission denied" in refusal(settings(pair))


def test_folder_in_place_of_a_file_is_named(authority: Authority, tmp_path: Path) -> None:
    pair = authority.issue("server", "/CN=localhost")
    assert "tls.certificate can't be read: Is a directory" in refusal(settings(pair, certificate=tmp_path))


def test_key_of_another_certificate_is_told(authority: Authority) -> None:
    pair, other = authority.issue("server", "/CN=localhost"), authority.issue("other", "/CN=localhost")
    assert "is not the key of" in refusal(settings(pair, key=other.key))


def test_encrypted_key_is_told_with_what_to_do(authority: Authority) -> None:
    pair = authority.issue("server", "/CN=localhost")
    said = refusal(settings(pair, key=authority.encrypted(pair)))
    assert "tls.key is encrypted" in said
    assert "openssl pkey" in said


def test_files_that_are_no_pem_are_told(authority: Authority, tmp_path: Path) -> None:
    pair = authority.issue("server", "/CN=localhost")
    (tmp_path / "text").write_text("no certificate")
    assert "no certificate and key that can be used" in refusal(settings(pair, certificate=tmp_path / "text"))
    assert "tls.client_ca holds no certificates" in refusal(settings(pair, client_ca=tmp_path / "text"))


def test_renewed_files_are_taken_and_broken_ones_are_not(authority: Authority) -> None:
    pair = authority.issue("server", "/CN=localhost")
    renewal = tls.Renewal(settings(pair))
    first = renewal.current()
    assert renewal.current() is first
    authority.issue("server", "/CN=localhost")
    second = renewal.current()
    assert second is not first
    pair.key.write_text("half a file")
    assert renewal.current() is second

"""Keys of the relay: PEM that OpenSSL reads, modes, and every way in which one is refused."""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa, x25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from pulsegate.errors import RelayError, RelayTrustError
from pulsegate.relay.keys import Trust, TrustedKey, generate, names, read_public, read_secret
from pulsegate.settings.relay import RelaySettings
from relay.carried import KEY, OTHER_KEY, trusted

NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)
DATA = b"data"
OTHERS = [
    ec.generate_private_key(ec.SECP256R1()),
    ed448.Ed448PrivateKey.generate(),
    x25519.X25519PrivateKey.generate(),
    rsa.generate_private_key(65537, 2048),
]


def secret_pem(key, encryption=None):
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption())


def public_pem(key):
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def mode(path):
    return path.stat().st_mode & 0o777


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_pair_has_its_modes_and_belongs_together(tmp_path, umask):
    before = os.umask(umask)
    try:
        told = generate(tmp_path / "key")
    finally:
        os.umask(before)
    assert (mode(tmp_path / "key"), mode(tmp_path / "key.pub")) == (0o600, 0o644)
    secret, public = read_secret(tmp_path / "key"), read_public(tmp_path / "key.pub")
    assert told == secret.fingerprint == public.fingerprint
    assert public.name == "key"
    public.key.verify(secret.sign(DATA), DATA)


def test_openssl_verifies_what_is_signed(tmp_path):
    generate(tmp_path / "key")
    (tmp_path / "data").write_bytes(DATA)
    (tmp_path / "sig").write_bytes(read_secret(tmp_path / "key").sign(DATA))
    words = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "key.pub", "-rawin", "-in", "data", "-sigfile", "sig"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, check=False)
    assert (done.returncode, b"Signature Verified Successfully" in done.stdout) == (0, True)


def test_key_of_openssl_is_read(tmp_path):
    path = tmp_path / "key"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", path], check=True, capture_output=True)
    path.chmod(0o600)
    public = subprocess.run(["openssl", "pkey", "-in", path, "-pubout"], check=True, capture_output=True).stdout
    (tmp_path / "key.pub").write_bytes(public)
    assert read_secret(path).fingerprint == read_public(tmp_path / "key.pub").fingerprint


@pytest.mark.parametrize("there", ["key", "key.pub"])
def test_nothing_is_written_over(tmp_path, there):
    (tmp_path / there).write_text("mine")
    with pytest.raises(RelayError, match=f"{there}: is there already. Give another --out, or remove the old key"):
        generate(tmp_path / "key")
    assert [one.name for one in tmp_path.iterdir()] == [there]
    assert (tmp_path / there).read_text() == "mine"


def test_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(RelayError, match="nowhere/key: can't be written: No such file or directory"):
        generate(tmp_path / "nowhere" / "key")


@pytest.mark.parametrize("name", [".", "/"])
def test_folder_for_a_key_is_refused(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RelayError, match=r"is a folder. Give --out the name of a file"):
        generate(type(tmp_path)(name))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("readable", [0o640, 0o604, 0o644, 0o620, 0o610])
def test_secret_key_that_others_reach_is_refused(tmp_path, readable):
    path = tmp_path / "key"
    generate(path)
    path.chmod(readable)
    with pytest.raises(RelayError, match=f"can be read by others. Run: chmod 600 {path}"):
        read_secret(path)


@pytest.mark.parametrize("key", OTHERS, ids=lambda one: type(one).__name__)
def test_other_kinds_of_keys_are_refused(tmp_path, key):
    path = tmp_path / "key"
    path.write_bytes(secret_pem(key))
    path.chmod(0o600)
    with pytest.raises(
        RelayError, match=r"holds no secret Ed25519 key in PEM. Make a pair with 'pulsegate relay keygen"
    ):
        read_secret(path)
    path.write_bytes(public_pem(key))
    with pytest.raises(RelayError, match="holds no public Ed25519 key in PEM"):
        read_public(path)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"text",
        b"\0" * 100,
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        secret_pem(KEY.key, BestAvailableEncryption(b"word")),
        public_pem(KEY.key),
        secret_pem(KEY.key)[:-40],
        b"x" * 1_000_000,
    ],
)
def test_what_is_no_secret_key_is_refused(tmp_path, data):
    path = tmp_path / "key"
    path.write_bytes(data)
    path.chmod(0o600)
    with pytest.raises(RelayError, match="holds no secret Ed25519 key in PEM"):
        read_secret(path)


def test_secret_key_in_place_of_the_public_one_is_refused(tmp_path):
    path = tmp_path / "key"
    path.write_bytes(secret_pem(KEY.key))
    with pytest.raises(RelayError, match="holds no public Ed25519 key in PEM"):
        read_public(path)


def test_missing_key_is_told(tmp_path):
    for read in (read_secret, read_public):
        with pytest.raises(RelayError, match="none: can't be read: No such file or directory"):
            read(tmp_path / "none")


# --- Who is trusted --------------------------------------------------------------------------------------------------


def test_signer_is_found_among_several():
    one = Trust((TrustedKey("a", OTHER_KEY.key.public_key()), TrustedKey("b", KEY.key.public_key())))
    found = one.signer(DATA, KEY.sign(DATA), NOW)
    assert found is not None
    assert found.name == "b"
    assert names(one.keys) == "a, b"


@pytest.mark.parametrize("signature", [b"", bytes(64), KEY.sign(DATA)[:-1], KEY.sign(DATA) + b"\0", KEY.sign(b"else")])
def test_no_other_signature_is_anybodys(signature):
    assert trusted().signer(DATA, signature, NOW) is None


def test_revoked_key_counts_no_more():
    trust = Trust(trusted().keys, frozenset({KEY.fingerprint}))
    with pytest.raises(RelayTrustError, match=r"key 'sender', which is revoked. Have the sender sign with its new key"):
        trust.signer(DATA, KEY.sign(DATA), NOW)
    assert trust.signer(DATA, OTHER_KEY.sign(DATA), NOW) is None


@pytest.mark.parametrize(("later", "is_trusted"), [(timedelta(microseconds=1), True), (timedelta(0), False)])
def test_key_is_trusted_until_then(later, is_trusted):
    trust = trusted(until=NOW + later)
    if is_trusted:
        assert trust.signer(DATA, KEY.sign(DATA), NOW) is trust.keys[0]
        return
    with pytest.raises(
        RelayTrustError, match=r"was trusted until 2024-06-01 12:00 UTC. Have the sender sign with its new"
    ):
        trust.signer(DATA, KEY.sign(DATA), NOW)


def test_fingerprints_of_revoked_keys_are_read_in_either_case():
    assert RelaySettings(revoked=[KEY.fingerprint.upper()]).revoked == [KEY.fingerprint]


@pytest.mark.parametrize("wrong", ["", "abc", KEY.fingerprint[:-1], f"{KEY.fingerprint}0", "g" * 64])
def test_misspelt_fingerprint_is_an_error_and_not_nothing(wrong):
    with pytest.raises(ValueError, match="a fingerprint has 64 hex digits, as 'pulsegate relay keygen' tells them"):
        RelaySettings(revoked=[wrong])

"""Keys of the relay: Ed25519 (RFC 8032), in PEM as RFC 8410 and OpenSSL write them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from pulsegate.errors import RelayError, RelayTrustError

SIGNATURE = 64  # bytes of one
_MOST = 10_000  # bytes of a key's file


@dataclass(frozen=True, slots=True)
class SecretKey:
    """What a sender signs with."""

    key: Ed25519PrivateKey

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.key.public_key())

    def sign(self, data: bytes) -> bytes:
        return self.key.sign(data)


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """A key that a receiver trusts, under a name of its own; ``until``: no longer than that (aware, UTC).

    ``origin``: the only sender that it may sign for; None: the one that it has signed for first.
    """

    name: str
    key: Ed25519PublicKey
    until: datetime | None = None
    origin: str | None = None

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.key)

    def is_over(self, moment: datetime) -> bool:
        """Whether it is trusted no longer."""
        return self.until is not None and moment >= self.until


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom a receiver trusts. ``revoked``: fingerprints of keys that count no more, whatever is said of them."""

    keys: tuple[TrustedKey, ...]
    revoked: frozenset[str] = frozenset()

    def counted(self, moment: datetime) -> list[TrustedKey]:
        """The keys that bundles may be signed with then."""
        return [one for one in self.keys if one.fingerprint not in self.revoked and not one.is_over(moment)]

    def signer(self, data: bytes, signature: bytes, moment: datetime) -> TrustedKey | None:
        """Who has signed the data. RelayTrustError: one whose key is revoked, or trusted no longer."""
        found = next((one for one in self.keys if _has_signed(one, data, signature)), None)
        if found is None:
            return None
        if found.fingerprint in self.revoked:
            raise RelayTrustError(
                f"is signed with the key {found.name!r}, which is revoked",
                hint="Have the sender sign with its new key, and export a full snapshot",
            )
        if found.until is not None and found.is_over(moment):
            raise RelayTrustError(
                f"is signed with the key {found.name!r}, which was trusted until {found.until:%Y-%m-%d %H:%M} UTC",
                hint="Have the sender sign with its new key, or give this one more time in relay.trust",
            )
        return found


def _has_signed(one: TrustedKey, data: bytes, signature: bytes) -> bool:
    try:
        one.key.verify(signature, data)
    except InvalidSignature:
        return False
    return True


def fingerprint(key: Ed25519PublicKey) -> str:
    """SHA-256 of the 32 bytes of a public key, as 64 hex digits."""
    return hashlib.sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()


def generate(prefix: Path) -> str:
    """Write a new secret key to ``prefix`` (mode 0600) and its public one to ``prefix``.pub; gives the fingerprint.

    RelayError: one of the files is there already, or can't be written.
    """
    if not prefix.name:
        raise RelayError("is a folder", resource=str(prefix), hint="Give --out the name of a file")
    key = Ed25519PrivateKey.generate()
    public = prefix.with_name(prefix.name + ".pub")
    if public.exists():
        raise RelayError("is there already", resource=str(public), hint="Give another --out, or remove the old key")
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    _write(prefix, pem, 0o600)
    _write(public, key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), 0o644)
    return fingerprint(key.public_key())


def _write(path: Path, data: bytes, mode: int) -> None:
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
    except FileExistsError as error:
        hint = "Give another --out, or remove the old key"
        raise RelayError("is there already", resource=str(path), hint=hint) from error
    except OSError as error:
        raise RelayError(f"can't be written: {error.strerror}", resource=str(path)) from error


def read_secret(path: Path) -> SecretKey:
    """The secret key in the file. RelayError: it can't be read, holds none, or others may read it."""
    data = _read(path)
    if path.stat().st_mode & 0o077:
        raise RelayError("can be read by others", resource=str(path), hint=f"Run: chmod 600 {path}")
    try:
        key = load_pem_private_key(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _no_key(path, "secret") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise _no_key(path, "secret")
    return SecretKey(key)


def read_public(path: Path, name: str | None = None) -> TrustedKey:
    """The public key in the file, under that name or the file's. RelayError: it can't be read, or holds none."""
    data = _read(path)
    try:
        key = load_pem_public_key(data)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _no_key(path, "public") from error
    if not isinstance(key, Ed25519PublicKey):
        raise _no_key(path, "public")
    return TrustedKey(name or path.name.removesuffix(".pub"), key)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_MOST)
    except OSError as error:
        hint = "Correct the path, or let Pulsegate's user read it"
        raise RelayError(f"can't be read: {error.strerror}", resource=str(path), hint=hint) from error


def _no_key(path: Path, kind: str) -> RelayError:
    hint = "Make a pair with 'pulsegate relay keygen --out FILE': FILE is secret, FILE.pub is public"
    return RelayError(f"holds no {kind} Ed25519 key in PEM", resource=str(path), hint=hint)


def names(keys: Iterable[TrustedKey]) -> str:
    return ", ".join(sorted(one.name for one in keys)) or "none"

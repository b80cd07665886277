"""HTTPS: the server's certificate and key, checked before anything is served, and taken anew when they are renewed."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import structlog

from pulsegate.errors import SettingsError
from pulsegate.settings import TLSSettings

log = structlog.get_logger(__name__)

_EXPIRED, _NOT_YET_VALID = 10, 9  # X509_V_ERR_CERT_HAS_EXPIRED, X509_V_ERR_CERT_NOT_YET_VALID
KEPT = "the one before stays in use; a server that is started now does not start"
_ROUNDS = 10  # more than a handshake has


class _EncryptedKeyError(Exception):
    pass


def _no_password() -> str:
    """OpenSSL asks for a password on the terminal where it isn't given one."""
    raise _EncryptedKeyError


def context(settings: TLSSettings) -> ssl.SSLContext:
    """The server's side of TLS 1.2 and 1.3. SettingsError says which file is wrong, and what to do."""
    assert settings.certificate is not None
    assert settings.key is not None
    for name in ("certificate", "key", "client_ca"):
        _read(name, getattr(settings, name))
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.options |= ssl.OP_NO_RENEGOTIATION
    made.set_alpn_protocols(["http/1.1"])
    _load_pair(made, settings.certificate, settings.key)
    if settings.client_ca is not None:
        _load_authorities(made, settings.client_ca)
        is_required = settings.client_certificates == "required"
        made.verify_mode = ssl.CERT_REQUIRED if is_required else ssl.CERT_OPTIONAL
    return made


def _read(name: str, path: Path | None) -> None:
    try:
        if path is not None:
            path.read_bytes()
    except OSError as error:
        raise SettingsError(
            f"tls.{name} can't be read: {error.strerror}",
            resource=str(path),
            hint="Correct the path, or let the user that runs Pulsegate read the file",
        ) from error


def _load_pair(made: ssl.SSLContext, certificate: Path, key: Path) -> None:
    try:
        made.load_cert_chain(certificate, key, password=_no_password)
    except _EncryptedKeyError:
        raise SettingsError(
            "tls.key is encrypted",
            resource=str(key),
            hint="Write it without a password (openssl pkey -in KEY -out PLAIN), readable by Pulsegate's user only",
        ) from None
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise SettingsError(
                f"tls.key is not the key of {certificate}",
                resource=str(key),
                hint="Name the certificate's own key; the server's certificate stands first in its file",
            ) from None
        raise SettingsError(
            f"tls.certificate and tls.key are no certificate and key that can be used ({error.reason or 'not PEM'})",
            resource=f"{certificate}, {key}",
            hint="Both are PEM files, with lines such as -----BEGIN CERTIFICATE-----",
        ) from None


def _load_authorities(made: ssl.SSLContext, path: Path) -> None:
    try:
        made.load_verify_locations(path)
    except ssl.SSLError as error:
        raise SettingsError(
            f"tls.client_ca holds no certificates ({error.reason or 'not PEM'})",
            resource=str(path),
            hint="It is a PEM file, with lines such as -----BEGIN CERTIFICATE-----",
        ) from None


def complaint(server: ssl.SSLContext, certificate: Path) -> str | None:
    """Why clients will refuse the certificate, None when its dates and its strength are right.

    A client that trusts exactly this certificate shakes hands with the server's side, in memory.
    """
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    client.load_verify_locations(certificate)
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    asking = client.wrap_bio(back, there)
    answering = server.wrap_bio(there, back, server_side=True)
    try:
        for _ in range(_ROUNDS):
            for side in (asking, answering):
                try:
                    side.do_handshake()
                except ssl.SSLWantReadError:
                    continue
    except ssl.SSLCertVerificationError as error:
        return {_EXPIRED: "it has expired", _NOT_YET_VALID: "it is not valid yet"}.get(
            error.verify_code, error.verify_message
        )
    except ssl.SSLError:
        return None  # the server's side, which misses a client's certificate
    return None


def end(certificate: Path) -> datetime | None:
    """When the first of the certificates in the file ends; None where that can't be read from them."""
    from cryptography import x509

    try:
        return min(one.not_valid_after_utc for one in x509.load_pem_x509_certificates(certificate.read_bytes()))
    except (ValueError, OSError):
        return None


@dataclass(frozen=True, slots=True)
class Used:
    """The certificate that new connections get. ``refused``: why the files that are there now are not taken."""

    certificate: Path
    end: datetime | None
    refused: str | None = None


class Renewal:
    """The context for new connections: made anew when one of the files has changed, as a renewed certificate does."""

    def __init__(self, settings: TLSSettings) -> None:
        assert settings.certificate is not None
        self._settings = settings
        self._certificate = settings.certificate
        self._seen = self._stamp()
        self._context = context(settings)
        self.used = Used(self._certificate, end(self._certificate))

    def current(self) -> ssl.SSLContext:
        stamp = self._stamp()
        if stamp != self._seen:
            self._seen = stamp
            try:
                self._context = context(self._settings)
                self.used = Used(self._certificate, end(self._certificate))
                log.info("tls.certificate_renewed", certificate=str(self._certificate))
            except SettingsError as error:
                self.used = replace(self.used, refused=str(error))
                log.error("tls.certificate_refused", reason=str(error), hint=KEPT)  # noqa: TRY400 - the whole story
        return self._context

    def _stamp(self) -> list[tuple[int, int] | None]:
        return [_stamp(path) for path in (self._settings.certificate, self._settings.key, self._settings.client_ca)]


def _stamp(path: Path | None) -> tuple[int, int] | None:
    try:
        found = path.stat() if path else None
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_ino) if found else None

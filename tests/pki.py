"""A certificate authority of the test's own, made with OpenSSL's program."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Pair:
    certificate: Path
    key: Path


class Authority:
    """Makes certificates in a folder; ``ca`` is its own."""

    def __init__(self, folder: Path) -> None:
        if shutil.which("openssl") is None:
            pytest.skip("no openssl program on this machine")
        folder.mkdir()
        self._folder = folder
        self.ca = folder / "ca.pem"
        self._key = folder / "ca.key"
        self._openssl("req", "-x509", *self._new(self._key), "-out", self.ca, "-days", "90", "-subj", "/CN=Test CA")

    def issue(self, name: str, subject: str, *, days: str = "60") -> Pair:
        made = Pair(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        request, names = self._folder / f"{name}.csr", self._folder / "names"
        names.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        self._openssl("req", "-utf8", *self._new(made.key), "-out", request, "-subj", subject)
        signed = ("-CA", self.ca, "-CAkey", self._key, "-CAcreateserial", "-extfile", names, "-days", days)
        self._openssl("x509", "-req", "-in", request, *signed, "-out", made.certificate)
        return made

    def encrypted(self, pair: Pair) -> Path:
        path = pair.key.with_suffix(".locked")
        self._openssl("pkey", "-in", pair.key, "-aes256", "-passout", "pass:secret", "-out", path)
        return path

    @staticmethod
    def _new(key: Path) -> list[object]:
        return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key]

    @staticmethod
    def _openssl(*words: object) -> None:
        done = subprocess.run(["openssl", *map(str, words)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

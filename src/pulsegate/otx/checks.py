"""What a client is made of, checked when it is made: address, key, proxy, file of certificates."""

from __future__ import annotations

import re
import ssl
from pathlib import Path
from urllib.parse import urlsplit

from pulsegate.errors import OTXError, OTXKeyError
from pulsegate.otx.failures import KEY_HINT

PEM_HINT = "Name a PEM file of certificates to trust"
_KEY = re.compile(r"[!-~]+")


def checked_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise OTXError("is not the address of an OTX", resource="otx.url", hint="Write https://otx.alienvault.com")
    return url.rstrip("/")


def checked_key(api_key: str) -> str:
    """The key without surrounding space. A key that no header can carry is refused here: libraries would quote it."""
    key = api_key.strip()
    if not key:
        raise OTXKeyError("there is no API key", resource="otx.api_key", hint=KEY_HINT)
    if _KEY.fullmatch(key) is None:
        raise OTXKeyError("the API key has characters that no key has", resource="otx.api_key", hint=KEY_HINT)
    return key


def checked_proxy(proxy: str | None) -> str | None:
    try:
        parts = urlsplit(proxy or "")
        fits = not proxy or (parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0)
    except ValueError:
        fits = False
    if not fits:
        raise OTXError("is not the address of an HTTP proxy", resource="otx.proxy", hint="Write http://host:port")
    return proxy or None


def checked_ca_file(path: Path | None) -> str | bool:
    if path is None:
        return True
    if not path.is_file():
        raise OTXError(f"{path} is no file", resource="otx.ca_file", hint=PEM_HINT)
    try:
        ssl.create_default_context(cafile=path)
    except (OSError, ssl.SSLError) as error:
        raise OTXError(
            f"{path} holds no certificates that can be read", resource="otx.ca_file", hint=PEM_HINT
        ) from error
    return str(path)

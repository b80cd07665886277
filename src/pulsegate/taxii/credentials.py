"""Passwords that were verified a moment ago, so that not every poll pays for the hash again."""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from pulsegate.store.accounts import Stored

LIFE = 300.0  # seconds
SIZE = 512
_KEY_SIZE = 64  # bytes, the most that BLAKE2b takes


class VerifiedCredentials:
    """A bounded set of digests, in this process only.

    A digest covers the name, the password, the account's id and the stored hash that the password was verified
    against, under a key that this process made at random. The account is read anew for each request: with another
    password, or removed and made again, it has another hash, and the digest is not found. So nothing has to be told
    from process to process, and no password is kept.
    """

    def __init__(self, life: float = LIFE, size: int = SIZE, clock: Callable[[], float] = time.monotonic) -> None:
        self._life, self._size, self._clock = life, size, clock
        self._key = secrets.token_bytes(_KEY_SIZE)
        self._until: OrderedDict[bytes, float] = OrderedDict()
        self._lock = threading.Lock()

    def digest(self, stored: Stored, password: str) -> bytes:
        """The digest of a password for the account as it is now (32 bytes)."""
        state = hashlib.blake2b(key=self._key, digest_size=32)
        for part in (stored.account.name, password, str(stored.account.id), stored.password_hash):
            octets = part.encode("utf-8", "surrogatepass")
            state.update(len(octets).to_bytes(8, "big") + octets)
        return state.digest()

    def __contains__(self, digest: bytes) -> bool:
        with self._lock:
            until = self._until.get(digest)
            if until is None:
                return False
            if until <= self._clock():
                del self._until[digest]
                return False
            self._until.move_to_end(digest)
            return True

    def add(self, digest: bytes) -> None:
        """Remember a password that has just been verified; the one that was not used for longest makes room."""
        with self._lock:
            self._until[digest] = self._clock() + self._life
            self._until.move_to_end(digest)
            while len(self._until) > self._size:
                self._until.popitem(last=False)

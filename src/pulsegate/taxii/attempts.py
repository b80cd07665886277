"""Limits for wrong passwords, in each server process: how many in a minute, and how many are hashed at once."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Generic, TypeVar

from pulsegate.model.network import one_client
from pulsegate.store.digests import digest
from pulsegate.taxii.refusals import BusyError, TooManyAttemptsError

WINDOW = 60.0  # seconds in which failures are counted
PAIR_LIMIT = 10  # failures of one address for one account
ADDRESS_LIMIT = 60  # failures of one address for all accounts
KNOWN = 25 * 3600.0  # seconds: an appliance that polls once a day is still known
PLACES = 10_000  # addresses and pairs that are remembered at most
HASHES = 2  # passwords hashed at once
THREADS = 8  # of a server process; strangers that wait for a hash leave half of them free for polls
PATIENCE = 2.0  # seconds that they wait
_FINGERPRINT = 3  # bytes

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")
Pair = tuple[str, bytes]


class Attempts:
    """Who failed how often in the last minute, and who was let in lately.

    A pair is an address with an account's name. A pair that was let in lately is not held to its address's limit, so
    that somebody else behind the same address can't lock it out. With the very password that was right lately it
    is held to no limit: a fingerprint tells, too short (3 bytes) to try passwords against.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures: _Recent[Pair | str, deque[float]] = _Recent()
        self._known: _Recent[Pair, tuple[float, bytes]] = _Recent()

    def is_known(self, pair: Pair, credential: bytes) -> bool:
        """Whether these credentials were most likely right when this pair was last let in."""
        with self._lock:
            return self._last(pair) == credential[:_FINGERPRINT]

    def require(self, pair: Pair) -> None:
        """TooManyAttemptsError when the pair, or its address, has failed too often to be checked now."""
        with self._lock:
            waits = [self._wait(pair, PAIR_LIMIT)]
            if self._last(pair) is None:
                waits.append(self._wait(pair[0], ADDRESS_LIMIT))
        if any(waits):
            raise TooManyAttemptsError("Too many wrong passwords from this address; wait a minute", max(waits))

    def failed(self, pair: Pair) -> None:
        with self._lock:
            for key in (pair, pair[0]):
                self._failures.get(key, deque(maxlen=ADDRESS_LIMIT)).append(self._clock())

    def succeeded(self, pair: Pair, credential: bytes) -> None:
        """Let it be known. No failure is forgiven: somebody else may be guessing behind the same address."""
        with self._lock:
            self._known.put(pair, (self._clock(), credential[:_FINGERPRINT]))

    def _last(self, pair: Pair) -> bytes | None:
        moment, fingerprint = self._known.peek(pair) or (-KNOWN, b"")
        return fingerprint if fingerprint and self._clock() - moment < KNOWN else None

    def _wait(self, key: Pair | str, limit: int) -> float:
        """Seconds until the key may fail again, 0 when it may now."""
        times = self._failures.peek(key) or deque()
        while times and times[0] <= self._clock() - WINDOW:
            times.popleft()
        return times[-limit] + WINDOW - self._clock() if len(times) >= limit else 0.0


class Hashing:
    """At most two passwords are hashed at once; strangers use one of the two places, so that no flood takes both."""

    def __init__(self, waiting: int = THREADS // 2, patience: float = PATIENCE) -> None:
        self._places = threading.BoundedSemaphore(HASHES)
        self._strangers = threading.BoundedSemaphore(HASHES - 1)
        self._queue = threading.BoundedSemaphore(HASHES - 1 + waiting)
        self._patience = patience
        self._running: dict[object, Future[bool]] = {}
        self._lock = threading.Lock()

    def once(self, key: object, check: Callable[[], bool]) -> bool:
        """What ``check`` gives, or raises. Whoever comes with the same key meanwhile shares it, and takes no place.

        So a client that opens many connections at once costs one hash.
        """
        with self._lock:
            running = self._running.get(key)
            mine = Future[bool]() if running is None else running
            self._running[key] = mine
        if running is not None:
            return running.result()
        try:
            mine.set_result(check())
        except BaseException as error:
            mine.set_exception(error)
            raise
        finally:
            with self._lock:
                del self._running[key]
        return mine.result()

    @contextmanager
    def known(self) -> Iterator[None]:
        """A place for credentials that were right lately."""
        with self._places:  # at most one stranger is before them
            yield

    @contextmanager
    def stranger(self) -> Iterator[None]:
        """A place for anybody else. BusyError when too many wait, or when it takes too long."""
        with _within(self._queue, 0.0), _within(self._strangers, self._patience), self._places:
            yield


def pair_of(address: str | None, name: str) -> Pair:
    """The pair of a client's address (for IPv6 its network: one host has all of it) and an account's name."""
    return one_client(address or ""), digest(name)


@contextmanager
def _within(semaphore: threading.Semaphore, seconds: float) -> Iterator[None]:
    taken = semaphore.acquire(timeout=seconds) if seconds else semaphore.acquire(blocking=False)
    if not taken:
        raise BusyError("Too many passwords are being checked; try again in a moment", PATIENCE)
    try:
        yield
    finally:
        semaphore.release()


class _Recent(Generic[_Key, _Value]):
    """A mapping that forgets what was written longest ago when it is full."""

    def __init__(self) -> None:
        self._kept: OrderedDict[_Key, _Value] = OrderedDict()

    def peek(self, key: _Key) -> _Value | None:
        return self._kept.get(key)

    def get(self, key: _Key, default: _Value) -> _Value:
        """What is kept, else ``default``, which is kept from now on."""
        value = self._kept.setdefault(key, default)
        self.put(key, value)
        return value

    def put(self, key: _Key, value: _Value) -> None:
        self._kept[key] = value
        self._kept.move_to_end(key)
        while len(self._kept) > PLACES:
            self._kept.popitem(last=False)

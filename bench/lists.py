"""Value sets and warning lists: to load them, and to look values up.

Times are the processor's: the work is that of one thread, and nothing is waited for.
"""

from __future__ import annotations

import gc
import hashlib
import random
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from ipaddress import IPv4Address
from time import process_time
from typing import Any, TypeVar

from pulsegate.curation.value_set import Batch, EntryKind, Value, ValueSet
from pulsegate.curation.warning_lists import DEFAULTS, Mode, WarningLists
from pulsegate.model.indicator import IndicatorType as T

Loaded = TypeVar("Loaded")
_ENTRIES = 1_000_000
_ASKED = 20_000


def run(size: int) -> None:
    """The size of the other benchmarks is that of a feed; here the lists count, so it is not used."""
    del size
    for kind, type_, texts in _invented():
        _set(kind, type_, texts)
    _look_ups("the shipped lists", _shipped().hits, _asked())


def _invented() -> Iterator[tuple[EntryKind, T, list[str]]]:
    seeds = [hashlib.md5(str(number).encode()).hexdigest() for number in range(_ENTRIES)]
    yield EntryKind.EXACT, T.DOMAIN, [f"{seed[:10]}.example" for seed in seeds]
    yield EntryKind.SUBTREE, T.HOSTNAME, [f"{seed[:10]}.example" for seed in seeds]
    yield EntryKind.EXACT, T.MD5, seeds
    yield EntryKind.NETWORK, T.IPV4, [f"{IPv4Address(int(seed[:8], 16))}/{25 + int(seed[8], 16) % 8}" for seed in seeds]


def _set(kind: EntryKind, type_: T, texts: list[str]) -> None:
    asked = [(type_, text.partition("/")[0]) for text in random.Random(1).sample(texts, _ASKED)]
    print(f"  {len(texts):,} entries of kind {kind} ({sum(map(len, texts)) / 1e6:.0f} MB of text): ", end="")
    found = _loaded(lambda: ValueSet([Batch(kind, texts)]))
    _look_ups(f"its {kind} entries", found.covering, asked)
    _look_ups("the same, of what is not there", found.covering, [(type_, _other(value)) for _, value in asked])


def _shipped() -> WarningLists:
    modes = {name: mode for name, mode in DEFAULTS.items() if mode is not Mode.OFF}
    print(f"  the {len(modes)} shipped lists: ", end="")
    found = _loaded(WarningLists.load)
    print(f"    they have {sum(one.entries for one in found.lists):,} entries")
    return found


def _loaded(load: Callable[[], Loaded]) -> Loaded:
    """Loads twice: for the time, then for the memory, since counting it takes time."""
    start = process_time()
    load()
    seconds = process_time() - start
    tracemalloc.start()
    found = load()
    gc.collect()
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    print(f"{seconds:.2f} s, {kept / 1e6:.0f} MB (at most {peak / 1e6:.0f} MB while loading)", flush=True)
    return found


def _asked() -> list[Value]:
    seeds = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(_ASKED // 5)]
    return [
        *((T.DOMAIN, f"{seed[:12]}.com") for seed in seeds),
        *((T.HOSTNAME, f"www.{seed[:12]}.net") for seed in seeds),
        *((T.IPV4, str(IPv4Address(int(seed[:8], 16)))) for seed in seeds),
        *((T.URL, f"http://{seed[:10]}.example/{seed}") for seed in seeds),
        *((T.SHA256, seed) for seed in seeds),
    ]


def _look_ups(what: str, ask: Callable[[T, str], Any], values: Sequence[Value]) -> None:
    by_type: dict[T, list[str]] = {}
    for type_, value in values:
        by_type.setdefault(type_, []).append(value)
    figures = ", ".join(f"{type_} {_best(ask, type_, texts):.1f} µs" for type_, texts in by_type.items())
    print(f"    a look-up in {what}: {figures}")


def _best(ask: Callable[[T, str], Any], type_: T, texts: Sequence[str]) -> float:
    """Microseconds of one look-up, in the best of three rounds."""
    rounds = []
    for _ in range(3):
        start = process_time()
        for text in texts:
            ask(type_, text)
        rounds.append((process_time() - start) / len(texts) * 1e6)
    return min(rounds)


def _other(value: str) -> str:
    return f"{value[:-1]}{'0' if value[-1] != '0' else '1'}"

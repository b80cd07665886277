"""Run benchmarks and print their figures."""

from __future__ import annotations

import argparse
from importlib import import_module

ALL = {
    "convert": "convert:run",
    "publish": "publish:run",
    "unique": "publish:run_unique",
    "pull": "pull:run",
    "poll": "poll:run",
    "lists": "lists:run",
    "curate": "curate:run",
    "year": "year:run",
    "explain": "explain:run",
    "pages": "pages:run",
    "relay": "relay:run",
    "load": "load:run",
}  # imported when it runs, as memory is measured: what the others import would count, too
QUICK = ("convert", "publish", "poll")  # a year takes minutes


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Benchmarks, each printing its figures.")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"which ones: {', '.join(ALL)}; default {', '.join(QUICK)}"
    )
    parser.add_argument("--size", type=int, default=50_000, help="indicators (default 50,000)")
    given = parser.parse_args()
    unknown = set(given.names) - set(ALL)
    if unknown:
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    for name in given.names or QUICK:
        print(f"== {name} ({given.size:,} indicators)", flush=True)
        module, function = ALL[name].split(":")
        getattr(import_module(f"bench.{module}"), function)(given.size)


main()

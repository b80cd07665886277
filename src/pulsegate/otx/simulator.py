"""A local OTX over real HTTP, for the demo, for tests and for benchmarks: ``python -m pulsegate.otx.simulator``."""

from __future__ import annotations

import argparse
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pulsegate.errors import PulseFormatError, PulsegateError
from pulsegate.otx.demo import demo_pulses
from pulsegate.otx.documents import documents
from pulsegate.otx.simulation.answer import Answer, Request
from pulsegate.otx.simulation.api import API, Closed
from pulsegate.otx.simulation.feed import Feed
from pulsegate.otx.simulation.misbehaviour import Misbehaviour, Trouble
from pulsegate.otx.simulation.server import HOST, Server
from pulsegate.otx.simulation.spoil import spoil
from pulsegate.otx.simulation.subscription import Subscription

__all__ = ["Misbehaviour", "Request", "Simulator", "main"]

OWNER = "demo"
MAX_INDICATORS = 10_000  # of one pulse in a page


def now() -> datetime:
    """The present, in UTC."""
    return datetime.now(UTC)


class Simulator:
    """OTX, on 127.0.0.1, over pulses (decoded JSON objects) or files of them. Thread-safe.

    ``keys`` names the owner of each key; ``api_key`` is one more, of ``owner``. A wrong key gets 403 and none gets 429
    with the request to authenticate, as OTX does; where no key is named at all, any will do. Each key has its own
    subscription: to everything, until told otherwise. ``port`` 0 takes a free one, and keeps it over ``stop`` and
    ``start``. A pulse with more than ``max_indicators`` is cut in pages, with ``more_indicators``. Pulses are taken as
    they are, dirty ones too, and kept as packed JSON; change one by putting it in again. ``clock`` dates the events
    and the answers.
    """

    def __init__(
        self,
        pulses: Iterable[Mapping[str, object] | Path] = (),
        *,
        api_key: str | None = None,
        owner: str = OWNER,
        keys: Mapping[str, str] | None = None,
        port: int = 0,
        max_indicators: int = MAX_INDICATORS,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._feed = Feed(_pulses(pulses), clock, max_indicators)
        owners = {**(keys or {}), **({} if api_key is None else {api_key: owner})}
        self._apis = {key: API(self._feed, self._feed.subscription(), name) for key, name in owners.items()}
        self._anybody = None if owners else API(self._feed, self._feed.subscription(), owner)
        self._clock = clock
        self._port = port
        self._server: Server | None = None
        self._lock = threading.Lock()
        self._requests: list[Request] = []
        self._troubles: list[Trouble] = []

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Its address, without a slash at the end; known from the first start on."""
        return f"http://{HOST}:{self._port}"

    def start(self) -> Self:
        """Listen and answer, in threads of its own. OSError: the port is taken."""
        if self._server is None:
            self._server = Server(self._port, self._respond, self._clock)
            self._port = self._server.server_port
        return self

    def stop(self) -> None:
        """End every connection; nothing it holds is forgotten."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def put(self, pulse: Mapping[str, object]) -> str:
        """Add a pulse, or replace the one with its id; its id. Every key whose owner didn't drop its author has it."""
        return self._feed.put(pulse)

    def delete(self, pulse_id: str) -> None:
        """Delete a pulse, as its author would. KeyError: there is none with this id."""
        self._feed.delete(pulse_id)

    def subscribe(self, pulse_id: str, *, key: str | None = None) -> None:
        """Subscribe to a pulse again, with one ``key`` or with every one. KeyError: there is no such pulse or key."""
        for subscription in self._subscriptions(key):
            subscription.subscribe(pulse_id)

    def unsubscribe(self, pulse_id: str, *, key: str | None = None) -> None:
        """End the subscription to a pulse, which OTX still shows when asked for it. KeyError as above."""
        for subscription in self._subscriptions(key):
            subscription.subscribe(pulse_id, wanted=False)

    def subscribe_user(self, name: str, *, key: str | None = None) -> None:
        """Subscribe to all pulses of an author again, those to come too. KeyError: there is no such key."""
        for subscription in self._subscriptions(key):
            subscription.subscribe_user(name)

    def unsubscribe_user(self, name: str, *, key: str | None = None) -> None:
        """Drop all pulses of an author but those subscribed to singly. KeyError: there is no such key."""
        for subscription in self._subscriptions(key):
            subscription.subscribe_user(name, wanted=False)

    def misbehave(
        self,
        kind: Misbehaviour,
        *,
        path: str | None = None,
        page: int | None = None,
        times: int | None = None,
        **measures: Any,
    ) -> None:
        """Answer badly to ``path`` (below /api/v1) and ``page``, so many ``times``; None: to any, always.

        ``measures`` are those of ``Trouble``, such as ``seconds`` of SILENCE. The first trouble that fits strikes.
        """
        with self._lock:
            self._troubles.append(Trouble(kind, path, page, times, **measures))

    def behave(self) -> None:
        """Answer well again."""
        with self._lock:
            self._troubles.clear()

    @property
    def requests(self) -> list[Request]:
        """What was asked so far, in order, refused requests too."""
        with self._lock:
            return list(self._requests)

    def forget_requests(self) -> None:
        """Begin a new record of requests."""
        with self._lock:
            self._requests.clear()

    def _respond(self, request: Request, key: str) -> Answer:
        with self._lock:
            self._requests.append(request)
            trouble = next((trouble for trouble in self._troubles if trouble.strikes(request)), None)
            if trouble is not None and trouble.times is not None:
                trouble.times -= 1
        otx: API | Closed = self._apis.get(key) or self._anybody or Closed(has_key=bool(key))
        return spoil(trouble, request, otx) if trouble else otx.answer(request)

    def _subscriptions(self, key: str | None) -> list[Subscription]:
        apis = [self._anybody] if self._anybody else list(self._apis.values())
        return [api.subscription for api in (apis if key is None else [self._apis[key]])]


def _pulses(sources: Iterable[Mapping[str, object] | Path]) -> Iterator[Mapping[str, object]]:
    for source in sources:
        if not isinstance(source, Path):
            yield source
            continue
        for pulse in documents(source):
            if not isinstance(pulse, dict):
                raise PulseFormatError("holds something that is no pulse", resource=str(source))
            yield pulse


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it until interrupted; the exit code."""
    options = _parser().parse_args(arguments)
    pulses: list[Mapping[str, object] | Path] = [*options.files]
    if options.demo or not options.files:
        pulses.extend(demo_pulses(now()))
    try:
        with Simulator(pulses, api_key=options.api_key, owner=options.owner, port=options.port) as simulator:
            for kind, where in options.trouble:
                simulator.misbehave(kind, **where)
            sys.stdout.write(f"{simulator.url}\n")
            sys.stdout.flush()
            threading.Event().wait()
    except KeyboardInterrupt:
        return 0
    except (PulsegateError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pulsegate.otx.simulator", description="A local OTX on 127.0.0.1.")
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help="pulses to serve (JSON, also gzip)")
    parser.add_argument("--demo", action="store_true", help="serve the demo pulses (also when there is no FILE)")
    parser.add_argument("--port", type=int, default=0, help="the port (default: a free one)")
    parser.add_argument("--api-key", help="the only key to accept (default: any)")
    parser.add_argument(
        "--trouble", action="append", default=[], type=_trouble, metavar="KIND[:PATH[:PAGE[:TIMES]]]",
        help=f"misbehave (may be repeated): {', '.join(map(_written, Misbehaviour))}",
    )  # fmt: skip
    parser.add_argument("--owner", default=OWNER, help="the user name of the key's owner (default: %(default)s)")
    return parser


def _trouble(text: str) -> tuple[Misbehaviour, dict[str, Any]]:
    """``KIND:PATH:PAGE:TIMES``, of which all but the first may be empty or absent, for ``misbehave``."""
    kind, *rest = text.split(":")
    known = {_written(kind): kind for kind in Misbehaviour}
    try:
        path, page, times = [*rest, "", "", ""][: max(len(rest), 3)]
        where = {"path": path or None, "page": int(page) if page else None, "times": int(times) if times else None}
        return known[kind], where
    except (KeyError, ValueError) as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no KIND[:PATH[:PAGE[:TIMES]]]; see --help") from error


def _written(kind: Misbehaviour) -> str:
    return kind.name.lower().replace("_", "-")


if __name__ == "__main__":
    sys.exit(main())

"""Where pulses come from in this installation: its sources, their keys, and a client for each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pulsegate.cli.setup import Installation, read_secrets
from pulsegate.errors import OTXKeyError, SettingsError, UsageError
from pulsegate.settings import OTXSettings

if TYPE_CHECKING:  # these make every command slow to start, and few need them
    from pulsegate.otx.client import OTXClient
    from pulsegate.sync.standing import Feed
    from pulsegate.sync.wanted import Pace, Wanted

MAIN = "otx"  # the source of the section ``otx:``
DEMO_KEY = "demo-key-of-the-built-in-simulator"
_CONNECT = 10.0  # seconds, or the whole time-out where that is shorter


@dataclass(frozen=True, slots=True)
class Feeding:
    """A source by its name."""

    name: str
    settings: OTXSettings

    @property
    def key(self) -> str:
        """How its settings are spelled: ``otx``, or ``source NAME``."""
        return self.name if self.name == MAIN else f"source {self.name}"


def api_key(otx: OTXSettings) -> str | None:
    """The key for OTX, from the settings or the file that they name."""
    if otx.api_key is not None:
        return otx.api_key.get_secret_value().strip() or None
    if otx.api_key_file is None:
        return None
    text = read_secrets(otx.api_key_file, "api_key_file").strip()
    if not text or len(text.split()) != 1:
        raise SettingsError("api_key_file must hold the key and nothing else", resource=str(otx.api_key_file))
    return text


def configured(where: Installation) -> list[Feeding]:
    """Every source of the settings, those that are off or lack a key too. The demo has one."""
    otx = where.settings.otx
    if where.demo:
        everything = {"subscription": True, "authors": [], "pulses": [], "searches": []}
        return [Feeding(MAIN, otx.model_copy(update=everything))]
    return [Feeding(MAIN, otx), *(Feeding(one.name, one) for one in where.settings.sources)]


def is_on(where: Installation, source: Feeding) -> bool:
    """Whether it is meant to be pulled from. Its key is not read: not everybody who asks may do that."""
    found = source.settings
    return where.demo or (found.enabled and bool(found.api_key or found.api_key_file))


def feeds(where: Installation) -> tuple[Feed, ...]:
    """Every source of the settings, as others than commands see it."""
    from pulsegate.sync.standing import Feed

    return tuple(Feed(one.name, one.settings, is_on(where, one)) for one in configured(where))


def active(where: Installation) -> list[Feeding]:
    """The sources that can be pulled from. SettingsError: the file of a key can't be read."""
    if where.demo:
        return configured(where)
    return [one for one in configured(where) if one.settings.enabled and api_key(one.settings) is not None]


def pulls(where: Installation) -> bool:
    """Whether there is anything to pull from."""
    return bool(active(where))


def named(where: Installation, name: str | None) -> list[Feeding]:
    """The source of that name, or all that can be pulled from; UsageError or OTXKeyError when there is none."""
    if name is None:
        return active(where) or configured(where)[:1]
    found = [one for one in configured(where) if one.name == name]
    if not found:
        names = ", ".join(one.name for one in configured(where))
        raise UsageError("there is no such source in the settings", resource=name, hint=f"There are: {names}")
    return found


def wanted(source: Feeding) -> Wanted:
    from pulsegate.sync.wanted import Wanted

    found = source.settings
    return Wanted(
        name=source.name,
        url=found.url,
        subscription=found.subscription,
        authors=frozenset(found.authors),
        pulses=tuple(found.pulses),
        searches=tuple(found.searches),
        backfill=found.backfill,
        compare=found.compare,
        max_removal=found.max_removal,
    )


def pace(where: Installation, source: Feeding) -> Pace:
    from pulsegate.sync.wanted import Pace

    found = source.settings
    return Pace(page_size=found.page_size, backoff=found.backoff, open_after=where.settings.open_after)


@contextmanager
def client(where: Installation, source: Feeding) -> Iterator[OTXClient]:
    """The client for the source; in demo mode for the built-in simulator, which runs as long as the client is used."""
    from pulsegate.otx.client import OTXClient

    if where.demo:
        from pulsegate.otx.demo import demo_pulses
        from pulsegate.otx.simulator import Simulator

        simulator = Simulator(demo_pulses(datetime.now(UTC)), api_key=DEMO_KEY, owner="demo")
        with simulator, OTXClient(simulator.url, DEMO_KEY) as made:
            yield made
        return
    otx = source.settings
    if not otx.enabled:
        raise UsageError(f"pulling from {source.name} is off", hint=f"Set {source.key}.enabled: true")
    key = api_key(otx)
    if key is None:
        raise OTXKeyError(
            f"no API key is set for {source.name}",
            hint=f"Set {source.key}.api_key or api_key_file (OTX_API_KEY for otx); it stands on OTX's settings page",
        )
    silence = otx.timeout.total_seconds()
    timeout = (min(_CONNECT, silence), silence)
    with OTXClient(otx.url, key, timeout=timeout, proxy=otx.proxy, ca_file=otx.ca_file) as made:
        yield made

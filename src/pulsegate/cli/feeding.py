"""Where pulses come from in this installation: its sources, their keys, and a client for each."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from pulsegate.cli.setup import Installation, read_password, read_secrets
from pulsegate.errors import OTXKeyError, SettingsError, UsageError
from pulsegate.settings import OTXSettings, PullSettings, UpstreamSettings

if TYPE_CHECKING:  # these make every command slow to start, and few need them
    from pulsegate.intake.running import Outcome, Progress
    from pulsegate.otx.client import OTXClient
    from pulsegate.sync.standing import Feed
    from pulsegate.sync.upstream import Upstream
    from pulsegate.sync.upstream_client import UpstreamClient
    from pulsegate.sync.wanted import Pace, Wanted

    Client = OTXClient | UpstreamClient

MAIN = "otx"  # the source of the section ``otx:``
DEMO_KEY = "demo-key-of-the-built-in-simulator"
_CONNECT = 10.0  # seconds, or the whole time-out where that is shorter


@dataclass(frozen=True, slots=True)
class Feeding:
    """A source by its name."""

    name: str
    settings: PullSettings

    @property
    def key(self) -> str:
        """How its settings are spelled: ``otx``, ``source NAME`` or ``upstream NAME``."""
        if self.is_upstream:
            return f"upstream {self.name}"
        return self.name if self.name == MAIN else f"source {self.name}"

    @property
    def is_upstream(self) -> bool:
        return isinstance(self.settings, UpstreamSettings)

    @property
    def is_ready(self) -> bool:
        """Whether it has the key that it needs. SettingsError: the file of a key can't be read."""
        return not isinstance(self.settings, OTXSettings) or api_key(self.settings) is not None


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


def password(found: UpstreamSettings) -> str | None:
    """The password for an upstream, from the settings or the file that they name."""
    if found.password_file is None:
        return found.password.get_secret_value() if found.password else None
    return read_password(found.password_file, "password_file")


def configured(where: Installation) -> list[Feeding]:
    """Every source of the settings, those that are off or lack a key too. The demo has one."""
    otx = where.settings.otx
    if where.demo:
        everything = {"subscription": True, "authors": [], "pulses": [], "searches": []}
        return [Feeding(MAIN, otx.model_copy(update=everything))]
    return [
        Feeding(MAIN, otx),
        *(Feeding(one.name, one) for one in where.settings.sources),
        *(Feeding(one.name, one) for one in where.settings.upstreams),
    ]


def is_on(where: Installation, source: Feeding) -> bool:
    """Whether it is meant to be pulled from. Its key is not read: not everybody who asks may do that."""
    found = source.settings
    has_key = not isinstance(found, OTXSettings) or bool(found.api_key or found.api_key_file)
    return where.demo or (found.enabled and has_key)


def feeds(where: Installation) -> tuple[Feed, ...]:
    """Every source of the settings, as others than commands see it."""
    from pulsegate.sync.standing import Feed

    return tuple(Feed(one.name, one.settings, is_on(where, one)) for one in configured(where))


def active(where: Installation) -> list[Feeding]:
    """The sources that can be pulled from. SettingsError: the file of a key can't be read."""
    if where.demo:
        return configured(where)
    return [one for one in configured(where) if one.settings.enabled and one.is_ready]


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


def pull(
    where: Installation,
    source: Feeding,
    client: Client,
    *,
    full: bool = False,
    compare: bool = False,
    accept_removals: bool = False,
    shown: Collection[int] = (),
    progress: Progress | None = None,
    wait: float | None = None,
) -> Outcome:
    """Pull from the source and publish; the options and errors are those of ``sync.pull.pull``."""
    from pulsegate.sync import pull as sync

    patience = sync.LOCK_WAIT if wait is None else wait
    options: Any = {"full": full, "compare": compare, "accept_removals": accept_removals, "shown": shown}
    options |= {"progress": progress, "wait": patience}
    if isinstance(source.settings, UpstreamSettings):
        from pulsegate.sync.upstream import pull_upstream
        from pulsegate.sync.upstream_client import UpstreamClient

        assert isinstance(client, UpstreamClient)
        found = upstream(where, source.settings)
        return pull_upstream(where.database, client, where.policy, found, pace(where, source), **options)
    assert isinstance(source.settings, OTXSettings)
    return sync.pull(
        where.database,
        cast("OTXClient", client),
        where.policy,
        wanted(source.name, source.settings),
        pace(where, source),
        **options,
    )


def wanted(name: str, found: OTXSettings) -> Wanted:
    from pulsegate.sync.wanted import Wanted

    return Wanted(
        name=name,
        url=found.url,
        subscription=found.subscription,
        authors=frozenset(found.authors),
        pulses=tuple(found.pulses),
        searches=tuple(found.searches),
        backfill=found.backfill,
        compare=found.compare,
        max_removal=found.max_removal,
    )


def upstream(where: Installation, found: UpstreamSettings) -> Upstream:
    from pulsegate.sync.upstream import Upstream

    return Upstream(
        name=found.name,
        url=found.url,
        collection=found.collection,
        into=found.published_in,
        backfill=found.backfill,
        segment=found.segment,
        compare=found.compare,
        max_removal=found.max_removal,
        max_age=found.max_age,
        max_block=where.settings.taxii.max_block,
    )


def pace(where: Installation, source: Feeding) -> Pace:
    from pulsegate.sync.wanted import Pace

    found = source.settings
    size = found.page_size if isinstance(found, OTXSettings) else 1
    return Pace(page_size=size, backoff=found.backoff, open_after=where.settings.open_after)


@contextmanager
def client(where: Installation, source: Feeding) -> Iterator[Client]:
    """The client for the source; in demo mode for the built-in simulator, which runs as long as the client is used."""
    if where.demo:
        with _simulated() as simulated:
            yield simulated
        return
    found = source.settings
    if not found.enabled:
        raise UsageError(f"pulling from {source.name} is off", hint=f"Set {source.key}.enabled: true")
    silence = found.timeout.total_seconds()
    timeout = (min(_CONNECT, silence), silence)
    made: Client = (
        _of_upstream(where, found, timeout) if isinstance(found, UpstreamSettings) else _of_otx(source, timeout)
    )
    with closing(made):
        yield made


@contextmanager
def _simulated() -> Iterator[OTXClient]:
    from pulsegate.otx.client import OTXClient
    from pulsegate.otx.demo import demo_pulses
    from pulsegate.otx.simulator import Simulator

    simulator = Simulator(demo_pulses(datetime.now(UTC)), api_key=DEMO_KEY, owner="demo")
    with simulator, OTXClient(simulator.url, DEMO_KEY) as made:
        yield made


def _of_otx(source: Feeding, timeout: tuple[float, float]) -> OTXClient:
    from pulsegate.otx.client import OTXClient

    otx = source.settings
    assert isinstance(otx, OTXSettings)
    key = api_key(otx)
    if key is None:
        raise OTXKeyError(
            f"no API key is set for {source.name}",
            hint=f"Set {source.key}.api_key or api_key_file (OTX_API_KEY for otx); it stands on OTX's settings page",
        )
    return OTXClient(otx.url, key, timeout=timeout, proxy=otx.proxy, ca_file=otx.ca_file)


def _of_upstream(where: Installation, found: UpstreamSettings, timeout: tuple[float, float]) -> UpstreamClient:
    from pulsegate.sync.upstream_client import UpstreamClient

    return UpstreamClient(
        found.url,
        found.collection,
        username=found.username,
        password=password(found),
        timeout=timeout,
        proxy=found.proxy,
        ca_file=found.ca_file,
        max_block=where.settings.taxii.max_block,
    )

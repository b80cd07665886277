"""A sender with a store of its own, whose bundles tests bring to a receiver."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from pulsegate.curation.policy import Policy
from pulsegate.intake import taking
from pulsegate.intake.taking import Claim, Intake
from pulsegate.otx.dates import write_date
from pulsegate.publication.marking import Marker
from pulsegate.relay import export, keys
from pulsegate.relay.export import Wanted
from pulsegate.store import sources
from pulsegate.store.database import Database

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
SOURCE = Claim("otx", "subscription")


class Outside:
    """``url``: of its database, migrated; ``key``: the file that it signs with; its public one lies beside it, as ``public``."""

    def __init__(self, url: str, folder: Path, origin: str = "outside") -> None:
        self.database = Database(url)
        self.folder, self.origin, self.key = folder, origin, folder / f"{origin}.key"
        self.fingerprint = keys.generate(self.key)
        self.public = folder / f"{origin}.key.pub"
        self._marker = Marker(self.database, Policy())

    def put(self, number: int, *values: str, name: str = "") -> None:
        """A pulse with these domains, in place of what it was."""
        found = [{"id": place, "type": "domain", "indicator": one} for place, one in enumerate(values, 1)]
        raw = {
            "id": f"{number:024x}", "name": name or f"Pulse {number}", "author_name": "ann", "tlp": "white",
            "created": write_date(BEGIN), "modified": write_date(BEGIN), "indicators": found, "revision": len(values),
        }  # fmt: skip
        taking.take(self.database, [raw], Intake(), SOURCE, self._marker)

    def remove(self, number: int) -> None:
        with self.database.write() as connection:
            claimed = sources.claimed(connection, SOURCE.source, SOURCE.via)
            sources.release(connection, SOURCE.source, SOURCE.via, [claimed[f"{number:024x}"]])

    def bundle(self, *, full: bool = False, key: Path | None = None) -> bytes:
        """What changed since the last one, or everything."""
        path = self.folder / "bundle.pgb"
        wanted = Wanted(full=full, anew=True)
        export.export(self.database, keys.read_secret(key or self.key), self.origin, export.to_file(path), wanted)
        return path.read_bytes()

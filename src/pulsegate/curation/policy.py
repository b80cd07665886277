"""What holds for every collection of an installation."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from pulsegate import __version__
from pulsegate.curation.own import Own


@dataclass(frozen=True, slots=True)
class Policy:
    """``own`` is never served; the protections in ``disabled`` are off everywhere (the demo serves reserved values).

    ``results_kept``: superseded renderings stay so long, for readings that began before.
    """

    own: Own = field(default_factory=lambda: Own(()))
    disabled: frozenset[str] = frozenset()
    results_kept: timedelta = timedelta(hours=1)

    @property
    def signature(self) -> str:
        """All that decisions depend on, as a text that is the same for the same policy."""
        return repr((__version__, self.own.entries, sorted(self.disabled)))

    def protection(self, name: str | None) -> str | None:
        """The protection, unless it is off."""
        return None if name in self.disabled else name

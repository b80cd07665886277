"""What holds for every collection of an installation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from pulsegate import __version__
from pulsegate.curation.allow_list import AllowList
from pulsegate.curation.list_choice import NO_LISTS, ListChoice
from pulsegate.curation.own import Own
from pulsegate.model.decisions import Allowed, Override, Review, Trusted


@dataclass(frozen=True, slots=True)
class Policy:
    """``own`` is never served; the protections in ``disabled`` are off everywhere (the demo serves reserved values).

    ``lists``: the warning lists. ``results_kept``: superseded renderings stay so long, for readings that began before.
    What people decided comes from the store: the allow list, overrides by the identity of the value, reviews by the
    pulse's id, and the authors that need none.
    """

    own: Own = field(default_factory=lambda: Own(()))
    disabled: frozenset[str] = frozenset()
    lists: ListChoice = NO_LISTS
    results_kept: timedelta = timedelta(hours=1)
    allow: AllowList = field(default_factory=AllowList)
    overrides: Mapping[bytes, tuple[Override, ...]] = field(default_factory=dict)
    reviews: Mapping[str, Review] = field(default_factory=dict)
    trusted: Mapping[str, Trusted] = field(default_factory=dict)

    @property
    def signature(self) -> str:
        """All that decisions depend on but what is stored, as a text that is the same for the same policy."""
        return repr((__version__, self.own.entries, sorted(self.disabled), sorted(self.lists.blocking)))

    @property
    def marking(self) -> str:
        """What values are marked by, but what is stored: where it is another one, all have to be marked anew."""
        return repr((__version__, self.own.entries, self.lists.signature))

    def protection(self, name: str | None) -> str | None:
        """The protection, unless it is off."""
        return None if name in self.disabled else name

    def decided(
        self,
        allowed: Iterable[Allowed],
        overrides: Iterable[Override],
        reviews: Iterable[Review],
        trusted: Iterable[Trusted],
    ) -> Policy:
        """The same with what people decided."""
        by_value: dict[bytes, tuple[Override, ...]] = {}
        for one in overrides:
            by_value[one.identity] = (*by_value.get(one.identity, ()), one)
        return replace(
            self,
            allow=AllowList(allowed),
            overrides=by_value,
            reviews={one.pulse_id: one for one in reviews},
            trusted={one.author: one for one in trusted},
        )

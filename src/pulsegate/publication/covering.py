"""What has a say on a value whatever the collection: entries, lists, protections and people, each in a sentence."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from functools import cached_property

from pulsegate.curation.decide import Decision
from pulsegate.curation.policy import Policy
from pulsegate.curation.protections import protection
from pulsegate.curation.warning_lists import Hit
from pulsegate.model.decisions import Override
from pulsegate.model.indicator import IndicatorType
from pulsegate.model.mode import Mode
from pulsegate.publication.explanation import Opinion
from pulsegate.publication.remedies import list_setting


class Covering:
    """``lists``: the warning lists that the value is marked with; None: it has no marks, and all lists are asked.

    ``protected``: the protection that it is marked with, where it has marks.
    """

    def __init__(
        self,
        policy: Policy,
        kind: IndicatorType,
        value: str,
        overrides: Sequence[Override],
        lists: Collection[str] | None = None,
        protected: str | None = None,
    ) -> None:
        self._policy = policy
        self._kind = kind
        self._value = value
        self._overrides = overrides
        self._lists = lists
        self._protected = protected

    @cached_property
    def hits(self) -> dict[str, Hit]:
        """By the list's name."""
        choice = self._policy.lists
        if self._lists is None:
            loaded = choice.load()
            return {} if loaded is None else {hit.name: hit for hit in loaded.hits(self._kind, self._value)}
        found = [hit for one in choice.load_some(self._lists) for hit in one.hits(self._kind, self._value)]
        return {hit.name: hit for hit in sorted(found, key=lambda hit: hit.mode is not Mode.BLOCK)}

    @property
    def is_decided(self) -> bool:
        """Whether somebody has said something of the value, warning lists apart."""
        own = self._policy.own.covering(self._kind, self._value)
        return (
            bool(self._overrides) or own is not None or self._policy.allow.covering(self._kind, self._value) is not None
        )

    def reason(self, decision: Decision) -> str:
        """The decision's reason, in more words where there are any."""
        family, _, name = decision.rule.partition(":")
        if family == "warning-list" and name in self.hits:
            return replace(self.hits[name], mode=Mode.BLOCK).sentence
        if family == "protection":
            return self.protection(name)
        return decision.reason

    def protection(self, name: str) -> str:
        found = protection(self._kind, self._value, frozenset({name}))
        why = f": {found.reason}" if found is not None else ""
        return f"the built-in protection {name} covers it{why}"

    def informing(self, name: str) -> str:
        """Of a list that does not block."""
        if name not in self.hits:
            return f"it is on the warning list {name}; here that only informs"
        return f"{replace(self.hits[name], mode=Mode.BLOCK).sentence}; here it only informs"

    def opinions(self) -> Iterator[Opinion]:
        """The weightiest first."""
        for one in self._overrides:
            yield self._forced(one)
        for entry in self._policy.allow.every(self._kind, self._value):
            because = f": {entry.reason}" if entry.reason else ""
            until = f", until {entry.expires:%Y-%m-%d}" if entry.expires else ""
            reason = f"{entry.text} ({entry.kind}) is on the allow list, by {entry.account}{until}{because}"
            yield Opinion("allow-list", reason, [f"pulsegate allow remove {shlex.quote(entry.text)}"])
        own = self._policy.own.covering(self._kind, self._value)
        if own is not None:
            yield Opinion("own", f"{own} is your own", ["`own` in the settings file"])
        name = self.protection_name
        if name is not None:
            why = self.protection(name)
            if self._policy.protection(name) is None:
                why = f"{self.protection(name)}; it is off in this installation"
            yield Opinion(f"protection:{name}", why, ["`protections` of a collection"])
        for hit in self.hits.values():
            yield Opinion(f"warning-list:{hit.name}", hit.sentence, [list_setting(hit.name, self._policy)])

    @property
    def protection_name(self) -> str | None:
        """The protection that concerns it, whether it is on or off."""
        if self._lists is not None:
            return self._protected
        found = protection(self._kind, self._value)
        return found.name if found is not None else None

    def _forced(self, one: Override) -> Opinion:
        where = one.collection or "every collection"
        because = f": {one.reason}" if one.reason else ""
        until = f", until {one.expires:%Y-%m-%d}" if one.expires else ""
        scope = f" --collection {shlex.quote(one.collection)}" if one.collection else ""
        change = f"pulsegate indicator unforce {shlex.quote(self._value)}{scope}"
        if one.inside:
            return Opinion("forced-in", f"{one.account} forced it into {where}{until}{because}", [change])
        return Opinion("forced-out", f"{one.account} forced it out of {where}{until}{because}", [change])

"""Collections of the administrator's own: by rule, and inboxes."""

from __future__ import annotations

import re
from datetime import timedelta
from inspect import cleandoc
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from pulsegate.model.collection import EXPAND, PROTECTIONS, Collection, CollectionKind, Profile, ReviewMode, Rule
from pulsegate.model.indicator import IndicatorType
from pulsegate.model.tlp import TLP
from pulsegate.settings.duration import Duration, format_duration
from pulsegate.settings.section import Section, Written

MIN_REFRESH = timedelta(days=3)
MAX_NAME = 300  # OpenTAXII's data_collections.name
_OF_AN_INBOX = frozenset({"name", "description", "kind", "max_age", "blocks_per_part"})
_TYPES = ", ".join(f"`{one}`" for one in IndicatorType)
_PROTECTIONS = ", ".join(f"`{one}`" for one in sorted(PROTECTIONS))
_TEXTS = (
    "authors", "tags", "adversaries", "malware_families", "countries", "industries", "words", "attack_ids", "roles",
)  # fmt: skip
_TECHNIQUE = re.compile(r"T[0-9]{4}(\.[0-9]{3})?|TA[0-9]{4}", re.IGNORECASE)


def _are_words(words: list[str]) -> list[str]:
    for word in words:
        parts = [part.rstrip("*") for part in word.split()]
        if not all(parts) or not parts:
            raise ValueError(f"{word!r} is no word; write a word, a phrase, or what one begins with: phish*")
        if any("*" in part for part in parts):
            raise ValueError(f"{word!r} has a * elsewhere than at the end of a word; write phish* or phishing")
    return words


def _are_techniques(ids: list[str]) -> list[str]:
    for one in ids:
        if not _TECHNIQUE.fullmatch(one):
            raise ValueError(f"{one!r} is no ATT&CK id, such as T1566, T1566.001 or TA0011")
    return ids


def _are_roles(roles: list[str]) -> list[str]:
    for role in roles:
        if not role.strip():
            raise ValueError("an empty role is none; write one as OTX names it, such as scanning_host")
    return roles


Names = Annotated[list[str], Written("a list of names")]


class RuleSettings(Section):
    """What a pulse or an indicator must be (``include``), or what keeps it out (``exclude``).

    An empty key filters nothing. A pulse must fit every key of ``include`` that is there, and one of the words of each;
    one word of ``exclude`` is enough to keep it out.
    """

    authors: Names = Field([], description="pulse authors, as OTX names them")
    tags: Names = Field([], description="pulse tags, in any case")
    adversaries: Names = Field([], description="the pulse's adversary")
    malware_families: Names = Field([], description="the pulse's malware families")
    countries: Names = Field([], description="the pulse's targeted countries, as OTX names them")
    industries: Names = Field([], description="the pulse's industries")
    words: Annotated[list[str], AfterValidator(_are_words), Written("a list of words or phrases")] = Field(
        [], description="words or phrases in the pulse's name, whole; `phish*` is also found in phishing"
    )
    attack_ids: Annotated[list[str], AfterValidator(_are_techniques), Written("a list of ids")] = Field(
        [], description="the pulse's ATT&CK ids; `T1566` covers `T1566.001` too"
    )
    types: Annotated[list[IndicatorType], Written("a list of types")] = Field(
        [], description=f"indicator types, as OTX spells them: {_TYPES}"
    )
    roles: Annotated[Names, AfterValidator(_are_roles)] = Field(
        [],
        description="indicator roles, as OTX names them: `command_and_control`, `scanning_host`, in any case; most "
        "indicators have none",
    )
    tlp: list[TLP] = Field([], description="a pulse without a TLP counts as green")
    max_age: Duration | None = Field(
        None,
        description="counted from the pulse's `modified`; in `exclude` turned round: `1d` holds pulses back until they "
        "are a day old",
    )

    def to_model(self) -> Rule:
        return Rule(
            **{key: frozenset(getattr(self, key)) for key in _TEXTS},
            types=frozenset(self.types),
            tlp=frozenset(self.tlp),
            max_age=self.max_age,
        )


def _known_protections(value: object) -> object:
    for name in value if isinstance(value, list) else ():
        if name not in PROTECTIONS:
            raise ValueError(f"{name!r} is no protection; there are {', '.join(sorted(PROTECTIONS))}")
    return value


def usable_name(name: str) -> str:
    if not name.strip() or len(name) > MAX_NAME or not name.isprintable():
        raise ValueError(f"a collection's name is 1 to {MAX_NAME} printable characters")
    if name == "subscribed" or name.startswith("user_"):
        raise ValueError(f"{name!r} is a name that Pulsegate gives itself; choose another one")
    return name


class CollectionSettings(Section):
    """A collection of your own, filled from pulses by rule, or by what clients push.

    Beside these there are always ``subscribed`` and one ``user_…`` for each author.
    """

    example: ClassVar[str] = cleandoc("""
        name: phishing
        description: Phishing by those we trust
        profile: esa
        include:
          authors: [AlienVault, harbor-cert]
          tags: [phishing, credential theft]
          tlp: [white, green]
          max_age: 90d
        exclude:
          types: [FileHash-MD5, FileHash-SHA1, FileHash-SHA256]
        ttl: {IPv4: 30d, domain: 90d}
        """)

    name: Annotated[str, Written(f"1 to {MAX_NAME} characters")] = Field(
        description="the name that clients poll; `subscribed` and `user_…` are Pulsegate's own"
    )
    description: str = Field("", description="what clients see beside the name")
    kind: Literal["rules", "inbox"] = Field(
        "rules",
        description="`rules`: filled from pulses; `inbox`: it holds what clients push, and takes no key of this table "
        "but `name`, `description`, `max_age` and `blocks_per_part`",
    )
    profile: Profile = Field(Profile.FULL, description="`full`, or `esa`: only what the appliance uses")
    expand: Annotated[int, Field(ge=0, le=EXPAND)] = Field(
        EXPAND,
        description="`profile: esa`: a network of at most so many addresses is written address by address; `0`: none",
    )
    deduplicate: bool = Field(True, description="a value once, however many pulses carry it")
    review: bool | Literal["changes"] = Field(
        False,
        description="a pulse waits until a curator approves it; `changes`: so does what is added to it after that",
    )
    include: RuleSettings = Field(RuleSettings(), description="what a pulse or an indicator must be")
    exclude: RuleSettings = Field(RuleSettings(), description="what keeps it out")
    protections: Annotated[bool | Names, AfterValidator(_known_protections)] = Field(
        True,
        description=f"which hold: all, none, or those of a list, out of {_PROTECTIONS}",
    )
    warning_lists: Literal["default", "none"] | Names = Field(
        "default", description="`default`: those of mode `block`; `none`; or the names of the lists that block here"
    )
    ttl: Annotated[dict[IndicatorType, Duration], Written("a duration for each of some types")] = Field(
        {}, description="how long a type lives where OTX gives no expiration, such as `{IPv4: 30d}`"
    )
    refresh: Annotated[Duration, Written(f"a duration, at least `{format_duration(MIN_REFRESH)}`")] | None = Field(
        None,
        description="publish again what is still live, under a new label, so often, for consumers that age out what "
        "they have not seen lately",
    )
    blocks_per_part: Annotated[int, Field(ge=0)] = Field(
        0, description="content blocks in one part of a poll's answer; `0`: all in one part"
    )
    max_age: Annotated[Duration, Written("a duration, at least `1ms`")] | None = Field(
        None, description="of an inbox: what was pushed longer ago is withdrawn"
    )

    @field_validator("name")
    @classmethod
    def _name_is_usable(cls, name: str) -> str:
        return usable_name(name)

    @model_validator(mode="after")
    def _only_what_works(self) -> Self:
        """A key that this version can't honour is refused, never silently ignored."""
        if self.refresh is not None and self.refresh < MIN_REFRESH:
            raise ValueError(f"refresh is at least {format_duration(MIN_REFRESH)}: slow clients need time to fetch")
        return self

    @model_validator(mode="after")
    def _keys_fit_the_kind(self) -> Self:
        if self.kind == "rules" and self.max_age is not None:
            raise ValueError("max_age of a collection by rule stands below include; here it is for kind: inbox only")
        if self.kind == "inbox" and self.max_age == timedelta():
            raise ValueError("max_age must be longer than nothing; leave it out to keep what is pushed for ever")
        rules = [key for key in type(self).model_fields if key in self.model_fields_set - _OF_AN_INBOX]
        if self.kind == "inbox" and rules:
            raise ValueError(
                f"kind: inbox keeps packages as they are pushed, no rule applies; leave out {', '.join(rules)}"
            )
        return self

    def to_model(self) -> Collection:
        if self.kind == "inbox":
            return Collection(
                name=self.name,
                kind=CollectionKind.INBOX,
                description=self.description,
                deduplicate=False,
                blocks_per_part=self.blocks_per_part,
                max_age=self.max_age,
            )
        return Collection(
            name=self.name,
            description=self.description,
            profile=self.profile,
            expand=self.expand,
            deduplicate=self.deduplicate,
            blocks_per_part=self.blocks_per_part,
            include=self.include.to_model(),
            exclude=self.exclude.to_model(),
            review=_REVIEWS[self.review],
            protections=_protections(self.protections),
            warning_lists=_chosen_lists(self.warning_lists),
            ttl=dict(self.ttl),
            refresh=self.refresh,
        )


_REVIEWS = {False: ReviewMode.NONE, True: ReviewMode.PULSES, "changes": ReviewMode.CHANGES}


def _chosen_lists(value: str | list[str]) -> frozenset[str] | None:
    if value == "default":
        return None
    return frozenset() if value == "none" else frozenset(value)


def _protections(value: bool | list[str]) -> frozenset[str] | None:
    if isinstance(value, bool):
        return None if value else frozenset()
    return frozenset(value)

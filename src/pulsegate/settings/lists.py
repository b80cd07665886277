"""Warning lists: the modes of MISP's, and lists of one's own."""

from __future__ import annotations

import re
from inspect import cleandoc
from typing import Annotated, ClassVar

from pydantic import BeforeValidator, Field, field_validator

from pulsegate.model.mode import Mode
from pulsegate.settings.section import File, Section, Written


def _is_off(value: object) -> object:
    """YAML takes the bare word ``off`` for false."""
    return Mode.OFF.value if value is False else value


ListMode = Annotated[Mode, BeforeValidator(_is_off)]


class ListFileSettings(Section):
    """A warning list of your own."""

    example: ClassVar[str] = cleandoc("""
        name: partners
        file: /etc/pulsegate/partners.txt
        title: Our partners' names
        """)

    name: Annotated[str, Written("1 to 100 letters, digits, `.`, `-`, `_`")] = Field(
        description="what a collection's `warning_lists` and `explain` call it"
    )
    file: File = Field(
        description="a text file, an entry a line: `example.com`, `.example.com` with all below, a network …"
    )
    mode: ListMode = Field(Mode.BLOCK, description="whether what is on it is kept out, only told of, or neither")
    title: str = Field("", description="what it is, for people")

    @field_validator("name")
    @classmethod
    def _name_is_a_word(cls, name: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", name):
            raise ValueError("a list's name has letters, digits, dots, dashes and underscores, 100 at most")
        return name


class ListSettings(Section):
    """Which warning lists block, and which only inform."""

    example: ClassVar[str] = cleandoc("""
        modes: {public-dns-v4: inform, tranco: block}
        """)

    modes: Annotated[dict[str, ListMode], Written("`block`, `inform` or `off` for each of some lists")] = Field(
        {}, description="the mode of MISP's lists that are to be other than `pulsegate lists list` says"
    )
    files: list[ListFileSettings] = Field([], description="lists of your own")

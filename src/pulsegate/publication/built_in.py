"""The collections that Pulsegate makes by itself: all pulses, and one for each author."""

from __future__ import annotations

from pulsegate.model.collection import Collection, CollectionKind

SUBSCRIBED = Collection(name="subscribed", kind=CollectionKind.SUBSCRIBED, description="All subscribed pulses")


def author_collection(author: str) -> Collection:
    """The collection of one author, named as OTX names it: a space is written ``+`` (and ``+`` itself ``%2B``)."""
    name = f"user_{author.replace('%2B', '%252B').replace('+', '%2B').replace(' ', '+')}"[:300]
    return Collection(name=name, kind=CollectionKind.AUTHOR, author=author, description=f"Pulses by {author}")

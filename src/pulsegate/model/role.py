"""What somebody may do on the administration pages."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """Each may do what those before it may."""

    VIEWER = "viewer"  # looks at everything but accounts
    CURATOR = "curator"  # decides what is in the feed
    ADMIN = "admin"  # accounts and sources too

    def covers(self, other: Role) -> bool:
        """Whether whoever has this role may do what ``other`` may."""
        order = list(Role)
        return order.index(self) >= order.index(other)

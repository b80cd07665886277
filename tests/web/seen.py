"""What tests of pages look at: the pager of a list, what a form says that it showed, and the record of changes."""

from __future__ import annotations

import html
import re

from pulsegate.store import audit


def beside(answer, which: str) -> str | None:
    """The address of the page before (``prev``) or behind (``next``) the one that is shown."""
    found = re.search(rf'href="([^"]+)" rel="{which}"', answer.text)
    return found[1].replace("&amp;", "&") if found else None


def shown(answer) -> dict[str, str]:
    """The hidden fields by which the first form on a row tells what its page showed."""
    pairs = re.findall(r'type="hidden" name="(seen|seen_name)" value="([^"]*)"', answer.text)[:2]
    return {name: html.unescape(text) for name, text in pairs}


def changes(site) -> list[tuple[str, str, str]]:
    """Who has changed what, the newest first."""
    with site.database.read() as connection:
        return [(one.account, one.action, one.subject) for one in audit.every(connection, limit=100)]

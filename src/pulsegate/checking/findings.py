"""What can be wrong with a server, and what each means for the appliance that polls it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from pulsegate.values.text import clean_line


class Severity(StrEnum):
    """A problem may cost the appliance indicators, or the whole poll; a warning is worth knowing."""

    PROBLEM = "problem"
    WARNING = "warning"


P, W = Severity.PROBLEM, Severity.WARNING


class Fault(NamedTuple):
    """What was seen. ``code`` is a key of CATALOGUE; ``what`` a sentence without its full stop."""

    code: str
    what: str


CATALOGUE: Mapping[str, tuple[Severity, str]] = MappingProxyType(
    {
        # The way to it
        "name": (P, "Correct the host's name, or the DNS that this machine asks"),
        "connection": (P, "Check address, port, firewall and proxy; the appliance needs the same way"),
        "certificate": (P, "Nothing was sent. The appliance refuses it too, unless it trusts the issuer: --ca-file"),
        "certificate-ends": (W, "When it has expired, the appliance polls no more"),
        "plain-http": (W, "Password and feed are readable on the way; use HTTPS wherever others share the network"),
        "clock": (P, "The appliance cuts its windows by its own clock: with one that is off it polls past what is new"),
        # HTTP
        "timeout": (P, "The appliance gives up after three tries, and keeps what it has"),
        "cut": (P, "The appliance takes nothing of an answer that breaks off, and asks for all of it again"),
        "http": (P, "The appliance says 'HTTP Error: status code …' and gives up after three tries"),
        "path": (P, "No TAXII service is at that path; often it is /taxii/poll, or /services/poll on an OpenTAXII"),
        "redirect": (P, "A POST that is redirected becomes a GET in many clients; poll the address that it leads to"),
        "not-taxii": (P, "Clients built on Cabby refuse an answer without X-TAXII-Content-Type, whatever is in it"),
        "taxii-version": (P, "The appliance speaks TAXII 1.1 only"),
        "content-type": (W, "Some clients look at it before they parse"),
        "encoding": (P, "Who doesn't unpack it reads rubbish"),
        "unfinished": (P, "What was not polled was not checked: allow it more time with --timeout"),
        "slow": (W, "An appliance that waits too long gives up after three tries"),
        # Accounts
        "unauthorized": (P, "Check user name and password, and that the account may read the collection"),
        "no-challenge": (P, "Clients that send no password until they are asked for it never send one"),
        "wrong-password": (P, "A mistyped password looks like another failure in the appliance's log"),
        "any-password": (W, "Whoever knows the name of the collection can read it; on OTX the user name is the key"),
        "no-account": (W, "Such a client sends no user name at all"),
        "other-host": (P, "The password was not sent there; check that address by itself if it is right"),
        # Messages
        "malformed": (P, "Nothing of such an answer can be read"),
        "too-large": (P, "Readers with bounded memory give it up"),
        "status": (P, "The poll fails: 'Unable to fetch the observables'"),
        "no-collection": (P, "The collection's name must be typed as it is listed, letter by letter"),
        "not-poll": (P, "Type the path of the poll service into the appliance"),
        "advertised": (W, "Clients that begin with discovery go astray"),
        "order": (P, "The TAXII 1.1 schema has one order; clients that hold to it, Cisco's own too, break off"),
        "no-end": (P, "The client isn't told where its next poll begins: Cisco's TAXII client breaks off there"),
        "end-before-begin": (P, "The next poll would begin before this one, and fetch all of it again"),
        "end-not-asked": (P, "What lies between the end that was asked for and this one is fetched twice, or never"),
        "label-form": (P, "A client that can't read a time can't go on from it"),
        "record-count": (W, "Clients that compare the two take the answer for incomplete"),
        # Parts
        "no-result-id": (P, "The other parts can't be asked for: they are lost"),
        "part": (P, "The rest of the result is lost"),
        "empty-part": (P, "Some clients take it for the end and lose the rest; others ask for ever"),
        "same-part": (P, "A client that asks until a part is empty never ends"),
        "past-the-end": (P, "Released Cabby versions ask one part too many, and fail there: an empty part is due"),
        # Blocks
        "no-label": (P, "Nobody can tell in which window it belongs: it comes in each of them, or in none"),
        "unordered": (P, "A client that goes on from the last label it saw misses what is older"),
        "outside": (P, "It comes twice, or never, as the window that it belongs to is another one"),
        "future": (P, "It is newer than now: the windows of the appliance end before it"),
        "twice": (P, "It is fetched twice: windows touch, so a block must be in one of them"),
        "one-label": (P, "All of the history is in one segment: too much for one poll, and nothing for shorter ages"),
        "bunched": (W, "Nearly all of it is in one segment: an appliance whose age ends after that gets nothing of it"),
        "repeats": (P, "Each poll takes the whole feed again"),
        "different": (P, "What the appliance gets depends on chance, and it asks for each window but once"),
        "changed": (W, "Something was published or withdrawn while it was polled; check again if that was not so"),
        # Content
        "stix2": (P, "The appliance reads STIX 1.1.1 and 1.2 in XML only"),
        "no-package": (P, "The appliance finds nothing in it"),
        "escaped": (P, "It is text to the appliance, not XML: it finds nothing in it"),
        "stix-version": (P, "The appliance reads STIX 1.1.1 and 1.2"),
        "binding": (P, "A reader that trusts the binding takes it for another version"),
        "binding-asked": (P, "A client that reads only that version fails on what it gets"),
        "binding-empty": (W, "A client that asks for that version only takes the feed for empty"),
        "empty": (P, "The appliance logs '0 observables were fetched', which looks like success"),
        "unused": (P, "The appliance logs '0 observables were fetched', which looks like success"),
        "doubtful": (W, "It may not be matched, or match what it should not"),
    }
)


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault with its meaning; ``where`` it was seen first, and in how many answers."""

    code: str
    severity: Severity
    what: str
    meaning: str
    where: str
    times: int = 1

    @property
    def seen(self) -> str:
        """What was seen, and where."""
        more = f", {self.times} times" if self.times > 1 else ""
        return self.what + (f" ({self.where}{more})" if self.where else "")

    def __str__(self) -> str:
        return f"{self.seen}. {self.meaning}"


class Findings:
    """What was found, in the order in which it was; one fault of a kind is told once, with its first example."""

    def __init__(self) -> None:
        self._found: dict[str, Finding] = {}

    def __iter__(self) -> Iterator[Finding]:
        return iter(self._found.values())

    def add(self, fault: Fault, where: str = "") -> None:
        """``what`` may quote the server: it becomes one line without anything that a terminal obeys."""
        before = self._found.get(fault.code)
        if before is None:
            severity, meaning = CATALOGUE[fault.code]
            self._found[fault.code] = Finding(fault.code, severity, clean_line(fault.what), meaning, where)
        else:
            self._found[fault.code] = replace(before, times=before.times + 1)

    def of(self, severity: Severity) -> list[Finding]:
        return [one for one in self if one.severity is severity]

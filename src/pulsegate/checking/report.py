"""What a check has found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pulsegate.checking.answer import Answer
from pulsegate.checking.findings import Finding, Findings, Severity
from pulsegate.checking.usage import Tally


@dataclass(slots=True)
class Report:
    """``blocks``, ``bytes`` and ``tally`` are those of the segments, which together are the age that was asked for."""

    address: str
    collection: str
    findings: Findings = field(default_factory=Findings)
    tally: Tally = field(default_factory=Tally)
    segments: int = 0
    filled: int = 0  # segments with blocks
    blocks: int = 0
    bytes: int = 0
    seconds: float = 0.0
    finished: bool = False

    def add(self, segment: Answer) -> None:
        self.segments += 1
        self.filled += segment.blocks > 0
        self.blocks += segment.blocks
        self.bytes += segment.bytes
        self.tally.merge(segment.tally)

    @property
    def problems(self) -> list[Finding]:
        return self.findings.of(Severity.PROBLEM)

    @property
    def warnings(self) -> list[Finding]:
        return self.findings.of(Severity.WARNING)

    @property
    def is_good(self) -> bool:
        return self.finished and not self.problems

    def as_json(self) -> dict[str, Any]:
        return {
            "address": self.address,
            "collection": self.collection,
            "segments": self.segments,
            "blocks": self.blocks,
            "bytes": self.bytes,
            "observables": self.tally.used | {"ignored": self.tally.ignores},
            "ignored": [{"reason": why, "count": count, "example": text} for why, count, text in self.tally.sorted()],
            "seconds": round(self.seconds, 3),
            "problems": [str(one) for one in self.problems],
            "warnings": [str(one) for one in self.warnings],
            "findings": [
                {"code": one.code, "severity": str(one.severity), "what": one.what, "meaning": one.meaning,
                 "where": one.where, "times": one.times}
                for one in self.findings
            ],
        }  # fmt: skip

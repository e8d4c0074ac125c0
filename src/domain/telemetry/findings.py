"""What a check of telemetry files finds, with its place: wrong, or only odd. The first are kept, all are counted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Severity = Literal["wrong", "odd"]

KEPT_MAX = 100
"""How many findings of each severity are kept; the others are counted."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, or odd: valid, and worth a look (a gap, a field of a later version).

    `kind` is a word for counting; `place` is the file as it is shown, `line_1based` 0 for the file as a whole.
    """

    severity: Severity
    kind: str
    place: str
    line_1based: int
    message: str

    def __str__(self) -> str:
        """Return it as people read it: `events.jsonl line 812: "duration_ns" must be …`."""
        line = f" line {self.line_1based}" if self.line_1based else ""
        return f"{self.place}{line}: {self.message}"


@dataclass(slots=True)
class Findings:
    """The first findings and how many there were of each kind."""

    kept: dict[Severity, list[Finding]] = field(default_factory=lambda: {"wrong": [], "odd": []})
    counts: dict[Severity, dict[str, int]] = field(default_factory=lambda: {"wrong": {}, "odd": {}})

    def add(self, finding: Finding) -> None:
        """Count a finding, and keep it while there are few."""
        counts = self.counts[finding.severity]
        counts[finding.kind] = counts.get(finding.kind, 0) + 1
        kept = self.kept[finding.severity]
        if len(kept) < KEPT_MAX:
            kept.append(finding)

    def total(self, severity: Severity) -> int:
        """Return how many there were."""
        return sum(self.counts[severity].values())

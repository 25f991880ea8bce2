"""The score of a pillar that rests on checks: 100 x passed weight / (passed + failed weight)."""

from __future__ import annotations

from dataclasses import dataclass, field

from assessments.agents.types import Severity, Share

WEIGHTS = {
    Severity.CRITICAL: 10,
    Severity.HIGH: 6,
    Severity.MEDIUM: 3,
    Severity.LOW: 1,
    Severity.INFO: 0,
}
"""Weight of one check by its severity. This project's choice, the same for every pillar, published
beside the score."""
SILENT_ENGINES = frozenset(
    {"hadolint", "cfn-lint", "compose-lint", "kubernetes-validate", "zizmor"}
)
"""Linters that report only what failed. What they leave unsaid is no pass, so their findings are
listed and weigh nothing."""


@dataclass(slots=True)
class Tally:
    """Checks counted by severity. Suppressed ones, those whose value is not in the upload
    (``undecided``), and those of linters that never report what passed (``listed``), are counted
    and shown, and weigh nothing."""

    passed: dict[Severity, int] = field(default_factory=dict)
    failed: dict[Severity, int] = field(default_factory=dict)
    suppressed: int = 0
    undecided: int = 0
    listed: int = 0

    def add(self, severity: Severity, *, passed: bool) -> None:
        counts = self.passed if passed else self.failed
        counts[severity] = counts.get(severity, 0) + 1

    @property
    def passed_count(self) -> int:
        return sum(self.passed.values())

    @property
    def failed_count(self) -> int:
        return sum(self.failed.values())

    @property
    def passed_weight(self) -> int:
        return _weight(self.passed)

    @property
    def failed_weight(self) -> int:
        return _weight(self.failed)

    def score(self) -> int | None:
        """0..100, rounded down, so that 100 means that nothing weighed failed; None where nothing
        weighs anything."""
        total = self.passed_weight + self.failed_weight
        return None if total == 0 else 100 * self.passed_weight // total

    def share(self) -> Share:
        weight = self.passed_weight
        return Share(good=weight, whole=weight + self.failed_weight, unit="weight of checks")

    def formula(self) -> str:
        """The formula with its inputs, for beside the score."""
        weights = ", ".join(
            f"{level.name.lower()} {WEIGHTS[level]}" for level in sorted(WEIGHTS, reverse=True)
        )
        worked = f"100 x {self.passed_weight} / ({self.passed_weight} + {self.failed_weight})"
        return (
            "100 x passed weight / (passed + failed weight) ="
            f" {f'{worked}, rounded down' if self.score() is not None else 'no check that weighs'};"
            f" weight of a check by severity: {weights}; {self.passed_count} passed,"
            f" {self.failed_count} failed, {self.suppressed} suppressed and not counted,"
            f" {self.undecided} undecided for want of a value and not counted,"
            f" {self.listed} of linters that don't report what passed listed and not counted"
        )


def _weight(counts: dict[Severity, int]) -> int:
    return sum(WEIGHTS[severity] * count for severity, count in counts.items())

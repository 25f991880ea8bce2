"""The scan, as needed for a proof: which checks fail and pass on some files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from assessments.scan.engines import run_shard
from assessments.scan.intake import InputFile
from assessments.scan.merge import merge
from assessments.scan.sandbox import Register, Sandbox
from assessments.scan.secrets.rules import PREFIXES
from assessments.scan.shards import Shard, make_shards
from assessments.scan.types import CheckResult, CoverageStatus, Outcome

_CHECKING = frozenset(
    {"checkov", "cfn-lint", "compose-lint", "hadolint", "kubernetes-validate", "zizmor"}
)
"""Engines that produce checks; the others read resources. The search for secrets is left out: what
a fix writes comes from our own table."""


class Check(NamedTuple):
    """What identifies a check even when its lines move."""

    scope: str
    rule: str
    resource: str
    file: str


def identity(check: CheckResult) -> Check:
    return Check(check.scope, check.rule, check.resource, check.file)


@dataclass(frozen=True)
class Scanned:
    """``failed`` counts, as one rule can fail on several lines of one file; ``unread`` are the
    files that were not read in full."""

    failed: Counter[Check]
    passed: frozenset[Check]
    unread: frozenset[str]

    @classmethod
    def of(cls, checks: Iterable[CheckResult], unread: Iterable[str]) -> Scanned:
        kept = [check for check in checks if not check.rule.startswith(PREFIXES)]
        return cls(
            failed=Counter(identity(c) for c in kept if c.outcome is Outcome.FAILED),
            passed=frozenset(identity(c) for c in kept if c.outcome is Outcome.PASSED),
            unread=frozenset(unread),
        )


Rescan = Callable[[Sequence[InputFile]], Scanned]


def scan_again(
    files: Sequence[InputFile],
    *,
    sandbox: Sandbox,
    should_stop: Callable[[], bool] = lambda: False,
    register: Register | None = None,
) -> Scanned:
    """Scan ``files`` as the scan stage does: the same shards, engines and sandbox. Raises
    ScanError."""
    outputs = [
        run_shard(
            shard,
            files,
            sandbox=sandbox,
            on_progress=lambda done, total, message: None,
            should_stop=should_stop,
            register=register,
        )
        for shard in checking_shards(files)
    ]
    result = merge(outputs, files=files)
    unread = [gap.path for gap in result.coverage if gap.status is not CoverageStatus.READ]
    return Scanned.of(result.checks, unread)


def checking_shards(files: Sequence[InputFile]) -> list[Shard]:
    return [shard for shard in make_shards(files) if shard.engine in _CHECKING]

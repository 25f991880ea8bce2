"""All shards' outputs as one: what the agents read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assessments.scan.classify import Classified, classify
from assessments.scan.redact import Redactor, line_values, mask_line
from assessments.scan.types import (
    CheckResult,
    CodeLine,
    CoverageStatus,
    FileCoverage,
    FileKind,
    Message,
    Outcome,
    Resource,
    Scope,
    ShardOutput,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from assessments.scan.intake import InputFile

SECRET_RULE = "CKV_SECRET_"  # noqa: S105
_WORST = [
    CoverageStatus.READ,
    CoverageStatus.PARTLY_READ,
    CoverageStatus.NOT_ASSESSED,
    CoverageStatus.FAILED,
]


class ScanResult(Message, frozen=True, kw_only=True, omit_defaults=True):
    """The merged scan. ``engines`` maps name to version. ``scopes`` is sorted by key.

    Every uploaded file has exactly one entry in ``coverage``: the worst that is known of it.
    ``gaps`` names all that was not read: any number of entries a file, each with the scope that
    lacks it (see ``FileCoverage.scope``), none of them with the status ``read``.
    """

    scopes: list[Scope] = []
    checks: list[CheckResult] = []
    resources: list[Resource] = []
    coverage: list[FileCoverage] = []
    gaps: list[FileCoverage] = []
    engines: dict[str, str] = {}


def merge(
    outputs: Iterable[ShardOutput],
    *,
    files: Sequence[InputFile],
    failed_shards: Iterable[FileCoverage] = (),
    isolated: bool = True,
) -> ScanResult:
    """Join, deduplicate and sort. ``failed_shards`` names files whose shard gave no answer (see
    ``shard_failure``).

    The order of ``outputs`` does not matter. A line that the secrets check flags is masked in every
    other check's evidence, and its value everywhere.
    """
    outputs = sorted(outputs, key=lambda output: output.to_json())
    classified = [classify(file, isolated=isolated) for file in files]
    checks = _unique_checks(check for output in outputs for check in output.checks)
    flagged = {
        (check.file, number)
        for check in checks
        if check.rule.startswith(SECRET_RULE) and check.outcome is Outcome.FAILED
        for number in range(check.line_start, check.line_end + 1)
    }
    values = _flagged_values(files, flagged)
    redactor = Redactor(values) if values else None
    gaps = [gap for output in outputs for gap in output.coverage]
    return ScanResult(
        checks=[_masked(check, flagged, redactor) for check in checks] if flagged else checks,
        resources=_unique_resources(
            r if redactor is None else redactor.resource(r)
            for output in outputs
            for r in output.resources
        ),
        coverage=_coverage(classified, [*gaps, *failed_shards]),
        engines=dict(
            sorted(
                (output.engine, output.engine_version)
                for output in outputs
                if output.engine_version
            )
        ),
    )


def shard_failure(paths: Iterable[str], *, engine: str, reason: str) -> list[FileCoverage]:
    """Coverage entries for a shard that gave no answer: its files were at best partly read."""
    return [
        FileCoverage(
            path=path,
            kind=FileKind.UNKNOWN,
            status=CoverageStatus.PARTLY_READ,
            reason=f"{engine} gave no answer: {reason}",
        )
        for path in paths
    ]


def _unique_checks(checks: Iterable[CheckResult]) -> list[CheckResult]:
    """One entry per rule, resource, file and lines. Where shards differ, passed wins: the one that
    saw the file which satisfies the rule knows more."""
    order = [Outcome.FAILED, Outcome.SUPPRESSED, Outcome.PASSED]
    found: dict[tuple[str, str, str, int, int], CheckResult] = {}
    for check in checks:
        key = (check.file, check.rule, check.resource, check.line_start, check.line_end)
        if key not in found or order.index(check.outcome) > order.index(found[key].outcome):
            found[key] = check
    return [found[key] for key in sorted(found)]


def _unique_resources(resources: Iterable[Resource]) -> list[Resource]:
    """Addresses made unique: a plan's exact entry replaces the estimate from source; else the file
    is added."""
    found: dict[str, Resource] = {}
    ordered = sorted(resources, key=lambda r: (not r.exact, r.address, r.file, r.line_start))
    for resource in ordered:
        address = resource.address
        first = found.get(address)
        if (
            first is not None
            and first.origin is FileKind.TERRAFORM_PLAN
            and resource.origin is FileKind.TERRAFORM
        ):
            continue
        number = 1
        while address in found:
            number += 1
            address = (
                f"{resource.address} ({resource.file})"
                if number == 2
                else f"{resource.address} ({resource.file} {number})"
            )
        found[address] = resource.replace(address=address)
    return [found[address] for address in sorted(found)]


def _flagged_values(files: Sequence[InputFile], flagged: set[tuple[str, int]]) -> set[str]:
    contents = {file.path: file for file in files}
    values: set[str] = set()
    for path, number in flagged:
        file = contents.get(path)
        lines = file.content.decode(errors="replace").splitlines() if file else []
        if number <= len(lines):
            values.update(line_values(lines[number - 1][:20_000]))
    return {value for value in values if len(value) >= 8 and any(char.isdigit() for char in value)}


def _masked(
    check: CheckResult, flagged: set[tuple[str, int]], redactor: Redactor | None
) -> CheckResult:
    lines = [
        CodeLine(number=line.number, text=mask_line(line.text))
        if (check.file, line.number) in flagged
        else line
        for line in check.evidence
    ]
    masked = check.replace(evidence=lines)
    return masked if redactor is None else redactor.check(masked)


def _coverage(classified: list[Classified], gaps: list[FileCoverage]) -> list[FileCoverage]:
    """The worst that is known of each file, with its first reason."""
    by_path: dict[str, list[FileCoverage]] = {}
    for gap in gaps:
        by_path.setdefault(gap.path, []).append(gap)
    result = []
    for item in sorted(classified, key=lambda item: item.file.path):
        known = [item.coverage(), *by_path.get(item.file.path, [])]
        worst = max(
            known, key=lambda gap: (_WORST.index(gap.status), gap.line is not None, gap.reason)
        )
        result.append(worst.replace(kind=item.kind))
    return result

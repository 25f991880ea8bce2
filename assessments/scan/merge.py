"""Merges all shards' outputs into one: what the agents read."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from assessments.scan.characters import storable
from assessments.scan.classify import Classified, classify
from assessments.scan.installed import is_installed
from assessments.scan.plan_references import without_indexes
from assessments.scan.redact import MASK, Redactor, mask_line
from assessments.scan.scope_kinds.helm import values_of
from assessments.scan.scopes import units_of
from assessments.scan.secrets.rules import PREFIXES
from assessments.scan.secrets.search import secrets_in
from assessments.scan.secrets.texts import searched_text
from assessments.scan.types import (
    CheckResult,
    CodeLine,
    CoverageStatus,
    FileCoverage,
    FileKind,
    Message,
    Outcome,
    OwnRule,
    Resource,
    Scope,
    ScopeKind,
    ShardOutput,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from assessments.scan.intake import InputFile
    from assessments.scan.scope_kinds.unit import Unit

_LONG_WORD = re.compile(r"(?=[^\s\"'=:,;]*\d)[^\s\"'=:,;]{16,}")
_WORST = [
    CoverageStatus.READ,
    CoverageStatus.PARTLY_READ,
    CoverageStatus.NOT_ASSESSED,
    CoverageStatus.FAILED,
]


class ScanResult(Message, frozen=True, kw_only=True, omit_defaults=True):
    """The merged scan. ``engines`` maps name to version. ``scopes`` is sorted by key.

    Every uploaded file has exactly one entry in ``coverage``: the worst that is known about it.
    ``gaps`` lists everything that was not read: any number of entries per file, each with the scope
    that lacks it (see ``FileCoverage.scope``), none of them with the status ``read``.
    """

    scopes: list[Scope] = []
    checks: list[CheckResult] = []
    resources: list[Resource] = []
    coverage: list[FileCoverage] = []
    gaps: list[FileCoverage] = []
    engines: dict[str, str] = {}
    own_rules: list[OwnRule] = []


def merge(
    outputs: Iterable[ShardOutput],
    *,
    files: Sequence[InputFile],
    failed_shards: Iterable[FileCoverage] = (),
) -> ScanResult:
    """Join, deduplicate and sort, scope by scope. ``failed_shards`` names files whose shard gave no
    answer (see ``shard_failure``).

    The order of ``outputs`` does not matter. What was reported for a file without a scope holds in
    every scope that has the file. A line that the secrets check flags is masked in every
    other check's evidence, and its value everywhere.
    """
    outputs = sorted(outputs, key=lambda output: output.to_json())
    classified = [classify(file) for file in files]
    units = units_of(classified)
    classified = _with_values(classified, units)
    placed = _Placed(units)
    checks = _unique_checks(
        placed.existing(placed.spread(check for output in outputs for check in output.checks))
    )
    flagged = flagged_lines(checks)
    values = flagged_values(files, flagged)
    redactor = Redactor(values) if values else None
    gaps = _gaps(
        classified,
        [
            *(gap for output in outputs for gap in output.coverage),
            *failed_shards,
            *(gap for unit in units for gap in unit.gaps),
        ],
    )
    result = ScanResult(
        scopes=_worth_naming(units, classified, checks),
        checks=[_masked(check, flagged, redactor) for check in checks] if flagged else checks,
        resources=_unique_resources(
            placed.known(_masked_code(r, flagged, redactor) if flagged else r)
            for r in placed.exact([r for output in outputs for r in output.resources])
        ),
        coverage=_coverage(classified, gaps),
        gaps=gaps,
        engines=dict(
            sorted(
                (output.engine, output.engine_version)
                for output in outputs
                if output.engine_version
            )
        ),
        own_rules=_own_rules(outputs),
    )
    return storable(result)


def _own_rules(outputs: Iterable[ShardOutput]) -> list[OwnRule]:
    """The server's rules used by the scan, each once; one that some engine run could not load
    counts as not loaded."""
    found: dict[str, OwnRule] = {}
    for rule in (each for output in outputs for each in output.own_rules):
        kept = found.setdefault(rule.rule, rule)
        found[rule.rule] = kept if rule.is_loaded else rule
    return [found[name] for name in sorted(found)]


def _with_values(classified: Iterable[Classified], units: Iterable[Unit]) -> list[Classified]:
    """Charts' values files are read with the charts; alone they are of no kind."""
    values = {path for unit in units for path in values_of(unit)}
    return [
        replace(item, kind=FileKind.KUBERNETES, gap=None)
        if item.file.path in values and _is_of_no_kind(item)
        else item
        for item in classified
    ]


def _is_of_no_kind(item: Classified) -> bool:
    status = item.coverage().status
    return item.kind is FileKind.UNKNOWN and status is CoverageStatus.NOT_ASSESSED


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


def _worth_naming(
    units: Sequence[Unit], classified: Iterable[Classified], checks: Iterable[CheckResult]
) -> list[Scope]:
    """The scopes, without the rest of the repository if it contains only files that are searched
    for secrets, or modules that nothing calls, and no secret was found."""
    unknown = {
        item.file.path
        for item in classified
        if item.kind is FileKind.UNKNOWN or is_installed(item.file.path)
    }
    checked = {check.scope for check in checks}
    return [
        unit.scope
        for unit in units
        if unit.scope.kind is not ScopeKind.REPOSITORY
        or unit.scope.key in checked
        or not unknown.issuperset(unit.scope.paths)
    ]


class _Placed:
    """Where files and resources belong, according to scope discovery."""

    def __init__(self, units: Sequence[Unit]) -> None:
        self._units = {unit.scope.key: unit for unit in units}
        self._scopes: dict[str, list[str]] = {}
        for unit in units:
            for path in unit.scope.paths:
                self._scopes.setdefault(path, []).append(unit.scope.key)

    def spread(self, checks: Iterable[CheckResult]) -> Iterator[CheckResult]:
        """Each check once for every scope that it applies to."""
        for check in checks:
            if check.scope:
                yield check
                continue
            for key in self._scopes.get(check.file, ()):
                yield check.replace(scope=key)

    def existing(self, checks: Iterable[CheckResult]) -> Iterator[CheckResult]:
        """Without checks on resources that the scope does not have: engines report some for a
        resource whose count is 0."""
        for check in checks:
            if not self._units[check.scope].lacks(check.resource):
                yield check

    def exact(self, resources: Sequence[Resource]) -> Iterator[Resource]:
        """Without estimates from source if the root's own plan was read."""
        planned = {r.scope for r in resources if r.origin is FileKind.TERRAFORM_PLAN}
        for resource in resources:
            if resource.origin is not FileKind.TERRAFORM or resource.scope not in planned:
                yield resource

    def known(self, resource: Resource) -> Resource:
        """With what was learned by following its Terraform root."""
        unit = self._units.get(resource.scope)
        facts = (
            unit.facts.resources.get(without_indexes(resource.address))
            if (unit and unit.facts)
            else None
        )
        if facts is None or resource.exact:
            return resource
        return resource.replace(
            count_known=facts.count_known,
            region=facts.region,
            provider_alias=facts.provider_alias,
            open_blocks=[name for name in facts.open_blocks if name not in resource.attributes],
        )


def _unique_checks(checks: Iterable[CheckResult]) -> list[CheckResult]:
    """One entry per scope, rule, resource, file and lines. If several modules of a scope share a
    name, one failure makes the entry a failure."""
    order = [Outcome.PASSED, Outcome.SUPPRESSED, Outcome.UNDECIDED, Outcome.FAILED]
    found: dict[tuple[str, str, str, str, int, int], CheckResult] = {}
    for check in checks:
        key = (
            check.scope,
            check.file,
            check.rule,
            check.resource,
            check.line_start,
            check.line_end,
        )
        if key not in found or order.index(check.outcome) > order.index(found[key].outcome):
            found[key] = check
    return [found[key] for key in sorted(found)]


def _unique_resources(resources: Iterable[Resource]) -> list[Resource]:
    """Addresses made unique within their scope by adding the file."""
    found: dict[tuple[str, str], Resource] = {}
    for resource in sorted(resources, key=lambda r: (r.scope, r.address, r.file, r.line_start)):
        address = resource.address
        number = 1
        while (resource.scope, address) in found:
            number += 1
            address = (
                f"{resource.address} ({resource.file})"
                if number == 2
                else f"{resource.address} ({resource.file} {number})"
            )
        found[resource.scope, address] = resource.replace(address=address)
    return [found[key] for key in sorted(found)]


def flagged_lines(checks: Iterable[CheckResult]) -> set[tuple[str, int]]:
    """File and number of the lines that the search for secrets flags."""
    return {
        (check.file, number)
        for check in checks
        if check.rule.startswith(PREFIXES) and check.outcome is not Outcome.PASSED
        for number in range(check.line_start, check.line_end + 1)
    }


def flagged_values(files: Sequence[InputFile], flagged: set[tuple[str, int]]) -> set[str]:
    """The secrets on the flagged lines. What only an engine recognized has the form of a long
    word."""
    lines_of: dict[str, set[int]] = {}
    for path, number in flagged:
        lines_of.setdefault(path, set()).add(number)
    values: set[str] = set()
    for file in files:
        if file.path in lines_of:
            values.update(_secret_values(file, lines_of[file.path]))
    return {line for value in values for line in value.splitlines() if len(line) >= 6}


def _secret_values(file: InputFile, flagged: set[int]) -> Iterator[str]:
    text = searched_text(file)
    lines = text.split("\n")
    found = secrets_in(file.path, text)
    yield from (secret.value for secret in found)
    for number in flagged - {secret.line for secret in found}:
        if number <= len(lines):
            yield from _LONG_WORD.findall(lines[number - 1][:20_000])


def _masked(
    check: CheckResult, flagged: set[tuple[str, int]], redactor: Redactor | None
) -> CheckResult:
    masked = check if redactor is None else redactor.check(check)
    return masked.replace(evidence=_masked_lines(masked.evidence, check.file, flagged))


def _masked_code(
    resource: Resource, flagged: set[tuple[str, int]], redactor: Redactor | None
) -> Resource:
    masked = resource if redactor is None else redactor.resource(resource)
    return masked.replace(code=_masked_lines(masked.code, resource.file, flagged))


def _masked_lines(
    lines: list[CodeLine], file: str, flagged: set[tuple[str, int]]
) -> list[CodeLine]:
    return [
        CodeLine(number=line.number, text=mask_line(line.text))
        if (file, line.number) in flagged and MASK not in line.text
        else line
        for line in lines
    ]


def _gaps(classified: list[Classified], gaps: Iterable[FileCoverage]) -> list[FileCoverage]:
    """Everything that was not read, each entry once, with its file's kind."""
    kinds = {item.file.path: item.kind for item in classified}
    gaps = list(gaps)
    # A module that nothing calls is code of a kind that is assessed, but nothing lacks it.
    uncalled = [gap.path for gap in gaps if gap.kind is FileKind.UNKNOWN and is_installed(gap.path)]
    kinds |= dict.fromkeys(uncalled, FileKind.UNKNOWN)
    every = {
        gap.replace(kind=kinds.get(gap.path, gap.kind))
        for gap in [*(item.coverage() for item in classified), *gaps]
        if gap.status is not CoverageStatus.READ
    }
    return sorted(every, key=lambda g: (g.path, g.scope, g.status, g.line or 0, g.reason))


def _coverage(classified: list[Classified], gaps: list[FileCoverage]) -> list[FileCoverage]:
    """The worst that is known about each file, with its first reason."""
    by_path: dict[str, list[FileCoverage]] = {}
    for gap in gaps:
        by_path.setdefault(gap.path, []).append(gap)
    result = []
    for item in sorted(classified, key=lambda item: item.file.path):
        read = FileCoverage(path=item.file.path, kind=item.kind, status=CoverageStatus.READ)
        known = by_path.get(item.file.path) or [read]
        worst = max(
            known, key=lambda gap: (_WORST.index(gap.status), gap.line is not None, gap.reason)
        )
        result.append(worst.replace(scope=""))
    return result

"""Fixes of a run's recommendations: drafted from the failed checks behind their findings, proven in
the sandbox, and stored as patches."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.conf import settings

from assessments.agents.types import Part
from assessments.fixes.diff import unified_diff
from assessments.fixes.draft import Draft, draft
from assessments.fixes.edit import has_recipe
from assessments.fixes.errors import CannotFix
from assessments.fixes.prove import Proofs, Upload, prove
from assessments.fixes.rescan import Scanned, scan_again
from assessments.models import AssessmentRun, Finding, MergedScan, Recommendation
from assessments.scan.classify import classify
from assessments.scan.intake import InputFile
from assessments.scan.merge import ScanResult
from assessments.scan.redact import MASK, Redactor
from assessments.scan.secrets.rules import PREFIXES
from assessments.scan.types import CheckResult, CoverageStatus, Message, Outcome
from assessments.stages.stage import inputs, merged, sandbox

if TYPE_CHECKING:
    from tasks_ui.worker.work import Work

OUT_OF_TIME = (
    "There is a fix for this, but the time for trying fixes ran out before it was proven. Follow"
    " the steps instead."
)
Found = Sequence[tuple[Recommendation, list[Finding]]]
_Place = tuple[str, str, str, str, int]
"""Scope, rule, resource, file and line: of a finding its own, of a check where it starts."""


class FixedFile(Message, frozen=True, kw_only=True):
    """``diff`` is a unified diff against the uploaded file, as ``git apply`` takes it."""

    path: str
    diff: str


class Fix(Message, frozen=True, kw_only=True):
    """A patch that was applied to a copy of the upload and scanned again.

    ``findings`` are the ids of those that were gone then, and ``removes`` their number; ``adds`` is
    0, or the patch would not be here. ``recreates``: applying it replaces a resource. ``notes`` say
    what to look at first.
    """

    files: list[FixedFile]
    findings: list[str]
    removes: int
    adds: int = 0
    recreates: bool = False
    notes: list[str] = []


@dataclass(frozen=True)
class Candidate:
    """A recommendation with the edits that may solve it, and the finding behind each check."""

    recommendation: Recommendation
    draft: Draft
    findings: Mapping[_Place, list[Finding]]


def add_fixes(
    work: Work, run: AssessmentRun, found: Found, *, on_done: Callable[[int], None]
) -> dict[str, Any]:
    """Set ``fix`` on the recommendations that have a proven one. ``on_done`` receives how many of
    ``found`` are settled. Returns the outcome in numbers."""
    if not settings.FIXES_MAX_S or not found or not MergedScan.objects.filter(run=run).exists():
        return {}
    scan = merged(run, parts={Part.CHECKS})
    failed = [check for check in scan.checks if check.outcome is Outcome.FAILED]
    if not any(has_recipe(check) for check in failed):
        return {}
    upload = upload_of(scan, inputs(run))
    candidates = {c.draft.key: c for c in _candidates(found, failed, upload)}
    others = len(found) - len(candidates)
    proofs = prove(
        [candidate.draft for candidate in candidates.values()],
        upload,
        rescan=lambda files: _scanned(work, files),
        budget_s=settings.FIXES_MAX_S,
        on_done=lambda count: on_done(others + count),
    )
    hidden = _Hidden(upload, failed)
    for key, proven in proofs.proven.items():
        candidates[key].recommendation.fix = _stored(candidates[key], proven, upload, hidden)
    for key in proofs.unproven:
        candidates[key].recommendation.fix = {"untried": OUT_OF_TIME}
    return _facts(proofs)


def _facts(proofs: Proofs) -> dict[str, Any]:
    return {
        "fixes_proven": len(proofs.proven),
        "fixes_refused": len(proofs.refused),
        "fixes_untried": len(proofs.unproven),
        "fix_scans": proofs.scans,
        "fix_seconds": round(proofs.seconds, 1),
    }


def fix_of(finding: Finding) -> dict[str, Any]:
    """The fix that was proven to remove ``finding``, or why it was not tried; empty if there is
    none."""
    for recommendation in finding.recommendations.all():
        if recommendation.fixes(finding) or recommendation.fix.get("untried"):
            return dict(recommendation.fix)
    return {}


def upload_of(scan: ScanResult, files: Sequence[InputFile]) -> Upload:
    """The material that fixes are drafted from and proven against."""
    unread = [gap.path for gap in scan.coverage if gap.status is not CoverageStatus.READ]
    return Upload(
        files={file.path: file for file in files},
        texts=dict(_texts(files, {check.file for check in scan.checks if has_recipe(check)})),
        scopes=scan.scopes,
        before=Scanned.of(scan.checks, unread),
    )


def _texts(files: Iterable[InputFile], wanted: Collection[str]) -> Iterator[tuple[str, str]]:
    """The text of those that may change, and of all Terraform, as a resource's companion can be in
    another file. A file that isn't UTF-8 can't be changed without harm."""
    for file in files:
        if file.path in wanted or file.path.endswith(".tf"):
            try:
                yield file.path, file.content.decode()
            except UnicodeDecodeError:
                continue


def _candidates(found: Found, failed: Sequence[CheckResult], upload: Upload) -> Iterator[Candidate]:
    by_finding: dict[_Place, list[CheckResult]] = defaultdict(list)
    for check in failed:
        line = check.focus or check.line_start
        by_finding[check.scope, check.rule, check.resource[:300], check.file, line].append(check)
    for recommendation, findings in found:
        checks: dict[_Place, CheckResult] = {}
        behind: dict[_Place, list[Finding]] = defaultdict(list)
        for each in findings:
            place = (each.scope, each.rule, each.resource, each.file, each.line_start)
            for check in by_finding[place]:
                checks.setdefault(_place(check), check)
                behind[_place(check)].append(each)
        drafted = draft(recommendation.problem, list(checks.values()), upload.texts)
        if drafted is not None:
            yield Candidate(recommendation, drafted, behind)


def _place(check: CheckResult) -> _Place:
    return (check.scope, check.rule, check.resource, check.file, check.line_start)


def _scanned(work: Work, files: Sequence[InputFile]) -> Scanned:
    with ExitStack() as stack:
        return scan_again(
            files,
            sandbox=sandbox(),
            should_stop=lambda: work.is_stopped,
            register=lambda kill: stack.enter_context(work.stopping(kill)),
        )


def _stored(candidate: Candidate, proven: Draft, upload: Upload, hidden: _Hidden) -> dict[str, Any]:
    """The fix as it is kept; nothing where a line that changes holds a secret."""
    try:
        files = [
            FixedFile(
                path=path,
                diff=unified_diff(path, upload.texts[path], text, redact=hidden.in_file(path)),
            )
            for path, text in sorted(proven.changed.items())
        ]
    except CannotFix:
        return {}
    gone = {str(f.pk) for check in proven.checks for f in candidate.findings[_place(check)]}
    fix = Fix(
        files=files,
        findings=sorted(gone),
        removes=len(gone),
        recreates=proven.recreates,
        notes=list(proven.notes),
    )
    return fix.to_builtins()


class _Hidden:
    """What a patch must not show: what is masked in evidence, and the lines that the search for
    secrets flagged."""

    def __init__(self, upload: Upload, failed: Sequence[CheckResult]) -> None:
        self._upload = upload
        self._redactor: Redactor | None = None
        self._flagged: dict[str, set[str]] = defaultdict(set)
        for check in failed:
            if check.rule.startswith(PREFIXES) and check.file in upload.texts:
                lines = upload.texts[check.file].split("\n")
                self._flagged[check.file] |= set(lines[check.line_start - 1 : check.line_end])

    def in_file(self, path: str) -> Callable[[str], str]:
        if self._redactor is None:
            classified = [
                classify(file) for file in self._upload.files.values() if self._may_show(file)
            ]
            documents = [document for each in classified for document in each.documents]
            self._redactor = Redactor.of((each.file for each in classified), documents=documents)
        redactor, flagged = self._redactor, self._flagged[path]
        return lambda line: MASK if line in flagged else redactor.text(line)

    def _may_show(self, file: InputFile) -> bool:
        return file.path in self._upload.texts

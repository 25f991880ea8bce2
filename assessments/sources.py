"""The source that a run's pages show: the uploaded files with every secret masked.

Masking needs the whole upload, as a value that is a secret in one file is masked in all files. So a
worker does it once, and only the changed lines are stored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from assessments.agents.types import Part
from assessments.models import MaskedSource, MergedScan
from assessments.scan.masking import masked_lines, shown_lines
from assessments.scan.redact import MAX_LINE_CHARS
from assessments.scan.types import CheckResult, CoverageStatus, FileKind
from assessments.stages.stage import inputs, merged

if TYPE_CHECKING:
    from assessments.models import AssessmentRun

MAX_FILE_BYTES = 500_000
MAX_FILES = 5_000
MAX_MASKED = 20_000
"""Masked lines of one run; past them no further file is shown."""


def store_source(run: AssessmentRun) -> None:
    """Mask the run's files for its pages."""
    if not MergedScan.objects.filter(run=run).exists():
        return
    scan = merged(run, parts={Part.CHECKS})
    checks: list[CheckResult] = scan.checks
    about = {check.file for check in checks}
    read = [
        file.path
        for file in scan.coverage
        if file.status is not CoverageStatus.FAILED
        and (file.kind is not FileKind.UNKNOWN or file.path in about)
    ]
    files = [f for f in inputs(run, paths=read[:MAX_FILES]) if f.size <= MAX_FILE_BYTES]
    lines = masked_lines(files, checks)
    kept, count = [], 0
    for file in files:
        count += len(lines.get(file.path, ()))
        if count <= MAX_MASKED:
            kept.append(file.path)
    MaskedSource.objects.update_or_create(
        run=run,
        defaults={
            "paths": kept,
            "lines": {path: lines[path] for path in kept if path in lines},
        },
    )


def source_of(run: AssessmentRun, path: str) -> list[str] | None:
    """The lines of a file, secrets masked; None if it is not shown."""
    source = MaskedSource.objects.filter(run=run, paths__contains=[path]).first()
    if source is None:
        return None
    files = inputs(run, paths=[path])
    if not files:
        return None
    masked = source.lines.get(path, {})
    return [
        masked.get(str(number), line)[:MAX_LINE_CHARS]
        for number, line in enumerate(shown_lines(files[0].content), start=1)
    ]

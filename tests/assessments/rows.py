"""A whole run in the test's own transaction: the stages' plain functions one after another, on the
real scan."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from django.test import override_settings

from assessments import recommending
from assessments.models import Assessment, AssessmentRun, MergedScan, Report
from assessments.reports import WRITERS
from assessments.reports.document import build
from assessments.requirements import Requirements
from assessments.scan.intake import read_upload
from assessments.scan.merge import ScanResult
from assessments.services import SAMPLE, create_assessment, start_analysis
from assessments.stages import ask, synthesis
from assessments.stages.stage import inputs, packed_parts
from tasks_ui.worker.work import Work
from tests.assessments.scanning import scan

if TYPE_CHECKING:
    from django.contrib.auth.models import User

Files = Mapping[str, str]


def sample_files() -> dict[str, str]:
    paths = sorted(
        path for path in SAMPLE.rglob("*") if path.is_file() and path.name != "requirements.json"
    )
    return {path.relative_to(SAMPLE).as_posix(): path.read_text() for path in paths}


def sample_requirements() -> Requirements:
    return Requirements.model_validate_json((SAMPLE / "requirements.json").read_text())


def uploaded(
    owner: User, files: Files, *, requirements: Requirements | None = None, name: str = "shop"
) -> Assessment:
    uploads = [(path, text.encode()) for path, text in files.items()]
    return create_assessment(
        owner=owner, name=name, requirements=requirements or Requirements(), uploads=uploads
    )


def assessed(
    assessment: Assessment, *, scan_again: bool = False, with_fixes: bool = False
) -> AssessmentRun:
    """A completed run, with its findings and recommendations. Proving their fixes takes seconds, so
    it is skipped unless requested."""
    assert assessment.owner_id is not None
    run = AssessmentRun.objects.get(task=start_analysis(assessment, by=assessment.owner))
    files = tuple((file.path, file.content.decode()) for file in inputs(run))
    result = scanned.__wrapped__(files) if scan_again else scanned(files)
    MergedScan.objects.create(run=run, **packed_parts(result))
    ask.make_agents(run)
    for report in run.reports.all():
        _carried_out(run, lambda work: ask.ask_agent(work, report))  # noqa: B023 - called at once
    _carried_out(run, lambda work: synthesis.synthesise(work, run))
    AssessmentRun.objects.filter(pk=run.pk).update(status=AssessmentRun.Status.COMPLETED)
    with override_settings(FIXES_MAX_S=300 if with_fixes else 0):
        _carried_out(run, lambda work: recommending.generate(work, run))
    run.refresh_from_db()
    return run


@cache
def scanned(files: tuple[tuple[str, str], ...]) -> ScanResult:
    return scan(read_upload((path, text.encode()) for path, text in files))


def document_of(run: AssessmentRun, *, kind: str = "full", format: str = "json") -> dict[str, Any]:
    report = Report.objects.create(run=run, kind=kind, format=format)
    return build(report, on_progress=lambda done, total, message: None)


def written(run: AssessmentRun, format: str, *, kind: str = "full") -> bytes:
    return WRITERS[format](document_of(run, kind=kind, format=format))


def _carried_out(run: AssessmentRun, step: Callable[[Work], object]) -> None:
    assert run.task is not None
    work = Work(run.task)
    step(work)
    assert work.effects is not None
    work.effects()

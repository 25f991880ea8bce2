"""Run summaries for list pages, for many runs with a fixed number of queries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db.models import Count, Q
from django.urls import reverse

from assessments.models import AssessmentRun, Finding, Report, VersionFile
from assessments.scan.types import FileKind
from tasks_ui.kinds import RunFacts
from tasks_ui.models import TaskRun
from tasks_ui.runs import wording

KIND_WORDS = {
    FileKind.TERRAFORM: "Terraform",
    FileKind.TERRAFORM_VARS: "tfvars",
    FileKind.TERRAFORM_PLAN: "Terraform plan",
    FileKind.CLOUDFORMATION: "CloudFormation",
    FileKind.KUBERNETES: "Kubernetes",
    FileKind.COMPOSE: "Compose",
    FileKind.DOCKERFILE: "Dockerfile",
    FileKind.GITHUB_ACTIONS: "GitHub Actions",
    FileKind.GITLAB_CI: "GitLab CI",
    FileKind.AZURE_PIPELINES: "Azure Pipelines",
    FileKind.CIRCLECI: "CircleCI",
    FileKind.ANSIBLE: "Ansible",
    FileKind.ARM: "ARM",
    FileKind.BICEP: "Bicep",
    FileKind.UNKNOWN: "other",
}


def describe_analyses(tasks: Sequence[TaskRun]) -> Mapping[UUID, RunFacts]:
    """Name, files, and counts of findings of ``process_assessment`` runs."""
    runs = _runs_of(tasks)
    counts = severities_of(list(runs))
    notes = file_notes({run.version_id for run in runs.values()})
    reports = _newest_reports(list(runs))
    return {
        task.pk: RunFacts(
            title=run.assessment.name,
            suffix=f"run {run.number}",
            note=notes.get(run.version_id) or _without_files(run),
            link=run_path(run),
            severities=counts.get(run.pk, {}),
            outcome=_outcome(run, counts.get(run.pk)),
            offer=(
                ("Report", reverse("download_report", args=[reports[run.pk]]))
                if run.pk in reports
                else None
            ),
        )
        for task in tasks
        if (run := runs.get(task.subject_id))
    }


def describe_recommendations(tasks: Sequence[TaskRun]) -> Mapping[UUID, RunFacts]:
    runs = _runs_of(tasks)
    return {
        task.pk: RunFacts(
            title=run.assessment.name,
            suffix="recommendations",
            note=f"Recommendations of run {run.number}",
            link=f"{run_path(run)}#recommendations",
            outcome="Recommendations are ready",
        )
        for task in tasks
        if (run := runs.get(task.subject_id))
    }


def describe_reports(tasks: Sequence[TaskRun]) -> Mapping[UUID, RunFacts]:
    reports = Report.objects.filter(pk__in=_subjects(tasks)).defer("content")
    by_id: dict[UUID | None, Report] = {
        report.pk: report for report in reports.select_related("run__assessment")
    }
    return {
        task.pk: RunFacts(
            title=report.run.assessment.name,
            suffix=f"{report.kind} report, {report.format.upper()}",
            note=f"Report of run {report.run.number}",
            link=f"{run_path(report.run)}#reports",
            outcome="The report is ready",
        )
        for task in tasks
        if (report := by_id.get(task.subject_id))
    }


DISTINCT = ~Q(agent="compliance")
"""Findings counted once: those of compliance repeat the other agents', control by control."""


def run_path(run: AssessmentRun) -> str:
    return reverse("run", args=[run.assessment_id, run.number])


def severities_of(run_ids: Sequence[Any]) -> dict[UUID, dict[int, int]]:
    """Counts of distinct findings by severity, by run; without the muted."""
    counts: dict[UUID, dict[int, int]] = defaultdict(dict)
    rows = (
        Finding.objects.filter(DISTINCT, run__in=run_ids)
        .unmuted()
        .order_by()
        .values_list("run", "severity")
        .annotate(n=Count("pk"))
    )
    for run_id, severity, count in rows:
        counts[run_id][severity] = count
    return counts


def file_notes(version_ids: set[UUID]) -> dict[UUID, str]:
    """``Terraform 31, Kubernetes 6`` by version; ``37 files`` before a run has determined their
    kinds."""
    parts: dict[UUID, list[tuple[FileKind, int]]] = defaultdict(list)
    files = VersionFile.objects.filter(version__in=version_ids).order_by()
    for version_id, kind, count in (
        files.values_list("version", "kind")
        .annotate(n=Count("pk"))
        .order_by("version", "-n", "kind")
    ):
        parts[version_id].append((FileKind(kind), count))
    return {key: _kinds_line(kinds) for key, kinds in parts.items()}


def _without_files(run: AssessmentRun) -> str:
    count = run.version.file_count
    return wording.plural(count, "file") if count else "Workload details only"


def _kinds_line(kinds: Sequence[tuple[FileKind, int]]) -> str:
    if [kind for kind, _ in kinds] == [FileKind.UNKNOWN]:
        return wording.plural(kinds[0][1], "file")
    return ", ".join(f"{KIND_WORDS[kind]} {count}" for kind, count in kinds)


def _runs_of(tasks: Sequence[TaskRun]) -> dict[UUID | None, AssessmentRun]:
    found = AssessmentRun.objects.filter(pk__in=_subjects(tasks))
    return {
        run.pk: run
        for run in found.select_related("assessment", "version").only(
            "number", "attention", "assessment__name", "version__file_count"
        )
    }


def _subjects(tasks: Sequence[TaskRun]) -> list[UUID]:
    return [task.subject_id for task in tasks if task.subject_id]


def _newest_reports(run_ids: Sequence[Any]) -> dict[UUID, UUID]:
    """By run, the id of the newest report that is written."""
    written = Report.objects.filter(run__in=run_ids, content__isnull=False).order_by("id")
    return dict(written.values_list("run", "pk"))


def _outcome(run: AssessmentRun, counts: Mapping[int, int] | None) -> str:
    if run.attention:
        return " ".join(reason["message"] for reason in run.attention)[:240]
    return "" if counts else "No findings"

"""What the page of one run shows, read in a number of queries that does not grow with the run."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db.models import QuerySet

from assessments import kinds
from assessments.agents import AGENTS
from assessments.listing import severities_of
from assessments.models import AgentReport, AssessmentRun, Recommendation, Report
from assessments.pages.charts import against_targets, cost_chart
from assessments.pages.lanes import (
    agent_lanes,
    percent_of_stages,
    scan_so_far,
    shard_lanes,
    shards_of,
    stage_bars,
    waiting_agents,
)
from assessments.pages.pillars import pillars
from assessments.pages.run_findings import (
    FindingFilters,
    findings_page,
    found_so_far,
    severities_by_agent,
)
from assessments.pages.scopes import scope_table
from assessments.pages.since import completed_before, run_before, since
from assessments.pages.timeline import Entry, timeline
from assessments.pages.trends import trends
from assessments.retention import kept_until
from assessments.scan.types import UNSUPPORTED, CoverageStatus, Outcome
from tasks_ui.models import ACTIVE, State, TaskRun
from tasks_ui.runs import waiting, wording

if TYPE_CHECKING:
    from django.http import QueryDict


EVENTS_SHOWN = 200

GAPS_SHOWN = 200

RECOMMENDATIONS_SHOWN = 10

EARLIER_SHOWN = 50


def context_of(run: AssessmentRun, *, query: QueryDict) -> dict[str, Any]:
    """Everything that the page's template uses."""
    task = run.task
    children = list(task.children.order_by("pk")) if task else []
    reports = list(run.reports.all())
    by_agent = severities_by_agent(run)
    filters = FindingFilters.of(query)
    is_active = task is not None and task.state in ACTIVE
    before = None if is_active else run_before(run, asked_for=query.get("with", ""))
    shards = shards_of(run) if is_active else {}
    stages = stage_bars(children, reached=task.current if task else 0)
    return {
        "run": run,
        "task": task,
        "scopes": scope_table(run, reports),
        "has_failed_agent": any(report.status == AgentReport.FAILED for report in reports),
        "state": wording.view_state(task) if task else _state_of(run),
        "is_active": is_active,
        "place": waiting.places([task]).get(task.pk) if task else None,
        "trouble": waiting.trouble([task]) if task else "",
        "usual": waiting.usual_times([task]).get(task.kind) if task else None,
        "stages": stages,
        "percent": percent_of_stages(stages),
        "agents": agent_lanes(children, reports, by_agent),
        "waiting_agents": waiting_agents(run, children) if is_active else [],
        "shards": shard_lanes(children, shards),
        "scanned": scan_so_far(children, shards),
        "pillars": pillars(children, reports, by_agent, before),
        "severities": (
            by_agent.get(filters.agent, {})
            if filters.agent
            else severities_of([run.pk]).get(run.pk, {})
        ),
        "muted_count": run.findings.filter(filters.condition).muted().count(),
        "repeated": sum(by_agent.get("compliance", {}).values()),
        "findings": findings_page(run, filters, page=query.get("page", "")),
        "found": found_so_far(run, children, by_agent) if is_active else [],
        "filters": filters,
        "agent_tabs": [
            (r.agent, AGENTS[r.agent].label, sum(by_agent.get(r.agent, {}).values()))
            for r in reports
            if r.agent in AGENTS
        ],
        "since": since(run, before) if before else None,
        "trends": None if is_active else trends(run),
        "earlier": (
            []
            if is_active
            else list(completed_before(run).values_list("number", flat=True)[:EARLIER_SHOWN])
        ),
        "cost": None if is_active else cost_chart(reports),
        "against": [] if is_active else against_targets(reports),
        "recommendations": [] if is_active else recommendations(run),
        "recommendation_count": 0 if is_active else run.recommendations.count(),
        "documents": [] if is_active else documents(run),
        "document_kinds": Report.Kind.choices,
        "document_formats": Report.Format.choices,
        "coverage": coverage(run),
        "timeline": events(task),
        "watched": watched(run, task),
        "facts": facts(run),
        "kept_until": kept_until(run.assessment),
    }


def recommendations(run: AssessmentRun) -> QuerySet[Recommendation]:
    return run.recommendations.defer("steps", "fix")[:RECOMMENDATIONS_SHOWN]


def documents(run: AssessmentRun) -> list[Report]:
    return list(run.documents.defer("content").select_related("task")[:10])


def coverage(run: AssessmentRun) -> dict[str, Any]:
    """Counts of files by how much of them was read, and those that were not read in full, worst
    first, with the reason. ``others`` are of kinds that nothing assesses."""
    counts = Counter(file["status"] for file in run.coverage)
    words = {
        CoverageStatus.READ: "read",
        CoverageStatus.PARTLY_READ: "read in part",
        CoverageStatus.FAILED: "failed",
        CoverageStatus.NOT_ASSESSED: "not assessed",
    }
    order = [CoverageStatus.FAILED, CoverageStatus.PARTLY_READ, CoverageStatus.NOT_ASSESSED]
    unread = [file for file in run.coverage if file["status"] != CoverageStatus.READ]
    is_other = {file["path"] for file in unread if _is_of_no_kind(file)}
    others = [file for file in unread if file["path"] in is_other]
    gaps = sorted(
        (file for file in unread if file["path"] not in is_other),
        key=lambda file: order.index(CoverageStatus(file["status"])),
    )
    return {
        "total": len(run.coverage),
        "read": counts[CoverageStatus.READ.value],
        "counts": [
            (word, counts[status.value]) for status, word in words.items() if counts[status.value]
        ],
        "gaps": [(file, words[CoverageStatus(file["status"])]) for file in gaps[:GAPS_SHOWN]],
        "more": max(0, len(gaps) - GAPS_SHOWN),
        "others": others[:GAPS_SHOWN],
        "more_others": max(0, len(others) - GAPS_SHOWN),
        "all_others": len(others),
    }


def _is_of_no_kind(file: dict[str, Any]) -> bool:
    return str(file.get("reason") or "").startswith(UNSUPPORTED)


def events(task: TaskRun | None) -> list[Entry]:
    if task is None:
        return []
    return timeline(list(task.events.order_by("-seq")[:EVENTS_SHOWN]), began=task.queued_at)


def watched(run: AssessmentRun, task: TaskRun | None) -> list[tuple[UUID, int]]:
    """The tasks whose updates change this page, with the newest event that it shows: the run's own,
    and those of its recommendations and reports that are still running."""
    subjects = [run.pk, *run.documents.values_list("pk", flat=True)[:50]]
    follow_ups = TaskRun.objects.filter(
        kind__in=[kinds.RECOMMENDATIONS.name, kinds.REPORT.name],
        subject_id__in=subjects,
        state__in=ACTIVE,
    )
    active = [(each.pk, each.last_seq) for each in follow_ups]
    return [*([(task.pk, task.last_seq)] if task and task.state in ACTIVE else []), *active]


def facts(run: AssessmentRun) -> dict[str, Any]:
    """Counts in the headline, as recorded by synthesis."""
    checks = run.summary.get("checks", {})
    return {
        "resources": run.summary.get("resources"),
        "checks": sum(checks.values()) if checks else None,
        "suppressed": checks.get(Outcome.SUPPRESSED.value, 0),
        "undecided": checks.get(Outcome.UNDECIDED.value, 0),
        "engines": run.summary.get("engines", {}),
        "own_rules": run.summary.get("own_rules", []),
        "sandbox": run.summary.get("sandbox", ""),
    }


def _state_of(run: AssessmentRun) -> str:
    """The view's state for a run whose task has been pruned."""
    ended = {
        AssessmentRun.Status.COMPLETED: State.SUCCESS,
        AssessmentRun.Status.FAILED: State.FAILURE,
        AssessmentRun.Status.CANCELLED: State.REVOKED,
    }
    return str(ended.get(AssessmentRun.Status(run.status), State.PENDING))

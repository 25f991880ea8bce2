"""What the page of one run shows, read in a number of queries that does not grow with the run."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.core.paginator import Page, Paginator
from django.db.models import Count, Prefetch, Q, QuerySet

from assessments import kinds
from assessments.agents import AGENTS
from assessments.agents.types import AgentStatus
from assessments.forms import LOOKS
from assessments.listing import DISTINCT, severities_of
from assessments.models import AgentReport, AssessmentRun, Finding, Recommendation, Report
from assessments.pages.charts import against_targets, cost_chart
from assessments.pages.scopes import label_findings, scope_labels, scope_table
from assessments.pages.timeline import Entry, timeline
from assessments.scan.types import CoverageStatus, Outcome
from assessments.stages import STAGES
from tasks_ui.models import ACTIVE, FINAL, State, TaskRun
from tasks_ui.runs import waiting, wording

if TYPE_CHECKING:
    from django.http import QueryDict

FINDINGS_PER_PAGE = 25
EVENTS_SHOWN = 200
GAPS_SHOWN = 200
RECOMMENDATIONS_SHOWN = 100
EARLIER_SHOWN = 50
SKIPPED = "SKIPPED"
"""A state of the view alone: an agent that answered "not assessed"."""


@dataclass(frozen=True, kw_only=True)
class Lane:
    """One child: an agent, or a shard of the scan. ``unit`` is what stands at the right of its
    bar."""

    task: TaskRun
    label: str
    note: str = ""
    state: str
    unit: str
    why: str = ""
    report: AgentReport | None = None
    missing: list[tuple[str, str]] = field(default_factory=list)
    severities: Mapping[int, int] | None = None


@dataclass(frozen=True, kw_only=True)
class StageBar:
    """One stage of the rail. ``percent`` is of the stage, weighted as its children are; ``weight``
    is the stage's percent of the run."""

    name: str
    label: str
    weight: int
    state: str
    percent: float
    note: str

    @property
    def is_current(self) -> bool:
        return self.state in {State.PROGRESS, State.RETRY, State.CANCELLING}


@dataclass(frozen=True, kw_only=True)
class Pillar:
    """One agent's answer. ``before`` is its score in the run before, if it had one."""

    report: AgentReport
    label: str
    before: int | None
    severities: Mapping[int, int]
    missing: list[tuple[str, str]]
    duration: Any

    @property
    def is_assessed(self) -> bool:
        return self.report.status == AgentStatus.ASSESSED

    @property
    def has_failed(self) -> bool:
        return self.report.status == AgentReport.FAILED

    @property
    def change(self) -> str:
        """``+7``, a minus, or ``±0`` against the run before; "" where there is nothing to
        compare."""
        if self.before is None or self.report.score is None:
            return ""
        difference = self.report.score - self.before
        return "±0" if not difference else f"{difference:+d}".replace("-", "\N{MINUS SIGN}")


@dataclass(frozen=True, kw_only=True)
class Since:
    """Against the run before, by fingerprint. ``rows``: severity, before, now, change."""

    run: AssessmentRun
    new: int
    persisting: int
    fixed: int
    rows: list[tuple[int, int, int, str]]

    @property
    def widths(self) -> dict[str, float]:
        """Percent of the bar: fixed, persisting, new, side by side."""
        whole = max(1, self.new + self.persisting + self.fixed)
        return {
            "fixed": round(100 * self.fixed / whole, 2),
            "persisting": round(100 * self.persisting / whole, 2),
            "new": round(100 * self.new / whole, 2),
            "new_from": round(100 * (self.fixed + self.persisting) / whole, 2),
        }


@dataclass(frozen=True, kw_only=True)
class FindingFilters:
    severity: int | None = None
    agent: str = ""
    since: str = ""
    scope: str | None = None
    muted: bool = False

    @classmethod
    def of(cls, query: QueryDict) -> FindingFilters:
        severity, agent, since = (
            query.get("severity", ""),
            query.get("agent", ""),
            query.get("since", ""),
        )
        return cls(
            severity=int(severity) if severity in {"0", "1", "2", "3", "4"} else None,
            agent=agent if agent in AGENTS else "",
            since=since if since in Finding.Since.values else "",
            scope=query.get("scope"),
            muted=query.get("muted") == "1",
        )

    @property
    def are_set(self) -> bool:
        return (
            self.severity is not None
            or self.muted
            or bool(self.agent or self.since or self.scope is not None)
        )

    @property
    def condition(self) -> Q:
        condition = Q(agent=self.agent) if self.agent else DISTINCT
        if self.severity is not None:
            condition &= Q(severity=self.severity)
        if self.scope is not None:
            condition &= Q(scope=self.scope)
        return condition & Q(since=self.since) if self.since else condition


def context_of(run: AssessmentRun, *, query: QueryDict) -> dict[str, Any]:
    """Everything that the page's template reads."""
    task = run.task
    children = list(task.children.order_by("pk")) if task else []
    reports = list(run.reports.all())
    by_agent = _severities_by_agent(run)
    filters = FindingFilters.of(query)
    is_active = task is not None and task.state in ACTIVE
    before = None if is_active else _run_before(run, asked_for=query.get("with", ""))
    stages = stage_bars(children)
    return {
        "run": run,
        "task": task,
        "scopes": scope_table(run, reports),
        "has_failed_agent": any(report.status == AgentReport.FAILED for report in reports),
        "state": wording.view_state(task) if task else _state_of(run),
        "is_active": is_active,
        "place": waiting.places([task]).get(task.pk) if task else None,
        "trouble": waiting.trouble([task]) if task else "",
        "stages": stages,
        "percent": percent_of_stages(stages),
        "agents": agent_lanes(children, reports, by_agent),
        "shards": shard_lanes(children, run),
        "pillars": pillars(children, reports, by_agent, before),
        "severities": (
            by_agent.get(filters.agent, {})
            if filters.agent
            else severities_of([run.pk]).get(run.pk, {})
        ),
        "muted_count": run.findings.filter(filters.condition).muted().count(),
        "repeated": sum(by_agent.get("compliance", {}).values()),
        "findings": findings_page(run, filters, page=query.get("page", "")),
        "filters": filters,
        "agent_tabs": [
            (r.agent, AGENTS[r.agent].label, sum(by_agent.get(r.agent, {}).values()))
            for r in reports
            if r.agent in AGENTS
        ],
        "since": since(run, before) if before else None,
        "earlier": (
            []
            if is_active
            else list(_completed_before(run).values_list("number", flat=True)[:EARLIER_SHOWN])
        ),
        "cost": None if is_active else cost_chart(reports),
        "against": [] if is_active else against_targets(reports),
        "recommendations": [] if is_active else recommendations(run),
        "documents": [] if is_active else documents(run),
        "document_kinds": Report.Kind.choices,
        "document_formats": Report.Format.choices,
        "coverage": coverage(run),
        "timeline": events(task),
        "watched": watched(run, task),
        "facts": facts(run),
    }


def stage_bars(children: Sequence[TaskRun]) -> list[StageBar]:
    return [
        _stage_bar(stage, [child for child in children if child.stage == stage.name])
        for stage in STAGES
    ]


def percent_of_stages(stages: Sequence[StageBar]) -> int:
    """The number of the run that agrees with its bars: their weighted sum, rounded down, at most
    99. The page's script computes it in the same way while bars move (bars.js)."""
    return min(99, int(sum(stage.weight * stage.percent for stage in stages) / 100 + 1e-6))


def agent_lanes(
    children: Sequence[TaskRun],
    reports: Sequence[AgentReport],
    by_agent: Mapping[str, Mapping[int, int]],
) -> list[Lane]:
    by_id = {report.pk: report for report in reports}
    lanes = []
    for child in children:
        if child.stage != "agents":
            continue
        report = by_id.get(child.subject_id) if child.subject_id else None
        skipped = (
            report is not None
            and report.status == AgentStatus.NOT_ASSESSED
            and child.state in FINAL
        )
        lanes.append(
            Lane(
                task=child,
                label=child.title,
                state=SKIPPED if skipped else str(child.state),
                unit=_unit(child),
                why=_why(child),
                report=report,
                missing=_missing(report) if skipped and report else [],
                severities=by_agent.get(report.agent) if report else None,
            )
        )
    return lanes


def shard_lanes(children: Sequence[TaskRun], run: AssessmentRun) -> list[Lane]:
    shards: dict[Any, dict[str, Any]] = {
        row["id"]: dict(row) for row in run.shards.values("id", "label", "engine", "checks")
    }
    lanes = []
    for child in children:
        if child.stage != "scan":
            continue
        shard: dict[str, Any] = shards.get(child.subject_id, {})
        checks = shard.get("checks")
        done = child.state == State.SUCCESS and checks is not None
        lanes.append(
            Lane(
                task=child,
                label=shard.get("label") or child.title,
                note=shard.get("engine", ""),
                state=str(child.state),
                unit=f"{checks:,} · {_unit(child)}" if done else _unit(child),
                why=_why(child),
            )
        )
    return lanes


def pillars(
    children: Sequence[TaskRun],
    reports: Sequence[AgentReport],
    by_agent: Mapping[str, Mapping[int, int]],
    before: AssessmentRun | None,
) -> list[Pillar]:
    earlier = dict(before.reports.values_list("agent", "score")) if before else {}
    times = {
        child.subject_id: wording.run_time(child) for child in children if child.stage == "agents"
    }
    return [
        Pillar(
            report=report,
            label=(
                AGENTS[report.agent].label if report.agent in AGENTS else report.agent.capitalize()
            ),
            before=earlier.get(report.agent),
            severities=by_agent.get(report.agent, {}),
            missing=_missing(report),
            duration=times.get(report.pk),
        )
        for report in reports
        if report.status
    ]


def findings_page(run: AssessmentRun, filters: FindingFilters, *, page: str) -> Page[Finding]:
    chosen = run.findings.filter(filters.condition).defer("detail")
    chosen = chosen.muted() if filters.muted else chosen.unmuted()
    found = Paginator(chosen, FINDINGS_PER_PAGE).get_page(page)
    label_findings(found, scope_labels(run))
    return found


def since(run: AssessmentRun, before: AssessmentRun) -> Since:
    """New, persisting and fixed findings by fingerprint, and counts by severity, against
    ``before``."""
    now, then = (severities_of([each.pk]).get(each.pk, {}) for each in (run, before))
    here, there = run.findings.filter(DISTINCT), before.findings.filter(DISTINCT)
    known, found = there.values("fingerprint"), here.values("fingerprint")
    rows: list[tuple[int, int, int, str]] = [
        (
            level,
            then.get(level, 0),
            now.get(level, 0),
            _signed(now.get(level, 0) - then.get(level, 0)),
        )
        for level in (4, 3, 2, 1, 0)
        if level in now or level in then
    ]
    return Since(
        run=before,
        new=here.exclude(fingerprint__in=known).count(),
        persisting=here.filter(fingerprint__in=known).count(),
        fixed=there.exclude(fingerprint__in=found).count(),
        rows=rows,
    )


def recommendations(run: AssessmentRun) -> QuerySet[Recommendation]:
    placed = Finding.objects.only("file", "line_start", "resource", "severity")
    return run.recommendations.prefetch_related(Prefetch("findings", placed))[
        :RECOMMENDATIONS_SHOWN
    ]


def documents(run: AssessmentRun) -> list[Report]:
    return list(run.documents.defer("content").select_related("task")[:10])


def coverage(run: AssessmentRun) -> dict[str, Any]:
    """Counts of files by how far they were read, and those that were not read whole, with the
    reason."""
    counts = Counter(file["status"] for file in run.coverage)
    words = {
        CoverageStatus.READ: "read",
        CoverageStatus.PARTLY_READ: "read in part",
        CoverageStatus.FAILED: "failed",
        CoverageStatus.NOT_ASSESSED: "not assessed",
    }
    gaps = [file for file in run.coverage if file["status"] != CoverageStatus.READ]
    return {
        "total": len(run.coverage),
        "read": counts[CoverageStatus.READ.value],
        "counts": [
            (word, counts[status.value]) for status, word in words.items() if counts[status.value]
        ],
        "gaps": [(file, words[CoverageStatus(file["status"])]) for file in gaps[:GAPS_SHOWN]],
        "more": max(0, len(gaps) - GAPS_SHOWN),
    }


def events(task: TaskRun | None) -> list[Entry]:
    if task is None:
        return []
    return timeline(list(task.events.order_by("-seq")[:EVENTS_SHOWN]), began=task.queued_at)


def watched(run: AssessmentRun, task: TaskRun | None) -> list[tuple[UUID, int]]:
    """The tasks whose news changes this page, with the newest event that it shows: the run's own,
    and those of its recommendations and reports that still work."""
    subjects = [run.pk, *run.documents.values_list("pk", flat=True)[:50]]
    follow_ups = TaskRun.objects.filter(
        kind__in=[kinds.RECOMMENDATIONS.name, kinds.REPORT.name],
        subject_id__in=subjects,
        state__in=ACTIVE,
    )
    active = [(each.pk, each.last_seq) for each in follow_ups]
    return [*([(task.pk, task.last_seq)] if task and task.state in ACTIVE else []), *active]


def facts(run: AssessmentRun) -> dict[str, Any]:
    """Counts of the head line, as synthesis settled them."""
    checks = run.summary.get("checks", {})
    return {
        "resources": run.summary.get("resources"),
        "checks": sum(checks.values()) if checks else None,
        "suppressed": checks.get(Outcome.SUPPRESSED.value, 0),
        "engines": run.summary.get("engines", {}),
        "sandbox": run.summary.get("sandbox", ""),
    }


def _stage_bar(stage: Any, children: Sequence[TaskRun]) -> StageBar:
    done = sum(child.state in FINAL for child in children)
    state = _stage_state(children)
    share = 100.0 if state == State.SUCCESS else min(99.0, _percent_of(children))
    note = f"{done} of {len(children)}" if state in ACTIVE and len(children) > 1 else ""
    if children and done == len(children):
        note = wording.duration(_span(children))
    return StageBar(
        name=stage.name,
        label=stage.label,
        weight=stage.weight,
        state=str(state),
        percent=share,
        note=note,
    )


def _stage_state(children: Sequence[TaskRun]) -> State:
    """Of a stage, from its children: the first of these that one of them has, or done when all are
    final."""
    states = {State(child.state) for child in children}
    if not states or states == {State.PENDING}:
        return State.PENDING
    if State.CANCELLING in states:
        return State.CANCELLING
    if states & ACTIVE:
        return State.PROGRESS
    if states == {State.FAILURE}:
        return State.FAILURE
    return State.REVOKED if State.REVOKED in states else State.SUCCESS


def _percent_of(children: Sequence[TaskRun]) -> float:
    """The weighted sum of the children's shares, as percent of their stage."""
    whole = sum(child.weight for child in children) or 1
    return 100 * sum(child.weight * child.share for child in children) / whole


def _span(children: Sequence[TaskRun]) -> Any:
    starts = [child.started_at for child in children if child.started_at]
    ends = [child.finished_at for child in children if child.finished_at]
    return max(ends) - min(starts) if starts and ends else None


def _unit(child: TaskRun) -> str:
    match child.state:
        case State.PENDING:
            return "queued"
        case State.STARTED:
            return "counting"
        case State.PROGRESS:
            return f"{child.current:,} of {child.total:,}"
        case State.RETRY:
            return f"attempt {child.attempt + 1} of {child.max_attempts}"
        case State.SUCCESS:
            return wording.duration(wording.run_time(child))
    return wording.state_word(str(child.state)).lower()


def _why(child: TaskRun) -> str:
    if child.state == State.RETRY:
        return wording.first_line(child.error)
    return wording.failure_line(child) if child.state == State.FAILURE else ""


def _missing(report: AgentReport) -> list[tuple[str, str]]:
    """Fields of the requirements that would help, with their labels."""
    return [(name, LOOKS[name].label.lower()) for name in report.missing if name in LOOKS]


def _severities_by_agent(run: AssessmentRun) -> dict[str, dict[int, int]]:
    counts: dict[str, dict[int, int]] = {}
    rows = (
        run.findings.unmuted().order_by().values_list("agent", "severity").annotate(n=Count("pk"))
    )
    for agent, severity, count in rows:
        counts.setdefault(agent, {})[severity] = count
    return counts


def _run_before(run: AssessmentRun, *, asked_for: str = "") -> AssessmentRun | None:
    """The completed run to compare with: the one of that number, else the newest before."""
    completed = _completed_before(run).defer("resources", "coverage")
    chosen = (
        completed.filter(number=int(asked_for)).first()
        if re.fullmatch(r"\d{1,9}", asked_for, re.ASCII)
        else None
    )
    return chosen or completed.first()


def _completed_before(run: AssessmentRun) -> QuerySet[AssessmentRun]:
    return run.assessment.runs.filter(number__lt=run.number, status=AssessmentRun.Status.COMPLETED)


def _state_of(run: AssessmentRun) -> str:
    """The view's state of a run whose task has been pruned."""
    ended = {
        AssessmentRun.Status.COMPLETED: State.SUCCESS,
        AssessmentRun.Status.FAILED: State.FAILURE,
        AssessmentRun.Status.CANCELLED: State.REVOKED,
    }
    return str(ended.get(AssessmentRun.Status(run.status), State.PENDING))


def _signed(number: int) -> str:
    return "±0" if not number else f"{number:+,d}".replace("-", "\N{MINUS SIGN}")

"""The stages of a run, and a lane for each agent and each shard of the scan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from assessments.agents import AGENTS
from assessments.agents.types import AgentStatus
from assessments.models import AgentReport, AssessmentRun
from assessments.pages.pillars import missing_of
from assessments.stages import STAGES
from tasks_ui.models import ACTIVE, FINAL, State, TaskRun
from tasks_ui.runs import wording

type Shards = Mapping[Any, Mapping[str, Any]]
"""Parts of the scan by id: label, engine, checks, failed, worst."""
SKIPPED = "SKIPPED"
"""A state that only the view knows: an agent that answered "not assessed"."""
NEWEST_PARTS = 5


@dataclass(frozen=True, kw_only=True)
class Lane:
    """One child: an agent, or a shard of the scan. ``unit`` is the text to the right of its bar."""

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
class ScanSoFar:
    """``failed`` of ``checks`` in the ``done`` of all ``parts``; the ``newest`` parts with the
    worst severity in each."""

    parts: int
    done: int
    failed: int
    checks: int
    newest: list[Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class StageBar:
    """One stage of the rail. ``percent`` is of the stage, weighted like its children; ``weight``
    is the stage's percentage of the run."""

    name: str
    label: str
    weight: int
    state: str
    percent: float
    note: str

    @property
    def is_current(self) -> bool:
        return self.state in {State.PROGRESS, State.RETRY, State.CANCELLING}


def stage_bars(children: Sequence[TaskRun], *, reached: int = 0) -> list[StageBar]:
    """The rail. ``reached`` is the run's progress as shown in lists, in percent, which never falls.

    A part that is retried starts over; its stage's bar stays where it was, as it does in a page
    that was open in the meantime, so that the page and the lists show the same number.
    """
    bars = [
        _stage_bar(stage, [child for child in children if child.stage == stage.name])
        for stage in STAGES
    ]
    lost = reached - sum(bar.weight * bar.percent for bar in bars) / 100
    at = next((n for n, bar in enumerate(bars) if bar.is_current), None)
    if lost > 0 and at is not None:
        percent = min(99.0, bars[at].percent + 100 * lost / bars[at].weight)
        bars[at] = replace(bars[at], percent=percent)
    return bars


def percent_of_stages(stages: Sequence[StageBar]) -> int:
    """The run's percentage that agrees with its bars: their weighted sum, rounded down, at most
    99. The page's script computes it the same way while bars move (bars.js)."""
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
                missing=missing_of(report) if skipped and report else [],
                severities=by_agent.get(report.agent) if report else None,
            )
        )
    return lanes


def waiting_agents(run: AssessmentRun, children: Sequence[TaskRun]) -> list[tuple[str, str]]:
    """The agents that will run once the scan is done, by name and label: all seven, or those
    that a run completing an earlier one runs again."""
    if any(child.stage == "agents" for child in children):
        return []
    again = (
        set(run.completes.reports.filter(status__in=["", AgentReport.FAILED]).values_list("agent"))
        if run.completes and not run.asks_all
        else {(name,) for name in AGENTS}
    )
    return [(name, agent.label) for name, agent in AGENTS.items() if (name,) in again]


def shard_lanes(children: Sequence[TaskRun], shards: Shards) -> list[Lane]:
    lanes = []
    for child in children:
        if child.stage != "scan":
            continue
        shard = shards.get(child.subject_id, {})
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


def shards_of(run: AssessmentRun) -> Shards:
    rows = run.shards.values("id", "label", "engine", "checks", "failed", "worst")
    return {row["id"]: row for row in rows}


def scan_so_far(children: Sequence[TaskRun], shards: Shards) -> ScanSoFar:
    """What the finished parts of a scan have found, before any agent has read it."""
    parts = [child for child in children if child.stage == "scan"]
    done = [child for child in parts if child.state == State.SUCCESS and child.finished_at]
    newest = sorted(done, key=lambda child: (child.finished_at, child.pk), reverse=True)
    found = [shards[key] for child in newest if (key := child.subject_id) in shards]
    return ScanSoFar(
        parts=len(parts),
        done=len(done),
        failed=sum(shard["failed"] or 0 for shard in found),
        checks=sum(shard["checks"] or 0 for shard in found),
        newest=[shard for shard in found if shard["worst"]][:NEWEST_PARTS],
    )


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
    """A stage's state, from its children: the first of these that one of them has, or done when all
    are final."""
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
    """The weighted sum of the children's shares, as a percentage of their stage."""
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

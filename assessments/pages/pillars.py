"""The agents' scores."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assessments.agents import AGENTS
from assessments.agents.types import AgentStatus
from assessments.forms import LOOKS
from assessments.models import AgentReport, AssessmentRun
from tasks_ui.models import TaskRun
from tasks_ui.runs import wording

HEADLINE_CHARS = 140
FIRST_SENTENCE = re.compile(r".+?[.!?](?=\s+[A-Z]|\s*\Z)", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Pillar:
    """One agent's answer. ``before`` is its score in the previous run, if it had one."""

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
    def headline(self) -> str:
        """The summary, or its first sentence if it is long: never a part of a sentence."""
        summary = self.report.summary
        first = FIRST_SENTENCE.match(summary)
        return first[0] if first and len(summary) > HEADLINE_CHARS else summary

    @property
    def change(self) -> str:
        """``+7``, a minus, or ``±0`` against the previous run; "" if there is nothing to compare
        with."""
        if self.before is None or self.report.score is None:
            return ""
        difference = self.report.score - self.before
        return "±0" if not difference else f"{difference:+d}".replace("-", "\N{MINUS SIGN}")


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
            missing=missing_of(report),
            duration=times.get(report.pk),
        )
        for report in reports
        if report.status
    ]


def missing_of(report: AgentReport) -> list[tuple[str, str]]:
    """Fields of the requirements that would help, with their labels."""
    return [(name, LOOKS[name].label.lower()) for name in report.missing if name in LOOKS]

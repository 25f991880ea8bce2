"""The reliability agent: availability against the target, single points of failure, backups,
recovery strategy."""

from __future__ import annotations

from assessments.agents.inventory import read_inventory
from assessments.agents.references import read_graph
from assessments.agents.reliability.findings import control_findings, items_of, shared_points
from assessments.agents.reliability.objectives import is_asked, recovery_findings, target_findings
from assessments.agents.reliability.path import availability_of
from assessments.agents.reliability.result import not_assessed, result_of
from assessments.agents.scoring import Tally
from assessments.agents.types import (
    PRICED_KINDS,
    Agent,
    AgentFinding,
    AgentInput,
    AgentResult,
    Headline,
    OnProgress,
    Part,
)
from assessments.scan.types import FileKind, Outcome


def run(data: AgentInput, on_progress: OnProgress) -> AgentResult:
    """Assess reliability from resources, uptime target, RTO, RPO and recovery strategy.

    Score: 100 x passed weight / (passed + failed weight) over the controls that the code answers.
    Without resources that a control reads there is no score, only what follows from the
    requirements; without those as well, the answer is NOT_ASSESSED.
    """
    inventory = read_inventory(data.resources)
    items = items_of(inventory)
    asked = is_asked(data.requirements)
    if not items and not asked:
        return not_assessed(data.resources)
    tally = Tally()
    suppressed = {
        (each.resource, each.rule) for each in data.checks if each.outcome == Outcome.SUPPRESSED
    }
    findings: list[AgentFinding] = []
    total = len(items) + 3
    for done, item in enumerate(items, start=1):
        findings += control_findings(item, tally, suppressed)
        on_progress(done, total, f"Checked {item.resource.address}")
    findings += shared_points(inventory, tally)
    on_progress(len(items) + 1, total, "Looked for single points of failure")
    shown = availability_of(read_graph(data.resources), inventory)
    tiers = shown.worst.tiers if shown.worst else ()
    findings += target_findings(tiers, data.requirements, tally)
    on_progress(len(items) + 2, total, "Computed the availability of the request path")
    findings += recovery_findings(inventory, data.requirements, tally)
    on_progress(total, total, "Compared recovery objectives")
    return result_of(data.requirements, shown, findings, tally, scored=bool(items))


AGENT = Agent(
    name="reliability",
    label="Reliability",
    run=run,
    reads=frozenset(Part),
    looks_at=PRICED_KINDS | {FileKind.KUBERNETES, FileKind.COMPOSE},
    headline=Headline(
        summed=("controls_*",),
        worst=("composite_*", "allowed_downtime"),
        worst_by="composite_availability",
    ),
)

"""The capacity agent: does the serving tier have enough capacity now, at peak, and in twelve
months? By Erlang C."""

from __future__ import annotations

from assessments.agents.capacity.findings import network_findings, queue_findings
from assessments.agents.capacity.load_model import moments_of, solve, station_of
from assessments.agents.capacity.result import not_assessed, result_of
from assessments.agents.capacity.tier import serving_tier
from assessments.agents.inventory import read_inventory
from assessments.agents.references import read_graph
from assessments.agents.types import (
    PRICED_KINDS,
    Agent,
    AgentInput,
    AgentResult,
    Headline,
    OnProgress,
    Part,
)
from assessments.scan.types import FileKind


def run(data: AgentInput, on_progress: OnProgress) -> AgentResult:
    """Assess capacity from rates, service time and replicas.

    Score: 100 x the mean, over the known moments, of min(1, replicas / replicas needed).
    Without a rate or a service time the answer is NOT_ASSESSED; without replicas it is the number
    needed, and no score.
    """
    wanted = data.requirements
    moments = moments_of(wanted)
    if not moments or wanted.service_time_ms is None:
        return not_assessed(wanted)
    inventory = read_inventory(data.resources)
    tier = serving_tier(inventory, read_graph(data.resources), wanted)
    station = station_of(wanted)
    outcomes = []
    for done, moment in enumerate(moments, start=1):
        outcomes.append(solve(station, moment, tier.replicas))
        on_progress(done, len(moments) + 1, f"Solved the queue for {moment.label.lower()}")
    findings = [
        *queue_findings(station, tier, outcomes),
        *network_findings(inventory, wanted),
    ]
    on_progress(len(moments) + 1, len(moments) + 1, "Compared network ceilings")
    return result_of(station, tier, outcomes, findings, wanted, inventory)


AGENT = Agent(
    name="capacity",
    label="Capacity",
    run=run,
    reads=frozenset({Part.RESOURCES}),
    looks_at=PRICED_KINDS | {FileKind.KUBERNETES},
    headline=Headline(worst=("*",), is_worst=True),
)

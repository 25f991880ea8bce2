"""The sustainability agent: energy and carbon a month, a cleaner region, a thriftier processor."""

from __future__ import annotations

from dataclasses import replace

from assessments.agents.inventory import read_inventory, region_of
from assessments.agents.sustainability.carbon import network_energy
from assessments.agents.sustainability.result import not_assessed, result_of
from assessments.agents.sustainability.usage import Usage, left_out_of, usages_of, utilisation_of
from assessments.agents.types import (
    PRICED_KINDS,
    Agent,
    AgentInput,
    AgentResult,
    Headline,
    OnProgress,
    Part,
)


def run(data: AgentInput, on_progress: OnProgress) -> AgentResult:
    """Estimate kWh and kgCO2e a month by the Cloud Carbon Footprint methodology.

    Each component runs on the grid of its resource's region, or of the scope's where it has none.
    Score: 50 x the share of the regions held whose grid is no cleaner, weighted by energy, + 50 x
    attainable kWh / present kWh, where attainable is with the processors suggested. Without a
    component whose energy can be told: NOT_ASSESSED.
    """
    wanted = data.requirements
    region = region_of(wanted, data.resources)
    inventory = read_inventory(data.resources)
    utilisation = utilisation_of(wanted)
    usages: list[Usage] = []
    total = (
        len(inventory.machines)
        + len(inventory.databases)
        + len(inventory.caches)
        + len(inventory.volumes)
        + 1
    )
    for done, usage in enumerate(usages_of(inventory, utilisation), start=1):
        usages.append(replace(usage, default_region=region.name))
        on_progress(min(done, total - 1), total, f"Estimated {usage.address}")
    if not usages:
        return not_assessed()
    if wanted.egress_gb_month:
        egress = network_energy(wanted.egress_gb_month)
        usages.append(Usage(None, "egress", egress, default_region=region.name))
    on_progress(total, total, "Compared regions and processors")
    return result_of(wanted, region, usages, utilisation, left_out_of(inventory))


AGENT = Agent(
    name="sustainability",
    label="Sustainability",
    run=run,
    reads=frozenset({Part.RESOURCES}),
    looks_at=PRICED_KINDS,
    headline=Headline(
        summed=("energy", "carbon", "not_estimated"), leading="carbon", left_out="not_estimated"
    ),
)

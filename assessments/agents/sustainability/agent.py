"""The sustainability agent: energy and carbon a month, a cleaner region, a more efficient
processor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from assessments.agents.cost.places import cloud_of, usual_regions
from assessments.agents.inventory import Region, read_inventory, region_of
from assessments.agents.places import Places, cloud_region, places
from assessments.agents.sustainability.carbon import network_energy
from assessments.agents.sustainability.grids import Place, provider_with
from assessments.agents.sustainability.result import not_assessed, result_of
from assessments.agents.sustainability.usage import (
    Usage,
    left_out_of,
    provider_of,
    usages_of,
    utilisation_of,
)
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

    Each component runs on the grid of its resource's region, or of the scope's if it has none.
    Score: 50 x the share of the regions in our data whose grid is no cleaner, weighted by energy,
    + 50 x attainable kWh / present kWh, where attainable is with the suggested processors; with a
    carbon budget, times min(1, budget / carbon). If no component's energy can be determined:
    NOT_ASSESSED.
    """
    wanted = data.requirements
    region = region_of(wanted, data.resources)
    inventory = read_inventory(data.resources)
    utilisation = utilisation_of(wanted)
    regions = usual_regions(data.resources, wanted=wanted.regions)
    where = Whereabouts(region, places(data.resources), regions)
    usages: list[Usage] = []
    total = (
        len(inventory.machines)
        + len(inventory.databases)
        + len(inventory.caches)
        + len(inventory.volumes)
        + 1
    )
    images = {each.address: each for each in data.resources if "aws_ami" in each.type}
    for done, usage in enumerate(usages_of(inventory, utilisation, images), start=1):
        usages.append(replace(usage, place=where.of(usage)))
        on_progress(min(done, total - 1), total, f"Estimated {usage.address}")
    if not usages:
        return not_assessed()
    if wanted.egress_gb_month:
        egress = network_energy(wanted.egress_gb_month)
        usages.append(Usage(None, "egress", egress, place=where.usual(usages)))
    on_progress(total, total, "Compared regions and processors")
    return result_of(wanted, region, usages, utilisation, left_out_of(inventory))


@dataclass(frozen=True)
class Whereabouts:
    """Where each component runs: its own region, otherwise the scope's, by cloud. Cost and carbon
    use the same."""

    region: Region
    resources: Places
    regions: Mapping[str, str]

    def of(self, usage: Usage) -> Place:
        if usage.resource is None:
            return Place("aws", self.region.name)
        provider = provider_of(usage.resource)
        if provider == "aws":
            return Place(provider, usage.resource.region or self.region.name)
        own = cloud_region(usage.resource, self.resources)
        return Place(provider, own or self.regions[cloud_of(usage.resource)])

    def usual(self, usages: list[Usage]) -> Place:
        """The scope's region; if that is assumed, the one that uses the most energy."""
        if not self.region.assumed:
            return Place(provider_with(self.region.name), self.region.name)
        used: dict[Place, float] = {}
        for each in usages:
            used[each.place] = used.get(each.place, 0.0) + each.energy.kwh
        return min(used, key=lambda place: (-used[place], place))


AGENT = Agent(
    name="sustainability",
    label="Sustainability",
    run=run,
    reads=frozenset({Part.RESOURCES}),
    looks_at=PRICED_KINDS,
    headline=Headline(
        summed=("energy", "carbon", "not_estimated", "carbon_budget_left"),
        leading="carbon",
        left_out="not_estimated",
    ),
)

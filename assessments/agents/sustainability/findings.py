"""Findings for a more efficient processor and a cleaner region."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assessments.agents.families import GRAVITON_PAGE
from assessments.agents.inventory import Region
from assessments.agents.resource_findings import finding_about
from assessments.agents.sustainability.carbon import source
from assessments.agents.sustainability.grids import Place, grid_factor, grid_factors
from assessments.agents.sustainability.usage import Usage
from assessments.agents.types import AgentFinding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from assessments.scan.types import Resource

CLEANER = 0.8
"""A region is suggested when its grid emits at most this share of the present one's."""

AZURE_AREAS = {
    "us": [
        "eastus",
        "eastus2",
        "centralus",
        "northcentralus",
        "southcentralus",
        "westcentralus",
        "westus",
        "westus2",
        "westus3",
    ],
    "canada": ["canadacentral", "canadaeast"],
    "europe": [
        "austriaeast",
        "belgiumcentral",
        "denmarkeast",
        "francecentral",
        "germanywestcentral",
        "italynorth",
        "northeurope",
        "norwayeast",
        "polandcentral",
        "spaincentral",
        "swedencentral",
        "switzerlandnorth",
        "uksouth",
        "ukwest",
        "westeurope",
    ],
}
"""Azure's regions that are open to all its customers, by part of the world."""


def processor_findings(usages: list[Usage], total_kwh: float) -> Iterator[AgentFinding]:
    for usage in usages:
        if not usage.thriftier or usage.resource is None:
            continue
        saved = usage.energy.kwh - usage.thriftier_kwh
        factor, _ = grid_factor(usage.place)
        yield finding_about(
            usage.resource,
            rule="im-sus-processor",
            title="A more efficient processor does the same work",
            severity=_severity(saved / total_kwh),
            expected=f"{usage.thriftier}: {usage.thriftier_kwh:.2f} kWh a month",
            actual=f"{usage.instance_type}: {usage.energy.kwh:.2f} kWh a month",
            why=(
                f"Saves {saved:.2f} kWh and {saved * factor:.2f} kgCO2e a month by the same formula"
                f" ({source()})."
            ),
            remediation=f"Move to {usage.thriftier} after building and testing for arm64.",
            reference=GRAVITON_PAGE,
        )


def region_findings(usual: Region, usages: list[Usage]) -> Iterator[AgentFinding]:
    """One for each region in use, about its largest user of energy."""
    for place in sorted({each.place for each in usages}):
        here = [each for each in usages if each.place == place]
        largest = min(
            (each for each in here if each.resource),
            key=lambda each: (-each.energy.kwh, each.address),
            default=None,
        )
        assumed = usual.assumed and place == Place("aws", usual.name)
        if largest is not None and largest.resource is not None and not assumed:
            yield from _cleaner(place, sum(each.energy.kwh for each in here), largest.resource)


def _cleaner(place: Place, kwh: float, resource: Resource) -> Iterator[AgentFinding]:
    """The provider's cleanest grid in the same part of the world, if it emits at most ``CLEANER``
    of the present one."""
    factors, region = grid_factors(place.provider), place.region
    near = sorted(
        (value, name)
        for name, value in factors.items()
        if _area(place.provider, name) == _area(place.provider, region) and "gov" not in name
    )
    if region not in factors or not near or near[0][0] > CLEANER * factors[region]:
        return
    better, name = near[0]
    saved = kwh * (factors[region] - better)
    cited = "; ".join(grid_factor(Place(place.provider, each))[1] for each in (region, name))
    yield finding_about(
        resource,
        rule="im-sus-region",
        title="A nearby region runs on cleaner power",
        severity=Severity.LOW,
        expected=f"{name}: {better} kgCO2e a kWh",
        actual=f"{region}: {factors[region]} kgCO2e a kWh",
        why=f"The same {kwh:.1f} kWh would emit {saved:.2f} kgCO2e less a month ({cited}).",
        remediation=(
            "For new workloads, weigh it against latency, price and where the data may be stored."
        ),
        reference="https://www.cloudcarbonfootprint.org/docs/methodology/",
    )


def _area(provider: str, region: str) -> str:
    """The part of the world, by the region's name; Azure's names contain only the country, so
    those have a table of their own."""
    if provider != "azure":
        return region.split("-")[0]
    return next((area for area, names in AZURE_AREAS.items() if region in names), region)


def budget_findings(kg: float, budget: float | None) -> Iterator[AgentFinding]:
    """Over the carbon budget: high from 50 % over, otherwise medium, as with the cost's."""
    if budget is None or round(kg, 2) <= budget:
        return
    yield finding_about(
        None,
        rule="im-sus-budget",
        title="The declared resources emit more than the carbon budget",
        severity=Severity.HIGH if kg >= 1.5 * budget else Severity.MEDIUM,
        expected=f"at most {budget:g} kgCO2e a month",
        actual=f"{kg:.2f} kgCO2e a month, {kg - budget:.2f} kgCO2e over",
        why=(
            "The estimated components alone exceed the budget; what could not be estimated adds"
            " to that."
        ),
        remediation=(
            "Start with the largest rows of the carbon table: fewer or smaller machines, a"
            " more efficient processor, a region with cleaner power."
        ),
        reference="https://www.cloudcarbonfootprint.org/docs/methodology/",
    )


def _severity(share: float) -> Severity:
    """By share of all energy: 10 % or more low, otherwise info."""
    return Severity.LOW if share >= 0.1 else Severity.INFO

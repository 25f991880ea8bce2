"""A thriftier processor and a cleaner region, as findings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assessments.agents.families import GRAVITON_PAGE
from assessments.agents.inventory import Region
from assessments.agents.resource_findings import finding_about
from assessments.agents.sustainability.carbon import grid_factor, grid_factors, source
from assessments.agents.sustainability.usage import Usage
from assessments.agents.types import AgentFinding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from assessments.scan.types import Resource

CLEANER = 0.8
"""A region is suggested when its grid emits at most this share of the present one's."""


def processor_findings(usages: list[Usage], total_kwh: float) -> Iterator[AgentFinding]:
    for usage in usages:
        if not usage.thriftier or usage.resource is None:
            continue
        saved = usage.energy.kwh - usage.thriftier_kwh
        factor, _ = grid_factor(usage.region)
        yield finding_about(
            usage.resource,
            rule="im-sus-processor",
            title="A thriftier processor does the same work",
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
    for name in sorted({each.region for each in usages}):
        here = [each for each in usages if each.region == name]
        largest = min(
            (each for each in here if each.resource),
            key=lambda each: (-each.energy.kwh, each.address),
            default=None,
        )
        assumed = usual.assumed and name == usual.name
        if largest is not None and largest.resource is not None and not assumed:
            yield from _cleaner(name, sum(each.energy.kwh for each in here), largest.resource)


def _cleaner(region: str, kwh: float, resource: Resource) -> Iterator[AgentFinding]:
    """The cleanest grid in the same part of the world, where it emits at most ``CLEANER`` of the
    present one."""
    factors = grid_factors()
    area = region.split("-")[0]
    near = sorted(
        (value, name)
        for name, value in factors.items()
        if name.split("-")[0] == area and "gov" not in name
    )
    if region not in factors or not near or near[0][0] > CLEANER * factors[region]:
        return
    better, name = near[0]
    saved = kwh * (factors[region] - better)
    yield finding_about(
        resource,
        rule="im-sus-region",
        title="A region nearby runs on cleaner power",
        severity=Severity.LOW,
        expected=f"{name}: {better} kgCO2e a kWh",
        actual=f"{region}: {factors[region]} kgCO2e a kWh",
        why=f"The same {kwh:.1f} kWh would emit {saved:.2f} kgCO2e less a month ({source()}).",
        remediation=(
            "For new workloads, weigh it against latency, price and where the data may lie."
        ),
        reference="https://www.cloudcarbonfootprint.org/docs/methodology/",
    )


def _severity(share: float) -> Severity:
    """By share of all energy: 10 % and more low, else information."""
    return Severity.LOW if share >= 0.1 else Severity.INFO

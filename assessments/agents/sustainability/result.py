"""The sustainability agent's answer: its score, figures and tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assessments.agents.inventory import Region
from assessments.agents.sustainability.carbon import source, sources
from assessments.agents.sustainability.findings import (
    budget_findings,
    processor_findings,
    region_findings,
)
from assessments.agents.sustainability.grids import (
    Place,
    grid_factor,
    grid_factors,
    no_cleaner,
    provider_with,
)
from assessments.agents.sustainability.usage import Usage
from assessments.agents.types import AgentResult, AgentStatus, Figure, Share, Table
from assessments.agents.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from assessments.requirements import Requirements
    from assessments.scan.types import Resource


def not_assessed() -> AgentResult:
    return AgentResult(
        status=AgentStatus.NOT_ASSESSED,
        reason=(
            "Energy is computed from the types of machines, managed databases and caches and from"
            " the sizes of disks on AWS, Azure and Google Cloud, and none with known figures was"
            " found: add the Terraform, plan or CloudFormation of the machines."
        ),
        missing=[],
    )


def result_of(
    wanted: Requirements,
    region: Region,
    usages: list[Usage],
    utilisation: float,
    left_out: list[Resource],
) -> AgentResult:
    """``region`` is that of components that name none of their own."""
    kwh, kg = sum(each.energy.kwh for each in usages), sum(each.kg for each in usages)
    grids = _grids(usages)
    findings = list(processor_findings(usages, kwh)) if kwh else []
    findings += region_findings(region, usages)
    findings += budget_findings(kg, wanted.monthly_carbon_budget_kg)
    score, formula = _score(usages, grids, wanted.monthly_carbon_budget_kg)
    missing = [
        name
        for name in ("average_utilisation_percent", "regions", "monthly_carbon_budget_kg")
        if getattr(wanted, name) in (None, [])
    ]
    return AgentResult(
        status=AgentStatus.ASSESSED,
        missing=missing,
        score=score,
        score_formula=formula,
        share=Share(
            good=kwh * _good(usages, wanted.monthly_carbon_budget_kg), whole=kwh, unit="kWh a month"
        ),
        summary=(
            f"{kwh:.1f} kWh and {kg:.2f} kgCO2e a month in {_named(grids)} at"
            f" {100 * utilisation:.0f} % utilization{_without(len(left_out))}."
        ),
        figures=list(_figures(wanted, region, usages, utilisation, len(left_out))),
        tables=list(_tables(usages, left_out)),
        findings=sorted(
            findings, key=lambda each: (-each.severity, each.rule, each.file, each.resource)
        ),
    )


def _grids(usages: list[Usage]) -> dict[Place, float]:
    """kWh by place, in their order."""
    found: dict[Place, float] = {}
    for usage in sorted(usages, key=lambda each: each.place):
        found[usage.place] = found.get(usage.place, 0.0) + usage.energy.kwh
    return found


def _without(number: int) -> str:
    return f"; {counted(number, 'resource')} could not be estimated" if number else ""


def _score(usages: list[Usage], grids: dict[Place, float], budget: float | None) -> tuple[int, str]:
    kwh = sum(grids.values())
    attainable = sum(each.attainable_kwh for each in usages)
    shares = " + ".join(
        f"{no_cleaner(place)} / {len(grid_factors(place.provider))} ({place}"
        + (f", {used:.2f} kWh)" if len(grids) > 1 else ")")
        for place, used in grids.items()
    )
    weighted, grid = ("", shares) if len(grids) == 1 else (", weighted by energy,", f"({shares})")
    within, capped = "", ""
    if budget:
        within, capped = (
            ", times min(1, budget / carbon)",
            f", x min(1, {budget:g} / {_kg(usages):.2f})",
        )
    formula = (
        f"50 x share of the provider's regions whose grid is no cleaner{weighted} + 50 x attainable"
        f" / present energy{within} = 50 x {grid} + 50 x {attainable:.2f} / {kwh:.2f}"
        f" kWh{capped}, rounded to the"
        " nearest whole number"
    )
    return round(100 * _good(usages, budget)), formula


def _kg(usages: list[Usage]) -> float:
    return sum(each.kg for each in usages)


def _good(usages: list[Usage], budget: float | None) -> float:
    """Half for the grids, half for the processors, capped by the budget: 0..1."""
    kg = _kg(usages)
    return _good_energy(usages) * (min(1.0, budget / kg) if budget and kg else 1.0)


def _good_energy(usages: list[Usage]) -> float:
    grids = _grids(usages)
    kwh = sum(grids.values())
    shares = {each: no_cleaner(each) / len(grid_factors(each.provider)) for each in grids}
    if not kwh:
        return (sum(shares.values()) / len(shares) + 1) / 2
    grid = sum(shares[name] * used for name, used in grids.items()) / kwh
    return (grid + sum(each.attainable_kwh for each in usages) / kwh) / 2


def _figures(
    wanted: Requirements,
    region: Region,
    usages: list[Usage],
    utilisation: float,
    left_out: int,
) -> Iterator[Figure]:
    grids = _grids(usages)
    kwh, kg = sum(grids.values()), sum(each.kg for each in usages)
    terms = [
        f"{used:.2f} kWh x {grid_factor(name)[0]} kgCO2e a kWh" for name, used in grids.items()
    ]
    given = wanted.average_utilisation_percent is not None
    stated = (
        "requirements, average_utilisation_percent"
        if given
        else f"assumed: the default of {source()}"
    )
    yield Figure(
        key="energy",
        label="Energy",
        value=round(kwh, 2),
        unit="kWh a month",
        source=f"sum of components; {sources()}",
    )
    yield Figure(
        key="carbon",
        label="Carbon",
        value=round(kg, 2),
        unit="kgCO2e a month",
        source=f"{' + '.join(terms)}; {_factor_sources(grids)}",
    )
    if budget := wanted.monthly_carbon_budget_kg:
        yield Figure(
            key="carbon_budget_left",
            label="Carbon budget left",
            value=round(budget - kg, 2),
            unit="kgCO2e a month",
            source=(
                f"budget {budget:g} (requirements, monthly_carbon_budget_kg) - carbon {kg:.2f}"
            ),
        )
    usual = list(grids) == [Place(provider_with(region.name), region.name)]
    yield Figure(
        key="region",
        label="Region of the grid",
        value=_named(grids),
        source=region.source if usual else "each resource's own region",
    )
    value = round(100 * utilisation, 1)
    yield Figure(
        key="utilisation", label="Average CPU utilization", value=value, unit="%", source=stated
    )
    yield Figure(
        key="not_estimated",
        label="Resources not estimated",
        value=left_out,
        source="rows of that table",
    )


def _named(grids: dict[Place, float]) -> str:
    return ", ".join(str(place) for place in grids)


def _factor_sources(grids: dict[Place, float]) -> str:
    return "; ".join(dict.fromkeys(grid_factor(name)[1] for name in grids))


def _tables(usages: list[Usage], left_out: list[Resource]) -> Iterator[Table]:
    ranked = sorted(usages, key=lambda each: (-each.energy.kwh, each.address, each.component))
    yield Table(
        key="carbon",
        title="Energy and carbon by component",
        columns=["resource", "component", "region", "energy", "carbon", "formula"],
        units=["", "", "", "kWh a month", "kgCO2e a month", ""],
        rows=[
            [
                each.address,
                each.component,
                str(each.place),
                round(each.energy.kwh, 3),
                round(each.kg, 3),
                each.energy.formula,
            ]
            for each in ranked
        ],
        source=f"{sources()}; {_factor_sources(_grids(usages))}",
    )
    if left_out:
        yield Table(
            key="not_estimated",
            title="Not estimated",
            columns=["resource", "type"],
            units=["", ""],
            rows=[[each.address, each.type] for each in left_out],
            source=(
                "machines, databases and caches of unknown type or number, with accelerators, or"
                " billed by use"
            ),
        )

"""The sustainability agent's answer: its score, figures and tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assessments.agents.inventory import Region
from assessments.agents.sustainability.carbon import grid_factor, grid_factors, source, sources
from assessments.agents.sustainability.findings import processor_findings, region_findings
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
            "Energy is computed from EC2, RDS and ElastiCache types and EBS sizes, and none with"
            " known figures was found: add the Terraform, plan or CloudFormation of the machines."
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
    factor, factor_source = grid_factor(region.name)
    kwh = sum(each.energy.kwh for each in usages)
    attainable = sum(each.attainable_kwh for each in usages)
    largest = min(
        (each for each in usages if each.resource),
        key=lambda each: (-each.energy.kwh, each.address),
    )
    findings = list(processor_findings(usages, kwh, factor)) if kwh else []
    if largest.resource:
        findings += region_findings(region, kwh, largest.resource)
    score, formula = _score(region, factor, kwh, attainable)
    missing = [
        name
        for name in ("average_utilisation_percent", "regions")
        if getattr(wanted, name) in (None, [])
    ]
    return AgentResult(
        status=AgentStatus.ASSESSED,
        missing=missing,
        score=score,
        score_formula=formula,
        share=_share(factor, kwh, attainable),
        summary=(
            f"{kwh:.1f} kWh and {kwh * factor:.2f} kgCO2e a month in {region.name} at"
            f" {utilisation:.0%} utilisation{_without(len(left_out))}."
        ),
        figures=list(
            _figures(wanted, region, kwh, factor, factor_source, utilisation, len(left_out))
        ),
        tables=list(_tables(usages, factor, factor_source, left_out)),
        findings=sorted(
            findings, key=lambda each: (-each.severity, each.rule, each.file, each.resource)
        ),
    )


def _without(number: int) -> str:
    return f"; {counted(number, 'resource')} could not be estimated" if number else ""


def _score(region: Region, factor: float, kwh: float, attainable: float) -> tuple[int, str]:
    factors = grid_factors().values()
    no_cleaner = sum(each >= factor for each in factors)
    formula = (
        "50 x share of regions whose grid is no cleaner + 50 x attainable / present energy = 50 x"
        f" {no_cleaner} / {len(factors)} ({region.name}) + 50 x {attainable:.2f} / {kwh:.2f} kWh,"
        " rounded to the nearest whole number"
    )
    return round(100 * _good(factor, kwh, attainable)), formula


def _good(factor: float, kwh: float, attainable: float) -> float:
    """Half for the grid, half for the processors: 0..1."""
    factors = grid_factors().values()
    no_cleaner = sum(each >= factor for each in factors) / len(factors)
    return (no_cleaner + (attainable / kwh if kwh else 1.0)) / 2


def _share(factor: float, kwh: float, attainable: float) -> Share:
    return Share(good=kwh * _good(factor, kwh, attainable), whole=kwh, unit="kWh a month")


def _figures(
    wanted: Requirements,
    region: Region,
    kwh: float,
    factor: float,
    factor_source: str,
    utilisation: float,
    left_out: int,
) -> Iterator[Figure]:
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
        value=round(kwh * factor, 2),
        unit="kgCO2e a month",
        source=f"{kwh:.2f} kWh x {factor} kgCO2e a kWh; {factor_source}",
    )
    yield Figure(key="region", label="Region of the grid", value=region.name, source=region.source)
    value = round(100 * utilisation, 1)
    yield Figure(
        key="utilisation", label="Mean CPU utilisation", value=value, unit="%", source=stated
    )
    yield Figure(
        key="not_estimated",
        label="Resources not estimated",
        value=left_out,
        source="rows of that table",
    )


def _tables(
    usages: list[Usage], factor: float, factor_source: str, left_out: list[Resource]
) -> Iterator[Table]:
    ranked = sorted(usages, key=lambda each: (-each.energy.kwh, each.address, each.component))
    yield Table(
        key="carbon",
        title="Energy and carbon by component",
        columns=["resource", "component", "energy", "carbon", "formula"],
        units=["", "", "kWh a month", "kgCO2e a month", ""],
        rows=[
            [
                each.address,
                each.component,
                round(each.energy.kwh, 3),
                round(each.energy.kwh * factor, 3),
                each.energy.formula,
            ]
            for each in ranked
        ],
        source=f"{sources()}; {factor_source}",
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
                " not on AWS"
            ),
        )

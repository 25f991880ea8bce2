"""The sustainability agent: energy and carbon a month, a cleaner region, a thriftier processor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from assessments.agents.families import GRAVITON, GRAVITON_PAGE, NEWER, moved
from assessments.agents.inventory import Inventory, Region, read_inventory, region_of
from assessments.agents.sustainability.carbon import (
    Energy,
    compute_energy,
    default_utilisation,
    grid_factor,
    grid_factors,
    has_own_constants,
    network_energy,
    source,
    sources,
    storage_energy,
)
from assessments.agents.types import (
    Agent,
    AgentFinding,
    AgentInput,
    AgentResult,
    AgentStatus,
    Figure,
    Headline,
    OnProgress,
    Part,
    Severity,
    SeverityOrigin,
    Share,
    Table,
)
from assessments.agents.wording import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from assessments.requirements import Requirements
    from assessments.scan.types import Resource

EC2_SERVICES = ("ec2", "asg", "eks_nodes")
SPINNING = ("st1", "sc1", "standard")
CLEANER = 0.8
"""A region is suggested when its grid emits at most this share of the present one's."""


@dataclass(frozen=True, slots=True)
class Usage:
    """One component: its energy now, and, for compute, the arm64 type that would do the same with
    less."""

    resource: Resource | None
    component: str
    energy: Energy
    instance_type: str = ""
    thriftier: str = ""
    thriftier_kwh: float = 0.0

    @property
    def address(self) -> str:
        return self.resource.address if self.resource else "requirements"

    @property
    def attainable_kwh(self) -> float:
        return self.thriftier_kwh if self.thriftier else self.energy.kwh


def run(data: AgentInput, on_progress: OnProgress) -> AgentResult:
    """Estimate kWh and kgCO2e a month by the Cloud Carbon Footprint methodology.

    Score: 50 x the share of the regions held whose grid is no cleaner, + 50 x attainable kWh /
    present kWh, where attainable is with the processors suggested. Without a component whose energy
    can be told: NOT_ASSESSED.
    """
    wanted = data.requirements
    region = region_of(wanted, data.resources)
    inventory = read_inventory(data.resources)
    utilisation = _utilisation(wanted)
    usages: list[Usage] = []
    total = (
        len(inventory.machines)
        + len(inventory.databases)
        + len(inventory.caches)
        + len(inventory.volumes)
        + 1
    )
    for done, usage in enumerate(_usages(inventory, utilisation), start=1):
        usages.append(usage)
        on_progress(min(done, total - 1), total, f"Estimated {usage.address}")
    if not usages:
        return _not_assessed()
    if wanted.egress_gb_month:
        usages.append(Usage(None, "egress", network_energy(wanted.egress_gb_month)))
    on_progress(total, total, "Compared regions and processors")
    return _result(wanted, region, usages, utilisation, _left_out(inventory))


def _utilisation(wanted: Requirements) -> float:
    given = wanted.average_utilisation_percent
    return default_utilisation() if given is None else given / 100


def _usages(inventory: Inventory, utilisation: float) -> Iterator[Usage]:
    for machines in inventory.machines:
        if machines.service in EC2_SERVICES and machines.instance_type and machines.count:
            yield from _compute(
                machines.resource, machines.instance_type, machines.count, utilisation, prefix=""
            )
    for database in inventory.databases:
        copies = 2 if database.multi_zone else 1
        if database.service == "rds" and database.instance_class:
            name = database.instance_class.removeprefix("db.")
            yield from _compute(database.resource, name, copies, utilisation, prefix="db.")
        if database.service == "rds" and database.storage_gb is not None:
            stored = storage_energy(
                database.storage_gb, disk=database.storage_type == "standard", copies=copies
            )
            yield Usage(database.resource, "storage", stored)
    for cache in inventory.caches:
        if cache.node_type and cache.nodes:
            name = cache.node_type.removeprefix("cache.")
            yield from _compute(cache.resource, name, cache.nodes, utilisation, prefix="cache.")
    for volume in inventory.volumes:
        if volume.size_gb is not None:
            size = volume.size_gb * volume.count
            held = storage_energy(size, disk=volume.type in SPINNING, copies=2)
            yield Usage(
                volume.resource, f"{volume.part or 'volume'} {volume.type or ''}".strip(), held
            )


def _compute(
    resource: Resource, name: str, count: int, utilisation: float, *, prefix: str
) -> Iterator[Usage]:
    energy = compute_energy(name, count=count, utilisation=utilisation)
    if energy is None:
        return
    better = moved(moved(name, NEWER) or name, GRAVITON)
    less = (
        compute_energy(better, count=count, utilisation=utilisation)
        if better and has_own_constants(better)
        else None
    )
    saves = less is not None and has_own_constants(name) and less.kwh < energy.kwh
    yield Usage(
        resource,
        f"{count} x {prefix}{name}",
        energy,
        instance_type=prefix + name,
        thriftier=f"{prefix}{better}" if saves else "",
        thriftier_kwh=less.kwh if less and saves else 0.0,
    )


def _left_out(inventory: Inventory) -> list[Resource]:
    """Machines, databases and caches whose energy can't be told: unknown type, number, or
    accelerators."""
    rest = [
        m.resource
        for m in inventory.machines
        if not _known(m.instance_type, "", m.count, m.service in EC2_SERVICES)
    ]
    rest += [
        d.resource
        for d in inventory.databases
        if not _known(d.instance_class, "db.", 1, d.service == "rds")
    ]
    rest += [
        c.resource for c in inventory.caches if not _known(c.node_type, "cache.", c.nodes, True)
    ]
    return rest


def _known(name: str | None, prefix: str, count: int | None, covered: bool) -> bool:
    return bool(
        covered
        and name
        and count
        and compute_energy(name.removeprefix(prefix), count=1, utilisation=0.5)
    )


# --- findings ----------------------------------------------------------------------------------


def _processor_findings(
    usages: list[Usage], total_kwh: float, factor: float
) -> Iterator[AgentFinding]:
    for usage in usages:
        if not usage.thriftier or usage.resource is None:
            continue
        saved = usage.energy.kwh - usage.thriftier_kwh
        yield _finding(
            "im-sus-processor",
            "A thriftier processor does the same work",
            _severity(saved / total_kwh),
            usage.resource,
            expected=f"{usage.thriftier}: {usage.thriftier_kwh:.2f} kWh a month",
            actual=f"{usage.instance_type}: {usage.energy.kwh:.2f} kWh a month",
            why=(
                f"Saves {saved:.2f} kWh and {saved * factor:.2f} kgCO2e a month by the same formula"
                f" ({source()})."
            ),
            remediation=f"Move to {usage.thriftier} after building and testing for arm64.",
            reference=GRAVITON_PAGE,
        )


def _region_finding(region: Region, total_kwh: float, resource: Resource) -> Iterator[AgentFinding]:
    """The cleanest grid in the same part of the world, where it emits at most ``CLEANER`` of the
    present one."""
    factors = grid_factors()
    area = region.name.split("-")[0]
    near = sorted(
        (value, name)
        for name, value in factors.items()
        if name.split("-")[0] == area and "gov" not in name
    )
    if (
        region.name not in factors
        or region.assumed
        or not near
        or near[0][0] > CLEANER * factors[region.name]
    ):
        return
    better, name = near[0]
    saved = total_kwh * (factors[region.name] - better)
    yield _finding(
        "im-sus-region",
        "A region nearby runs on cleaner power",
        Severity.LOW,
        resource,
        expected=f"{name}: {better} kgCO2e a kWh",
        actual=f"{region.name}: {factors[region.name]} kgCO2e a kWh",
        why=(
            f"The same {total_kwh:.1f} kWh would emit {saved:.2f} kgCO2e less a month ({source()})."
        ),
        remediation=(
            "For new workloads, weigh it against latency, price and where the data may lie."
        ),
        reference="https://www.cloudcarbonfootprint.org/docs/methodology/",
    )


def _severity(share: float) -> Severity:
    """By share of all energy: 10 % and more low, else information."""
    return Severity.LOW if share >= 0.1 else Severity.INFO


def _finding(
    rule: str,
    title: str,
    severity: Severity,
    resource: Resource,
    *,
    expected: str,
    actual: str,
    why: str,
    remediation: str,
    reference: str,
) -> AgentFinding:
    return AgentFinding(
        rule=rule,
        title=title,
        severity=severity,
        severity_origin=SeverityOrigin.FORMULA,
        resource=resource.address,
        resource_type=resource.type,
        file=resource.file,
        line_start=resource.line_start,
        line_end=resource.line_end,
        expected=expected,
        actual=actual,
        why=why,
        remediation=remediation,
        references=[reference],
        fingerprint_key=f"{rule}|{resource.address}",
    )


# --- result ------------------------------------------------------------------------------------


def _not_assessed() -> AgentResult:
    return AgentResult(
        status=AgentStatus.NOT_ASSESSED,
        reason=(
            "Energy is computed from EC2, RDS and ElastiCache types and EBS sizes, and none with"
            " known figures was found: add the Terraform, plan or CloudFormation of the machines."
        ),
        missing=[],
    )


def _result(
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
    findings = list(_processor_findings(usages, kwh, factor)) if kwh else []
    if largest.resource:
        findings += _region_finding(region, kwh, largest.resource)
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


AGENT = Agent(
    name="sustainability",
    label="Sustainability",
    run=run,
    reads=frozenset({Part.RESOURCES}),
    headline=Headline(summed=("energy", "carbon", "not_estimated"), leading="carbon"),
)

"""The energy of each declared component, and of the processor that would do with less."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from assessments.agents.families import GRAVITON, NEWER, moved
from assessments.agents.inventory import Inventory
from assessments.agents.sustainability.carbon import (
    Energy,
    compute_energy,
    default_utilisation,
    grid_factor,
    has_own_constants,
    storage_energy,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from assessments.requirements import Requirements
    from assessments.scan.types import Resource


EC2_SERVICES = ("ec2", "asg", "eks_nodes")
SPINNING = ("st1", "sc1", "standard")


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
    default_region: str = ""

    @property
    def region(self) -> str:
        """The resource's own region; the scope's where it has none."""
        return (self.resource.region if self.resource else "") or self.default_region

    @property
    def kg(self) -> float:
        """kgCO2e a month."""
        return self.energy.kwh * grid_factor(self.region)[0]

    @property
    def address(self) -> str:
        return self.resource.address if self.resource else "requirements"

    @property
    def attainable_kwh(self) -> float:
        return self.thriftier_kwh if self.thriftier else self.energy.kwh


def utilisation_of(wanted: Requirements) -> float:
    given = wanted.average_utilisation_percent
    return default_utilisation() if given is None else given / 100


def usages_of(inventory: Inventory, utilisation: float) -> Iterator[Usage]:
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


def left_out_of(inventory: Inventory) -> list[Resource]:
    """Machines, databases and caches whose energy can't be determined: unknown type, number, or
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

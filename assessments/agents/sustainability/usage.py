"""The energy of each declared component, and of the processor that would use less."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from assessments.agents.cost.machines import purchase
from assessments.agents.families import GRAVITON, NEWER, moved
from assessments.agents.inventory import Database, Inventory
from assessments.agents.sustainability.carbon import (
    Energy,
    compute_energy,
    default_utilisation,
    disk_copies,
    has_own_constants,
    storage_energy,
)
from assessments.agents.sustainability.grids import Place, grid_factor

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from assessments.requirements import Requirements
    from assessments.scan.types import Resource


SPINNING = ("st1", "sc1", "standard", "pd-standard", "Standard_LRS", "Standard_ZRS")
PROVIDERS = {"azurerm": "azure", "google": "gcp"}
UNPLACED = Place("aws", "")
ON_GRAVITON = ("mysql", "mariadb", "postgres", "aurora")
"""Engines of RDS that run on arm64 (Amazon RDS User Guide, "Supported DB engines for DB instance
classes"). Without an engine nothing is suggested."""


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
    place: Place = UNPLACED

    @property
    def kg(self) -> float:
        """kgCO2e a month."""
        return self.energy.kwh * grid_factor(self.place)[0]

    @property
    def region(self) -> str:
        return self.place.region

    @property
    def address(self) -> str:
        return self.resource.address if self.resource else "requirements"

    @property
    def attainable_kwh(self) -> float:
        return self.thriftier_kwh if self.thriftier else self.energy.kwh


def utilisation_of(wanted: Requirements) -> float:
    given = wanted.average_utilisation_percent
    return default_utilisation() if given is None else given / 100


def provider_of(resource: Resource) -> str:
    """``aws``, ``azure`` or ``gcp``, by the resource's type."""
    return PROVIDERS.get(resource.type.partition("_")[0], "aws")


def usages_of(
    inventory: Inventory, utilisation: float, images: Mapping[str, Resource]
) -> Iterator[Usage]:
    """``images`` are the declared images by address: Windows doesn't run on arm64."""
    for machines in inventory.machines:
        if machines.instance_type and machines.count:
            yield from _compute(
                machines.resource,
                machines.instance_type,
                machines.count,
                utilisation,
                prefix="",
                movable=purchase(machines, images).system != "Windows",
            )
    for database in inventory.databases:
        yield from _database(database, utilisation)
    for cache in inventory.caches:
        if cache.node_type and cache.nodes:
            name = cache.node_type.removeprefix("cache.")
            yield from _compute(cache.resource, name, cache.nodes, utilisation, prefix="cache.")
    for volume in inventory.volumes:
        if volume.size_gb is not None:
            provider = provider_of(volume.resource)
            held = storage_energy(
                volume.size_gb * volume.count,
                disk=volume.type in SPINNING,
                copies=disk_copies(provider),
                provider=provider,
            )
            yield Usage(
                volume.resource, f"{volume.part or 'volume'} {volume.type or ''}".strip(), held
            )


def _database(database: Database, utilisation: float) -> Iterator[Usage]:
    """A server and its storage, doubled with a standby. For Cloud SQL only the server, as its
    storage grows automatically."""
    copies = 2 if database.multi_zone else 1
    if database.service in ("rds", "cloudsql") and database.instance_class:
        prefix = "db." if database.service == "rds" else "db-"
        name = database.instance_class.removeprefix(prefix)
        engine = (database.engine or "").lower()
        yield from _compute(
            database.resource,
            name,
            copies,
            utilisation,
            prefix=prefix,
            movable=engine.startswith(ON_GRAVITON),
        )
    if database.service == "rds" and database.storage_gb is not None:
        stored = storage_energy(
            database.storage_gb, disk=database.storage_type == "standard", copies=copies
        )
        yield Usage(database.resource, "storage", stored)


def _compute(
    resource: Resource,
    name: str,
    count: int,
    utilisation: float,
    *,
    prefix: str,
    movable: bool = True,
) -> Iterator[Usage]:
    """``movable`` says whether the same software is sold for arm64."""
    provider = provider_of(resource)
    energy = compute_energy(name, count=count, utilisation=utilisation, provider=provider)
    if energy is None:
        return
    is_candidate = provider == "aws" and movable
    better = moved(moved(name, NEWER) or name, GRAVITON) if is_candidate else None
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
        m.resource for m in inventory.machines if not _known(m.resource, m.instance_type, m.count)
    ]
    rest += [
        d.resource
        for d in inventory.databases
        if d.service not in ("rds", "cloudsql") or not _known(d.resource, d.instance_class, 1)
    ]
    rest += [c.resource for c in inventory.caches if not _known(c.resource, c.node_type, c.nodes)]
    return rest


def _known(resource: Resource, name: str | None, count: int | None) -> bool:
    if not name or not count:
        return False
    bare = name.removeprefix("db.").removeprefix("db-").removeprefix("cache.")
    provider = provider_of(resource)
    return compute_energy(bare, count=1, utilisation=0.5, provider=provider) is not None

"""Energy and carbon by the methodology of Cloud Carbon Footprint
(cloudcarbonfootprint.org/docs/methodology).

Compute: watts a vCPU = min + utilisation x (max - min); kWh = watts x vCPUs x hours / 1000 x PUE.
Storage: kWh = TB x hours x Wh per TB-hour / 1000 x copies x PUE. Network: kWh = GB x kWh per GB.
Carbon: kgCO2e = kWh x the grid's kgCO2e a kWh (location-based). Not counted: graphics processors,
memory beyond what comes with the processor, the making of the hardware, and what managed services
run out of sight.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from assessments.agents.datasets import header, load
from assessments.agents.instance_types import shape_of, shapes_source

DATA = "carbon.json"
HOURS_PER_MONTH = 730
GB_PER_TB = 1000


@dataclass(frozen=True, slots=True)
class Energy:
    """kWh a month, and how they were made."""

    kwh: float
    formula: str


def compute_energy(instance_type: str, *, count: int, utilisation: float) -> Energy | None:
    """A month of ``count`` machines of an EC2 type at ``utilisation`` (0..1).

    None for a type whose vCPUs aren't known, and for types with accelerators, which the processor's
    watts don't cover.
    """
    shape = shape_of(instance_type)
    family = instance_type.partition(".")[0]
    data = _data()
    if shape is None or family in data["gpu_families"]:
        return None
    low, high, processor = _watts(family)
    watts = low + utilisation * (high - low)
    kwh = watts * shape.vcpus * count * HOURS_PER_MONTH / 1000 * data["pue"]
    formula = (
        f"({low:.3g} + {utilisation:.0%} x ({high:.3g} - {low:.3g})) W x {shape.vcpus} vCPU x"
        f" {count} x {HOURS_PER_MONTH} h / 1000 x PUE {data['pue']}, {processor}"
    )
    return Energy(kwh, formula)


def storage_energy(gigabytes: float, *, disk: bool, copies: int) -> Energy:
    """A month of ``gigabytes`` on solid state, or on a spinning ``disk``, held in ``copies``."""
    data = _data()
    rate = data["hdd_wh_per_tb_hour" if disk else "ssd_wh_per_tb_hour"]
    kwh = gigabytes / GB_PER_TB * HOURS_PER_MONTH * rate / 1000 * copies * data["pue"]
    formula = (
        f"{gigabytes / GB_PER_TB:g} TB x {HOURS_PER_MONTH} h x {rate} Wh / 1000 x {copies} copies x"
        f" PUE {data['pue']}"
    )
    return Energy(kwh, formula)


def network_energy(gigabytes: float) -> Energy:
    """A month's traffic. The coefficient is the methodology's for traffic between data centres: a
    lower bound."""
    rate = _data()["network_kwh_per_gb"]
    return Energy(gigabytes * rate, f"{gigabytes:g} GB x {rate} kWh")


def grid_factor(region: str) -> tuple[float, str]:
    """kgCO2e a kWh of ``region``'s grid, and its source; for an unknown region the methodology's
    average."""
    data = _data()
    known = data["grid_kg_per_kwh"].get(region)
    if known is not None:
        return float(known), source(f"{region} {known} kgCO2e a kWh")
    average = data["unknown_region_kg_per_kwh"]
    return float(average), source(
        f"no factor for {region}: the average of all regions, {average} kgCO2e a kWh"
    )


def grid_factors() -> dict[str, float]:
    return {str(name): float(value) for name, value in _data()["grid_kg_per_kwh"].items()}


def default_utilisation() -> float:
    """The methodology's mean CPU utilisation where none is known, 0..1."""
    return float(_data()["default_utilisation_percent"]) / 100


def has_own_constants(instance_type: str) -> bool:
    """Whether the family's processor is in the table, rather than covered by the average."""
    return instance_type.partition(".")[0] in _data()["families"]


def source(detail: str = "") -> str:
    return header(DATA).cite(detail)


def sources() -> str:
    return f"{source()}; vCPUs: {shapes_source()}"


def _watts(family: str) -> tuple[float, float, str]:
    """Idle and full watts of one vCPU: the mean over the processors the family may run on, else
    AWS's average."""
    data = _data()
    processors = data["families"].get(family)
    if not processors:
        low, high = data["average_watts"]
        return low, high, "AWS average, the processor has no figures of its own"
    pairs = [data["watts"][each] for each in processors]
    return (
        sum(p[0] for p in pairs) / len(pairs),
        sum(p[1] for p in pairs) / len(pairs),
        " or ".join(processors),
    )


def _data() -> dict[str, Any]:
    return load(DATA)

"""Energy and carbon by the methodology of Cloud Carbon Footprint
(cloudcarbonfootprint.org/docs/methodology).

Compute: watts a vCPU = min + utilization x (max - min); kWh = watts x vCPUs x hours / 1000 x PUE.
Storage: kWh = TB x hours x Wh per TB-hour / 1000 x copies x PUE. Network: kWh = GB x kWh per GB.
Carbon: kgCO2e = kWh x the grid's kgCO2e a kWh (location-based). Not counted: graphics processors,
memory beyond what comes with the processor, hardware manufacturing, and what managed services run
behind the scenes.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean, median
from typing import Any

from assessments.agents.datasets import header, load
from assessments.agents.instance_types import shapes_source
from assessments.agents.sustainability.shapes import processors_of

DATA = "carbon.json"
HOURS_PER_MONTH = 730
GB_PER_TB = 1000
NAMES = {"aws": "AWS", "azure": "Azure", "gcp": "Google Cloud"}
OUTLIERS = {"Sandy Bridge", "Ivy Bridge"}


@dataclass(frozen=True, slots=True)
class Energy:
    """kWh a month, and how they were calculated."""

    kwh: float
    formula: str


def compute_energy(
    instance_type: str, *, count: int, utilisation: float, provider: str = "aws"
) -> Energy | None:
    """A month of ``count`` machines of a type of ``aws``, ``azure`` or ``gcp`` at ``utilisation``
    (0..1).

    None for a type whose vCPUs aren't known, and for types with accelerators, which the processor's
    watts don't cover.
    """
    shape = processors_of(provider, instance_type)
    cloud = _data()["clouds"][provider]
    if shape is None or shape.family in cloud["accelerated"]:
        return None
    low, high, processor = _watts(provider, shape.family)
    watts = low + utilisation * (high - low)
    kwh = watts * shape.vcpus * count * HOURS_PER_MONTH / 1000 * cloud["pue"]
    formula = (
        f"({low:.3g} + {utilisation:.0%} x ({high:.3g} - {low:.3g})) W x {shape.vcpus:g} vCPU x"
        f" {count} x {HOURS_PER_MONTH} h / 1000 x PUE {cloud['pue']}, {processor}"
    )
    return Energy(kwh, formula)


def storage_energy(gigabytes: float, *, disk: bool, copies: int, provider: str = "aws") -> Energy:
    """A month of ``gigabytes`` on solid state, or on a spinning ``disk``, stored in ``copies``."""
    data = _data()
    pue = data["clouds"][provider]["pue"]
    rate = data["hdd_wh_per_tb_hour" if disk else "ssd_wh_per_tb_hour"]
    kwh = gigabytes / GB_PER_TB * HOURS_PER_MONTH * rate / 1000 * copies * pue
    formula = (
        f"{gigabytes / GB_PER_TB:g} TB x {HOURS_PER_MONTH} h x {rate} Wh / 1000 x {copies} copies x"
        f" PUE {pue}"
    )
    return Energy(kwh, formula)


def disk_copies(provider: str) -> int:
    """How many copies of each block of a disk the provider keeps."""
    return int(_data()["clouds"][provider]["disk_copies"])


def network_energy(gigabytes: float) -> Energy:
    """A month's traffic. The coefficient is the methodology's for traffic between data centers: a
    lower bound."""
    rate = _data()["network_kwh_per_gb"]
    return Energy(gigabytes * rate, f"{gigabytes:g} GB x {rate} kWh")


def default_utilisation() -> float:
    """The methodology's mean CPU utilization if none is known, 0..1."""
    return float(_data()["default_utilisation_percent"]) / 100


def has_own_constants(instance_type: str) -> bool:
    """Whether an EC2 family's processor is in the table, rather than covered by the average."""
    return instance_type.partition(".")[0] in _data()["clouds"]["aws"]["families"]


def source() -> str:
    """The methodology and its power constants."""
    fields = header(DATA)
    return f"{load(DATA)['header']['power_source']} ({fields.url})"


def sources() -> str:
    return f"{source()}; vCPUs of EC2 types: {shapes_source()}"


def _watts(provider: str, family: str) -> tuple[float, float, str]:
    """Idle and full watts of one vCPU: the mean over the processors the family may run on, or the
    median if Sandy or Ivy Bridge are among them, which use far more than the others
    (FootprintEstimate.ts, getWattsByAverageOrMedian); otherwise the provider's average."""
    data = _data()
    cloud = data["clouds"][provider]
    processors = cloud["families"].get(family)
    if not processors:
        low, high = cloud["average_watts"]
        return low, high, f"{NAMES[provider]} average, the processor has no figures of its own"
    middle = median if OUTLIERS.intersection(processors) else fmean
    pairs = [data["watts"][each] for each in processors]
    low, high = middle(pair[0] for pair in pairs), middle(pair[1] for pair in pairs)
    return low, high, " or ".join(processors)


def _data() -> dict[str, Any]:
    return load(DATA)

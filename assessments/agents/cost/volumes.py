"""Block storage: size, provisioned IOPS and throughput."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from assessments.agents.cost.price_list import Entry, Unpriced, priced

if TYPE_CHECKING:
    from collections.abc import Iterator

    from assessments.agents.inventory import Volume

GP3_FREE_IOPS, GP3_FREE_MBS = 3000, 125
"""What a gp3 volume includes at no extra charge (Amazon EBS User Guide, "General Purpose SSD
volumes")."""
IO2_FIRST_TIER = 32_000
"""io2 IOPS up to this number have one price, those above are cheaper (Amazon EBS pricing page)."""


def volume_entries(volume: Volume, region: str) -> Iterator[Entry]:
    """The volume's components, multiplied by the machines that have such a volume."""
    name = volume.part or "volume"
    if volume.size_gb is None:
        why = "its size is set by the image or snapshot: declare volume_size"
        yield Unpriced(volume.resource, name, why)
        return
    kind = (volume.type or "unknown").lower()
    size = Decimal(str(volume.size_gb)) * volume.count
    yield priced(volume.resource, f"{name} {kind} storage", size, "GB", f"ebs.{kind}", region)
    yield from _performance(volume, name, kind, region)


def _performance(volume: Volume, name: str, kind: str, region: str) -> Iterator[Entry]:
    resource, iops = volume.resource, Decimal(str(volume.iops or 0))
    if kind in ("io1", "io2"):
        if not iops:
            yield Unpriced(resource, f"{name} {kind} IOPS", "iops is not declared")
            return
        first = min(iops, Decimal(IO2_FIRST_TIER)) if kind == "io2" else iops
        amount = first * volume.count
        yield priced(resource, f"{name} {kind} IOPS", amount, "IOPS", f"ebs.{kind}.iops", region)
        if iops > first:
            part = f"{name} io2 IOPS above {IO2_FIRST_TIER:,}"
            yield Unpriced(resource, part, "no known price for this tier")
    if kind == "gp3":
        speed = Decimal(str(volume.throughput_mbs or 0))
        for part, above in (("iops", iops - GP3_FREE_IOPS), ("throughput", speed - GP3_FREE_MBS)):
            if above > 0:
                amount = above * volume.count
                yield priced(
                    resource, f"{name} gp3 {part}", amount, part, f"ebs.gp3.{part}", region
                )
    if kind == "standard":
        yield Unpriced(resource, f"{name} I/O requests", "needs the requests a month")

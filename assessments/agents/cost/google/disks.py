"""Persistent disks of Google Cloud: GB x USD a GB a month (google.json.gz)."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from assessments.agents.cost.price_list import Entry, Line, Price, Unpriced
from assessments.agents.google_machines import disk_price, price_list, source

if TYPE_CHECKING:
    from assessments.scan.types import Resource

LOCAL_SSD_GB = 375
"""Each local SSD has this size (Compute Engine documentation, "Local SSD")."""


def disk_entry(
    resource: Resource,
    part: str,
    kind: str | None,
    gigabytes: float | None,
    count: int,
    region: str,
    *,
    regional: bool = False,
) -> Entry:
    """``count`` identical disks. ``kind`` is None if unknown, ``gigabytes`` if the image or
    snapshot sets the size."""
    if gigabytes is None:
        why = "its size is set by the image or snapshot: declare it"
        return Unpriced(resource, part, why)
    if kind is None:
        return Unpriced(resource, part, "its type can't be determined from the code: declare it")
    usd = disk_price(kind, region, regional=regional)
    if usd is None:
        why = f"no known price for {kind} in {region}; needs Google's price for it"
        return Unpriced(resource, f"{part}, {kind}", why)
    cited = source(f"{kind}{', regional' if regional else ''}, GB-month in {region}")
    size = Decimal(str(gigabytes)) * count
    return Line(
        resource, f"{part}, {kind}", size, "GB", Price(Decimal(str(usd)), cited, *price_list())
    )

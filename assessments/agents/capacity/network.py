"""The network bandwidth that the instances sustain, compared with the traffic at peak."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assessments.agents.instance_types import Shape, shape_of
from assessments.agents.inventory import Inventory, Machines

if TYPE_CHECKING:
    from assessments.requirements import Requirements

SECONDS_PER_MONTH = 730 * 3600


def network_ceiling(
    inventory: Inventory, wanted: Requirements
) -> tuple[Machines, float, float] | None:
    """The weakest group's total sustained Gbit/s, and the egress at peak in Gbit/s: GB a month x 8
    / seconds a month, times peak / mean rate."""
    if wanted.egress_gb_month is None:
        return None
    known = [
        (each, shape.network_gbps * each.count)
        for each in inventory.machines
        if each.count and (shape := _shape(each)) and shape.network_gbps
    ]
    if not known:
        return None
    machines, gbps = min(known, key=lambda pair: (pair[1], pair[0].resource.address))
    swing = (
        max(1.0, wanted.rps_peak / wanted.rps_now) if wanted.rps_peak and wanted.rps_now else 1.0
    )
    return machines, gbps, wanted.egress_gb_month * 8 / SECONDS_PER_MONTH * swing


def _shape(machines: Machines) -> Shape | None:
    return shape_of(machines.instance_type)

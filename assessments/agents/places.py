"""In which region a resource of Azure or Google Cloud stands.

Azure: a resource's ``location``, in either spelling ("West Europe", "westeurope"), else that of
what it belongs to. Google: its ``zone`` without the last part, its ``region`` or ``location``, else
the provider block's region.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from assessments.agents.attributes import first, text
from assessments.scan.types import Resource

BELONGS_TO = ("location", "resource_group_name", "kubernetes_cluster_id", "cluster", "zone")
GOOGLE_ZONE = re.compile(r"([a-z]+-[a-z]+\d+)-[a-z]")
MAX_STEPS = 3

Places = Mapping[str, Resource]
"""Resources by their address, without an index."""


def places(resources: Iterable[Resource]) -> Places:
    return {each.address.partition("[")[0]: each for each in resources}


def cloud_region(resource: Resource, others: Places, steps: int = MAX_STEPS) -> str:
    """The region's name (``westeurope``, ``us-central1``); empty where the code doesn't say."""
    if own := _own(resource):
        return own
    for reference in resource.references if steps else ():
        owner = others.get(reference.to.partition("[")[0])
        if owner is None or owner is resource or not reference.at.startswith(BELONGS_TO):
            continue
        if found := cloud_region(owner, others, steps - 1):
            return found
    return ""


def _own(resource: Resource) -> str:
    said = text(first(resource.attributes, "zone", "location", "region", default=None))
    if resource.type.startswith("azurerm_"):
        said = text(resource.attributes.get("location"))
        return said.replace(" ", "").lower() if said else ""
    zone = GOOGLE_ZONE.fullmatch(said) if said else None
    return zone[1] if zone else said or resource.region

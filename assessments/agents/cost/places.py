"""Which cloud's prices apply to a resource, and in which region if the resource doesn't say.

If neither the code nor the requirements determine the region, there is none, and then no price:
prices differ between regions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from assessments.agents.azure_sizes import is_region as is_azure_region
from assessments.agents.azure_sizes import region_name
from assessments.agents.google_machines import is_region as is_google_region
from assessments.agents.places import cloud_region
from assessments.scan.types import Resource

AZURE, GOOGLE = "azurerm", "google"
NO_REGION = (
    "its region can't be determined from the code: declare it literally, or name it in the"
    " requirements"
)
_IS_REGION: dict[str, Callable[[str], bool]] = {
    AZURE: is_azure_region,
    GOOGLE: is_google_region,
}


def cloud_of(resource: Resource) -> str:
    """``azurerm`` or ``google``; empty for everything that is priced as AWS."""
    prefix = resource.type.partition("_")[0]
    return prefix if prefix in _IS_REGION else ""


def usual_regions(resources: Iterable[Resource], *, wanted: Sequence[str]) -> dict[str, str]:
    """By cloud: the first region of the requirements that it has, otherwise the one that its
    resources name most often; empty if neither names one."""
    named: dict[str, Counter[str]] = {cloud: Counter() for cloud in _IS_REGION}
    for each in resources:
        if (cloud := cloud_of(each)) and (region := cloud_region(each, {})):
            named[cloud][region] += 1
    asked = [region_name(each) for each in wanted]
    return {
        cloud: next((each for each in asked if _IS_REGION[cloud](each)), "") or _most(counts)
        for cloud, counts in named.items()
    }


def _most(counts: Counter[str]) -> str:
    return min(counts, key=lambda each: (-counts[each], each), default="")

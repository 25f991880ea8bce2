"""vCPUs and processor family of a machine type, on three clouds.

Azure: the number in the size's name ("Azure VM naming conventions",
learn.microsoft.com/azure/virtual-machines/vm-naming-conventions), except for A and for the first
two versions of D, whose number counts sizes. Google: the number in the type's name
(docs.cloud.google.com/compute/docs/machine-resource); shared cores by the share of a core that they
sustain (cloud.google.com/compute/docs/general-purpose-machines, "shared-core").
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from assessments.agents.instance_types import shape_of

AZURE_SIZE = re.compile(
    r"(?:Standard_|Basic_)?([A-Z]+)(\d{1,3})(?:-\d{1,3})?([a-z]*)(?:_(?!v\d)[A-Z]+\d*)*(_v\d)?",
    re.I,
)
AZURE_COUNTED = {
    "D": {1: 1, 2: 2, 3: 4, 4: 8, 5: 16, 11: 2, 12: 4, 13: 8, 14: 16, 15: 20},
    "A": {0: 1, 1: 1, 2: 2, 3: 4, 4: 8, 5: 2, 6: 4, 7: 8, 8: 8, 9: 16, 10: 8, 11: 16},
}
AZURE_NUMBERED = ("A", "B", "D", "DC", "E", "EC", "F", "FX", "HB", "HC", "HX", "L", "M")
"""Families whose names contain their vCPUs; N sizes have accelerators, and G sizes are retired."""
GOOGLE_TYPE = re.compile(
    r"(?:db-)?(?:([a-z]\d+[a-z]?)-)?(?:standard|highmem|highcpu|custom|megamem|ultramem|hypermem)"
    r"-(\d{1,3})(?:-\w+)*"
)
GOOGLE_SHARED = {
    "e2-micro": 0.25,
    "e2-small": 0.5,
    "e2-medium": 1.0,
    "f1-micro": 0.2,
    "g1-small": 0.5,
}


@dataclass(frozen=True, slots=True)
class Processors:
    """``vcpus`` of a machine; a fraction if cores are shared. ``family`` is the key of
    carbon.json's families."""

    vcpus: float
    family: str


def processors_of(provider: str, instance_type: str) -> Processors | None:
    """None for a type whose vCPUs aren't known."""
    if provider == "azure":
        return _azure(instance_type)
    if provider == "gcp":
        return _google(instance_type)
    shape = shape_of(instance_type)
    return Processors(shape.vcpus, instance_type.partition(".")[0]) if shape else None


def _azure(size: str) -> Processors | None:
    found = AZURE_SIZE.fullmatch(size)
    if found is None:
        return None
    letters, number = found[1].upper(), int(found[2])
    features, version = found[3].lower(), (found[4] or "").lower()
    counted = AZURE_COUNTED.get(letters.removesuffix("S"), {}) if _by_size(letters, version) else {}
    vcpus = counted.get(number) if counted else number
    if not vcpus or (not counted and letters not in AZURE_NUMBERED):
        return None
    return Processors(vcpus, f"{letters}{features}{version}")


def _by_size(letters: str, version: str) -> bool:
    """Whether the number counts sizes: D and DS without a version or of version 2, A without."""
    return (letters in ("D", "DS") and version in ("", "_v2")) or (letters, version) == ("A", "")


def _google(kind: str) -> Processors | None:
    name = kind.removeprefix("db-")
    if name in GOOGLE_SHARED:
        return Processors(GOOGLE_SHARED[name], name)
    found = GOOGLE_TYPE.fullmatch(kind)
    return Processors(int(found[2]), found[1] or "n1") if found and int(found[2]) else None

"""Which EC2 family follows which: the same sizes and memory per vCPU, on a newer or on an arm64
processor."""

from __future__ import annotations

NEWER = {
    "t1": "t3",
    "t2": "t3",
    "m3": "m5",
    "m4": "m5",
    "c3": "c5",
    "c4": "c5",
    "r3": "r5",
    "r4": "r5",
    "i2": "i3",
}
"""The same sizes, one processor generation on, still x86 ("Amazon EC2 previous generation
instances", upgrade paths, https://aws.amazon.com/ec2/previous-generation/)."""
GRAVITON = {
    "t3": "t4g",
    "t3a": "t4g",
    "m5": "m6g",
    "m5a": "m6g",
    "m6i": "m7g",
    "m7i": "m7g",
    "c5": "c6g",
    "c5a": "c6g",
}
GRAVITON |= {"c6i": "c7g", "c7i": "c7g", "r5": "r6g", "r5a": "r6g", "r6i": "r7g", "r7i": "r7g"}
"""Families on AWS's own arm64 processors with the same memory per vCPU
(https://aws.amazon.com/ec2/graviton/)."""
GRAVITON_PAGE = "https://docs.aws.amazon.com/whitepapers/latest/aws-graviton-performance-testing/introduction.html"
PREVIOUS_GENERATION_PAGE = "https://aws.amazon.com/ec2/previous-generation/"


def moved(instance_type: str, families: dict[str, str]) -> str | None:
    """The same size in the family that ``families`` names for this type's own; None where it names
    none."""
    family, _, size = instance_type.partition(".")
    return f"{families[family]}.{size}" if family in families else None

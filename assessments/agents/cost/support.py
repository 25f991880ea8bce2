"""The fee for extended support of versions whose standard support has ended.

Which versions those are is judged as of a fixed day, part of the data set, so that the same input
gives the same answer; the day is shown beside the price.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from assessments.agents.attributes import block, text
from assessments.agents.cost.price_list import FACTS, HOURS, Entry, Line, Unpriced, priced
from assessments.agents.datasets import load
from assessments.agents.instance_types import shape_of
from assessments.scan.types import Resource

YEARS_AT_FIRST_PRICE = 2
NOT_TOLD = (
    "its version can't be determined from the code: old versions pay a fee for extended support"
)
DISABLED = "open-source-rds-extended-support-disabled"


def cluster_support(
    resource: Resource, attributes: Mapping[str, Any], region: str
) -> Iterator[Entry]:
    """EKS: the fee of a cluster, unless its policy upgrades it at the end of standard support."""
    policy = block(attributes.get("upgrade_policy"))
    if "version" not in attributes or text(policy.get("support_type")) == "STANDARD":
        return
    version = re.match(r"\d+\.\d+", str(attributes["version"]))
    if version is None:
        yield Unpriced(resource, "extended support", NOT_TOLD)
    elif (ended := _ended("eks", version[0])) is not None:
        entry = priced(resource, "extended support", HOURS, "hours", "eks.extended.hour", region)
        yield _explained(entry, "eks", version[0], ended)


def database_support(
    resource: Resource,
    engine: str,
    instance_class: str | None,
    declared: Mapping[str, Any],
    copies: int,
    region: str,
) -> Iterator[Entry]:
    """RDS for MySQL and PostgreSQL: the fee by vCPU, for the standby too."""
    if engine not in ("mysql", "postgres") or "engine_version" not in declared:
        return
    if text(declared.get("engine_lifecycle_support")) == DISABLED:
        return
    pattern = (
        r"\d+\.\d+" if engine == "mysql" or str(declared["engine_version"])[:1] == "9" else r"\d+"
    )
    version = re.match(pattern, str(declared["engine_version"]))
    if version is None:
        yield Unpriced(resource, "extended support", NOT_TOLD)
        return
    if _is_retired(engine, version[0]):
        why = f"{engine} {version[0]} is past extended support, too; upgrade to a supported version"
        yield Unpriced(resource, "extended support", why)
        return
    if (ended := _ended(engine, version[0])) is None:
        return
    shape = shape_of((instance_class or "").removeprefix("db."))
    if shape is None:
        why = "charged by vCPU: how many the class has can't be determined"
        yield Unpriced(resource, "extended support", why)
        return
    judged = date.fromisoformat(load(FACTS)["support"]["judged_on"])
    late = judged > ended.replace(year=ended.year + YEARS_AT_FIRST_PRICE, day=min(ended.day, 28))
    key = f"rds.extended.year{3 if late else 1}"
    hours = HOURS * shape.vcpus * copies
    entry = priced(resource, "extended support", hours, "vCPU-hours", key, region)
    yield _explained(entry, engine, version[0], ended)


def _ended(product: str, version: str) -> date | None:
    """The last day of standard support; None while it lasts. A cluster with a version older than
    all those listed runs the first of them: AWS upgrades it."""
    support = load(FACTS)["support"]
    ends = {_key(name): date.fromisoformat(day) for name, day in support[product]["ends"].items()}
    day = ends.get(_key(version))
    if day is None and _key(version) < min(ends):
        day = min(ends.values())
    return day if day and day < date.fromisoformat(support["judged_on"]) else None


def _is_retired(product: str, version: str) -> bool:
    """Whether the version is older than all that were ever sold with extended support."""
    return _key(version) < min(_key(each) for each in load(FACTS)["support"][product]["ends"])


def _key(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _explained(entry: Entry, product: str, version: str, ended: date) -> Entry:
    support = load(FACTS)["support"]
    why = (
        f"standard support of {version} ended on {ended.isoformat()} ({support[product]['url']},"
        f" judged on {support['judged_on']})"
    )
    if isinstance(entry, Line):
        price = replace(entry.price, source=f"{entry.price.source}; {why}")
        return replace(entry, price=price)
    return replace(entry, reason=f"{entry.reason}; {why}")


def cache_support(
    resource: Resource, engine: str, attributes: Mapping[str, Any]
) -> Iterator[Entry]:
    """Redis OSS 4 and 5 have left standard support (2026-01-31); the fee's rate is not in our
    data."""
    major = re.match(r"\d+", str(attributes.get("engine_version", "")))
    if engine == "redis" and major and Decimal(major[0]) <= LAST_OLD_REDIS:
        why = (
            f"Redis OSS {major[0]} pays a fee for extended support, which has no known price; use"
            " an engine_version in standard support"
        )
        yield Unpriced(resource, "extended support", why)


LAST_OLD_REDIS = 5
"""Amazon ElastiCache User Guide, "ElastiCache versions with extended support"."""

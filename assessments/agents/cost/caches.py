"""ElastiCache: nodes by engine, and serverless caches with their minimum charge."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from assessments.agents.attributes import block, first, number, text
from assessments.agents.cost.price_list import HOURS, Entry, Unpriced, priced
from assessments.agents.cost.references import referred
from assessments.agents.cost.support import cache_support
from assessments.agents.inventory import Cache, attributes_of

if TYPE_CHECKING:
    from assessments.scan.types import Resource

NODE_COUNTS = (
    "num_cache_clusters",
    "number_cache_clusters",
    "num_cache_nodes",
    "num_node_groups",
    "cluster_mode",
)
LEAST_STORED_GB = {
    "redis": Decimal(1),
    "memcached": Decimal(1),
    "valkey": Decimal("0.1"),
}
"""The minimum that a serverless cache is billed for (Amazon ElastiCache pricing page)."""


def cache_entries(cache: Cache, region: str, resources: Mapping[str, Resource]) -> Iterator[Entry]:
    attributes = _with_group(cache.resource, resources)
    engine = _engine(attributes, cache.engine)
    node_type = cache.node_type or text(attributes.get("node_type"))
    if engine not in LEAST_STORED_GB:
        why = f"the price depends on the engine ({engine or 'not declared'}): declare engine"
        yield Unpriced(cache.resource, "cache nodes", why)
        return
    if cache.nodes is None or node_type is None:
        why = "their number or type can't be determined from the code"
        yield Unpriced(cache.resource, "cache nodes", why)
        return
    hours, name = HOURS * cache.nodes, f"{node_type} {engine} nodes"
    yield priced(cache.resource, name, hours, "hours", f"cache.{engine}.{node_type}", region)
    if cache.failover and not any(key in attributes for key in NODE_COUNTS):
        why = "failover needs at least two nodes: declare their number"
        yield Unpriced(cache.resource, "further nodes", why)
    yield from cache_support(cache.resource, engine, attributes)


def serverless_entries(
    resource: Resource, attributes: dict[str, Any], region: str
) -> Iterator[Entry]:
    """The minimum billed every hour; storage above it and requests depend on usage."""
    engine = _engine(attributes, None)
    least = LEAST_STORED_GB.get(engine or "")
    if least is None:
        why = f"the price depends on the engine ({engine or 'not declared'}): declare engine"
        yield Unpriced(resource, "serverless cache", why)
        return
    limits = block(block(attributes.get("cache_usage_limits")).get("data_storage"))
    asked = number(limits.get("minimum"))
    stored = max(least, Decimal(str(asked))) if asked else least
    key = f"cache.{engine}.serverless"
    yield priced(resource, f"{engine} storage, minimum", HOURS * stored, "GB-hours", key, region)
    why = "needs the GB stored above the minimum and the ECPUs a month"
    yield Unpriced(resource, "storage above the minimum, and requests", why)


def _engine(attributes: Mapping[str, Any], usual: str | None) -> str | None:
    name = text(first(attributes, "engine", default=usual))
    return name.strip().lower() if name else None


def _with_group(resource: Resource, resources: Mapping[str, Resource]) -> dict[str, Any]:
    """A cluster that joins a replication group takes engine and node type from it."""
    own = attributes_of(resource)
    group = referred(resource, "replication_group_id", resources)
    if group is None or group.address == resource.address:
        return own
    return {"engine": "redis", **attributes_of(group), **own}

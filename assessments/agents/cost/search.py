"""OpenSearch and Elasticsearch domains: data, master and warm nodes by the hour, and the data
nodes' disks (Amazon OpenSearch Service pricing page)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from assessments.agents.attributes import block, declared, first, flag, number, text, whole
from assessments.agents.cost.price_list import HOURS, Entry, Unpriced, priced
from assessments.scan.types import FileKind

if TYPE_CHECKING:
    from assessments.scan.types import Resource

DEFAULT_NODE = "m4.large.search"
"""The default of Terraform's provider (registry.terraform.io, aws_opensearch_domain,
``instance_type``)."""
DEFAULT_MASTERS, DEFAULT_DISK = 3, "gp2"
OPEN = "their number or type can't be determined from the code"


def search_entries(
    resource: Resource, attributes: Mapping[str, Any], region: str
) -> Iterator[Entry]:
    nodes = block(first(attributes, "cluster_config", "elasticsearch_cluster_config"))
    usual = None if resource.origin == FileKind.CLOUDFORMATION else DEFAULT_NODE
    kind, count = declared(nodes, "instance_type", usual), declared(nodes, "instance_count", 1)
    yield _nodes(resource, "data nodes", kind, count, region)
    if flag(declared(nodes, "dedicated_master_enabled", False)):
        masters = declared(nodes, "dedicated_master_count", DEFAULT_MASTERS)
        kind = declared(nodes, "dedicated_master_type", None)
        yield _nodes(resource, "master nodes", kind, masters, region)
    if flag(declared(nodes, "warm_enabled", False)):
        kind, warm = declared(nodes, "warm_type", None), declared(nodes, "warm_count", None)
        yield _nodes(resource, "warm nodes", kind, warm, region)
    yield from _disks(resource, block(attributes.get("ebs_options")), whole(count), region)


def _nodes(resource: Resource, part: str, kind: object, count: object, region: str) -> Entry:
    name, number_of = text(kind), whole(count)
    if name is None or number_of is None:
        return Unpriced(resource, part, OPEN)
    key = f"search.{name.removesuffix('.elasticsearch').removesuffix('.search')}.search"
    return priced(resource, f"{name} {part}", HOURS * number_of, "hours", key, region)


def _disks(
    resource: Resource, disk: Mapping[str, Any], nodes: int | None, region: str
) -> Iterator[Entry]:
    """Each data node has one."""
    size = number(disk.get("volume_size"))
    if flag(disk.get("ebs_enabled")) is False or "volume_size" not in disk:
        return
    kind = text(declared(disk, "volume_type", DEFAULT_DISK))
    if size is None or kind is None or nodes is None:
        yield Unpriced(resource, "disks of the data nodes", OPEN.replace("number", "size"))
        return
    amount = Decimal(str(size)) * nodes
    yield priced(resource, f"{kind} storage", amount, "GB", f"search.{kind}", region)
    if kind in ("gp3", "io1") and number(disk.get("iops")):
        yield Unpriced(resource, f"{kind} IOPS", "no known price for them on search nodes")

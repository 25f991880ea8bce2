"""AWS services that are billed for what is declared, whatever its use: capacity, shards, brokers,
alarms, caches, secrets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from assessments.agents.attributes import block, blocks, declared, first, flag, number, text, whole
from assessments.agents.cost.meters import stream_mode, table_class, table_mode
from assessments.agents.cost.price_list import HOURS, ONE, Entry, Unpriced, priced
from assessments.agents.inventory import attributes_of
from assessments.agents.references import kind_of

if TYPE_CHECKING:
    from assessments.scan.types import Resource

OPEN = "can't be determined from the code"
STANDARD_PERIOD_S = 60
"""Alarms on shorter periods are high-resolution alarms (Amazon CloudWatch pricing page)."""


def provisioned_entries(resource: Resource, region: str) -> Iterator[Entry]:
    read = _READERS.get(kind_of(resource))
    if read:
        yield from read(resource, attributes_of(resource), region)


def is_provisioned(resource: Resource) -> bool:
    return kind_of(resource) in _READERS


def _table(resource: Resource, attributes: Mapping[str, Any], region: str) -> Iterator[Entry]:
    """Read and write units of a table and its indexes; autoscaling starts from what is declared."""
    mode, kind = table_mode(attributes), table_class(attributes)
    if mode is None:
        yield Unpriced(resource, "capacity", f"billing_mode {OPEN}")
    if mode == "provisioned":
        indexes = first(attributes, "global_secondary_index", "global_secondary_indexes")
        shapes = [attributes, *blocks(indexes)]
        for part, name in (("read", "rcu"), ("write", "wcu")):
            units = [_units(shape, part) for shape in shapes]
            if None in units:
                yield Unpriced(resource, f"{part} capacity", f"its units {OPEN}")
                continue
            amount = HOURS * sum(each or 0 for each in units)
            key = f"dynamodb.{kind}.{name}"
            yield priced(resource, f"{part} capacity", amount, "unit-hours", key, region)
    if blocks(attributes.get("replica")):
        yield Unpriced(resource, "replicas", "billed in their own regions; needs their usage")


def _units(shape: Mapping[str, Any], part: str) -> int | None:
    throughput = block(shape.get("provisioned_throughput"))
    return whole(first(shape, f"{part}_capacity", default=throughput.get(f"{part}_capacity_units")))


def _files(resource: Resource, attributes: Mapping[str, Any], region: str) -> Iterator[Entry]:
    """What a throughput includes for the data stored depends on use, and isn't taken off."""
    if text(attributes.get("throughput_mode")) != "provisioned":
        return
    speed = number(attributes.get("provisioned_throughput_in_mibps"))
    if speed is None:
        yield Unpriced(resource, "provisioned throughput", f"its size {OPEN}")
        return
    amount = Decimal(str(speed))
    yield priced(resource, "provisioned throughput", amount, "MB/s", "efs.throughput", region)


def _stream(resource: Resource, attributes: Mapping[str, Any], region: str) -> Iterator[Entry]:
    if stream_mode(attributes) == "on_demand":
        yield priced(resource, "stream", HOURS, "hours", "kinesis.stream.hour", region)
        return
    shards = whole(attributes.get("shard_count"))
    if shards is None:
        yield Unpriced(resource, "shards", f"their number {OPEN}")
        return
    yield priced(resource, "shards", HOURS * shards, "hours", "kinesis.shard.hour", region)


def _alarm(resource: Resource, attributes: Mapping[str, Any], region: str) -> Iterator[Entry]:
    """Billed by the metrics that it watches."""
    queries = blocks(first(attributes, "metric_query", "metrics"))
    watched = [block(first(each, "metric", "metric_stat")) for each in queries]
    metrics = [each for each in watched if each]
    periods = [number(each.get("period")) for each in metrics or [dict(attributes)]]
    high = any(each is not None and each < STANDARD_PERIOD_S for each in periods)
    key = f"cloudwatch.alarm.{'high' if high else 'standard'}"
    yield priced(resource, "alarm", Decimal(max(1, len(metrics))), "metrics", key, region)


def _composite(resource: Resource, attributes: Mapping[str, Any], region: str) -> Iterator[Entry]:
    key = "cloudwatch.alarm.composite"
    yield priced(resource, "composite alarm", ONE, "months", key, region)


def _stage(resource: Resource, attributes: Mapping[str, Any], region: str) -> Iterator[Entry]:
    enabled = flag(declared(attributes, "cache_cluster_enabled", False))
    if enabled is False:
        return
    size = number(attributes.get("cache_cluster_size"))
    if size is None or enabled is None:
        yield Unpriced(resource, "cache", f"its size {OPEN}")
        return
    yield priced(resource, "cache", HOURS, "hours", f"apigateway.cache.{size:g}", region)


def _kafka(resource: Resource, attributes: Mapping[str, Any], region: str) -> Iterator[Entry]:
    nodes = block(attributes.get("broker_node_group_info"))
    count = whole(attributes.get("number_of_broker_nodes"))
    kind = text(nodes.get("instance_type"))
    if count is None or kind is None:
        yield Unpriced(resource, "brokers", f"their number or type {OPEN}")
        return
    yield priced(resource, f"{kind} brokers", HOURS * count, "hours", f"msk.{kind}", region)
    storage = block(nodes.get("storage_info"))
    size = number(block(storage.get("ebs_storage_info")).get("volume_size"))
    size = number(nodes.get("ebs_volume_size")) if size is None else size
    if size is None:
        yield Unpriced(resource, "storage", f"the size of its volumes {OPEN}")
        return
    yield priced(resource, "storage", Decimal(str(size)) * count, "GB", "msk.gb", region)


def _secret(resource: Resource, attributes: Mapping[str, Any], region: str) -> Iterator[Entry]:
    yield priced(resource, "secret", ONE, "months", "secretsmanager.secret", region)


_READERS: dict[str, Callable[[Resource, Mapping[str, Any], str], Iterator[Entry]]] = {
    "aws_api_gateway_stage": _stage,
    "aws_cloudwatch_composite_alarm": _composite,
    "aws_cloudwatch_metric_alarm": _alarm,
    "aws_dynamodb_table": _table,
    "aws_efs_file_system": _files,
    "aws_kinesis_stream": _stream,
    "aws_msk_cluster": _kafka,
    "aws_secretsmanager_secret": _secret,
}

"""EKS clusters, and ECS tasks on Fargate."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from assessments.agents.attributes import block, blocks, first, number, text, whole
from assessments.agents.cost.price_list import HOURS, Entry, Unpriced, priced
from assessments.agents.cost.references import referred
from assessments.agents.inventory import Machines, attributes_of, resource_type
from assessments.agents.wording import counted
from assessments.scan.types import FileKind

if TYPE_CHECKING:
    from assessments.scan.types import Resource

FREE_DISK_GB = 20
"""Ephemeral storage of a Fargate task at no extra charge (AWS Fargate pricing page)."""


def task_entries(
    machines: Machines, region: str, resources: Mapping[str, Resource]
) -> Iterator[Entry]:
    """Tasks on Fargate. Those on EC2 run on instances that are priced themselves."""
    resource, attributes = machines.resource, attributes_of(machines.resource)
    strategy = blocks(
        first(attributes, "capacity_provider_strategy", "capacity_provider_strategies", default=[])
    )
    if not strategy and "launch_type" not in attributes:
        strategy = _clusters_strategy(resource, resources)
    launch = text(attributes.get("launch_type", "" if strategy else "EC2"))
    task = _task(resource, resources)
    if launch in ("EC2", "EXTERNAL") and not strategy:
        if "launch_type" not in attributes and _only_fargate(task):
            why = "launch_type is not declared: it may be Fargate, by the cluster's default"
            yield Unpriced(resource, "tasks", why)
        return
    count = _tasks(resource, attributes)
    if count is None:
        why = "their number can't be determined from the code: declare desired_count"
        yield Unpriced(resource, "Fargate tasks", why)
        return
    yield from _shares(resource, launch, strategy, count, task, region)


def _shares(
    resource: Resource,
    launch: str | None,
    strategy: list[dict[str, Any]],
    count: int,
    task: dict[str, Any] | None,
    region: str,
) -> Iterator[Entry]:
    """The tasks by capacity provider: bases first, the rest by weight; any remainder that the
    weights don't divide evenly may go to either side and isn't priced."""
    if not strategy and launch == "FARGATE":
        yield from _fargate(resource, count, task, region)
        return
    names = [text(first(each, "capacity_provider", default=None)) for each in strategy]
    bases = [whole(each.get("base", 0)) for each in strategy]
    weights = [whole(each.get("weight", 0)) for each in strategy]
    if not strategy or None in names or None in bases or None in weights:
        why = "whether they run on Fargate, and at what price, can't be determined from the code"
        yield Unpriced(resource, "tasks", why)
        return
    total = sum(each or 0 for each in weights)
    left = max(0, count - sum(each or 0 for each in bases))
    for name, base, weight in zip(names, bases, weights, strict=True):
        tasks = min(count, (base or 0) + (left * (weight or 0) // total if total else 0))
        if name == "FARGATE" and tasks:
            yield from _fargate(resource, tasks, task, region)
        elif name == "FARGATE_SPOT":
            why = "spot capacity has no list price; needs the price you pay"
            yield Unpriced(resource, f"{counted(tasks, 'task')} on Fargate Spot", why)


def _fargate(
    resource: Resource, count: int, task: dict[str, Any] | None, region: str
) -> Iterator[Entry]:
    """vCPU and memory of the task, by processor and operating system."""
    cpu, memory = (
        (_vcpus(task.get("cpu")), _gigabytes(task.get("memory"))) if task else (None, None)
    )
    if task is None or cpu is None or memory is None:
        why = "the task definition's cpu and memory can't be determined from the code"
        yield Unpriced(resource, counted(count, "Fargate task"), why)
        return
    platform = block(task.get("runtime_platform"))
    kind = (text(platform.get("cpu_architecture")) or "x86_64").lower()
    windows = (text(platform.get("operating_system_family")) or "").startswith("WINDOWS")
    kind = "windows" if windows else kind
    hours = HOURS * count
    yield priced(
        resource, "Fargate vCPU", hours * cpu, "vCPU-hours", f"fargate.{kind}.vcpu", region
    )
    yield priced(
        resource, "Fargate memory", hours * memory, "GB-hours", f"fargate.{kind}.gb", region
    )
    if windows:
        key = "fargate.windows.license"
        yield priced(resource, "Windows license", hours * cpu, "vCPU-hours", key, region)
    disk = number(block(task.get("ephemeral_storage")).get("size_in_gib"))
    if disk and disk > FREE_DISK_GB:
        part, above = (
            f"ephemeral storage above {FREE_DISK_GB} GB",
            Decimal(str(disk - FREE_DISK_GB)),
        )
        yield priced(resource, part, hours * above, "GB-hours", "fargate.disk.gb", region)


def _tasks(resource: Resource, attributes: Mapping[str, Any]) -> int | None:
    """CloudFormation runs one task by default, Terraform none, which is never meant."""
    usual = 1 if resource.origin == FileKind.CLOUDFORMATION else None
    return whole(attributes.get("desired_count", usual))


def _task(resource: Resource, resources: Mapping[str, Resource]) -> dict[str, Any] | None:
    """The task definition that the service names, by reference or by family."""
    if named := referred(resource, "task_definition", resources):
        return attributes_of(named)
    family = attributes_of(resource).get("task_definition")
    for each in resources.values():
        if resource_type(each) == "aws_ecs_task_definition":
            task = attributes_of(each)
            if family is not None and task.get("family") == family:
                return task
    return None


def _clusters_strategy(
    resource: Resource, resources: Mapping[str, Resource]
) -> list[dict[str, Any]]:
    """The default strategy of the service's cluster, used if the service has none of its own."""
    cluster = referred(resource, "cluster", resources)
    if cluster is None:
        return []
    names = (cluster.address, cluster.name, text(attributes_of(cluster).get("name")))
    key = "default_capacity_provider_strategy"
    for each in resources.values():
        body = attributes_of(each)
        own = each is cluster
        beside = each.type == "aws_ecs_cluster_capacity_providers" and (
            referred(each, "cluster_name", resources) is cluster
            or body.get("cluster_name") in names
        )
        if (own or beside) and body.get(key):
            return blocks(body[key])
    return []


def _only_fargate(task: dict[str, Any] | None) -> bool:
    wanted = (task or {}).get("requires_compatibilities")
    return isinstance(wanted, list) and wanted == ["FARGATE"]


def _vcpus(value: object) -> Decimal | None:
    """``256`` is a quarter of a vCPU; ``0.25 vCPU`` spells it out."""
    match = re.fullmatch(r"(\d*\.?\d+)\s*(vcpu)?", str(value).strip(), re.IGNORECASE)
    if not match:
        return None
    amount = Decimal(match[1])
    return amount if match[2] else amount / 1024


def _gigabytes(value: object) -> Decimal | None:
    """``512`` is MiB; ``1 GB`` spells out the unit."""
    match = re.fullmatch(r"(\d*\.?\d+)\s*(gb)?", str(value).strip(), re.IGNORECASE)
    if not match:
        return None
    amount = Decimal(match[1])
    return amount if match[2] else amount / 1024

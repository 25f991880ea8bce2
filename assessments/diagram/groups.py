"""Where a resource belongs: its scope, its network and subnet or namespace, its module."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from assessments.agents.references import kind_of, named
from assessments.diagram.kinds import NETWORKS, SUBNETS
from assessments.diagram.types import GroupKind
from assessments.scan.types import FileKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from assessments.diagram.types import Edge
    from assessments.scan.types import Resource

_MODULE = re.compile(r"^module\.([^.\[]+)(?:\[[^\]]*\])?\.")
_CARRIERS = re.compile(
    r"subnet_group|network_interface|security_group|route_table|mount_target|_nat_gateway"
)
"""Types that place a resource in a network: it names them, and they name the network."""
_CLUSTER_WIDE = frozenset(
    {
        "ClusterRole",
        "ClusterRoleBinding",
        "CustomResourceDefinition",
        "IngressClass",
        "MutatingWebhookConfiguration",
        "Namespace",
        "PersistentVolume",
        "PodSecurityPolicy",
        "PriorityClass",
        "StorageClass",
        "ValidatingWebhookConfiguration",
    }
)


@dataclass(frozen=True, slots=True)
class Frame:
    """A group by its name: ``key`` is unique below its parent; ``address`` is that of the resource
    it stands for, empty if none."""

    kind: GroupKind
    key: str
    label: str
    address: str = ""


@dataclass
class Surroundings:
    """The frames around each resource of one scope, outermost first."""

    resources: Mapping[str, Resource]
    edges: Sequence[Edge]
    _names: dict[str, list[Resource]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for edge in self.edges:
            target = self.resources.get(edge.target)
            if target is not None and not edge.is_request:
                self._names.setdefault(edge.source, []).append(target)

    def of(self, resource: Resource) -> list[Frame]:
        if resource.origin == FileKind.KUBERNETES:
            return self._namespace(resource)
        if resource.origin == FileKind.COMPOSE:
            return _compose_networks(resource)
        return self._networks(resource) or _modules(resource)

    def _namespace(self, resource: Resource) -> list[Frame]:
        if resource.type in _CLUSTER_WIDE:
            return []
        name, _ = named(resource)
        return [Frame(GroupKind.NAMESPACE, name, name)]

    def _networks(self, resource: Resource) -> list[Frame]:
        kind = kind_of(resource)
        if kind in NETWORKS:
            return []
        subnets = self._around(resource, SUBNETS)
        networks = self._around(resource, NETWORKS)
        for subnet in subnets.values():
            networks |= self._around(subnet, NETWORKS)
        frames = []
        if len(networks) == 1:
            (network,) = networks.values()
            frames.append(_frame(GroupKind.NETWORK, network))
        if len(subnets) == 1 and kind not in SUBNETS and (frames or not networks):
            (subnet,) = subnets.values()
            frames.append(_frame(GroupKind.SUBNET, subnet))
        return frames

    def _around(self, resource: Resource, kinds: frozenset[str]) -> dict[str, Resource]:
        """Those of ``kinds`` that it names itself, or else through what connects it to a
        network."""
        direct = self._named(resource, kinds)
        if direct:
            return direct
        found: dict[str, Resource] = {}
        for each in self._names.get(resource.address, []):
            if _CARRIERS.search(kind_of(each)):
                found |= self._named(each, kinds)
        return found

    def _named(self, resource: Resource, kinds: frozenset[str]) -> dict[str, Resource]:
        targets = self._names.get(resource.address, [])
        return {each.address: each for each in targets if kind_of(each) in kinds}


def _frame(kind: GroupKind, resource: Resource) -> Frame:
    return Frame(kind, resource.address, resource.name, resource.address)


def _modules(resource: Resource) -> list[Frame]:
    frames: list[Frame] = []
    rest, key = resource.address, ""
    while (match := _MODULE.match(rest)) and len(frames) < 2:
        key += match[0]
        frames.append(Frame(GroupKind.MODULE, key, match[1]))
        rest = rest[match.end() :]
    return frames


def _compose_networks(resource: Resource) -> list[Frame]:
    networks = resource.attributes.get("networks")
    names = (
        sorted(str(each)[:100] for each in networks) if isinstance(networks, list | dict) else []
    )
    label = " + ".join(names[:3]) + (" …" if len(names) > 3 else "")
    return [Frame(GroupKind.NETWORK, label, label)] if names and names != ["default"] else []

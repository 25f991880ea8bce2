"""What a diagram is built from and what it consists of: typed, JSON both ways."""

from __future__ import annotations

from enum import StrEnum

from assessments.scan.types import Message

INTERNET = "internet"
"""Stands for the internet if a link or a step starts there."""


class Role(StrEnum):
    """What a resource is for; decides its icon."""

    ENTRY = "entry"
    COMPUTE = "compute"
    DATA = "data"
    NETWORK = "network"
    IDENTITY = "identity"
    OTHER = "other"


class Part(Message, frozen=True, kw_only=True, omit_defaults=True):
    """A declaration that belongs to a node: a bucket's policy, a group's rule."""

    address: str
    file: str
    line: int = 0


class Node(Message, frozen=True, kw_only=True, omit_defaults=True):
    """One resource with its parts. ``id`` is unique in its diagram and the same in each diagram of
    the same resources.

    ``words`` name its type in short; ``is_group`` is true if it is drawn as the frame around its
    content (a network), by the group whose ``node`` it is. ``findings`` counts its unmuted findings
    by agent, five numbers each, from info to critical. ``monthly_usd`` is None if no price is
    known.
    """

    id: str
    name: str
    address: str
    type: str
    words: str
    role: Role
    scope: str = ""
    group: str = ""
    file: str = ""
    line: int = 0
    parts: list[Part] = []
    is_group: bool = False
    findings: dict[str, list[int]] = {}
    monthly_usd: float | None = None


class GroupKind(StrEnum):
    SCOPE = "scope"
    MODULE = "module"
    NETWORK = "network"
    SUBNET = "subnet"
    NAMESPACE = "namespace"
    KIND = "kind"


class Group(Message, frozen=True, kw_only=True, omit_defaults=True):
    """A frame around nodes and other groups. ``parent`` is a group's id, empty at the top; ``node``
    the id of the resource that it stands for, empty for scopes, modules and namespaces."""

    id: str
    label: str
    kind: GroupKind
    parent: str = ""
    node: str = ""


class Link(Message, frozen=True, kw_only=True, omit_defaults=True):
    """A line between two nodes. ``is_request``: requests go from source to target; otherwise the
    declaration of the source names the target. ``why`` says so in words, ``place`` is file:line."""

    source: str
    target: str
    why: str
    place: str
    is_request: bool = False


class Opening(Message, frozen=True, kw_only=True, omit_defaults=True):
    """A finding that opens a step of a path. ``severity`` is 0 (info) to 4 (critical)."""

    id: str
    title: str
    severity: int


class Step(Message, frozen=True, kw_only=True, omit_defaults=True):
    """One step of a path; ``source`` is a node or ``INTERNET``."""

    source: str
    target: str
    why: str
    place: str = ""
    opened_by: list[Opening] = []


class ExposurePath(Message, frozen=True, kw_only=True, omit_defaults=True):
    """A path from the internet to data, according to the code; the last step's target stores the
    data."""

    id: str
    steps: list[Step]


class Diagram(Message, frozen=True, kw_only=True, omit_defaults=True):
    """``entries`` are the steps from the internet to what it reaches directly. ``left_out`` counts
    resources beyond the limit, ``paths_left_out`` says that there are more paths than listed."""

    nodes: list[Node] = []
    groups: list[Group] = []
    links: list[Link] = []
    entries: list[Step] = []
    paths: list[ExposurePath] = []
    left_out: int = 0
    paths_left_out: bool = False


class Edge(Message, frozen=True, kw_only=True, omit_defaults=True):
    """A relation between two resources of one scope, by their addresses; ``source`` is ``INTERNET``
    if the target can be reached from there directly. See ``Link``."""

    scope: str
    source: str
    target: str
    why: str
    place: str
    is_request: bool = False


class FoundProblem(Message, frozen=True, kw_only=True):
    """What a diagram needs from a finding."""

    id: str
    agent: str
    rule: str
    title: str
    severity: int
    scope: str
    file: str
    resource: str

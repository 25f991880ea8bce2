"""The map of a run, for programs that draw it themselves."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest
from ninja import Router
from pydantic import BaseModel

from assessments.diagram.types import GroupKind, Role
from assessments.mapping import map_of
from assessments.rest.shared import run_of, visible

router = Router()


class PartOut(BaseModel):
    """A declaration that belongs to a resource: a bucket's policy, a group's rule."""

    address: str
    file: str
    line: int = 0


class NodeOut(BaseModel):
    """A resource with its parts. ``group`` is the innermost group around it, empty at the top;
    ``is_group`` if a group represents it. ``findings`` counts unmuted findings by agent: info, low,
    medium, high, critical. ``monthly_usd`` is null if no price is known."""

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
    parts: list[PartOut] = []
    is_group: bool = False
    findings: dict[str, list[int]] = {}
    monthly_usd: float | None = None


class GroupOut(BaseModel):
    """A scope, network, subnet, namespace or module. ``node`` is the resource that it represents,
    empty if none."""

    id: str
    label: str
    kind: GroupKind
    parent: str = ""
    node: str = ""


class LinkOut(BaseModel):
    """``is_request``: requests go from source to target; otherwise the source's declaration names
    the target. ``place`` is the file and line that shows it."""

    source: str
    target: str
    why: str
    place: str
    is_request: bool = False


class OpeningOut(BaseModel):
    """A finding that opens a step. ``severity`` is 0 (info) to 4 (critical)."""

    id: UUID
    title: str
    severity: int


class StepOut(BaseModel):
    """``source`` is a node's id, or ``internet``."""

    source: str
    target: str
    why: str
    place: str = ""
    opened_by: list[OpeningOut] = []


class PathOut(BaseModel):
    """A path from the internet to a resource that stores data."""

    id: str
    steps: list[StepOut]


class MapOut(BaseModel):
    """``is_ready`` is false, and the lists are empty, until the run's scan is done. ``entries`` are
    the steps from the internet to what it reaches directly. ``left_out`` counts resources beyond
    the limit of one map."""

    is_ready: bool = True
    nodes: list[NodeOut] = []
    groups: list[GroupOut] = []
    links: list[LinkOut] = []
    entries: list[StepOut] = []
    paths: list[PathOut] = []
    left_out: int = 0
    paths_left_out: bool = False


@router.get("/{uuid:assessment_id}/runs/{int:number}/map", response=MapOut, operation_id="get_map")
def get_map(request: HttpRequest, assessment_id: UUID, number: int) -> Any:
    """The run's resources, their connections, and the paths from the internet to data. During a run
    it is available once the scan is done, and its findings grow."""
    run = run_of(visible(request, assessment_id), number)
    drawn = map_of(run)
    if drawn is None:
        return MapOut(is_ready=False)
    return MapOut.model_validate(drawn.to_builtins())

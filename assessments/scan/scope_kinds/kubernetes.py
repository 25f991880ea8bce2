"""Kubernetes: Kustomize overlays, Helm charts, and folders of plain manifests.

An overlay is the resources that it lists; what it would change in them is reported as a gap.
Charts are in ``helm``.
"""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from assessments.scan.classify import Role
from assessments.scan.scope_kinds.helm import charts
from assessments.scan.scope_kinds.unit import Unit, not_assessed, partly
from assessments.scan.types import FileKind, Scope, ScopeKind

if TYPE_CHECKING:
    from assessments.scan.classify import Classified
    from assessments.scan.types import FileCoverage

MAX_DEPTH = 30
_CHANGES = {
    "patches": "patches",
    "patchesStrategicMerge": "patches",
    "patchesJson6902": "patches",
    "configMapGenerator": "generators",
    "secretGenerator": "generators",
    "generators": "generators",
    "transformers": "transformers",
    "replacements": "replacements",
    "helmCharts": "Helm charts",
    "helmChartInflationGenerator": "Helm charts",
    "images": "images",
    "replicas": "replicas",
    "namespace": "namespace",
}
"""What a kustomization does beyond listing resources (kubectl.docs.kubernetes.io/references/
kustomize/kustomization) that changes what is deployed. Names and labels are left out: no check
depends on them."""


@dataclass
class _Files:
    by_path: dict[str, Classified] = field(default_factory=dict)
    kustomizations: dict[str, Classified] = field(default_factory=dict)
    """By folder."""


@dataclass
class _Reached:
    resources: set[str] = field(default_factory=set)
    others: set[str] = field(default_factory=set)
    gaps: list[FileCoverage] = field(default_factory=list)


def kubernetes_units(files: Iterable[Classified]) -> Iterator[Unit]:
    known = _Files()
    for item in files:
        known.by_path[item.file.path] = item
        if item.role is Role.KUSTOMIZATION:
            known.kustomizations[item.folder] = item
    taken: set[str] = set()
    for unit in [*_overlays(known), *charts(known.by_path)]:
        taken |= set(unit.scope.paths)
        yield unit
    yield from _folders(known, taken)


def _overlays(known: _Files) -> Iterator[Unit]:
    referenced = {
        folder
        for place in known.kustomizations
        for folder in _listed(known, place)
        if folder in known.kustomizations and folder != place
    }
    starts = [place for place in sorted(known.kustomizations) if place not in referenced]
    reached: set[str] = set()
    for place in [*starts, *sorted(known.kustomizations)]:
        # Kustomizations that list each other in a cycle can't be reached from any other.
        if place in reached:
            continue
        unit, folders = _overlay(known, place)
        reached |= folders
        yield unit


def _overlay(known: _Files, place: str) -> tuple[Unit, set[str]]:
    found = _Reached()
    folders: set[str] = set()
    key = known.kustomizations[place].file.path
    waiting = [(place, 0)]
    while waiting:
        current, depth = waiting.pop()
        if current in folders or depth > MAX_DEPTH:
            continue
        folders.add(current)
        _read(known, current, found, scope=key)
        waiting += [
            (each, depth + 1) for each in _listed(known, current) if each in known.kustomizations
        ]
    scope = Scope(
        key=key,
        kind=ScopeKind.KUBERNETES,
        label=f"Kustomize {place or 'at the top'}",
        paths=sorted(found.resources | found.others),
    )
    gaps = sorted(set(found.gaps), key=lambda gap: (gap.path, gap.line or 0, gap.reason))
    return Unit(scope=scope, scanned=tuple(sorted(found.resources)), gaps=tuple(gaps)), folders


def _listed(known: _Files, place: str) -> list[str]:
    """Paths of the resources, bases and components of one kustomization."""
    item = known.kustomizations[place]
    found = []
    for document in item.documents:
        for name in ("resources", "bases", "components", "crds"):
            found += _texts(document.value.get(name))
    return [
        "" if (path := posixpath.normpath(posixpath.join(place, each))) == "." else path
        for each in found
    ]


def _read(known: _Files, place: str, found: _Reached, *, scope: str) -> None:
    item = known.kustomizations[place]
    path = item.file.path
    found.others.add(path)
    for each in _listed(known, place):
        resource = known.by_path.get(each)
        if resource is not None and resource.kind is FileKind.KUBERNETES:
            found.resources.add(each)
        elif resource is None and each not in known.kustomizations:
            reason = f"Its resource {each} is not in the upload, so it is not assessed."
            found.gaps.append(partly(scope, path, FileKind.KUBERNETES, reason, _line(item, each)))
    changes: dict[str, int] = {}
    for document in item.documents:
        for name, word in _CHANGES.items():
            if document.value.get(name):
                changes.setdefault(word, document.lines.get((name,), (1, 1))[0])
        for patch in _patches(document.value):
            file = posixpath.normpath(posixpath.join(place, patch))
            if file in known.by_path:
                found.others.add(file)
                reason = f"This patch is not applied to {scope}. {_INSTEAD}"
                found.gaps.append(not_assessed(scope, file, FileKind.KUBERNETES, reason))
    if changes:
        words = ", ".join(changes)
        reason = f"Not applied: {words}. What it lists is assessed as written. {_INSTEAD}"
        line = min(changes.values())
        found.gaps.append(partly(scope, path, FileKind.KUBERNETES, reason, line))


_INSTEAD = "Upload the output of 'kubectl kustomize' to have the result assessed."


def _line(item: Classified, resource: str) -> int | None:
    name = posixpath.basename(resource)
    for number, line in enumerate(item.file.content.decode(errors="replace").splitlines(), 1):
        if name in line:
            return number
    return None


def _patches(value: Mapping[str, Any]) -> Iterator[str]:
    """Files named as patches; inline ones are text with line breaks."""
    yield from (text for text in _texts(value.get("patchesStrategicMerge")) if "\n" not in text)
    for name in ("patches", "patchesJson6902"):
        listed = value.get(name)
        for each in listed if isinstance(listed, list) else ():
            if isinstance(each, dict):
                yield from _texts(each.get("path"))
    for name in ("transformers", "generators", "configurations"):
        yield from (text for text in _texts(value.get(name)) if "\n" not in text)


def _texts(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [each for each in values if isinstance(each, str)]


def _folders(known: _Files, taken: set[str]) -> Iterator[Unit]:
    folders: dict[str, list[str]] = defaultdict(list)
    for path, item in known.by_path.items():
        is_manifest = item.kind is FileKind.KUBERNETES and item.role is not Role.KUSTOMIZATION
        if is_manifest and path not in taken:
            folders[item.folder].append(path)
    for folder, paths in sorted(folders.items()):
        scope = Scope(
            key=f"{folder}/" if folder else "./",
            kind=ScopeKind.KUBERNETES,
            label=f"Kubernetes {folder or 'at the top'}",
            paths=sorted(paths),
        )
        templates = [path for path in paths if known.by_path[path].role is Role.CHART]
        yield Unit(
            scope=scope,
            scanned=tuple(sorted(set(paths) - set(templates))),
            gaps=tuple(
                not_assessed(scope.key, path, FileKind.KUBERNETES, _NO_CHART) for path in templates
            ),
        )


_NO_CHART = (
    "This is a Helm template, and its chart (Chart.yaml) is not in the upload. Upload the whole"
    " chart, or the output of 'helm template'."
)

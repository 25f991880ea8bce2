"""Kustomize overlays: a kustomization that no other one refers to, with everything that it names.

Kustomize builds it in the sandbox, where it is installed. Otherwise the manifests that it lists are
assessed as they are, and what it would change in them is a gap.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from assessments.scan.classify import Role
from assessments.scan.scope_kinds.unit import Unit, not_assessed, partly
from assessments.scan.types import FileCoverage, FileKind, Scope, ScopeKind

if TYPE_CHECKING:
    from assessments.scan.classify import Classified

MAX_DEPTH = 30
MAX_NAMED = 20_000
"""Texts of one kustomization that may name a file."""
_INSTEAD = "Upload the output of 'kubectl kustomize' to have the result assessed."
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
class Overlay:
    """``path`` is the kustomization itself, ``folders`` are those of all that it refers to.
    ``manifests`` are listed as resources, ``patches`` are files with changes, ``others`` are named
    in another way. ``missing`` are references that lead to no file of the upload, and ``changes``
    what each kustomization changes, with the first line."""

    key: str
    path: str
    folders: set[str] = field(default_factory=set)
    manifests: list[str] = field(default_factory=list)
    patches: list[str] = field(default_factory=list)
    others: set[str] = field(default_factory=set)
    missing: list[FileCoverage] = field(default_factory=list)
    changes: list[tuple[str, str, int]] = field(default_factory=list)

    @classmethod
    def of(cls, key: str, place: str, files: Mapping[str, Classified]) -> Overlay:
        """The overlay in the folder ``place``. ``files`` are by their paths."""
        known = kustomizations(files)
        place = "" if place == "." else place
        overlay = cls(key=key, path=known[place].file.path)
        waiting = [(place, 0)]
        while waiting:
            current, depth = waiting.pop()
            if current not in overlay.folders and depth <= MAX_DEPTH:
                overlay.folders.add(current)
                overlay._read(known[current], files, known)
                listed = listed_by(known[current])
                waiting += [(each, depth + 1) for each in listed if each in known]
        overlay.manifests = sorted(set(overlay.manifests))
        overlay.patches = sorted(set(overlay.patches) - set(overlay.manifests))
        return overlay

    @property
    def paths(self) -> list[str]:
        return sorted({*self.manifests, *self.patches, *self.others})

    def _read(
        self, item: Classified, files: Mapping[str, Classified], known: Mapping[str, Classified]
    ) -> None:
        path, place = item.file.path, item.folder
        self.others.add(path)
        for each in listed_by(item):
            found = files.get(each)
            if found is not None and found.kind is FileKind.KUBERNETES:
                self.manifests.append(each)
            elif found is None and each not in known:
                reason = f"Its resource {each} is not in the upload and was not assessed."
                line = _line(item, each)
                self.missing.append(partly(self.key, path, FileKind.KUBERNETES, reason, line))
        for document in item.documents:
            files_named = (_joined(place, each) for each in _named(document.value))
            self.others |= {each for each in files_named if each in files}
            changed = (_joined(place, each) for each in _patches(document.value))
            self.patches += [each for each in changed if each in files]
            words = {
                word: document.lines.get((name,), (1, 1))[0]
                for name, word in reversed(_CHANGES.items())
                if document.value.get(name)
            }
            if words:
                self.changes.append((path, ", ".join(reversed(words)), min(words.values())))


def kustomizations(files: Mapping[str, Classified]) -> dict[str, Classified]:
    """By folder."""
    return {item.folder: item for item in files.values() if item.role is Role.KUSTOMIZATION}


def overlays(files: Mapping[str, Classified]) -> Iterator[Unit]:
    known = kustomizations(files)
    referenced = {
        folder
        for place, item in known.items()
        for folder in listed_by(item)
        if folder in known and folder != place
    }
    starts = [place for place in sorted(known) if place not in referenced]
    reached: set[str] = set()
    for place in [*starts, *sorted(known)]:
        # Kustomizations that list each other in a cycle can't be reached from any other.
        if place in reached:
            continue
        overlay = Overlay.of(known[place].file.path, place, files)
        reached |= overlay.folders
        scope = Scope(
            key=overlay.key,
            kind=ScopeKind.KUBERNETES,
            label=f"Kustomize {place or 'at the top'}",
            paths=overlay.paths,
        )
        gaps = sorted(set(overlay.missing), key=lambda gap: (gap.path, gap.line or 0, gap.reason))
        yield Unit(scope=scope, root=place, overlay=tuple(overlay.paths), gaps=tuple(gaps))


def not_applied(overlay: Overlay, *, why: str, has_failed: bool) -> Iterator[FileCoverage]:
    """What the overlay would change in the manifests that it lists, and why that is not known. An
    overlay that changes nothing lacks nothing without Kustomize, unless that has refused it."""
    changes = overlay.changes
    if has_failed and not any(path == overlay.path for path, _, _ in changes):
        changes = [(overlay.path, "", 1), *changes]
    for path, words, line in changes:
        applied = f" Not applied: {words}." if words else ""
        reason = f"{why}{applied} The manifests that it lists are assessed as written. {_INSTEAD}"
        yield partly(overlay.key, path, FileKind.KUBERNETES, reason, line)
    for path in overlay.patches:
        reason = f"This patch is not applied to {overlay.key}. {_INSTEAD}"
        yield not_assessed(overlay.key, path, FileKind.KUBERNETES, reason)


def listed_by(item: Classified) -> list[str]:
    """Paths of the resources, bases and components of one kustomization."""
    return [
        _joined(item.folder, each)
        for document in item.documents
        for name in ("resources", "bases", "components", "crds")
        for each in _texts(document.value.get(name))
    ]


def _joined(place: str, name: str) -> str:
    path = posixpath.normpath(posixpath.join(place, name))
    return "" if path == "." else path


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


def _named(value: Any) -> list[str]:
    """All short texts, any of which may name a file that Kustomize reads: ``path``, ``KEY=path``
    of a generator, an entry of ``envs``."""
    found: list[str] = []
    waiting = [value]
    while waiting and len(found) < MAX_NAMED:
        each = waiting.pop()
        if isinstance(each, dict):
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each
        elif isinstance(each, str) and len(each) < 400 and "\n" not in each:
            found += [each, each.partition("=")[2]] if "=" in each else [each]
    return found


def _texts(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [each for each in values if isinstance(each, str)]

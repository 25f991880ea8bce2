"""An overlay as Kustomize builds it, with the lines of the manifests and patches that it comes
from. Where it can't be built, the manifests that it lists, as they are."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from assessments.scan.engines.manifests import Origin, Place, gap, manifest_output
from assessments.scan.engines.one_run import EngineRun, lines_of, one_line
from assessments.scan.overlaid import Declared, declared_in, line_of, source_of
from assessments.scan.programs import overlay_programs
from assessments.scan.scope_kinds.kustomize import Overlay, not_applied
from assessments.scan.types import CoverageStatus, FileCoverage, ShardOutput

if TYPE_CHECKING:
    from assessments.scan.shards import ShardScope

_LACKING = "Neither kustomize nor kubectl is installed here, so overlays are not built."


def overlay_part(run: EngineRun, scope: ShardScope) -> dict[str, Any]:
    """What the scanner needs in order to build the overlay."""
    overlay = _overlay(run, scope)
    return {
        "programs": overlay_programs(),
        "kustomization": overlay.path,
        "plain": overlay.manifests,
    }


def kustomize_output(run: EngineRun, answer: dict[str, Any], scope: ShardScope) -> ShardOutput:
    """The scanner's output for one overlay. ``built`` says whether Kustomize has built it; if not,
    ``rendered`` are the manifests that it lists."""
    overlay = _overlay(run, scope)
    texts = {str(name): str(text) for name, text in answer["rendered"].items()}
    files = {name: _uploaded(name, scope, overlay) for name in texts}
    lines = lines_of(run)
    built = bool(answer.get("built"))
    sources = _Sources(lines, overlay)
    origins: dict[str, Origin] = {
        name: _Built(text, files[name], sources) if built else _AsIs(files[name], text.splitlines())
        for name, text in texts.items()
    }
    output = manifest_output(
        run,
        answer,
        scope,
        texts=texts,
        origins=origins,
        unread={
            path: gap(scope.key, path, CoverageStatus.PARTLY_READ, "Checkov could not read it.")
            for path in {files[name] for name in answer["errors"] if name in files}
        },
    )
    if built:
        return output
    return output.replace(coverage=[*output.coverage, *_unbuilt(overlay, answer)])


def _unbuilt(overlay: Overlay, answer: dict[str, Any]) -> Iterator[FileCoverage]:
    failed = one_line(str(answer.get("failed", "")))
    why = f"Kustomize could not build this overlay: {failed}" if failed else _LACKING
    yield from not_applied(overlay, why=why, has_failed=bool(failed))


def _overlay(run: EngineRun, scope: ShardScope) -> Overlay:
    items = {item.file.path: item for item in run.classified if item.file.path in scope.paths}
    return Overlay.of(scope.key, scope.root, items)


def _uploaded(name: str, scope: ShardScope, overlay: Overlay) -> str:
    """The file that a rendered text comes from; what a generator makes is the kustomization's."""
    plain = name.removesuffix(".yaml")
    return next((each for each in (name, plain) if each in scope.paths), overlay.path)


@dataclass(frozen=True)
class _AsIs:
    path: str
    rendered: list[str]

    def place(self, start: int, end: int, focus: int | None) -> Place:
        return Place(self.path, start, end, focus)


@dataclass
class _Sources:
    """The objects of the uploaded files, read when they are first needed."""

    lines: Mapping[str, list[str]]
    overlay: Overlay
    read: dict[str, list[Declared]] = field(default_factory=dict)

    def of(self, path: str) -> list[Declared]:
        if path not in self.read:
            self.read[path] = declared_in(path, "\n".join(self.lines[path]))
        return self.read[path]

    @cached_property
    def patches(self) -> list[Declared]:
        return [each for path in self.overlay.patches for each in self.of(path)]


class _Built:
    def __init__(self, text: str, path: str, sources: _Sources) -> None:
        self.rendered = text.splitlines()
        self._path = path
        self._sources = sources
        self._made = declared_in(path, text)
        self._starts = [each.start for each in self._made]

    def place(self, start: int, end: int, focus: int | None) -> Place:
        made = self._at(start)
        source = source_of(made, self._sources.of(self._path)) if made else None
        if made is None or source is None:
            return Place(self._path, 1, max(1, len(self._sources.lines[self._path])))
        found = line_of(made, focus, [source, *self._patches(source)]) if focus else None
        where, line = found or (source, None)
        return Place(where.file, where.start, where.end, line)

    def _at(self, line: int) -> Declared | None:
        number = bisect_right(self._starts, line) - 1
        return self._made[max(number, 0)] if self._made else None

    def _patches(self, source: Declared) -> Sequence[Declared]:
        return [
            each
            for each in self._sources.patches
            if each.kind == source.kind and each.name in {source.name, ""}
        ]

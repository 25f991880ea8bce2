"""Helm charts: each with its own values, and once per other values file beside it.

A chart's templates are rendered by Helm, in the sandbox; this module decides what that needs, and
what is missing for it.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from assessments.scan.classify import Role
from assessments.scan.scope_kinds.unit import Unit, not_assessed, partly
from assessments.scan.types import FileCoverage, FileKind, Scope, ScopeKind

if TYPE_CHECKING:
    from assessments.scan.classify import Classified

MAX_VALUES_FILES = 20
"""Per chart. Each is a scope of its own."""
_CHART_NAMES = {"Chart.yaml", "Chart.yml"}
_OWN_FILES = re.compile(
    r"^(?:Chart\.(?:ya?ml|lock)|requirements\.(?:ya?ml|lock)|values[\w.-]*\.(?:ya?ml|json)"
    r"|[\w.-]+[.-]values\.ya?ml|\.helmignore|(?:templates|charts|crds|files|config|values)/.+)$"
)
_VALUES = re.compile(r"^(?:values[.-][\w.-]+|[\w.-]+[.-]values|values/[\w.-]+)\.ya?ml$")


def charts(files: Mapping[str, Classified]) -> Iterator[Unit]:
    """``files`` by their paths. A chart inside another's folder belongs to that one."""
    folders = sorted(
        item.folder
        for item in files.values()
        if item.role is Role.CHART and posixpath.basename(item.file.path) in _CHART_NAMES
    )
    for folder in folders:
        if not any(other != folder and _is_in(folder, other) for other in folders):
            yield from _units(folder, files)


def _units(folder: str, files: Mapping[str, Classified]) -> Iterator[Unit]:
    own = {
        posixpath.relpath(path, folder or "."): path
        for path in sorted(files)
        if _is_in(path, folder) and _OWN_FILES.match(posixpath.relpath(path, folder or "."))
    }
    named = [path for name, path in own.items() if _VALUES.match(name)]
    rest = set(own.values()) - set(named)
    own_values = _unit(folder, "", sorted(rest), files)
    yield _naming(own_values, named[MAX_VALUES_FILES:])
    for values in named[:MAX_VALUES_FILES]:
        yield _unit(folder, values, sorted(rest | {values}), files)


def values_of(unit: Unit) -> set[str]:
    """The files whose values a chart is rendered with: its own, those of the charts inside it, and
    the one that is passed to Helm."""
    own = {path for path in unit.chart if posixpath.basename(path) == "values.yaml"}
    return own | {unit.values} - {""}


def _naming(unit: Unit, left_out: Sequence[str]) -> Unit:
    """With a gap for the values files that the chart is not rendered with."""
    if not left_out:
        return unit
    more = f" and {len(left_out) - 1} more" if len(left_out) > 1 else ""
    reason = (
        f"A chart is rendered with {MAX_VALUES_FILES} other values files at most, and not with"
        f" {left_out[0]}{more}. To have those assessed, upload the chart with fewer of them."
    )
    gap = partly(unit.scope.key, unit.scope.key, FileKind.KUBERNETES, reason, None)
    return replace(unit, gaps=(*unit.gaps, gap))


def _unit(folder: str, values: str, paths: Sequence[str], files: Mapping[str, Classified]) -> Unit:
    chart = next(path for path in paths if posixpath.dirname(path) == folder and _is_chart(path))
    name = posixpath.relpath(values, folder or ".") if values else ""
    key = f"{chart}:{name}" if name else chart
    plain = [
        path
        for path in paths
        if files[path].kind is FileKind.KUBERNETES
        and files[path].role is Role.MAIN
        and files[path].scannable
        and not is_template(path, folder)
        and path != values
    ]
    return Unit(
        scope=Scope(
            key=key,
            kind=ScopeKind.KUBERNETES,
            label=f"Helm chart {folder or '.'}" + (f", {name}" if name else ""),
            paths=list(paths),
        ),
        root=folder,
        scanned=tuple(plain),
        chart=tuple(paths),
        values=values,
        gaps=tuple(_missing(key, files[chart], paths)),
    )


def is_template(path: str, folder: str) -> bool:
    """Whether Helm renders the file, in the chart in ``folder`` or in one below its charts/."""
    return "templates" in posixpath.relpath(path, folder or ".").split("/")[:-1]


def _missing(key: str, chart: Classified, paths: Sequence[str]) -> Iterator[FileCoverage]:
    """Dependencies that are not in charts/: Helm would have to download them."""
    folder = chart.folder
    for document in chart.documents:
        if document.value.get("type") == "library":
            reason = "A library chart makes nothing by itself."
            yield not_assessed(key, chart.file.path, FileKind.KUBERNETES, reason)
        for name in _dependencies(document.value):
            place = posixpath.join(folder, "charts", name)
            if not any(path.startswith((f"{place}/", f"{place}-")) for path in paths):
                reason = (
                    f"Its dependency {name} is not in charts/, so what it creates is not assessed."
                    " Run 'helm dependency build', unpack what it fetches, and upload charts/, too."
                )
                line = _line(chart, name)
                yield partly(key, chart.file.path, FileKind.KUBERNETES, reason, line)


def _dependencies(value: Mapping[str, Any]) -> Iterator[str]:
    listed = value.get("dependencies")
    for each in listed if isinstance(listed, list) else ():
        if isinstance(each, dict) and isinstance(each.get("name"), str):
            yield each["name"]


def _line(chart: Classified, name: str) -> int | None:
    pattern = re.compile(rf"^\s*(?:-\s*)?name:\s*[\"']?{re.escape(name)}\b")
    lines = chart.file.content.decode(errors="replace").splitlines()
    return next((n for n, line in enumerate(lines, 1) if pattern.match(line)), None)


def _is_chart(path: str) -> bool:
    return posixpath.basename(path) in _CHART_NAMES


def _is_in(path: str, folder: str) -> bool:
    return not folder or path == folder or path.startswith(f"{folder}/")

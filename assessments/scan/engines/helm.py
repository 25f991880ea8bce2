"""A chart as Helm renders it: Checkov's results on the manifests, and the manifests as resources,
with the lines of their templates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from assessments.scan.engines.manifests import Place, gap, manifest_output
from assessments.scan.engines.one_run import EngineRun, lines_of, one_line
from assessments.scan.rendered import Origin
from assessments.scan.scope_kinds.helm import is_template
from assessments.scan.types import CoverageStatus, FileCoverage, FileKind, ShardOutput

if TYPE_CHECKING:
    from assessments.scan.shards import ShardScope

DEFAULT_NAMESPACE = "CKV_K8S_21"
"""A chart's namespace is chosen when it is installed: no file says that it is the default one."""
_INSTEAD = "Upload the output of 'helm template' instead."
_LACKING = (
    "Helm is not installed here, so the chart is not rendered, and what it creates is not assessed."
    f" {_INSTEAD}"
)


@dataclass(frozen=True)
class _Template:
    path: str
    rendered: list[str]
    origin: Origin

    def place(self, start: int, end: int, focus: int | None) -> Place:
        line = self.origin.line(focus) if focus else None
        return Place(self.path, *self.origin.span(start, end), line)


def helm_output(run: EngineRun, answer: dict[str, Any], scope: ShardScope) -> ShardOutput:
    """The scanner's output for one chart with one values file. Lines are those of the template
    from which a manifest was rendered, or the range within it that produced them."""
    texts = {str(path): str(text) for path, text in answer["rendered"].items()}
    known = {path: text for path, text in texts.items() if path in scope.paths}
    lines = lines_of(run, known)
    output = manifest_output(
        run,
        answer,
        scope,
        texts=known,
        origins={path: _template(path, text, lines[path]) for path, text in known.items()},
        unread=dict(_unread(run, scope, answer)),
    )
    packaged = _packaged(texts.keys() - known.keys(), scope)
    return output.replace(
        checks=[check for check in output.checks if check.rule != DEFAULT_NAMESPACE],
        coverage=[*output.coverage, *packaged],
    )


def _template(path: str, text: str, lines: list[str]) -> _Template:
    rendered = text.splitlines()
    return _Template(path, rendered, Origin(template=lines, rendered=rendered))


def _unread(
    run: EngineRun, scope: ShardScope, answer: dict[str, Any]
) -> Iterator[tuple[str, FileCoverage]]:
    chart = next(path for path in scope.paths if path.endswith(("Chart.yaml", "Chart.yml")))
    missed = set(answer["errors"])
    failed = one_line(str(answer.get("failed", "")))
    for item in run.classified:
        path = item.file.path
        is_used = path == chart or is_template(path, scope.root) or _is_values(path, scope)
        if path not in scope.paths or not is_used:
            continue
        if answer.get("lacking"):
            yield path, gap(scope.key, path, CoverageStatus.NOT_ASSESSED, _LACKING)
        elif failed and path == chart:
            reason = f"Helm could not render the chart: {failed}"
            yield path, gap(scope.key, path, CoverageStatus.FAILED, reason)
        elif failed and (item.kind is FileKind.KUBERNETES or _is_values(path, scope)):
            reason = f"Its chart could not be rendered; see {chart}."
            yield path, gap(scope.key, path, CoverageStatus.NOT_ASSESSED, reason)
        elif path in missed:
            reason = "Checkov could not read what Helm rendered from it."
            yield path, gap(scope.key, path, CoverageStatus.PARTLY_READ, reason)


def _is_values(path: str, scope: ShardScope) -> bool:
    return path == scope.values or path.endswith("values.yaml")


def _packaged(places: set[str], scope: ShardScope) -> Iterator[FileCoverage]:
    """Manifests of dependencies that are archives: no uploaded file contains their templates."""
    if places:
        chart = next(path for path in scope.paths if path.endswith(("Chart.yaml", "Chart.yml")))
        reason = (
            f"{len(places)} manifests from packaged dependencies are not assessed. Unpack the"
            " archives in charts/."
        )
        yield gap(scope.key, chart, CoverageStatus.PARTLY_READ, reason)

"""A chart as Helm renders it: Checkov's results on the manifests, and the manifests as resources,
with the lines of their templates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from assessments.scan.documents import DocumentError, read_yaml
from assessments.scan.engines.checkov_records import OUTCOMES, as_own, checkov_check, own_rules_of
from assessments.scan.engines.kubernetes_validate import problem_check
from assessments.scan.engines.one_run import (
    MAX_CHECKS,
    EngineRun,
    code_lines,
    lines_of,
    one_line,
)
from assessments.scan.focus import window
from assessments.scan.readers import kubernetes_resources
from assessments.scan.redact import MASK
from assessments.scan.rendered import Origin
from assessments.scan.scope_kinds.helm import is_template
from assessments.scan.types import (
    CheckResult,
    CoverageStatus,
    FileCoverage,
    FileKind,
    Outcome,
    Resource,
    ShardOutput,
)

if TYPE_CHECKING:
    from assessments.scan.shards import ShardScope

_INSTEAD = "Upload the output of 'helm template' instead."
_LACKING = (
    "Helm is not installed here, so the chart is not rendered and what it makes is not assessed."
    f" {_INSTEAD}"
)


@dataclass(frozen=True)
class _Template:
    lines: list[str]
    rendered: list[str]
    origin: Origin


def helm_output(run: EngineRun, answer: dict[str, Any], scope: ShardScope) -> ShardOutput:
    """The scanner's output for one chart with one values file. Lines are those of the template
    from which a manifest was rendered, or the range within it that produced them."""
    texts = {str(path): str(text) for path, text in answer["rendered"].items()}
    known = {path: text for path, text in texts.items() if path in scope.paths}
    templates = _templates(run, known)
    records = [each for each in answer["records"] if each["file"] in known]
    unread = dict(_unread(run, scope, answer))
    resources = list(_resources(known, templates, scope.key, unread))
    own = {each.rule: each for each in own_rules_of(run, answer)}
    return ShardOutput(
        engine="checkov",
        engine_version=str(answer["version"]),
        checks=[
            *(
                as_own(_check(record, templates[record["file"]], scope.key), own)
                for record in records[:MAX_CHECKS]
                if record["outcome"] in OUTCOMES
            ),
            *(
                _placed_check(
                    problem_check(each, []), templates[each["file"]], scope.key, focus=each["focus"]
                )
                for each in answer.get("problems", ())
                if each["file"] in templates
            ),
        ],
        own_rules=list(own.values()),
        resources=resources,
        coverage=[*unread.values(), *_packaged(texts.keys() - known.keys(), scope)],
    )


def _templates(run: EngineRun, texts: Mapping[str, str]) -> dict[str, _Template]:
    lines = lines_of(run, texts)
    return {
        path: _Template(
            lines[path],
            text.splitlines(),
            Origin(template=lines[path], rendered=text.splitlines()),
        )
        for path, text in texts.items()
    }


def _check(record: dict[str, Any], template: _Template, scope: str) -> CheckResult:
    check = checkov_check(record, "kubernetes", template.rendered)
    return _placed_check(check, template, scope, focus=check.focus)


def _placed_check(
    check: CheckResult, template: _Template, scope: str, *, focus: int | None
) -> CheckResult:
    start, end = template.origin.span(check.line_start, check.line_end)
    told = check.replace(scope=scope, line_start=start, line_end=end)
    if check.outcome is not Outcome.FAILED:
        return told
    line = template.origin.line(focus) if focus else None
    shown = window(code_lines(template.lines, start, end), line or start)
    return told.replace(focus=line, evidence=shown)


def _resources(
    texts: Mapping[str, str],
    templates: Mapping[str, _Template],
    scope: str,
    unread: dict[str, FileCoverage],
) -> Iterator[Resource]:
    for path, text in texts.items():
        try:
            documents = read_yaml(text)
        except DocumentError as error:
            reason = f"What Helm makes of it can't be read: {error.message}"
            unread[path] = _gap(scope, path, CoverageStatus.FAILED, reason)
            continue
        for document in documents:
            if isinstance(document.value, dict):
                for each in kubernetes_resources(document, path):
                    yield _placed(each, templates[path]).replace(scope=scope)


def _placed(resource: Resource, template: _Template) -> Resource:
    start, end = template.origin.span(resource.line_start, resource.line_end)
    attributes = resource.attributes
    if resource.type == "Secret":
        # Values may have been transformed on the way here, so none is treated as known.
        attributes = {
            key: {name: MASK for name in value}
            if key in {"data", "stringData"} and isinstance(value, dict)
            else value
            for key, value in attributes.items()
        }
    return resource.replace(line_start=start, line_end=end, attributes=attributes)


def _unread(
    run: EngineRun, scope: ShardScope, answer: dict[str, Any]
) -> Iterator[tuple[str, FileCoverage]]:
    chart = next(path for path in scope.paths if path.endswith(("Chart.yaml", "Chart.yml")))
    missed = set(answer["errors"])
    failed = one_line(str(answer.get("failed", "")))
    for item in run.classified:
        path = item.file.path
        if path not in scope.paths or not (path == chart or is_template(path, scope.root)):
            continue
        if answer.get("lacking"):
            yield path, _gap(scope.key, path, CoverageStatus.NOT_ASSESSED, _LACKING)
        elif failed and path == chart:
            reason = f"Helm could not render the chart: {failed}"
            yield path, _gap(scope.key, path, CoverageStatus.FAILED, reason)
        elif failed and item.kind is FileKind.KUBERNETES:
            reason = f"Its chart could not be rendered; see {chart}."
            yield path, _gap(scope.key, path, CoverageStatus.NOT_ASSESSED, reason)
        elif path in missed:
            reason = "Checkov could not read what Helm makes of it."
            yield path, _gap(scope.key, path, CoverageStatus.PARTLY_READ, reason)


def _packaged(places: set[str], scope: ShardScope) -> Iterator[FileCoverage]:
    """Manifests of dependencies that are archives: no uploaded file contains their templates."""
    if places:
        chart = next(path for path in scope.paths if path.endswith(("Chart.yaml", "Chart.yml")))
        reason = (
            f"{len(places)} manifests that packaged dependencies make are not assessed. Unpack the"
            " archives in charts/."
        )
        yield _gap(scope.key, chart, CoverageStatus.PARTLY_READ, reason)


def _gap(scope: str, path: str, status: CoverageStatus, reason: str) -> FileCoverage:
    return FileCoverage(
        scope=scope, path=path, kind=FileKind.KUBERNETES, status=status, reason=reason
    )

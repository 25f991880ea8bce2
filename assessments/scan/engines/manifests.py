"""What Helm or Kustomize has rendered: Checkov's results on it and its objects as resources, placed
in the uploaded files that they come from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from assessments.scan.documents import DocumentError, read_yaml
from assessments.scan.engines.checkov_records import OUTCOMES, as_own, checkov_check, own_rules_of
from assessments.scan.engines.kubernetes_validate import problem_check
from assessments.scan.engines.one_run import MAX_CHECKS, EngineRun, code_lines, lines_of
from assessments.scan.focus import window
from assessments.scan.readers import kubernetes_resources
from assessments.scan.redact import MASK
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


@dataclass(frozen=True)
class Place:
    """Lines of an uploaded file, 1-based and inclusive; ``focus`` is the one that decided, if it
    is known."""

    file: str
    start: int
    end: int
    focus: int | None = None


class Origin(Protocol):
    """Where the lines of one rendered text come from."""

    @property
    def rendered(self) -> list[str]: ...

    def place(self, start: int, end: int, focus: int | None) -> Place: ...


def manifest_output(
    run: EngineRun,
    answer: dict[str, Any],
    scope: ShardScope,
    *,
    texts: Mapping[str, str],
    origins: Mapping[str, Origin],
    unread: Mapping[str, FileCoverage],
) -> ShardOutput:
    """The scanner's output for one chart or overlay. ``texts`` and ``origins`` are by the name that
    the scanner gave a rendered text; ``unread`` are the gaps known so far, by path."""
    lines = lines_of(run)
    own = {each.rule: each for each in own_rules_of(run, answer)}
    records = [each for each in answer["records"] if each["file"] in texts]
    gaps = dict(unread)
    resources = list(_resources(texts, origins, scope.key, gaps))
    found = [
        *(
            (as_own(_check(record, origins), own), record["file"])
            for record in records[:MAX_CHECKS]
            if record["outcome"] in OUTCOMES
        ),
        *(
            (problem_check(each, []).replace(focus=each["focus"]), each["file"])
            for each in answer.get("problems", ())
            if each["file"] in texts
        ),
    ]
    return ShardOutput(
        engine="checkov",
        engine_version=str(answer["version"]),
        checks=[_placed_check(check, origins[name], lines, scope.key) for check, name in found],
        own_rules=list(own.values()),
        resources=resources,
        coverage=list(gaps.values()),
    )


def gap(scope: str, path: str, status: CoverageStatus, reason: str) -> FileCoverage:
    return FileCoverage(
        scope=scope, path=path, kind=FileKind.KUBERNETES, status=status, reason=reason
    )


def _check(record: dict[str, Any], origins: Mapping[str, Origin]) -> CheckResult:
    return checkov_check(record, "kubernetes", origins[record["file"]].rendered)


def _placed_check(
    check: CheckResult, origin: Origin, lines: Mapping[str, list[str]], scope: str
) -> CheckResult:
    place = origin.place(check.line_start, check.line_end, check.focus)
    told = check.replace(
        scope=scope, file=place.file, line_start=place.start, line_end=place.end, focus=None
    )
    if check.outcome is not Outcome.FAILED:
        return told
    code = code_lines(lines[place.file], place.start, place.end)
    return told.replace(focus=place.focus, evidence=window(code, place.focus or place.start))


def _resources(
    texts: Mapping[str, str],
    origins: Mapping[str, Origin],
    scope: str,
    unread: dict[str, FileCoverage],
) -> Iterator[Resource]:
    for name, text in texts.items():
        try:
            documents = read_yaml(text)
        except DocumentError as error:
            reason = f"What is rendered from it can't be read: {error.message}"
            path = origins[name].place(1, 1, None).file
            unread[path] = gap(scope, path, CoverageStatus.FAILED, reason)
            continue
        for document in documents:
            if isinstance(document.value, dict):
                for each in kubernetes_resources(document, name):
                    yield _placed(each, origins[name]).replace(scope=scope)


def _placed(resource: Resource, origin: Origin) -> Resource:
    place = origin.place(resource.line_start, resource.line_end, None)
    attributes = resource.attributes
    if resource.type == "Secret":
        # Values may have been transformed on the way here, so none is treated as known.
        attributes = {
            key: {name: MASK for name in value}
            if key in {"data", "stringData"} and isinstance(value, dict)
            else value
            for key, value in attributes.items()
        }
    return resource.replace(
        file=place.file, line_start=place.start, line_end=place.end, attributes=attributes
    )

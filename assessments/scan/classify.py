"""What each uploaded file is, by name and content, and what keeps it from being read."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from assessments.scan.documents import Document, DocumentError, read_json, read_yaml, text_of
from assessments.scan.terraform_text import (
    MAX_REFERENCES,
    escapes,
    file_references,
    large_counts,
    module_sources,
)
from assessments.scan.types import CoverageStatus, FileCoverage, FileKind

if TYPE_CHECKING:
    from assessments.scan.intake import InputFile

_COMPOSE_NAME = re.compile(r"^(?:docker-)?compose(?:[.-][\w.-]+)?\.ya?ml$", re.IGNORECASE)
_DOCKERFILE_NAME = re.compile(
    r"^(?:(?:Dockerfile|Containerfile)(?:\.[\w.-]+)?|[\w.-]+\.Dockerfile)$", re.IGNORECASE
)
_WORKFLOW_PATH = re.compile(r"(?:^|/)\.github/workflows/[^/]+\.ya?ml$")
_HCL_BLOCK = re.compile(r"^[ \t]*(?:resource|data|module|provider)\b", re.MULTILINE)
MAX_LINE_BYTES = 1_000_000
"""Longest line that is scanned, but for JSON on one line: engines' patterns are quadratic in it."""


@dataclass(frozen=True)
class Classified:
    """One file with its kind. ``gap`` says why it is not, or not wholly, read; ``units`` counts its
    declared things (blocks, objects, services), at least 1; ``scannable`` is false when no engine
    may see it."""

    file: InputFile
    kind: FileKind
    gap: FileCoverage | None = None
    units: int = 1
    scannable: bool = True
    documents: list[Document] = field(default_factory=list, compare=False)

    def coverage(self) -> FileCoverage:
        return self.gap or FileCoverage(
            path=self.file.path, kind=self.kind, status=CoverageStatus.READ
        )


def classify(file: InputFile, *, isolated: bool = True) -> Classified:
    """Tell what ``file`` is. ``isolated``: whether engines will be shut in with nothing but the
    upload; if not, source whose paths can't be told beforehand is held back too."""
    kind = _kind_by_name(file.path)
    try:
        text = text_of(file.content)
        _refuse_long_line(file, text)
        return _by_content(file, text, kind=kind, isolated=isolated)
    except DocumentError as error:
        if kind is FileKind.UNKNOWN and not file.path.endswith(
            (".yaml", ".yml", ".json", ".template")
        ):
            return _unknown(file)
        return _failed(file, _guess(file, kind), error.message, line=error.line)


def _kind_by_name(path: str) -> FileKind:
    name = posixpath.basename(path)
    if name.endswith((".tf", ".tf.json")):
        return FileKind.TERRAFORM
    if name.endswith((".tfvars", ".tfvars.json")):
        return FileKind.TERRAFORM_VARS
    if _WORKFLOW_PATH.search(path):
        return FileKind.GITHUB_ACTIONS
    if _COMPOSE_NAME.match(name):
        return FileKind.COMPOSE
    if _DOCKERFILE_NAME.match(name) and not name.endswith(".dockerignore"):
        return FileKind.DOCKERFILE
    return FileKind.UNKNOWN


def _by_content(file: InputFile, text: str, *, kind: FileKind, isolated: bool) -> Classified:
    if kind is FileKind.TERRAFORM:
        return _terraform(file, text, isolated=isolated)
    if kind in {FileKind.TERRAFORM_VARS, FileKind.DOCKERFILE}:
        return Classified(file, kind, units=max(1, text.count("\n") // 5))
    if file.path.endswith((".json", ".template")) and text.lstrip()[:1] in {"{", "["}:
        return _json(file, text)
    if file.path.endswith((".yaml", ".yml", ".template")):
        return _yaml(file, text, kind=kind)
    return _unknown(file)


def _terraform(file: InputFile, text: str, *, isolated: bool) -> Classified:
    if file.path.endswith(".json"):
        read_json(text)
    references = [*file_references(text, path=file.path), *module_sources(text, path=file.path)]
    if len(references) >= MAX_REFERENCES:
        return _failed(
            file, FileKind.TERRAFORM, "It refers to too many other files to follow them.", line=None
        )
    for reference in references:
        if escapes(reference):
            reason = (
                f"It reads {reference.text}, which lies outside the upload. The file was left out."
            )
            return _failed(file, FileKind.TERRAFORM, reason, line=reference.line)
    if not isolated:
        for reference in file_references(text, path=file.path):
            if reference.path is None:
                reason = (
                    f"It reads {reference.text}, a path that can't be told beforehand. The file was"
                    " left out."
                )
                return _failed(file, FileKind.TERRAFORM, reason, line=reference.line)
    units = max(1, len(_HCL_BLOCK.findall(text)))
    return Classified(file, FileKind.TERRAFORM, gap=_terraform_gap(file, text), units=units)


def _terraform_gap(file: InputFile, text: str) -> FileCoverage | None:
    for reference in module_sources(text, path=file.path):
        if reference.path is None:
            return _partly(
                file,
                f"The module {reference.text} is not in the upload, so what it makes is not"
                " assessed. Add it as a local module, or upload a plan as JSON.",
                reference.line,
            )
    for line, count in large_counts(text):
        return _partly(
            file,
            f"count = {count:,} is taken as 100; upload a plan as JSON for exact counts.",
            line,
        )
    return None


def _json(file: InputFile, text: str) -> Classified:
    value = read_json(text)
    if not isinstance(value, dict):
        return _unknown(file)
    if "format_version" in value and ("planned_values" in value or "resource_changes" in value):
        changes = value.get("resource_changes")
        return Classified(
            file,
            FileKind.TERRAFORM_PLAN,
            units=max(1, len(changes) if isinstance(changes, list) else 1),
            documents=[
                Document(value=value, line_start=1, line_end=text.count("\n") + 1, lines={})
            ],
        )
    # JSON is YAML, but for tabs; reading it again as YAML gives the lines.
    if _is_cloudformation(value) or _is_kubernetes(value):
        return _yaml(file, text.replace("\t", "  "), kind=FileKind.UNKNOWN)
    return _unknown(file)


def _yaml(file: InputFile, text: str, *, kind: FileKind) -> Classified:
    if (
        "{{" in text
        and ("/templates/" in f"/{file.path}" or "{{-" in text)
        and kind is not FileKind.GITHUB_ACTIONS
    ):
        reason = "This is a Helm template. Upload the output of 'helm template' instead."
        return Classified(file, FileKind.UNKNOWN, gap=_not_assessed(file, reason), scannable=False)
    documents = [document for document in read_yaml(text) if isinstance(document.value, dict)]
    values = [document.value for document in documents]
    if kind is FileKind.UNKNOWN:
        kind = _kind_of_documents(values)
    if kind is FileKind.UNKNOWN:
        return _unknown(file, values)
    if kind is FileKind.COMPOSE and not any(
        isinstance(value.get("services"), dict) for value in values
    ):
        return _failed(
            file, kind, "It has no 'services' mapping, so it is not a Compose file.", line=1
        )
    return Classified(file, kind, units=_units(kind, values), documents=documents)


def _kind_of_documents(values: list[dict[str, Any]]) -> FileKind:
    if any(_is_cloudformation(value) for value in values):
        return FileKind.CLOUDFORMATION
    if any(_is_kubernetes(value) for value in values):
        return FileKind.KUBERNETES
    if any(_is_compose(value) for value in values):
        return FileKind.COMPOSE
    return FileKind.UNKNOWN


def _is_cloudformation(value: dict[str, Any]) -> bool:
    resources = value.get("Resources")
    if not isinstance(resources, dict):
        return False
    types = [item.get("Type") for item in resources.values() if isinstance(item, dict)]
    return "AWSTemplateFormatVersion" in value or any(
        isinstance(kind, str) and kind.startswith(("AWS::", "Custom::", "Alexa::"))
        for kind in types
    )


def _is_kubernetes(value: dict[str, Any]) -> bool:
    kind, version = value.get("kind"), value.get("apiVersion")
    # Kustomize, Helm and client configuration files have both fields too, and declare nothing.
    return (
        isinstance(kind, str)
        and isinstance(version, str)
        and kind not in {"Kustomization", "Component", "Config"}
        and not version.startswith(("kustomize.config.k8s.io", "audit.k8s.io", "kubelet.config"))
    )


def _is_compose(value: dict[str, Any]) -> bool:
    services = value.get("services")
    return isinstance(services, dict) and any(
        isinstance(item, dict) and ("image" in item or "build" in item)
        for item in services.values()
    )


def _units(kind: FileKind, values: list[dict[str, Any]]) -> int:
    key = {
        FileKind.CLOUDFORMATION: "Resources",
        FileKind.COMPOSE: "services",
        FileKind.GITHUB_ACTIONS: "jobs",
    }.get(kind)
    if key is None:
        items = [value.get("items") for value in values]
        return max(1, sum(len(item) if isinstance(item, list) else 1 for item in items))
    return max(1, sum(len(block) for value in values if isinstance(block := value.get(key), dict)))


def _refuse_long_line(file: InputFile, text: str) -> None:
    if text[:1] in {"{", "["}:
        return
    for number, line in enumerate(text.split("\n"), start=1):
        if len(line) > MAX_LINE_BYTES:
            raise DocumentError(
                f"This line has {len(line):,} characters; no more than {MAX_LINE_BYTES:,} are"
                " read.",
                number,
            )


def _guess(file: InputFile, kind: FileKind) -> FileKind:
    """What a broken file was meant to be."""
    if kind is not FileKind.UNKNOWN:
        return kind
    head = file.content[:20_000]
    if re.search(rb"^apiVersion:", head, re.MULTILINE) and re.search(
        rb"^kind:", head, re.MULTILINE
    ):
        return FileKind.KUBERNETES
    return FileKind.CLOUDFORMATION if b"AWSTemplateFormatVersion" in head else FileKind.UNKNOWN


def _unknown(file: InputFile, values: list[dict[str, Any]] | None = None) -> Classified:
    reason = "Not a kind of file that Infra Mind assesses."
    if any(value.get("kind") == "Kustomization" for value in values or []):
        reason = (
            "Kustomize overlays are not rendered. Upload the output of 'kubectl kustomize' instead."
        )
    return Classified(file, FileKind.UNKNOWN, gap=_not_assessed(file, reason), scannable=False)


def _not_assessed(file: InputFile, reason: str) -> FileCoverage:
    return FileCoverage(
        path=file.path, kind=FileKind.UNKNOWN, status=CoverageStatus.NOT_ASSESSED, reason=reason
    )


def _partly(file: InputFile, reason: str, line: int) -> FileCoverage:
    return FileCoverage(
        path=file.path,
        kind=FileKind.TERRAFORM,
        status=CoverageStatus.PARTLY_READ,
        reason=reason,
        line=line,
    )


def _failed(file: InputFile, kind: FileKind, reason: str, *, line: int | None) -> Classified:
    gap = FileCoverage(
        path=file.path, kind=kind, status=CoverageStatus.FAILED, reason=reason, line=line
    )
    return Classified(file, kind, gap=gap, scannable=False)

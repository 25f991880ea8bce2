"""Classifies each uploaded file by name and content, and records what keeps it from being read."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from assessments.scan.azure import (
    BICEP,
    arm_units,
    bicep_modules,
    bicep_units,
    is_arm,
    is_arm_parameters,
)
from assessments.scan.characters import REASON, may_escape, replaced
from assessments.scan.dockerfiles import MAX_LINES, is_cut
from assessments.scan.documents import Document, DocumentError, read_json, read_yaml, text_of
from assessments.scan.hcl import (
    Block,
    Expression,
    HclFile,
    Literal,
    Reference,
    Template,
    calls,
    read_hcl,
)
from assessments.scan.installed import is_manifest
from assessments.scan.pipelines import (
    has_named_items,
    has_tasks,
    kind_by_content,
    kind_by_name,
    steps_in,
)
from assessments.scan.secrets.texts import is_searched
from assessments.scan.terraform import outline
from assessments.scan.terragrunt import NAME as TERRAGRUNT
from assessments.scan.terragrunt import read_terragrunt
from assessments.scan.tofu import TOFU
from assessments.scan.types import SEARCHED, UNSUPPORTED, CoverageStatus, FileCoverage, FileKind
from assessments.scan.unsupported import instead_of

if TYPE_CHECKING:
    from assessments.scan.intake import InputFile

_COMPOSE_NAME = re.compile(r"^(?:docker-)?compose(?:[.-][\w.-]+)?\.ya?ml$", re.IGNORECASE)
_DOCKERFILE_NAME = re.compile(
    r"^(?:(?:Dockerfile|Containerfile)(?:\.[\w.-]+)?|[\w.-]+\.Dockerfile)$", re.IGNORECASE
)
_WORKFLOW_PATH = re.compile(r"(?:^|/)\.github/workflows/[^/]+\.ya?ml$")
_FILE_FUNCTIONS = {
    "file",
    "filebase64",
    "templatefile",
    "fileset",
    "fileexists",
    "filemd5",
    "filesha1",
    "filesha256",
    "filesha512",
    "filebase64sha256",
    "filebase64sha512",
}
_PARAMETERS_NAME = re.compile(r"(?:^|[.-])param(?:eter)?s?\.json$", re.IGNORECASE)
KUSTOMIZATION_NAMES = {"kustomization.yaml", "kustomization.yml", "Kustomization"}
MAX_LINE_BYTES = 1_000_000
"""Longest line that is scanned, except single-line JSON: engines' patterns are quadratic in it."""


class Role(StrEnum):
    """What a file is for, if its kind alone does not say. Engines see MAIN files only."""

    MAIN = "main"
    KUSTOMIZATION = "kustomization"
    CHART = "chart"
    PARAMETERS = "parameters"
    INSTALLED = "installed"
    ACTION = "action"


@dataclass(frozen=True)
class Classified:
    """One file with its kind and role.

    ``gap`` says why it is not read, or not in full; ``units`` counts its declared things (blocks,
    objects, services), at least 1; ``scannable`` is false when no engine of its kind can read it.
    ``hcl`` is the outline of a Terraform or variables file, ``documents`` are those of a YAML or
    JSON file.
    """

    file: InputFile
    kind: FileKind
    gap: FileCoverage | None = None
    units: int = 1
    scannable: bool = True
    documents: list[Document] = field(default_factory=list, compare=False)
    role: Role = Role.MAIN
    hcl: Block | None = field(default=None, compare=False)

    def coverage(self) -> FileCoverage:
        return self.gap or FileCoverage(
            path=self.file.path, kind=self.kind, status=CoverageStatus.READ
        )

    @property
    def folder(self) -> str:
        return posixpath.dirname(self.file.path)


_ARM_SCHEMA = re.compile(
    r'"\$schema"\s*:\s*"[^"]{0,200}deployment(?:Template|Parameters)\.json', re.IGNORECASE
)
_ENGINE_SETTINGS = re.compile(
    r"\.(checkov|hadolint|cfnlintrc|compose-lint)(\.ya?ml)?$|zizmor\.ya?ml$|setup\.cfg$",
    re.IGNORECASE,
)
"""Names under which our engines look for their settings. No engine is given such a file, even if it
is also a template or a Compose file, except for a workflow: zizmor is run without settings."""


CLIENT_OPTIONS = ".infra-mind.toml"
"""The client also sends an empty one, so that the folder it was called for keeps its name."""


def classify(file: InputFile) -> Classified:
    """Determine what ``file`` is."""
    is_workflow = _WORKFLOW_PATH.search(file.path) is not None
    if _ENGINE_SETTINGS.match(posixpath.basename(file.path)) and not is_workflow:
        reason = f"Settings of a linter. They are not followed, {SEARCHED}."
        return Classified(file, FileKind.UNKNOWN, gap=_not_assessed(file, reason), scannable=False)
    if posixpath.basename(file.path) == CLIENT_OPTIONS:
        reason = f"Options of the infra-mind command line, {SEARCHED}."
        return Classified(file, FileKind.UNKNOWN, gap=_not_assessed(file, reason), scannable=False)
    if is_manifest(file.path):
        return Classified(file, FileKind.TERRAFORM, role=Role.INSTALLED)
    kind = _kind_by_name(file.path)
    try:
        text = text_of(file.content)
        _refuse_long_line(file, text)
        item = _by_content(file, text, kind=kind)
        return _with_storable_documents(item) if may_escape(text) else item
    except DocumentError as error:
        return _unread(file, kind, error)


def _with_storable_documents(item: Classified) -> Classified:
    documents = [replace(each, value=replaced(each.value)) for each in item.documents]
    if documents == item.documents:
        return item
    gap = FileCoverage(
        path=item.file.path, kind=item.kind, status=CoverageStatus.PARTLY_READ, reason=REASON
    )
    return replace(item, documents=documents, gap=item.gap or gap)


def _unread(file: InputFile, kind: FileKind, error: DocumentError) -> Classified:
    is_code = file.path.endswith((".yaml", ".yml", ".json", ".template"))
    if kind is FileKind.UNKNOWN and (not is_code or instead_of(file.path)):
        return _unknown(file)
    guess = _guess(file, kind)
    if guess is FileKind.UNKNOWN and file.path.endswith((".json", ".template")):
        return _unknown(file)
    return _failed(file, guess, error.message, line=error.line)


def _kind_by_name(path: str) -> FileKind:
    name = posixpath.basename(path)
    if name.endswith((".tf", ".tf.json", *TOFU)):
        return FileKind.TERRAFORM
    if name.endswith((".tfvars", ".tfvars.json")) or name == TERRAGRUNT:
        return FileKind.TERRAFORM_VARS
    if _WORKFLOW_PATH.search(path):
        return FileKind.GITHUB_ACTIONS
    if name.endswith(BICEP):
        return FileKind.BICEP
    if _COMPOSE_NAME.match(name):
        return FileKind.COMPOSE
    if _DOCKERFILE_NAME.match(name) and not name.endswith(".dockerignore"):
        return FileKind.DOCKERFILE
    return kind_by_name(path)


def _by_content(file: InputFile, text: str, *, kind: FileKind) -> Classified:
    if kind in {FileKind.TERRAFORM, FileKind.TERRAFORM_VARS}:
        return _terraform(file, text, kind)
    if kind is FileKind.UNKNOWN and instead_of(file.path):
        return _unknown(file)
    if kind is FileKind.DOCKERFILE:
        return _dockerfile(file, text)
    if kind is FileKind.BICEP:
        return _bicep(file, text)
    if file.path.endswith((".json", ".template")) and _is_json(text):
        return _json(file, text)
    if posixpath.basename(file.path) in KUSTOMIZATION_NAMES:
        return _kustomization(file, text)
    if file.path.endswith((".yaml", ".yml", ".template")):
        return _yaml(file, text, kind=kind)
    return _unknown(file)


def _is_json(text: str) -> bool:
    return text.lstrip()[:1] in {"{", "["} or _ARM_SCHEMA.search(text[:20_000]) is not None


def _dockerfile(file: InputFile, text: str) -> Classified:
    kind = FileKind.DOCKERFILE
    units = max(1, min(text.count("\n"), MAX_LINES) // 5)
    if not is_cut(file):
        return Classified(file, kind, units=units)
    reason = f"Only its first {MAX_LINES:,} lines were checked."
    gap = _partly(file, reason, MAX_LINES + 1).replace(kind=kind)
    return Classified(file, kind, gap=gap, units=units)


def _bicep(file: InputFile, text: str) -> Classified:
    kind = FileKind.BICEP
    if file.path.endswith(".bicepparam"):
        return Classified(file, kind, role=Role.PARAMETERS)
    outside = next((each for each in bicep_modules(text) if not each.is_local), None)
    reason = "Its module {} is not in the upload and was not assessed."
    gap = outside and _partly(file, reason.format(outside.source[:200]), outside.line)
    return Classified(
        file, kind, gap=gap.replace(kind=kind) if gap else None, units=bicep_units(text)
    )


def _terraform(file: InputFile, text: str, kind: FileKind) -> Classified:
    if posixpath.basename(file.path) == TERRAGRUNT:
        return _terragrunt(file, text)
    read = read_hcl(text, path=file.path)
    if kind is FileKind.TERRAFORM_VARS:
        units = max(1, len(read.body.attributes))
        gap = _syntax_gap(file, kind, read)
        return Classified(file, kind, gap=gap, units=units, hcl=outline(read.body))
    declared = [block for block in read.body.blocks if block.type in {"resource", "data", "module"}]
    return Classified(
        file,
        kind,
        gap=_syntax_gap(file, kind, read) or _terraform_gap(file, read.body),
        units=max(1, len(declared)),
        hcl=outline(read.body),
    )


def _terragrunt(file: InputFile, text: str) -> Classified:
    told = read_terragrunt(text, path=file.path)
    kind = FileKind.TERRAFORM_VARS
    gap = None
    if not told.source:
        reason = "Terragrunt is not run, so what this file shares with other files is unknown."
        gap = _not_assessed(file, reason).replace(kind=kind)
    units = max(1, len(told.inputs))
    return Classified(file, kind, gap=gap, units=units, role=Role.PARAMETERS, hcl=told.body())


def _syntax_gap(file: InputFile, kind: FileKind, read: HclFile) -> FileCoverage | None:
    """A file that is not HCL is still shown to the engines: they report the same error, or read
    what they can."""
    if read.error is None:
        return None
    return FileCoverage(
        path=file.path,
        kind=kind,
        status=CoverageStatus.FAILED,
        reason=read.error.message,
        line=read.error.line,
    )


def _terraform_gap(file: InputFile, body: Block) -> FileCoverage | None:
    for call, line in calls(body):
        outside = _outside(call.arguments[0], file) if call.arguments else None
        if call.name in _FILE_FUNCTIONS and outside is not None:
            return _partly(file, f"It reads {outside[:80]}, which is outside the upload.", line)
    return None


def _outside(argument: Expression, file: InputFile) -> str | None:
    """The path passed to ``file()``, if it plainly leads out of the upload."""
    parts = argument.parts if isinstance(argument, Template) else (argument,)
    texts = [_path_part(part) for part in parts]
    path = "".join(text for text in texts if text is not None)
    if None in texts or not path:
        return None
    place = posixpath.normpath(posixpath.join(posixpath.dirname(file.path), path))
    return path if path.startswith(("/", "~")) or place.split("/")[0] == ".." else None


def _path_part(part: Expression) -> str | None:
    if isinstance(part, Literal):
        return str(part.value)
    return "." if isinstance(part, Reference) and part.parts == ("path", "module") else None


def _kustomization(file: InputFile, text: str) -> Classified:
    documents = [document for document in read_yaml(text) if isinstance(document.value, dict)]
    return Classified(file, FileKind.KUBERNETES, documents=documents, role=Role.KUSTOMIZATION)


def _json(file: InputFile, text: str) -> Classified:
    value = _json_value(text)
    if _PARAMETERS_NAME.search(posixpath.basename(file.path)) and _are_parameters(value):
        return Classified(
            file,
            FileKind.CLOUDFORMATION,
            documents=[Document(value=value, line_start=1, line_end=1, lines={})],
            role=Role.PARAMETERS,
        )
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
    if is_arm_parameters(value) or is_arm(value):
        return _arm(file, value, lines=text.count("\n") + 1)
    # JSON is YAML, except for tabs; parsing it again as YAML gives the lines.
    if _is_cloudformation(value) or _is_kubernetes(value):
        return _yaml(file, text.replace("\t", "  "), kind=FileKind.UNKNOWN)
    return _unknown(file)


_COMMENT = re.compile(r'"(?:\\.|[^"\\\n])*+"|//[^\n]*|/\*.*?\*/', re.DOTALL)


def _json_value(text: str) -> Any:
    """Azure's own files may have comments, since its tools accept them."""
    try:
        return read_json(text)
    except DocumentError:
        if not _ARM_SCHEMA.search(text[:20_000]):
            raise
        bare = _COMMENT.sub(lambda found: found[0] if found[0][0] == '"' else "", text)
        return read_json(bare)


def _arm(file: InputFile, value: dict[str, Any], *, lines: int) -> Classified:
    is_template = is_arm(value) and not is_arm_parameters(value)
    item = Classified(
        file,
        FileKind.ARM,
        units=arm_units(value),
        documents=[Document(value=value, line_start=1, line_end=lines, lines={})],
        role=Role.MAIN if is_template else Role.PARAMETERS,
    )
    if not isinstance(value.get("resources"), dict):
        return item
    reason = (
        "Its resources have symbolic names (languageVersion 2.0), which Checkov does not read."
        " Upload the Bicep files that it is built from."
    )
    return replace(item, gap=_not_assessed(file, reason).replace(kind=item.kind), scannable=False)


_TEMPLATE_MARK = re.compile(r"(?<!\$)\{\{")
"""Not ``${{``, which is an expression of GitHub Actions and of Azure Pipelines."""


def _yaml(file: InputFile, text: str, *, kind: FileKind) -> Classified:
    if (
        kind not in PIPELINES
        and _TEMPLATE_MARK.search(text)
        and ("/templates/" in f"/{file.path}" or "{{-" in text)
    ):
        return _templated(file, text)
    if posixpath.basename(file.path) in {"Chart.yaml", "Chart.yml"}:
        read = [each for each in read_yaml(text) if isinstance(each.value, dict)]
        return Classified(file, FileKind.KUBERNETES, role=Role.CHART, documents=read)
    every = [document for document in read_yaml(text) if isinstance(document.value, dict | list)]
    documents = [document for document in every if isinstance(document.value, dict)]
    values = [document.value for document in documents]
    if kind is FileKind.UNKNOWN and _is_action(file, values):
        return Classified(file, FileKind.GITHUB_ACTIONS, documents=documents, role=Role.ACTION)
    if kind is FileKind.UNKNOWN:
        kind = _kind_of_documents(values)
    if kind is FileKind.UNKNOWN:
        kind = kind_by_content(file.path, [document.value for document in every])
    if kind is FileKind.UNKNOWN:
        return _unknown(file)
    if kind in PIPELINES and kind is not FileKind.GITHUB_ACTIONS:
        return _steps(file, kind, every, text=text)
    if kind is FileKind.COMPOSE and not any(
        isinstance(value.get("services"), dict) for value in values
    ):
        if all(_COMPOSE_KEYS.fullmatch(str(key)) for value in every for key in _keys(value)):
            return Classified(file, kind, documents=documents, scannable=False)
        return _failed(
            file, kind, "It has no 'services' mapping, so it is not a Compose file.", line=1
        )
    gap = _made_elsewhere(file, values, documents) if kind is FileKind.KUBERNETES else None
    return Classified(file, kind, units=_units(kind, values), documents=documents, gap=gap)


_CROSSPLANE = re.compile(r"(?:^|\.)(?:crossplane|upbound)\.io/")


_COMPOSE_KEYS = re.compile(
    r"name|version|include|networks|volumes|configs|secrets|models|services|x-.*"
)
"""Elements of a Compose file, of which none is required: one may only include others."""


def _keys(document: Document) -> list[Any]:
    return list(document.value) if isinstance(document.value, dict) else [""]


def _made_elsewhere(
    file: InputFile, values: list[dict[str, Any]], documents: list[Document]
) -> FileCoverage | None:
    """Objects from which others are made that no file of the upload shows."""
    if all(_CROSSPLANE.search(str(value.get("apiVersion", ""))) for value in values):
        reason = (
            "Crossplane's resources are listed, and no rule checks what they make. Upload the same"
            " resources as Terraform, CloudFormation or Bicep."
        )
        return _not_assessed(file, reason).replace(kind=FileKind.KUBERNETES)
    release = next((each for each in documents if _installs_chart(each.value)), None)
    if release is None:
        return None
    reason = (
        f"The chart that its {release.value['kind']} installs is not in the upload, so what it"
        " creates is not assessed. Upload the output of 'helm template' with its values."
    )
    return _partly(file, reason, release.line_start).replace(kind=FileKind.KUBERNETES)


def _installs_chart(value: dict[str, Any]) -> bool:
    """Flux's HelmRelease, unless its chart is in a Git repository, which may be this one, and an
    Argo CD Application with a chart of a Helm repository."""
    spec = value.get("spec")
    spec = spec if isinstance(spec, dict) else {}
    group = str(value.get("apiVersion", "")).partition("/")[0]
    if group == "helm.toolkit.fluxcd.io" and value.get("kind") == "HelmRelease":
        return bool(_at(spec, "chart", "spec", "sourceRef", "kind") != "GitRepository")
    if group != "argoproj.io" or value.get("kind") != "Application":
        return False
    sources = spec.get("sources")
    listed = [spec.get("source"), *(sources if isinstance(sources, list) else ())]
    return any(isinstance(each, dict) and bool(each.get("chart")) for each in listed)


def _at(value: Any, *keys: str) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


PIPELINES = {
    FileKind.GITHUB_ACTIONS,
    FileKind.GITLAB_CI,
    FileKind.AZURE_PIPELINES,
    FileKind.CIRCLECI,
    FileKind.ANSIBLE,
}


def _steps(file: InputFile, kind: FileKind, documents: list[Document], *, text: str) -> Classified:
    values = [document.value for document in documents]
    item = Classified(file, kind, units=steps_in(values), documents=documents)
    if kind is not FileKind.ANSIBLE or has_named_items(text):
        return item
    reason = (
        "None of its tasks has a name, and Checkov reads only files in which a task has one."
        if has_tasks(values)
        else "It has no tasks of its own, so there is nothing to check in it."
    )
    return replace(item, gap=_not_assessed(file, reason).replace(kind=kind), scannable=False)


def _templated(file: InputFile, text: str) -> Classified:
    """YAML with template markers is Helm's if it declares an object, or has Helm's words in a
    folder of templates, unless it reads as steps: pipelines and playbooks have such markers,
    too."""
    try:
        documents = [each for each in read_yaml(text) if isinstance(each.value, dict | list)]
    except DocumentError:
        documents = []
    kind = kind_by_content(file.path, [document.value for document in documents])
    if kind is not FileKind.UNKNOWN:
        return _steps(file, kind, documents, text=text)
    is_placed = "/templates/" in f"/{file.path}"
    if (is_placed and _HELM_WORDS.search(text)) or _declares_object(text):
        return _helm_template(file)
    reason = (
        "It contains placeholders, {{ ... }}, of a template program that is not run. Upload that"
        f" program's output. It was {SEARCHED}."
    )
    return Classified(file, FileKind.UNKNOWN, gap=_not_assessed(file, reason), scannable=False)


_HELM_WORDS = re.compile(
    r"\{\{-?\s*(?:[.$/(]|(?:if|else|end|range|with|define|template|include|block|tpl|toYaml|lookup"
    r"|printf|default|fail|required)\b)"
)


def _declares_object(text: str) -> bool:
    return all(re.search(rf"^{name}:", text, re.MULTILINE) for name in ("apiVersion", "kind"))


def _helm_template(file: InputFile) -> Classified:
    """No engine reads one directly: its scope has it rendered, or reports it as a gap."""
    return Classified(file, FileKind.KUBERNETES, scannable=False, role=Role.CHART)


def _is_action(file: InputFile, values: list[dict[str, Any]]) -> bool:
    """An action's own description (docs.github.com, "Metadata syntax for GitHub Actions")."""
    is_named = posixpath.basename(file.path) in {"action.yml", "action.yaml"}
    runs = values[0].get("runs") if is_named and values else None
    return isinstance(runs, dict) and isinstance(runs.get("using"), str)


def _are_parameters(value: Any) -> bool:
    """CloudFormation's own list of pairs, or the ``Parameters`` mapping of its command line."""
    if isinstance(value, dict):
        return isinstance(value.get("Parameters"), dict | list)
    return isinstance(value, list) and all(
        isinstance(each, dict) and "ParameterKey" in each for each in value
    )


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
    # Kustomize, Helm and client configuration files also have both fields, but declare nothing.
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
    head = file.content[:20_000].decode(errors="replace")
    if _declares_object(head) or all(f'"{key}"' in head for key in ("apiVersion", "kind")):
        return FileKind.KUBERNETES
    if '"planned_values"' in head:
        return FileKind.TERRAFORM_PLAN
    if _ARM_SCHEMA.search(head):
        return FileKind.ARM
    return FileKind.CLOUDFORMATION if "AWSTemplateFormatVersion" in head else FileKind.UNKNOWN


def _unknown(file: InputFile) -> Classified:
    advice = instead_of(file.path) or UNSUPPORTED
    searched = f"It was {SEARCHED}." if is_searched(file) else _why_not_searched(file)
    reason = f"{advice} {searched}"
    return Classified(file, FileKind.UNKNOWN, gap=_not_assessed(file, reason), scannable=False)


def _why_not_searched(file: InputFile) -> str:
    return "It is not text." if file.content else "It is empty."


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

"""Cuts an upload into pieces that engines can process at the same time. The same upload gives the
same shards."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from assessments.scan.classify import Classified, Role, classify
from assessments.scan.scopes import units_of
from assessments.scan.secrets.texts import is_searched
from assessments.scan.types import FileKind, Message, ScopeKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from assessments.scan.intake import InputFile
    from assessments.scan.scope_kinds.unit import Unit

MS_PER_UNIT = {
    "checkov/terraform": 6,
    "checkov/terraform_plan": 6,
    "checkov/cloudformation": 6,
    "checkov/kubernetes": 20,
    "checkov/github_actions": 10,
    "checkov/dockerfile": 10,
    "checkov/gitlab_ci": 10,
    "checkov/azure_pipelines": 10,
    "checkov/circleci_pipelines": 10,
    "checkov/ansible": 10,
    "checkov/arm": 10,
    "checkov/bicep": 20,
    "checkov/helm": 30,
    "checkov/kustomize": 30,
    "secrets": 4,
    "tfparse": 3,
    "compose-lint": 8,
    "hadolint": 8,
    "zizmor": 8,
    "kubernetes-validate": 3,
    "cfn-lint": 60,
    "resources": 1,
}
"""Milliseconds an engine takes for one declared thing, warm, on 2 cores of 2026: 64 Terraform
blocks 0.3 s, 348 Kubernetes objects 6.9 s, 92 blocks by tfparse 0.11 s, 39 Compose files 0.28 s.
They weigh progress; no result depends on them."""
BYTES_PER_UNIT = 1_000
"""For text that is searched for secrets."""
START_MS = 100
START_SCOPE_MS = 40
MAX_SHARD_MS = 2_500
"""Larger groups are cut, if cutting loses nothing, so that more workers finish sooner."""


class ShardScope(Message, frozen=True, kw_only=True, omit_defaults=True):
    """A scope's part in a shard. ``paths`` are those of its files that the engine sees. ``root`` is
    the folder of a Terraform root, a chart or an overlay (``.`` for the top) and ``var_files`` are
    a root's variable files; ``parameters`` is a stack's parameter file, ``values`` a chart's values
    file."""

    key: str
    paths: list[str]
    root: str = ""
    var_files: list[str] = []
    named_vars: str = ""
    parameters: str = ""
    values: str = ""
    units: int = 1


class Shard(Message, frozen=True, kw_only=True, omit_defaults=True):
    """One engine's work on some files. ``framework`` is Checkov's name for the kind, empty for
    other engines.

    ``paths`` are the files of the job. An engine in PER_SCOPE runs once for each of ``scopes`` and
    then sees only its files. Others run once over all files and have no ``scopes`` here: what they
    report for a file holds for every scope that has it (``merge`` sees to that). ``rules`` splits
    one large scope's work by rules: those that look at one object at a time, or those that compare.
    ``units`` counts declared things; ``weight`` is the expected time in milliseconds, for weighting
    progress.
    """

    engine: str
    framework: str = ""
    label: str
    paths: list[str]
    scopes: list[ShardScope] = []
    rules: Literal["", "objects", "graph"] = ""
    units: int = 1
    weight: int = 1

    @property
    def is_per_scope(self) -> bool:
        return _key(self.engine, self.framework) in PER_SCOPE


PER_SCOPE = {
    "checkov/terraform",
    "checkov/kubernetes",
    "checkov/cloudformation",
    "checkov/arm",
    "checkov/bicep",
    "checkov/helm",
    "checkov/kustomize",
    "kubernetes-validate",
    "tfparse",
    "resources",
}


RENDERED = ("helm", "kustomize")
"""Programs whose output Checkov is given instead of the files themselves."""
NOT_READ = {ScopeKind.REPOSITORY, ScopeKind.ARM, ScopeKind.BICEP}
"""Scopes whose resources our own readers don't read. Checkov, which parses Azure's templates,
supplies theirs."""


def make_shards(files: Iterable[InputFile]) -> list[Shard]:
    """All shards of an upload, sorted by engine and label."""
    return shards_of([classify(file) for file in files])


def shards_of(
    classified: Sequence[Classified], *, units: Sequence[Unit] | None = None
) -> list[Shard]:
    """The shards of files that are already classified."""
    units = units_of(classified) if units is None else units
    known = {item.file.path: item for item in classified}
    shards = [*_per_scope(units, known), *_per_file(known)]
    return sorted(shards, key=lambda shard: (shard.engine, shard.framework, shard.label))


def _per_scope(units: Sequence[Unit], known: Mapping[str, Classified]) -> Iterator[Shard]:
    """Engines that see one scope at a time; small scopes share a shard."""
    for kind, engine, framework in (
        (ScopeKind.TERRAFORM, "checkov", "terraform"),
        (ScopeKind.TERRAFORM, "tfparse", ""),
        (ScopeKind.CLOUDFORMATION, "checkov", "cloudformation"),
        (ScopeKind.KUBERNETES, "checkov", "kubernetes"),
        (ScopeKind.KUBERNETES, "kubernetes-validate", ""),
        (ScopeKind.ARM, "checkov", "arm"),
        (ScopeKind.BICEP, "checkov", "bicep"),
    ):
        parts = [_part(unit, known) for unit in units if unit.scope.kind is kind]
        parts = [part for part in parts if part.paths]
        key = _key(engine, framework)
        if framework == "kubernetes":
            large = [part for part in parts if part.units * MS_PER_UNIT[key] > 2 * MAX_SHARD_MS]
            for part in large:
                yield from _large_kubernetes(part, known)
            parts = [part for part in parts if part not in large]
        for group in _packed_parts(parts, key):
            yield _shard(engine, group, framework=framework)
    for framework in RENDERED:
        rendered = [part for unit in units if (part := _rendered(unit, framework, known)).paths]
        for group in _packed_parts(rendered, f"checkov/{framework}"):
            yield _shard("checkov", group, framework=framework)
    readable = [
        part
        for unit in units
        if unit.scope.kind not in NOT_READ and (part := _readable(unit, known)).paths
    ]
    for group in _packed_parts(readable, "resources"):
        yield _shard("resources", group)


def _part(unit: Unit, known: Mapping[str, Classified]) -> ShardScope:
    items = [known[path] for path in unit.scanned if known[path].scannable]
    return ShardScope(
        key=unit.scope.key,
        paths=[item.file.path for item in items],
        root=unit.root or "." if unit.scope.kind is ScopeKind.TERRAFORM else "",
        var_files=list(unit.var_files),
        named_vars=unit.named_vars,
        parameters=unit.parameters,
        units=sum(item.units for item in items) or 1,
    )


def _rendered(unit: Unit, framework: str, known: Mapping[str, Classified]) -> ShardScope:
    paths = unit.chart if framework == "helm" else unit.overlay
    return ShardScope(
        key=unit.scope.key,
        paths=list(paths),
        root=unit.root or ".",
        values=unit.values,
        units=sum(known[path].units for path in paths),
    )


def _readable(unit: Unit, known: Mapping[str, Classified]) -> ShardScope:
    """What our own readers read in a scope: for a Terraform root, its plan."""
    if unit.scope.kind is not ScopeKind.TERRAFORM:
        return _part(unit, known)
    items = [known[unit.plan]] if unit.plan and known[unit.plan].scannable else []
    units = sum(item.units for item in items) or 1
    return ShardScope(key=unit.scope.key, paths=[item.file.path for item in items], units=units)


def _large_kubernetes(part: ShardScope, known: Mapping[str, Classified]) -> Iterator[Shard]:
    """Rules that look at one object at a time run on pieces of the scope; those that compare
    objects (is there a NetworkPolicy for this Pod?) run on all of it at once."""
    items = [known[path] for path in part.paths]
    for group in _cut(items, "checkov/kubernetes"):
        piece = part.replace(
            paths=[item.file.path for item in group], units=sum(item.units for item in group)
        )
        yield _shard("checkov", [piece], framework="kubernetes", rules="objects")
    yield _shard("checkov", [part], framework="kubernetes", rules="graph")


def _packed_parts(parts: Sequence[ShardScope], key: str) -> Iterator[list[ShardScope]]:
    return _packed(
        [[part] for part in parts],
        weigh=lambda group: sum(START_SCOPE_MS + part.units * MS_PER_UNIT[key] for part in group),
    )


def _per_file(known: Mapping[str, Classified]) -> Iterator[Shard]:
    """Engines whose result for a file does not depend on other files: each file once, however many
    scopes have it."""
    files = sorted(known.values(), key=lambda item: item.file.path)
    main = [item for item in files if item.scannable and item.role is Role.MAIN]
    for kind, engine, framework in (
        (FileKind.CLOUDFORMATION, "cfn-lint", ""),
        (FileKind.GITHUB_ACTIONS, "checkov", "github_actions"),
        (FileKind.GITHUB_ACTIONS, "zizmor", ""),
        (FileKind.GITLAB_CI, "checkov", "gitlab_ci"),
        (FileKind.AZURE_PIPELINES, "checkov", "azure_pipelines"),
        (FileKind.CIRCLECI, "checkov", "circleci_pipelines"),
        (FileKind.ANSIBLE, "checkov", "ansible"),
        (FileKind.DOCKERFILE, "checkov", "dockerfile"),
        (FileKind.DOCKERFILE, "hadolint", ""),
        (FileKind.COMPOSE, "compose-lint", ""),
    ):
        wanted = [item for item in main if item.kind is kind]
        if engine == "zizmor":
            wanted += [item for item in files if item.role is Role.ACTION]
        for group in _cut(wanted, _key(engine, framework)):
            yield _file_shard(engine, group, framework=framework)
    for item in main:
        if item.kind is FileKind.TERRAFORM_PLAN:
            yield _file_shard("checkov", [item], framework="terraform_plan")
    texts = [
        replace(item, units=1 + item.file.size // BYTES_PER_UNIT)
        for item in files
        if is_searched(item.file)
    ]
    for group in _cut(texts, "secrets"):
        yield _file_shard("secrets", group)


def _file_shard(engine: str, items: Sequence[Classified], *, framework: str = "") -> Shard:
    paths = sorted(item.file.path for item in items)
    units = sum(item.units for item in items)
    return Shard(
        engine=engine,
        framework=framework,
        label=_label(_word_of(framework or engine), paths),
        paths=paths,
        units=units,
        weight=START_MS + units * MS_PER_UNIT[_key(engine, framework)],
    )


def _cut(items: list[Classified], key: str) -> list[list[Classified]]:
    return list(
        _packed(
            [[item] for item in items],
            weigh=lambda group: sum(item.units for item in group) * MS_PER_UNIT[key],
        )
    )


def _packed[T](groups: list[list[T]], *, weigh: Callable[[list[T]], int]) -> Iterator[list[T]]:
    """Neighboring groups joined, up to MAX_SHARD_MS."""
    current: list[T] = []
    weight = 0
    for group in groups:
        added = weigh(group)
        if current and weight + added > MAX_SHARD_MS:
            yield current
            current, weight = [], 0
        current = [*current, *group]
        weight += added
    if current:
        yield current


def _shard(
    engine: str,
    scopes: list[ShardScope],
    *,
    framework: str = "",
    rules: Literal["", "objects", "graph"] = "",
) -> Shard:
    units = sum(scope.units for scope in scopes)
    extra = {scope.parameters for scope in scopes} - {""}
    paths = sorted({path for scope in scopes for path in scope.paths} | extra)
    return Shard(
        engine=engine,
        framework=framework,
        label=_label(
            f"{_word_of(framework or engine)}{' (graph)' if rules == 'graph' else ''}", paths
        ),
        paths=paths,
        scopes=scopes,
        rules=rules,
        units=units,
        weight=START_MS + units * MS_PER_UNIT[_key(engine, framework)],
    )


WORDS = {
    "cloudformation": "CloudFormation",
    "github_actions": "GitHub Actions",
    "gitlab_ci": "GitLab CI",
    "azure_pipelines": "Azure Pipelines",
    "circleci_pipelines": "CircleCI",
    "arm": "ARM",
    "helm": "Helm chart",
    "kustomize": "Kustomize overlay",
    "terraform_plan": "Terraform plan",
    "tfparse": "Terraform values",
    "cfn-lint": "cfn-lint",
    "hadolint": "hadolint",
    "compose-lint": "compose-lint",
    "zizmor": "zizmor",
    "kubernetes-validate": "Kubernetes API",
}
"""Names that can't be derived by capitalizing the first letter."""


def _word_of(what: str) -> str:
    return WORDS.get(what, what.replace("_", " ").capitalize())


def _label(what: str, paths: list[str]) -> str:
    first = min(paths)
    return f"{what}: {first}" if len(paths) == 1 else f"{what}: {first} and {len(paths) - 1} more"


def _key(engine: str, framework: str) -> str:
    return f"{engine}/{framework}" if framework else engine

"""Cutting an upload into pieces that engines can work on at the same time. The same upload gives
the same shards."""

from __future__ import annotations

import posixpath
from collections import defaultdict
from typing import TYPE_CHECKING

from assessments.scan.classify import Classified, classify
from assessments.scan.documents import text_of
from assessments.scan.terraform_text import module_sources
from assessments.scan.types import FileKind, Message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from assessments.scan.intake import InputFile

MS_PER_UNIT = {
    "checkov/terraform": 6,
    "checkov/terraform_plan": 6,
    "checkov/cloudformation": 6,
    "checkov/kubernetes": 20,
    "checkov/github_actions": 10,
    "checkov/dockerfile": 10,
    "checkov/secrets": 4,
    "tfparse": 3,
    "compose-lint": 8,
    "hadolint": 8,
    "cfn-lint": 60,
    "resources": 1,
}
"""Milliseconds an engine takes for one declared thing, warm, on 2 cores of 2026: 64 Terraform
blocks 0.3 s, 348 Kubernetes objects 6.9 s, 92 blocks by tfparse 0.11 s, 39 Compose files 0.28 s.
They weigh progress; no result depends on them."""
START_MS = 100
MAX_SHARD_MS = 2_500
"""Larger groups are cut, where cutting loses nothing, so that more workers finish sooner."""


class Shard(Message, frozen=True, kw_only=True):
    """One engine's work on some files. ``framework`` is Checkov's name for the kind, empty for
    other engines.

    ``paths`` are the files it may see; ``roots`` are Terraform root module folders among them
    (``.`` for the top); ``units`` counts declared things; ``weight`` is the expected time in
    milliseconds, for weighing progress.
    """

    engine: str
    framework: str = ""
    label: str
    paths: list[str]
    roots: list[str] = []
    units: int = 1
    weight: int = 1


def make_shards(files: Iterable[InputFile], *, isolated: bool = True) -> list[Shard]:
    """All shards of an upload, sorted by engine and label. ``isolated``: see ``classify``."""
    return shards_of([classify(file, isolated=isolated) for file in files])


def shards_of(classified: Sequence[Classified]) -> list[Shard]:
    """The shards of files that are classified already."""
    files = sorted((item for item in classified if item.scannable), key=lambda item: item.file.path)
    by_kind: dict[FileKind, list[Classified]] = defaultdict(list)
    for item in files:
        by_kind[item.kind].append(item)
    shards = [*_terraform(by_kind), *_kubernetes(by_kind[FileKind.KUBERNETES])]
    shards += [
        _shard("checkov", [item], framework="terraform_plan")
        for item in by_kind[FileKind.TERRAFORM_PLAN]
    ]
    for kind, engine, framework in (
        (FileKind.CLOUDFORMATION, "checkov", "cloudformation"),
        (FileKind.CLOUDFORMATION, "cfn-lint", ""),
        (FileKind.GITHUB_ACTIONS, "checkov", "github_actions"),
        (FileKind.DOCKERFILE, "checkov", "dockerfile"),
        (FileKind.DOCKERFILE, "hadolint", ""),
        (FileKind.COMPOSE, "compose-lint", ""),
    ):
        shards += [
            _shard(engine, group, framework=framework)
            for group in _cut(by_kind[kind], _key(engine, framework))
        ]
    known = [item for item in files if item.kind is not FileKind.UNKNOWN]
    shards += [
        _shard("checkov", group, framework="secrets") for group in _cut(known, "checkov/secrets")
    ]
    readable = [item for item in known if item.kind in READER_KINDS]
    shards += [_shard("resources", group) for group in _cut(readable, "resources")]
    return sorted(shards, key=lambda shard: (shard.engine, shard.framework, shard.label))


READER_KINDS = {
    FileKind.KUBERNETES,
    FileKind.COMPOSE,
    FileKind.CLOUDFORMATION,
    FileKind.TERRAFORM_PLAN,
}


def _terraform(by_kind: dict[FileKind, list[Classified]]) -> Iterator[Shard]:
    """Folders that reference each other stay together; such groups are packed up to the shard
    size."""
    files = by_kind[FileKind.TERRAFORM]
    if not files:
        return
    folders: dict[str, list[Classified]] = defaultdict(list)
    for item in [*files, *by_kind[FileKind.TERRAFORM_VARS]]:
        folders[_folder(item)].append(item)
    children = {folder: _local_modules(items, known=folders) for folder, items in folders.items()}
    groups = _joined_groups(children)
    for group in _packed(
        groups, weigh=lambda group: sum(item.units for f in group for item in folders[f]) * 6
    ):
        items = [item for folder in group for item in folders[folder]]
        referenced = {child for folder in group for child in children[folder]}
        roots = [folder for folder in group if folder not in referenced] or group
        if not any(item.kind is FileKind.TERRAFORM for item in items):
            continue
        roots = [
            root for root in roots if any(item.kind is FileKind.TERRAFORM for item in folders[root])
        ]
        yield _shard("checkov", items, framework="terraform", roots=roots)
        yield _shard("tfparse", items, roots=roots)


def _local_modules(items: list[Classified], *, known: dict[str, list[Classified]]) -> set[str]:
    found = set()
    for item in items:
        if item.kind is FileKind.TERRAFORM:
            for reference in module_sources(text_of(item.file.content), path=item.file.path):
                if reference.path in known:
                    found.add(reference.path)
    return found - {_folder(items[0])}


def _joined_groups(children: dict[str, set[str]]) -> list[list[str]]:
    """Connected components of folders, each sorted, in the order of their first folder."""
    neighbours: dict[str, set[str]] = {folder: set(others) for folder, others in children.items()}
    for folder, others in children.items():
        for other in others:
            neighbours[other].add(folder)
    groups, seen = [], set[str]()
    for folder in sorted(neighbours):
        if folder in seen:
            continue
        group, waiting = set(), [folder]
        while waiting:
            current = waiting.pop()
            if current not in group:
                group.add(current)
                waiting += neighbours[current]
        seen |= group
        groups.append(sorted(group))
    return groups


def _kubernetes(items: list[Classified]) -> Iterator[Shard]:
    """Network policies go with every shard: a check that looks for them must not miss one for the
    cut's sake."""
    shared = [item for item in items if _has_network_policy(item)]
    rest = [item for item in items if item not in shared]
    for group in _cut(rest, "checkov/kubernetes") or ([[]] if shared else []):
        yield _shard("checkov", [*group, *shared], framework="kubernetes")


def _has_network_policy(item: Classified) -> bool:
    return any(document.value.get("kind") == "NetworkPolicy" for document in item.documents)


def _cut(items: list[Classified], key: str) -> list[list[Classified]]:
    return list(
        _packed(
            items_as_groups(items),
            weigh=lambda group: sum(item.units for item in group) * MS_PER_UNIT[key],
        )
    )


def items_as_groups(items: list[Classified]) -> list[list[Classified]]:
    return [[item] for item in items]


def _packed[T](groups: list[list[T]], *, weigh: Callable[[list[T]], int]) -> Iterator[list[T]]:
    """Neighbouring groups joined, up to MAX_SHARD_MS."""
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
    engine: str, items: list[Classified], *, framework: str = "", roots: Sequence[str] = ()
) -> Shard:
    units = sum(item.units for item in items)
    return Shard(
        engine=engine,
        framework=framework,
        label=_label(framework or engine, [item.file.path for item in items]),
        paths=sorted(item.file.path for item in items),
        roots=[root or "." for root in roots],
        units=units,
        weight=START_MS + units * MS_PER_UNIT[_key(engine, framework)],
    )


def _label(what: str, paths: list[str]) -> str:
    first = min(paths)
    return f"{what}: {first}" if len(paths) == 1 else f"{what}: {first} and {len(paths) - 1} more"


def _key(engine: str, framework: str) -> str:
    return f"{engine}/{framework}" if framework else engine


def _folder(item: Classified) -> str:
    return posixpath.dirname(item.file.path)

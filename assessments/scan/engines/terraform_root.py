"""A Terraform root as its engines are given it."""

from __future__ import annotations

import posixpath
from collections import defaultdict
from typing import TYPE_CHECKING

from assessments.scan.classify import Role
from assessments.scan.installed import manifests
from assessments.scan.terraform import Root, follow
from assessments.scan.types import FileKind

if TYPE_CHECKING:
    from assessments.scan.engines.one_run import EngineRun
    from assessments.scan.hcl import Block
    from assessments.scan.hcl_counts import Edits
    from assessments.scan.shards import ShardScope


def followed(run: EngineRun, scope: ShardScope) -> Root:
    """What follows from the scope's files; empty if they don't include the root's own."""
    folders: dict[str, dict[str, Block]] = defaultdict(dict)
    variables: dict[str, Block] = {}
    items = [item for item in run.classified if item.file.path in scope.paths]
    for item in items:
        if item.hcl is not None:
            if item.kind is FileKind.TERRAFORM:
                folders[item.folder][item.file.path] = item.hcl
            variables[item.file.path] = item.hcl
    given = [variables[path] for path in scope.var_files if path in variables]
    folder = "" if scope.root == "." else scope.root
    if folder not in folders:
        return Root()
    found = manifests((item.file.path, item.file.content) for item in items)
    return follow(folder, files=folders, variables=given, copies=found.get(folder))


def has_installed(run: EngineRun, scope: ShardScope) -> bool:
    return any(
        item.role is Role.INSTALLED and item.file.path in scope.paths for item in run.classified
    )


def installed_calls(root: Root) -> list[list[str]]:
    """For Checkov: the calling file's folder, source and version of each call that leads to an
    installed module, and that module's folder."""
    return sorted(
        [posixpath.dirname(each.path), each.module.source, each.module.version, each.folder]
        for each in root.installed.values()
    )


def local_sources(root: Root) -> Edits:
    """For an engine that follows local modules only: the sources as relative paths."""
    found: Edits = defaultdict(list)
    for each in root.installed.values():
        # JSON syntax has no byte ranges.
        if each.module.end > each.module.start:
            place = posixpath.relpath(each.folder, posixpath.dirname(each.path) or ".")
            local = place if place.startswith("../") else f"./{place}"
            found[each.path].append((each.module.start, each.module.end, f'"{local}"'))
    return dict(found)

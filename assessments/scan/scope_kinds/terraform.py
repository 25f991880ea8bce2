"""Terraform roots: folders that no other folder of the upload calls as a module, each once per
variable file that Terraform would be given by name."""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from assessments.scan.classify import Role
from assessments.scan.hcl import Block
from assessments.scan.hcl_counts import large_counts
from assessments.scan.installed import FOLDER, MANIFEST, Copy, is_installed, manifests
from assessments.scan.scope_kinds.unit import Unit, not_assessed, partly
from assessments.scan.terraform import (
    MAX_COUNT,
    MAX_EXPANSIONS,
    Missing,
    Root,
    TooManyModules,
    follow,
    modules_of,
)
from assessments.scan.terragrunt import COMPUTED, Terragrunt, read_terragrunt
from assessments.scan.tofu import replaced, replacement
from assessments.scan.types import FileKind, Scope, ScopeKind

if TYPE_CHECKING:
    from assessments.scan.classify import Classified

VARIABLE_FOLDERS = {"vars", "var", "tfvars", "env", "envs", "environment", "environments"}
Folders = Mapping[str, Mapping[str, Block]]


def roots(files: Iterable[Classified]) -> Iterator[Unit]:
    folders: dict[str, dict[str, Block]] = defaultdict(dict)
    shared: dict[str, Block] = {}
    given: dict[str, Block] = {}
    files = list(files)
    names = {item.file.path for item in files}
    left_out = [
        item.file.path
        for item in files
        if item.kind is FileKind.TERRAFORM and replaced(item.file.path, names)
    ]
    for item in files:
        path = item.file.path
        if item.role is Role.INSTALLED:
            continue
        if item.kind is FileKind.TERRAFORM and path not in left_out:
            # A file that can't be parsed still belongs to its root, as the root's gap.
            folders[item.folder][path] = item.hcl or Block("", (), 1, 1)
        elif item.kind is FileKind.TERRAFORM_VARS and item.hcl is not None:
            (shared if item.role is Role.MAIN else given)[item.file.path] = item.hcl
    variables = {**shared, **given}
    found = manifests((each.file.path, each.file.content) for each in files)
    told = {
        item.file.path: read_terragrunt(item.file.content.decode("utf-8-sig"), path=item.file.path)
        for item in files
        if item.file.path in given
    }
    for path, each in sorted(told.items()):
        if each.source:
            yield _terragrunt_unit(path, each, folders, shared, variables, found)
    used = {each.folder for each in told.values()}
    for folder in [each for each in _root_folders(folders) if each not in used]:
        always, named = _variable_files(folder, shared, folders)
        for name in named or [""]:
            unit = _unit(
                folder,
                [*always, *([name] if name else [])],
                name,
                folders,
                variables,
                found.get(folder, {}),
            )
            yield _naming(unit, left_out, names)


def _terragrunt_unit(
    path: str,
    told: Terragrunt,
    folders: Folders,
    shared: Mapping[str, Block],
    variables: Mapping[str, Block],
    copies: Mapping[str, Mapping[str, Copy]],
) -> Unit:
    """The module that a Terragrunt file names, with its inputs."""
    key = posixpath.dirname(path) or "."
    label = f"Terragrunt {key}"
    if told.folder is None or told.folder not in folders:
        reason = (
            f"Its source {told.source[:200]} is not in the upload, so it is not assessed. Upload"
            " the module, too, or 'terraform show -json' of its plan."
            if told.source != COMPUTED
            else "Only Terragrunt knows which module it uses, so it is not assessed. Upload"
            " 'terraform show -json' of its plan."
        )
        scope = Scope(key=key, kind=ScopeKind.TERRAFORM, label=label, paths=[path])
        gap = partly(key, path, FileKind.TERRAFORM_VARS, reason, told.source_line)
        return Unit(scope=scope, gaps=(gap,), facts=Root())
    always, _ = _variable_files(told.folder, shared, folders)
    at_module = copies.get(told.folder, {})
    unit = _unit(told.folder, [*always, path], path, folders, variables, at_module).with_key(key)
    gaps = list(unit.gaps)
    if told.unknown:
        names = ", ".join(told.unknown[:20])
        reason = f"Unknown without Terragrunt, so the module's defaults are used: {names}."
        gaps.append(partly(key, path, FileKind.TERRAFORM_VARS, reason, told.line))
    if told.includes:
        reason = "Inputs from the files that it includes are unknown without Terragrunt."
        gaps.append(partly(key, path, FileKind.TERRAFORM_VARS, reason, None))
    return replace(unit, scope=unit.scope.replace(label=label), gaps=tuple(gaps))


def _naming(unit: Unit, left_out: Iterable[str], names: Collection[str]) -> Unit:
    """With the files that OpenTofu skips in the unit's folders, each as a gap."""
    folders = {posixpath.dirname(path) for path in unit.scope.paths}
    passed = [path for path in left_out if posixpath.dirname(path) in folders]
    gaps = [
        not_assessed(
            unit.scope.key,
            path,
            FileKind.TERRAFORM,
            f"OpenTofu reads {posixpath.basename(replacement(path, names))} instead of this file,"
            " and so does the scan. Terraform would read this one: to have it assessed, upload it"
            " without the other.",
        )
        for path in passed
    ]
    return replace(unit.with_paths(passed), gaps=(*unit.gaps, *gaps)) if gaps else unit


def _root_folders(folders: Folders) -> list[str]:
    """Folders that no other folder calls. If folders call each other in a cycle, the first is a
    root: no file is left out. An installed module is never one."""
    calls = {
        folder: set(_called(folder, bodies))
        for folder, bodies in folders.items()
        if not is_installed(f"{folder}/")
    }
    called = {child for folder, children in calls.items() for child in children - {folder}}
    found = [folder for folder in sorted(calls) if folder not in called]
    reached = _reached(found, calls)
    for folder in sorted(calls):
        if folder not in reached:
            found.append(folder)
            reached |= _reached([folder], calls)
    return found


def _called(folder: str, bodies: Mapping[str, Block]) -> Iterator[str]:
    for path, body in bodies.items():
        for module in modules_of(body, path=path):
            if module.folder is not None:
                yield module.folder


def _reached(start: Iterable[str], calls: Mapping[str, set[str]]) -> set[str]:
    seen: set[str] = set()
    waiting = list(start)
    while waiting:
        folder = waiting.pop()
        if folder not in seen and folder in calls:
            seen.add(folder)
            waiting += calls[folder]
    return seen


def _variable_files(
    folder: str, variables: Iterable[str], folders: Folders
) -> tuple[list[str], list[str]]:
    """The files that always apply, in Terraform's order (terraform.tfvars, then *.auto.tfvars by
    name), and those to be given by name: beside the root, or in a folder of variables below it
    (developer.hashicorp.com/terraform/language/values/variables)."""
    always: list[str] = []
    named: list[str] = []
    for path in sorted(variables):
        place, name = posixpath.split(path)
        if place == folder:
            loaded = name.startswith("terraform.tfvars") or ".auto.tfvars" in name
            (always if loaded else named).append(path)
        elif place not in folders and _is_below(place, folder):
            named.append(path)
    return sorted(always, key=lambda path: ".auto.tfvars" in path), named


def _is_below(place: str, root: str) -> bool:
    """``ROOT/vars`` or ``ROOT/environments/prod``."""
    inner = posixpath.relpath(place, root or ".").split("/")
    return inner[0] in VARIABLE_FOLDERS and len(inner) <= 2


def _unit(
    folder: str,
    var_files: list[str],
    named: str,
    folders: Folders,
    variables: Mapping[str, Block],
    copies: Mapping[str, Copy],
) -> Unit:
    name = posixpath.relpath(named, folder or ".") if named else ""
    where = folder or "."
    key = f"{where}:{name}" if name else where
    label = f"Terraform {folder or 'at the top'}" + (f", {name}" if name else "")
    try:
        facts = follow(
            folder,
            files=folders,
            variables=[variables[path] for path in var_files],
            copies=copies,
        )
    except TooManyModules:
        return _too_many(key, label, folder, var_files, folders)
    scanned = sorted(path for each in facts.folders for path in folders[each])
    if copies:
        scanned.append(posixpath.join(folder, FOLDER, "modules", MANIFEST))
    scope = Scope(
        key=key, kind=ScopeKind.TERRAFORM, label=label, paths=sorted([*scanned, *var_files])
    )
    return Unit(
        scope=scope,
        scanned=tuple(scope.paths),
        root=folder,
        var_files=tuple(var_files),
        named_vars=named,
        gaps=tuple(
            partly(key, gap.path, FileKind.TERRAFORM, gap.reason, gap.line)
            for gap in [*facts.missing, *_too_large(facts)]
        ),
        facts=facts,
    )


def _too_large(facts: Root) -> Iterator[Missing]:
    for each in large_counts(facts):
        words = (
            f"count = {each.number:,}"
            if each.name == "count"
            else f"for_each with {each.number:,} items"
        )
        reason = f"{words} is counted as {MAX_COUNT}; upload a plan as JSON for exact counts."
        yield Missing(each.path, each.line, reason)


def _too_many(key: str, label: str, folder: str, var_files: list[str], folders: Folders) -> Unit:
    calls = {each: set(_called(each, bodies)) for each, bodies in folders.items()}
    paths = sorted(path for each in _reached([folder], calls) for path in folders[each])
    reason = (
        f"Its modules expand to more than {MAX_EXPANSIONS} instances, so it was not assessed."
        " Upload a plan as JSON."
    )
    return Unit(
        scope=Scope(
            key=key, kind=ScopeKind.TERRAFORM, label=label, paths=sorted([*paths, *var_files])
        ),
        root=folder,
        gaps=tuple(partly(key, path, FileKind.TERRAFORM, reason, None) for path in paths),
        facts=Root(),
    )

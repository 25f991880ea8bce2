"""Applies one finding's fix to the text of the upload."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml

from assessments.fixes import dockerfile, hcl
from assessments.fixes.errors import CannotFix, FixedAlready
from assessments.fixes.recipes import Recipe, recipes_for
from assessments.fixes.splices import line_end, newline_of
from assessments.fixes.yaml_text import child, items_of, roots_of, set_in_mapping, value_of

if TYPE_CHECKING:
    from assessments.scan.types import CheckResult

Files = Mapping[str, str]
"""The upload's text files by path."""
_POD_SPEC = {
    "Pod": ("spec",),
    "CronJob": ("spec", "jobTemplate", "spec", "template", "spec"),
    **dict.fromkeys(
        ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job"),
        ("spec", "template", "spec"),
    ),
}
_INLINE_BUCKET = re.compile(
    r"^  (?:acl\s*=|versioning\s*\{|server_side_encryption_configuration\s*\{|logging\s*\{)",
    re.MULTILINE,
)
"""How buckets were configured before version 4 of the AWS provider, when there were no separate
resources for it."""


@dataclass(frozen=True)
class Edit:
    """The files that one fix changes, and the details that go with it."""

    files: Files
    recipe: Recipe


def has_recipe(check: CheckResult) -> bool:
    """Whether there may be a fix for a failed check."""
    return bool(recipes_for(check.rule, kind_of(check)))


def kind_of(check: CheckResult) -> str:
    """What recipes call the object that a check is about."""
    if check.file.endswith(".tf") or "::" in check.resource_type:
        return check.resource_type
    known = {"compose_service": "service", "github_actions": "workflow", "dockerfile": "dockerfile"}
    return known.get(check.resource_type, "kubernetes")


def edit_for(check: CheckResult, files: Files) -> Edit:
    """The first recipe that fits, applied. Raises CannotFix."""
    if check.file not in files:
        raise CannotFix("The file is not text.")
    for recipe in recipes_for(check.rule, kind_of(check)):
        changed = _applied(recipe, check, files)
        if changed is None:
            continue
        different = {path: text for path, text in changed.items() if text != files.get(path)}
        if not different:
            raise FixedAlready
        return Edit(different, recipe)
    raise CannotFix("No fix is known for it.")


def _applied(recipe: Recipe, check: CheckResult, files: Files) -> Files | None:
    """The changed files; None if the recipe is not for this resource."""
    source = files[check.file]
    match kind_of(check):
        case "dockerfile":
            return dockerfile.applied(recipe, check, source)
        case "service":
            name = check.resource.removeprefix("compose/")
            return _in_mapping(recipe, check, source, ("services", name))
        case "workflow":
            text = set_in_mapping(
                source, roots_of(source)[:1], changes=recipe.changes, before="jobs"
            )
            return {check.file: text}
        case "kubernetes":
            return _in_kubernetes(recipe, check, source)
        case kind if "::" in kind:
            return _in_mapping(recipe, check, source, ("Resources", check.resource))
        case _:
            return _in_terraform(recipe, check, files)


def _in_mapping(
    recipe: Recipe, check: CheckResult, source: str, path: tuple[str, ...]
) -> Files | None:
    for root in roots_of(source):
        if (node := child(root, *path)) is not None:
            if not recipe.fits(source[node.start_mark.index : node.end_mark.index]):
                return None
            return {check.file: set_in_mapping(source, [node], changes=recipe.changes)}
    raise CannotFix("The resource is not in this file.")


def _in_kubernetes(recipe: Recipe, check: CheckResult, source: str) -> Files | None:
    """``pod`` is the pod's specification, ``container`` each of its containers."""
    item = _object_at(source, check)
    spec = child(item, *_POD_SPEC.get(value_of(child(item, "kind")), ("-",)))
    if spec is None:
        raise CannotFix("It is not a pod.")
    if not recipe.fits(source[spec.start_mark.index : spec.end_mark.index]):
        return None
    changes = dict(recipe.changes)
    if pod := changes.pop("pod", None):
        source = set_in_mapping(source, [spec], changes=pod)
    if container := changes.pop("container", None):
        lists = (child(spec, name) for name in ("initContainers", "containers"))
        containers = [node for found in lists for node in items_of(found)]
        source = set_in_mapping(source, containers, changes=container)
    return {check.file: source}


def _object_at(source: str, check: CheckResult) -> yaml.Node:
    """The Kubernetes object that a check names, by its kind, name and lines."""
    kind, _, rest = check.resource.partition("/")
    name = rest.rpartition("/")[2]
    candidates = []
    for root in roots_of(source):
        items = items_of(child(root, "items")) if child(root, "items") is not None else [root]
        candidates += [
            node
            for node in items
            if value_of(child(node, "kind")) == kind
            and value_of(child(node, "metadata", "name")) == name
        ]
    lines = range(check.line_start - 1, check.line_end + 1)
    found = [node for node in candidates if node.start_mark.line in lines] or candidates
    if len(found) != 1:
        raise CannotFix("The object is not in this file, or is there twice.")
    return found[0]


def _in_terraform(recipe: Recipe, check: CheckResult, files: Files) -> Files | None:
    parts = re.sub(r"\[[^\]]*\]", "", check.resource).split(".")
    if len(parts) < 2 or parts[-2] != check.resource_type:
        raise CannotFix("It is not a resource.")
    type, name = parts[-2:]
    source = files[check.file]
    parsed = hcl.HclText.of(source)
    block = parsed.resource(type, name)
    if not recipe.fits(parsed.text(block)):
        return None
    if recipe.companion is None:
        changes = recipe.changes
    elif recipe.inline and any(
        _INLINE_BUCKET.search(text) for text in _beside(check.file, files).values()
    ):
        changes = recipe.inline
    else:
        return _with_companion(recipe, check.file, files, type=type, name=name)
    text = hcl.set_in_resource(source, type=type, name=name, changes=changes)
    return {check.file: text}


def _with_companion(recipe: Recipe, path: str, files: Files, *, type: str, name: str) -> Files:
    """Changes the existing companion, or adds a new one directly below the resource."""
    companion = recipe.companion
    assert companion is not None  # noqa: S101
    reference = f"{type}.{name}.{companion.of}"
    found = []
    for other, text in _beside(path, files).items():
        if f'"{companion.type}"' in text:
            parsed = hcl.HclText.of(text)
            for label, block in parsed.resources(companion.type):
                if label == name and not _refers(parsed, block, companion.by, type, name):
                    raise CannotFix("Its name is taken.")
                if _refers(parsed, block, companion.by, type, name):
                    found.append((other, label))
    if found:
        (other, label) = found[0]
        text = hcl.set_in_resource(
            files[other], type=companion.type, name=label, changes=recipe.changes
        )
        return {other: text}
    parsed = hcl.HclText.of(files[path])
    block = parsed.resource(type, name)
    if {"count", "for_each"} & set(parsed.attributes(block)):
        raise CannotFix("There may be several of it.")
    added = hcl.rendered_resource(
        type=companion.type, name=name, link=(companion.by, reference), changes=recipe.changes
    )
    eol = newline_of(files[path])
    at = line_end(files[path], parsed.end(block))
    text = files[path][:at] + eol * 2 + added.replace("\n", eol) + files[path][at:]
    return {path: text}


def _refers(parsed: hcl.HclText, block: object, by: str, type: str, name: str) -> bool:
    attribute = parsed.attributes(block).get(by)  # type: ignore[arg-type]
    return attribute is not None and bool(
        re.search(rf"\b{re.escape(type)}\.{re.escape(name)}\b", parsed.text(attribute))
    )


def _beside(path: str, files: Files) -> Files:
    """The Terraform files of the folder."""
    folder = posixpath.dirname(path)
    return {
        other: text
        for other, text in files.items()
        if posixpath.dirname(other) == folder and other.endswith(".tf")
    }

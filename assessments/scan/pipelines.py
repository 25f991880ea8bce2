"""Files of steps: recognizes GitLab CI, Azure Pipelines, CircleCI and Ansible by name and content.

Projects split these files and name the parts as they like, so the content decides if the name does
not.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from typing import Any

from assessments.scan.types import FileKind

_GITLAB_NAME = re.compile(r"(?:^|\.)gitlab-ci\.ya?ml$", re.IGNORECASE)
_AZURE_NAME = re.compile(r"^azure-pipelines?(?:[.-][\w.-]+)?\.ya?ml$", re.IGNORECASE)
_CIRCLECI_PATH = re.compile(r"(?:^|/)\.circleci/[^/]+\.ya?ml$")
_GITLAB_WORDS = {"stage", "image", "rules", "only", "except", "extends", "needs", "artifacts"}
_AZURE_STEPS = {"task", "script", "bash", "pwsh", "powershell", "checkout", "template", "download"}
_CIRCLECI_EXECUTORS = {"docker", "machine", "macos", "executor"}
_PLAY_WORDS = {"tasks", "roles", "pre_tasks", "post_tasks", "handlers"}
_TASK_LISTS = ("tasks", "pre_tasks", "post_tasks", "handlers", "block", "rescue", "always")
_TASK_FOLDERS = {"tasks", "handlers"}
_BUILTIN = (
    "apt assert blockinfile command copy cron debug dnf fail fetch file get_url git group"
    " hostname import_role import_tasks include_role include_tasks lineinfile mount package pip"
    " raw reboot replace script service set_fact shell stat systemd sysctl template unarchive uri"
    " user wait_for yum"
)
_MODULES = frozenset(_BUILTIN.split())
"""Modules of ansible-core that a task may name without their collection."""
_COLLECTION = re.compile(r"^[a-z_]\w*\.[a-z_]\w*\.[a-z_]\w*$")
_NAMED_ITEM = re.compile(r"^[ \t]*-[ \t]+name:[ \t]+", re.MULTILINE)
MAX_DEPTH = 20


def kind_by_name(path: str) -> FileKind:
    """UNKNOWN if the name doesn't determine it."""
    name = posixpath.basename(path)
    if _GITLAB_NAME.search(name):
        return FileKind.GITLAB_CI
    if _AZURE_NAME.match(name):
        return FileKind.AZURE_PIPELINES
    return FileKind.CIRCLECI if _CIRCLECI_PATH.search(path) else FileKind.UNKNOWN


def kind_by_content(path: str, values: Iterable[Any]) -> FileKind:
    """UNKNOWN if the documents contain no steps."""
    for value in values:
        if isinstance(value, list) and _is_ansible(path, value):
            return FileKind.ANSIBLE
        if isinstance(value, dict):
            for kind, fits in (
                (FileKind.AZURE_PIPELINES, _is_azure),
                (FileKind.CIRCLECI, _is_circleci),
                (FileKind.GITLAB_CI, _is_gitlab),
            ):
                if fits(value):
                    return kind
    return FileKind.UNKNOWN


def steps_in(values: Iterable[Any]) -> int:
    """Roughly how many steps the documents declare, at least 1."""
    return max(1, sum(_size(value, depth=0) for value in values))


def has_tasks(values: Iterable[Any]) -> bool:
    """Whether the documents contain Ansible tasks."""
    return any(True for value in values for _ in _tasks(value, depth=0))


def has_named_items(text: str) -> bool:
    """Checkov reads no other Ansible files (checkov/ansible/utils.py)."""
    return _NAMED_ITEM.search(text) is not None


def _is_gitlab(value: dict[str, Any]) -> bool:
    """Jobs are top-level keys of any name (docs.gitlab.com/ci/yaml)."""
    jobs = [job for job in value.values() if isinstance(job, dict) and "script" in job]
    stages = value.get("stages")
    listed = isinstance(stages, list) and all(isinstance(stage, str) for stage in stages)
    return any(_GITLAB_WORDS & job.keys() for job in jobs) or bool(jobs and listed)


def _is_azure(value: dict[str, Any]) -> bool:
    """Lists of stages, jobs or steps (learn.microsoft.com/azure/devops/pipelines/yaml-schema)."""
    return (
        _any_has(value.get("stages"), {"stage", "template"})
        or _any_has(value.get("jobs"), {"job", "deployment", "template"})
        or _any_has(value.get("steps"), _AZURE_STEPS)
    )


def _is_circleci(value: dict[str, Any]) -> bool:
    """A version, and jobs that name their executor (circleci.com/docs/configuration-reference)."""
    jobs = value.get("jobs")
    if str(value.get("version")) not in {"2", "2.0", "2.1"} or not isinstance(jobs, dict):
        return False
    return any(isinstance(job, dict) and _CIRCLECI_EXECUTORS & job.keys() for job in jobs.values())


def _is_ansible(path: str, value: list[Any]) -> bool:
    """A playbook, or a list of tasks (docs.ansible.com, "Playbook Keywords")."""
    items = [item for item in value if isinstance(item, dict)]
    if not items or len(items) < len(value):
        return False
    if any(_is_play(item) for item in items):
        return True
    tasks = [item for item in items if "block" in item or any(map(_is_module, item))]
    in_folder = posixpath.basename(posixpath.dirname(path)) in _TASK_FOLDERS
    return in_folder or len(tasks) == len(items)


def _is_play(item: dict[str, Any]) -> bool:
    if "hosts" in item and _PLAY_WORDS & item.keys():
        return True
    return "import_playbook" in item or "ansible.builtin.import_playbook" in item


def _is_module(key: str) -> bool:
    return key in _MODULES or _COLLECTION.match(key) is not None


def _any_has(items: Any, words: set[str]) -> bool:
    return isinstance(items, list) and any(
        isinstance(item, dict) and words & item.keys() for item in items
    )


def _tasks(value: Any, *, depth: int) -> Iterator[dict[str, Any]]:
    """The tasks of plays, blocks and lists of tasks."""
    if depth > MAX_DEPTH:
        return
    for item in value if isinstance(value, list) else ():
        if not isinstance(item, dict):
            continue
        inner = [item[name] for name in _TASK_LISTS if name in item]
        if not inner and "hosts" not in item and not _is_play(item):
            yield item
        for each in inner:
            yield from _tasks(each, depth=depth + 1)


def _size(value: Any, *, depth: int) -> int:
    """Mappings inside lists are steps; so are the values of mappings that contain a script."""
    if depth > MAX_DEPTH:
        return 0
    if isinstance(value, list):
        return sum(isinstance(item, dict) + _size(item, depth=depth + 1) for item in value)
    if isinstance(value, dict):
        return ("script" in value) + sum(_size(item, depth=depth + 1) for item in value.values())
    return 0

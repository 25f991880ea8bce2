"""Compose projects: a Compose file, its override, what it includes, and the .env beside it."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from assessments.scan.scope_kinds.unit import Unit
from assessments.scan.types import FileKind, Scope, ScopeKind

if TYPE_CHECKING:
    from assessments.scan.classify import Classified

_OVERRIDE = re.compile(r"^(?P<base>(?:docker-)?compose)\.override\.ya?ml$", re.IGNORECASE)


def projects(files: Iterable[Classified]) -> Iterator[Unit]:
    files = list(files)
    known = {item.file.path for item in files}
    compose = {item.file.path: item for item in files if item.kind is FileKind.COMPOSE}
    overrides = {path: base for path in compose if (base := _base_of(path, compose))}
    included = {
        other: path for path, item in compose.items() for other in _included(item) if other != path
    }
    for path in sorted(compose):
        if path in overrides or (path in included and included[path] not in included):
            continue
        paths = _reached(path, compose, overrides)
        env = posixpath.join(posixpath.dirname(path), ".env")
        beside = {env} & known
        scope = Scope(
            key=path,
            kind=ScopeKind.COMPOSE,
            label=f"Compose {path}",
            paths=sorted(paths | beside),
        )
        yield Unit(scope=scope, scanned=tuple(sorted(paths)))


def is_override(path: str) -> bool:
    return _OVERRIDE.match(posixpath.basename(path)) is not None


def _base_of(path: str, compose: Iterable[str]) -> str:
    folder, name = posixpath.split(path)
    match = _OVERRIDE.match(name)
    names = [f"{match['base']}.yml", f"{match['base']}.yaml"] if match else []
    return next((p for n in names if (p := posixpath.join(folder, n)) in compose), "")


def _reached(path: str, compose: dict[str, Classified], overrides: dict[str, str]) -> set[str]:
    seen: set[str] = set()
    waiting = [path, *(other for other, base in overrides.items() if base == path)]
    while waiting:
        current = waiting.pop()
        if current in compose and current not in seen:
            seen.add(current)
            waiting += _included(compose[current])
    return seen


def _included(item: Classified) -> list[str]:
    """Files named by ``include`` and ``extends.file`` (docs.docker.com/reference/compose-file)."""
    found: list[str] = []
    for document in item.documents:
        include = document.value.get("include")
        for each in include if isinstance(include, list) else [include]:
            found += _texts(each.get("path") if isinstance(each, dict) else each)
        services = document.value.get("services")
        for service in services.values() if isinstance(services, dict) else ():
            extends = service.get("extends") if isinstance(service, dict) else None
            found += _texts(extends.get("file") if isinstance(extends, dict) else None)
    return [posixpath.normpath(posixpath.join(item.folder, path)) for path in found]


def _texts(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [each for each in values if isinstance(each, str)]

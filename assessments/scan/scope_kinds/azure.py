"""Azure deployments: an ARM template, once per parameter file, or a Bicep file with the modules
that it calls."""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from assessments.scan.azure import bicep_modules
from assessments.scan.classify import Role
from assessments.scan.scope_kinds.cloudformation import template_of
from assessments.scan.scope_kinds.unit import Unit, not_assessed, partly
from assessments.scan.types import FileCoverage, FileKind, Scope, ScopeKind

if TYPE_CHECKING:
    from assessments.scan.classify import Classified

_NOT_APPLIED = (
    "Its values are not applied: Bicep files are checked with the defaults of their parameters."
    " To have them applied, upload the output of 'bicep build' and 'bicep build-params'."
)


def azure_units(files: Iterable[Classified]) -> Iterator[Unit]:
    found = {item.file.path: item for item in files if item.kind in {FileKind.ARM, FileKind.BICEP}}
    main = {path: item for path, item in found.items() if item.role is Role.MAIN}
    parameters: dict[str, list[str]] = defaultdict(list)
    for path in found.keys() - main.keys():
        parameters[template_of(path, main)].append(path)
    bicep = {path: item for path, item in main.items() if item.kind is FileKind.BICEP}
    calls = {path: dict(_called(path, item)) for path, item in bicep.items()}
    yield from _arm(main.keys() - bicep.keys(), parameters)
    for path in _deployed(calls):
        yield _bicep(path, calls, sorted(parameters.get(path, ())))


def _arm(templates: Iterable[str], parameters: Mapping[str, list[str]]) -> Iterator[Unit]:
    for path in sorted(templates):
        for given in sorted(parameters.get(path) or [""]):
            name = posixpath.basename(given)
            scope = Scope(
                key=f"{path}:{name}" if name else path,
                kind=ScopeKind.ARM,
                label=f"ARM template {path}" + (f", {name}" if name else ""),
                paths=sorted({path, given} - {""}),
            )
            yield Unit(scope=scope, scanned=(path,), parameters=given)


def _bicep(path: str, calls: Mapping[str, Mapping[str, int]], parameters: list[str]) -> Unit:
    reached = _reached(path, calls)
    missing = [
        partly(
            path,
            caller,
            FileKind.BICEP,
            f"Its module {called} is not in the upload and was not assessed.",
            line,
        )
        for caller in sorted(reached)
        for called, line in sorted(calls[caller].items())
        if called not in calls
    ]
    unapplied = [not_assessed(path, each, FileKind.BICEP, _NOT_APPLIED) for each in parameters]
    gaps: list[FileCoverage] = [*missing, *unapplied]
    scope = Scope(
        key=path,
        kind=ScopeKind.BICEP,
        label=f"Bicep {path}",
        paths=sorted({*reached, *parameters}),
    )
    return Unit(scope=scope, scanned=tuple(sorted(reached)), gaps=tuple(gaps))


def _called(path: str, item: Classified) -> Iterator[tuple[str, int]]:
    """Path and line of each module that is a file."""
    for module in bicep_modules(item.file.content.decode(errors="replace")):
        if module.is_local:
            yield posixpath.normpath(posixpath.join(item.folder, module.source)), module.line


def _deployed(calls: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Files that no other file calls. If files call each other in a cycle, the first."""
    called = {other for path, others in calls.items() for other in others if other != path}
    found = [path for path in sorted(calls) if path not in called]
    seen = {path for start in found for path in _reached(start, calls)}
    for path in sorted(calls):
        if path not in seen:
            found.append(path)
            seen |= _reached(path, calls)
    return found


def _reached(start: str, calls: Mapping[str, Mapping[str, int]]) -> set[str]:
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        path = waiting.pop()
        if path in calls and path not in seen:
            seen.add(path)
            waiting += calls[path]
    return seen

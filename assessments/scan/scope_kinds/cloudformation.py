"""CloudFormation stacks: a template, once for each parameter file that is meant for it."""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from assessments.scan.classify import Role
from assessments.scan.scope_kinds.unit import Unit
from assessments.scan.types import FileKind, Scope, ScopeKind

if TYPE_CHECKING:
    from assessments.scan.classify import Classified

_SUFFIX = re.compile(r"[.-]?param(?:eter)?s?\.json$", re.IGNORECASE)


def stacks(files: Iterable[Classified]) -> Iterator[Unit]:
    stacks = [item for item in files if item.kind is FileKind.CLOUDFORMATION]
    templates = [item.file.path for item in stacks if item.role is Role.MAIN]
    parameters = defaultdict(list)
    for item in stacks:
        if item.role is Role.PARAMETERS:
            parameters[_template_of(item.file.path, templates)].append(item.file.path)
    for path in templates:
        for given in parameters.get(path) or [""]:
            name = posixpath.basename(given)
            scope = Scope(
                key=f"{path}:{name}" if name else path,
                kind=ScopeKind.CLOUDFORMATION,
                label=f"CloudFormation {path}" + (f", {name}" if name else ""),
                paths=sorted({path, given} - {""}),
            )
            yield Unit(scope=scope, scanned=(path,), parameters=given)


def _template_of(path: str, templates: Iterable[str]) -> str:
    """The template in the same folder whose name is the longest start of the parameter file's
    (``web.yaml`` for ``web-prod.parameters.json``); for a plain ``parameters.json`` the only
    one."""
    folder, name = posixpath.split(path)
    stem = _SUFFIX.sub("", name)
    beside = [each for each in templates if posixpath.dirname(each) == folder]
    if not stem:
        return beside[0] if len(beside) == 1 else ""
    fitting = [each for each in beside if _starts(stem, _stem(each))]
    return max(fitting, key=lambda each: len(_stem(each)), default="")


def _stem(path: str) -> str:
    return posixpath.basename(path).rsplit(".", 1)[0]


def _starts(text: str, start: str) -> bool:
    return text == start or text.startswith((f"{start}.", f"{start}-", f"{start}_"))

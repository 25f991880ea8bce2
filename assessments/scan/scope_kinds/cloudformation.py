"""CloudFormation stacks: a template, once for each parameter file that is meant for it."""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from assessments.scan.classify import Role
from assessments.scan.scope_kinds.unit import Unit
from assessments.scan.stacks import Stack, given_parameters
from assessments.scan.types import FileKind, Scope, ScopeKind

if TYPE_CHECKING:
    from assessments.scan.classify import Classified

_SUFFIX = re.compile(r"[.-]?param(?:eter)?s?\.json$", re.IGNORECASE)


def stacks(files: Iterable[Classified]) -> Iterator[Unit]:
    found = {item.file.path: item for item in files if item.kind is FileKind.CLOUDFORMATION}
    templates = [path for path, item in found.items() if item.role is Role.MAIN]
    parameters = defaultdict(list)
    for item in found.values():
        if item.role is Role.PARAMETERS:
            parameters[template_of(item.file.path, templates)].append(item.file.path)
    for path in templates:
        for given in parameters.get(path) or [""]:
            name = posixpath.basename(given)
            scope = Scope(
                key=f"{path}:{name}" if name else path,
                kind=ScopeKind.CLOUDFORMATION,
                label=f"CloudFormation {path}" + (f", {name}" if name else ""),
                paths=sorted({path, given} - {""}),
            )
            yield Unit(
                scope=scope,
                scanned=(path,),
                parameters=given,
                absent=_absent(found[path], found.get(given)),
            )


def _absent(template: Classified, parameters: Classified | None) -> frozenset[str]:
    documents = parameters.documents if parameters else []
    given = given_parameters(documents[0].value) if documents else {}
    return frozenset(
        name for document in template.documents for name in Stack(document.value, given).absent()
    )


def template_of(path: str, templates: Iterable[str]) -> str:
    """The template in the same folder whose name is the longest prefix of the parameter file's
    (``web.yaml`` for ``web-prod.parameters.json``); for a plain ``parameters.json`` the only
    one."""
    folder, name = posixpath.split(path)
    stem = _SUFFIX.sub("", name).removesuffix(".bicepparam")
    beside = [each for each in templates if posixpath.dirname(each) == folder]
    if not stem:
        return beside[0] if len(beside) == 1 else ""
    fitting = [each for each in beside if _starts(stem, _stem(each))]
    return max(fitting, key=lambda each: len(_stem(each)), default="")


def _stem(path: str) -> str:
    return posixpath.basename(path).rsplit(".", 1)[0]


def _starts(text: str, start: str) -> bool:
    return text == start or text.startswith((f"{start}.", f"{start}-", f"{start}_"))

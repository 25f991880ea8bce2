"""Terragrunt files whose module is in the upload: their inputs as the values of its variables.

Terragrunt is not run. What is written out, or follows from the file's own locals, is a value; what
comes from other files, dependencies or functions is unknown, and listed
(terragrunt.gruntwork.io/docs/reference/hcl).
"""

from __future__ import annotations

import json
import posixpath
from dataclasses import dataclass, field
from typing import Any

from assessments.scan.hcl import (
    Attribute,
    Block,
    Call,
    Expression,
    ListOf,
    Literal,
    MapOf,
    Template,
    read_hcl,
)
from assessments.scan.hcl_values import UNKNOWN, Budget
from assessments.scan.terraform import MAX_STEPS, Names, local_folder

NAME = "terragrunt.hcl"
_HERE = {"get_terragrunt_dir": ".", "get_original_terragrunt_dir": "."}


COMPUTED = "?"
"""Stands for a source that is the value of an expression that only Terragrunt can evaluate."""


@dataclass(frozen=True)
class Terragrunt:
    """``folder`` is the module's in the upload; None if the source leads to none. ``source`` is
    as written, empty if there is none, or COMPUTED. ``inputs`` are known values, ``unknown`` the
    names of the others; ``line`` is that of the inputs. ``includes`` says that more inputs may
    come from another file."""

    folder: str | None
    source: str
    source_line: int
    inputs: dict[str, Any] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()
    line: int = 1
    includes: bool = False

    def body(self) -> Block:
        """The inputs in the form of a variable file."""
        attributes = {
            name: Attribute(name, _expression(value), self.line, self.line)
            for name, value in self.inputs.items()
        }
        return Block("", (), 1, max(1, self.line), attributes)

    def variable_file(self) -> bytes:
        """The inputs as HCL for the engines."""
        lines = [f"{name} = {_written(value)}\n" for name, value in sorted(self.inputs.items())]
        return "".join(lines).encode()


def read_terragrunt(text: str, *, path: str) -> Terragrunt:
    """Raises DocumentError."""
    body = read_hcl(text, path=path).body
    names = Names(list(body.blocks), {}, Budget(MAX_STEPS))
    source = next(
        (
            block.attributes["source"]
            for block in body.blocks
            if block.type == "terraform" and "source" in block.attributes
        ),
        None,
    )
    written = _source(source.expression) if source else ""
    inputs = body.attributes.get("inputs")
    values = names.value(inputs)
    values = values if isinstance(values, dict) else {}
    known = {str(name): each for name, each in values.items() if _is_known(each)}
    return Terragrunt(
        folder=_folder(written, path=path),
        source=written,
        source_line=source.line_start if source else 1,
        inputs=known,
        unknown=tuple(sorted(str(name) for name in values if str(name) not in known))
        or (("inputs",) if inputs and not values else ()),
        line=inputs.line_start if inputs else 1,
        includes=any(block.type == "include" for block in body.blocks),
    )


def _source(expression: Expression) -> str:
    """The text of a source, with the top of the repository as a leading ``/``."""
    if isinstance(expression, Literal):
        return str(expression.value)
    if not isinstance(expression, Template):
        return COMPUTED
    texts = []
    for part in expression.parts:
        if isinstance(part, Literal):
            texts.append(str(part.value))
        elif isinstance(part, Call) and part.name == "get_repo_root" and not texts:
            texts.append("")
        elif isinstance(part, Call) and part.name in _HERE:
            texts.append(_HERE[part.name])
        else:
            return COMPUTED
    return "".join(texts)


def _folder(source: str, *, path: str) -> str | None:
    plain = source.replace("//", "/") if not source.startswith(("git", "http", "tfr")) else source
    if plain.startswith("/"):
        return posixpath.normpath(plain.lstrip("/") or ".")
    folder = local_folder(plain, path=path)
    return folder if folder and not folder.startswith("..") else None


def _is_known(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_is_known, value.values()))
    return all(map(_is_known, value)) if isinstance(value, list) else value is not UNKNOWN


def _expression(value: Any) -> Expression:
    if isinstance(value, dict):
        return MapOf(tuple((Literal(str(key)), _expression(each)) for key, each in value.items()))
    return ListOf(tuple(map(_expression, value))) if isinstance(value, list) else Literal(value)


def _written(value: Any) -> str:
    """JSON is HCL, except for what would be a template in a string."""
    return json.dumps(value).replace("${", "$${").replace("%{", "%%{")

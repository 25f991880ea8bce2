"""Edits one instruction of a Dockerfile."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from assessments.fixes.errors import CannotFix
from assessments.fixes.recipes import Recipe

if TYPE_CHECKING:
    from assessments.scan.types import CheckResult

MAX_CHARS = 20_000
"""Limit for an instruction: patterns look ahead, so their time grows quadratically."""
_SHELL_SIGN = re.compile(r"""[\\$"'`;&|<>(){}*?!#~=]""")
"""What only a shell can interpret."""


def applied(recipe: Recipe, check: CheckResult, source: str) -> dict[str, str] | None:
    """``pattern`` replaced in the check's instruction and all its continuation lines."""
    start, end = _instruction(source, check.line_start)
    text = source[start:end]
    if len(text) > MAX_CHARS:
        raise CannotFix("The instruction is too long.")
    if not recipe.fits(text):
        return None
    changed = (
        _exec_form(text)
        if recipe.replacement == "exec form"
        else re.sub(recipe.pattern, recipe.replacement, text, flags=re.MULTILINE)
    )
    return {check.file: source[:start] + changed + source[end:]}


def _instruction(source: str, line: int) -> tuple[int, int]:
    """From the start of 1-based ``line`` to the end of the last line that continues it."""
    lines = source.splitlines(keepends=True)
    if not 0 < line <= len(lines):
        raise CannotFix("The line is not there.")
    last = line
    while last < len(lines) and (
        lines[last - 1].rstrip().endswith("\\") or lines[last - 1].lstrip().startswith("#")
    ):
        last += 1
    start = sum(map(len, lines[: line - 1]))
    return start, start + len("".join(lines[line - 1 : last]).rstrip("\r\n"))


def _exec_form(text: str) -> str:
    """``CMD python app.py`` as a JSON list, which needs no shell."""
    instruction, _, command = text.partition(" ")
    if _SHELL_SIGN.search(command) or "\n" in command:
        raise CannotFix("The command needs a shell.")
    return f"{instruction} {json.dumps(command.split())}"

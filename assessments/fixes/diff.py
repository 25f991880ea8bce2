"""A fix as a patch that ``git apply`` accepts, without a secret in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher

from assessments.fixes.errors import CannotFix

CONTEXT = 3
MAX_LINE_CHARS = 2_000
_NO_END = "\\ No newline at end of file"


@dataclass(frozen=True)
class _Line:
    """``sign`` is what the line starts with in the patch, ``text`` includes its line end; the
    numbers are 0-based positions before and after."""

    sign: str
    text: str
    old: int
    new: int


def unified_diff(path: str, before: str, after: str, *, redact: Callable[[str], str]) -> str:
    """The patch from ``before`` to ``after``, with up to three lines around each change.

    A context line that ``redact`` would mask is left out, along with everything beyond it.
    Raises CannotFix if a changed line would be masked, or is too long to read.
    """
    hunks: list[list[_Line]] = [[]]
    for line in _lines(_split(before), _split(after)):
        text = line.text.rstrip("\n")
        is_hidden = redact(text) != text or len(text) > MAX_LINE_CHARS
        if is_hidden and line.sign != " ":
            raise CannotFix("A line that changes holds a secret.")
        last = hunks[-1][-1] if hunks[-1] else line
        is_apart = line.old > last.old + 1 or line.new > last.new + 1
        if is_hidden or is_apart:
            hunks.append([])
        if not is_hidden:
            hunks[-1].append(line)
    shown = [hunk for hunk in hunks if any(line.sign != " " for line in hunk)]
    body = "".join(_hunk(hunk) for hunk in shown)
    return f"--- a/{path}\n+++ b/{path}\n{body}"


def _split(text: str) -> list[str]:
    """Lines with their ends; a carriage return belongs to the line."""
    lines = [f"{line}\n" for line in text.split("\n")]
    lines[-1] = lines[-1].removesuffix("\n")
    return lines if lines[-1] else lines[:-1]


def _lines(before: list[str], after: list[str]) -> Iterator[_Line]:
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    for group in matcher.get_grouped_opcodes(CONTEXT):
        for tag, old, old_end, new, new_stop in group:
            if tag == "equal":
                for at in range(old_end - old):
                    yield _Line(" ", before[old + at], old + at, new + at)
                continue
            for at in range(old, old_end):
                yield _Line("-", before[at], at, new)
            for at in range(new, new_stop):
                yield _Line("+", after[at], old_end, at)


def _hunk(lines: list[_Line]) -> str:
    old = [line for line in lines if line.sign != "+"]
    new = [line for line in lines if line.sign != "-"]
    head = f"@@ -{_range(old, lines[0].old)} +{_range(new, lines[0].new, is_new=True)} @@\n"
    return head + "".join(
        line.sign + (line.text if line.text.endswith("\n") else f"{line.text}\n{_NO_END}\n")
        for line in lines
    )


def _range(lines: list[_Line], at: int, *, is_new: bool = False) -> str:
    if not lines:
        return f"{at},0"
    first = lines[0].new if is_new else lines[0].old
    return f"{first + 1},{len(lines)}"

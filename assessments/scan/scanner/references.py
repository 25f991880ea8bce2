"""Which resource names which in Terraform source: what its values no longer show once they are
evaluated.

tfparse resolves ``aws_lb.web.arn`` to a value or to null, and what stood inside a string or behind
a local is gone. Here each block's text is read for the names in it, and variables, locals, data
sources, modules and outputs are followed to the resources behind them. Standard library only: it
runs in the scanner's interpreter.

The text is hostile: every repetition is bounded, and so are lines, depth and results.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MAX_LINE = 4_000
MAX_LINES = 5_000
MAX_REFERENCES = 200
"""Of one resource; the rest is left out."""
MAX_STEPS = 2_000
"""Names followed for one resource: through variables, locals and outputs."""
MAX_ALL_STEPS = 200_000
"""The same for all resources of a root: about 2 s. Real roots take a few thousand."""

_NAME = r"[A-Za-z_][\w-]{0,200}"
_INDEX = r"(?:\[[^\]\n]{0,80}\])?"
_TOKEN = re.compile(
    rf'(?<![\w."/-])({_NAME})({_INDEX}(?:\.(?:{_NAME}|\*|\d{{1,9}}){_INDEX}){{1,8}})'
)
_STEP = re.compile(rf"\.({_NAME}|\*|\d{{1,9}})({_INDEX})")
_HEAD = re.compile(
    r'^\s{0,200}(?:dynamic\s{1,20}"(?P<dynamic>[\w-]{1,100})"|"?(?P<name>[\w-]{1,200})"?)'
    r'\s{0,100}(?:=(?![=>])|:(?!:)|(?:"[^"\n]{0,200}"\s{0,20}){0,2}\{)'
)
_HEREDOC = re.compile(r"<<-?([A-Za-z_]\w{0,100})\s{0,20}$")
_PREFIX = re.compile(r"^(?:module\.[^.\[]{1,200}(?:\[[^\]]{0,200}\])?\.){0,20}")
_INDEXES = re.compile(r"\[[^\]]{0,200}\]")
_COUNTED = re.compile(r'^\[(\d{1,9}|"[^"]{0,80}")\]$')
_NOT_RESOURCES = {"each", "count", "self", "path", "terraform"}


@dataclass(frozen=True)
class _Mention:
    """A name with its steps: ``("aws_lb", "web", "arn")``; ``indexes`` belong to the steps."""

    steps: tuple[str, ...]
    indexes: tuple[str, ...]
    at: tuple[str, ...]
    line: int


class References:
    """``blocks``: every block that tfparse found, as ``(path, file, first line, last line)``."""

    def __init__(self, blocks: list[tuple[str, str, int, int]]) -> None:
        self._files: dict[str, list[str]] = {}
        self._read: dict[tuple[str, int, int], dict[str, list[_Mention]]] = {}
        self._all_left = MAX_ALL_STEPS
        self._by_path: dict[str, list[tuple[str, str, int, int]]] = {}
        self._addresses: set[str] = set()
        for block in blocks:
            self._by_path.setdefault(_INDEXES.sub("", block[0]), []).append(block)
            self._addresses.add(block[0])

    def of(self, path: str, file: str, start: int, end: int) -> list[dict[str, Any]]:
        """The resources that the block names: address, where in the block, and line."""
        found: dict[tuple[str, str], dict[str, Any]] = {}
        self._left = MAX_STEPS
        prefix = _prefix(path)
        mentions = self._mentions(file, start, end).values()
        for mention in (each for group in mentions for each in group):
            at = ".".join(mention.at)[:200]
            for to in sorted(self._resources(mention, prefix, frozenset())):
                if _INDEXES.sub("", to) != _INDEXES.sub("", path):
                    found.setdefault((to, at), {"to": to, "at": at, "line": mention.line})
            if len(found) >= MAX_REFERENCES or self._is_spent():
                break
        return [found[key] for key in sorted(found)][:MAX_REFERENCES]

    def _resources(self, mention: _Mention, prefix: str, seen: frozenset[str]) -> set[str]:
        """The addresses of resources behind a name, as seen from the module ``prefix``."""
        kind, name = mention.steps[0], mention.steps[1]
        key = f"{prefix}|{'.'.join(mention.steps[:3])}"
        self._left -= 1
        self._all_left -= 1
        if kind in _NOT_RESOURCES or key in seen or len(seen) > 30 or self._is_spent():
            return set()
        seen |= {key}
        if kind == "var":
            call = prefix.removesuffix(".")
            return self._behind(call, seen, attribute=name, inside=_prefix(call))
        if kind == "local":
            return self._behind(f"{prefix}locals", seen, attribute=name, inside=prefix)
        if kind == "data" and len(mention.steps) > 2:
            return self._behind(f"{prefix}data.{name}.{mention.steps[2]}", seen, inside=prefix)
        if kind == "module" and len(mention.steps) > 2:
            index = mention.indexes[1] if _COUNTED.match(mention.indexes[1]) else ""
            inside = f"{prefix}module.{name}{index}."
            output = next((step for step in mention.steps[2:] if not _is_index(step)), "")
            return self._behind(f"{inside}output.{output}", seen, inside=inside)
        return self._named(f"{prefix}{kind}.{name}", mention.indexes[1])

    def _named(self, address: str, index: str) -> set[str]:
        if address + index in self._addresses:
            return {address + index}
        return {address} if _INDEXES.sub("", address) in self._by_path else set()

    def _behind(
        self, path: str, seen: frozenset[str], *, inside: str, attribute: str = ""
    ) -> set[str]:
        """What stands in a block that is no resource, or in one attribute of it."""
        found: set[str] = set()
        for _, file, start, end in self._by_path.get(_INDEXES.sub("", path), ())[:20]:
            groups = self._mentions(file, start, end)
            for name in [attribute] if attribute else list(groups):
                for mention in groups.get(name, ()):
                    if self._is_spent():
                        return found
                    found |= self._resources(mention, inside, seen)
        return found

    def _is_spent(self) -> bool:
        return self._left < 0 or self._all_left < 0

    def _mentions(self, file: str, start: int, end: int) -> dict[str, list[_Mention]]:
        """The names in a block, by the attribute of the block in which they stand."""
        key = (file, start, end)
        if key not in self._read:
            lines = self._lines(file)[max(0, start - 1) : min(end, start + MAX_LINES)]
            found = self._read[key] = {}
            for mention in _mentions(lines, start):
                found.setdefault(mention.at[0] if mention.at else "", []).append(mention)
        return self._read[key]

    def _lines(self, file: str) -> list[str]:
        if file not in self._files:
            try:
                text = Path(file).read_text(errors="replace")
            except OSError:
                text = ""
            self._files[file] = _without_comments(text)
        return self._files[file]


def _prefix(path: str) -> str:
    found = _PREFIX.match(path)
    return found[0] if found else ""


def _is_index(step: str) -> bool:
    return step == "*" or step.isdigit()


def _mentions(lines: list[str], start: int) -> Any:
    """Each name of a block with the attribute it stands in, by counting brackets. The block's own
    head line is depth 0."""
    stack: list[str] = []
    name = heredoc = ""
    for number, line in enumerate(lines, start=max(1, start)):
        if heredoc and line.strip() == heredoc:
            heredoc = ""
        elif not heredoc:
            head = _HEAD.match(line)
            name = (head["dynamic"] or head["name"]) if head else ""
        named = [*stack[1:], name] if stack else []
        at = tuple(part for part in named if part and part != "content")
        for token in _TOKEN.finditer(line):
            steps = _STEP.findall(_after_index(token[2]))
            first_index = token[2][: len(token[2]) - len(_after_index(token[2]))]
            yield _Mention(
                steps=(token[1], *(step for step, _ in steps)),
                indexes=(first_index, *(index for _, index in steps)),
                at=at,
                line=number,
            )
        if heredoc:
            continue
        if begun := _HEREDOC.search(line):
            heredoc = begun[1]
        opened = _opened(line)
        if opened > 0:
            stack += [name, *[""] * (opened - 1)]
        elif opened < 0:
            del stack[opened:]


def _after_index(text: str) -> str:
    return text[text.index("]") + 1 :] if text.startswith("[") else text


def _opened(line: str) -> int:
    """Brackets that the line opens and doesn't close, outside of strings."""
    depth, quoted = 0, False
    for place, char in enumerate(line):
        if char == '"' and line[place - 1 : place] != "\\":
            quoted = not quoted
        elif not quoted:
            depth += (char in "{[(") - (char in "}])")
    return depth


def _without_comments(text: str) -> list[str]:
    lines: list[str] = []
    commented = False
    for line in text.split("\n"):
        line = line[:MAX_LINE]
        stripped = line.lstrip()
        commented = commented or stripped.startswith("/*")
        keep = not commented and not stripped.startswith(("#", "//"))
        lines.append(_before_comment(line) if keep else "")
        if commented and "*/" in line:
            commented = False
    return lines


def _before_comment(line: str) -> str:
    for sign in (" #", " //"):
        place = line.find(sign)
        if place > 0 and line.count('"', 0, place) % 2 == 0:
            line = line[:place]
    return line

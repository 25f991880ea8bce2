"""Which resource names which in Terraform source: what its values no longer show once they are
evaluated.

tfparse resolves ``aws_lb.web.arn`` to a value or to null, and anything inside a string or behind
a local is lost. Here each block is searched for names (``hcl_mentions``), and variables, locals,
data sources, modules and outputs are followed to the resources behind them.

The source is hostile: depth, steps and results are bounded.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from assessments.scan.hcl_mentions import Mention, Mentions, mentions_of
from assessments.scan.plan_references import without_indexes
from assessments.scan.types import Reference

if TYPE_CHECKING:
    from assessments.scan.intake import InputFile

MAX_REFERENCES = 200
"""Per resource; the rest is left out."""
MAX_STEPS = 2_000
"""Names followed per resource: through variables, locals and outputs."""
MAX_ALL_STEPS = 200_000
"""The same for all resources of a root: about 2 s. Real roots take a few thousand."""
_NOT_RESOURCES = {"each", "count", "self", "path", "terraform"}
Declared = tuple[str, str, int]
"""A block: its path (``module.app.aws_lb.web``), file and first line."""


class Sources:
    """The names in files, each file read once, on demand."""

    def __init__(self, files: Iterable[InputFile]) -> None:
        self._files = {file.path: file for file in files}
        self._read: dict[str, Mentions] = {}

    def of(self, path: str, file: str, line: int) -> list[Mention]:
        if file not in self._read:
            known = self._files.get(file)
            text = known.content.decode(errors="replace") if known else ""
            self._read[file] = mentions_of(text, path=file)
        if file.endswith(".json"):
            local = without_indexes(path).removeprefix(without_indexes(_prefix(path)))
            return self._read[file].get(local, [])
        return self._read[file].get(line, [])


class References:
    """``blocks`` are all that tfparse found in a root."""

    def __init__(self, blocks: Iterable[Declared], *, sources: Sources) -> None:
        self._sources = sources
        self._read: dict[tuple[str, str, int], dict[str, list[Mention]]] = {}
        self.left = MAX_ALL_STEPS
        self._by_path: dict[str, list[Declared]] = {}
        self._addresses: set[str] = set()
        for block in blocks:
            self._by_path.setdefault(without_indexes(block[0]), []).append(block)
            self._addresses.add(block[0])

    def of(self, path: str, file: str, start: int) -> list[Reference]:
        """The resources that the block names."""
        found: dict[tuple[str, str], Reference] = {}
        self._left = MAX_STEPS
        prefix = _prefix(path)
        mentions = self._mentions(path, file, start).values()
        for mention in (each for group in mentions for each in group):
            at = ".".join(mention.at)[:200]
            for to in sorted(self._resources(mention, prefix, frozenset())):
                if without_indexes(to) != without_indexes(path):
                    found.setdefault((to, at), Reference(to=to[:400], at=at, line=mention.line))
            if len(found) >= MAX_REFERENCES or self._is_spent():
                break
        return [found[key] for key in sorted(found)][:MAX_REFERENCES]

    def _resources(self, mention: Mention, prefix: str, seen: frozenset[str]) -> set[str]:
        """The addresses of resources behind a name, as seen from the module ``prefix``."""
        kind, name = mention.steps[0], mention.steps[1]
        key = f"{prefix}|{'.'.join(mention.steps[:3])}"
        self._left -= 1
        self.left -= 1
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
            index = mention.indexes[1] if _is_literal(mention.indexes[1]) else ""
            inside = f"{prefix}module.{name}{index}."
            output = next((step for step in mention.steps[2:] if not _is_index(step)), "")
            return self._behind(f"{inside}output.{output}", seen, inside=inside)
        return self._named(f"{prefix}{kind}.{name}", mention.indexes[1])

    def _named(self, address: str, index: str) -> set[str]:
        if address + index in self._addresses:
            return {address + index}
        return {address} if without_indexes(address) in self._by_path else set()

    def _behind(
        self, path: str, seen: frozenset[str], *, inside: str, attribute: str = ""
    ) -> set[str]:
        """The names in a block that is not a resource, or in one attribute of it."""
        found: set[str] = set()
        for block, file, start in self._by_path.get(without_indexes(path), ())[:20]:
            groups = self._mentions(block, file, start)
            for name in [attribute] if attribute else list(groups):
                for mention in groups.get(name, ()):
                    if self._is_spent():
                        return found
                    found |= self._resources(mention, inside, seen)
        return found

    def _is_spent(self) -> bool:
        return self._left < 0 or self.left < 0

    def _mentions(self, path: str, file: str, start: int) -> dict[str, list[Mention]]:
        """The names in a block, by the attribute of the block in which they occur."""
        key = (without_indexes(path), file, start)
        if key not in self._read:
            found = self._read[key] = {}
            for mention in self._sources.of(path, file, start):
                found.setdefault(mention.at[0] if mention.at else "", []).append(mention)
        return self._read[key]


def _prefix(path: str) -> str:
    """``module.a[0].module.b.`` for anything in that module; empty at the top."""
    parts = steps_of(path)
    inner = 0
    while parts[inner : inner + 1] == ["module"] and len(parts) > inner + 2:
        inner += 2
    return "".join(f"{part}." for part in parts[:inner])


def _is_index(step: str) -> bool:
    return step == "*" or step.isdigit()


def _is_literal(index: str) -> bool:
    """``[0]`` or ``["a"]``."""
    inner = index[1:-1]
    return inner.isdigit() or (len(inner) > 1 and inner[0] == inner[-1] == '"' and "$" not in inner)


def steps_of(path: str) -> list[str]:
    """An address split at its dots, but not at those inside an index."""
    parts, depth = [""], 0
    for char in path:
        depth += (char == "[") - (char == "]")
        if char == "." and depth == 0:
            parts.append("")
        else:
            parts[-1] += char
    return parts

"""Which resource names which in a Terraform plan: its ``configuration`` keeps the names that the
planned values, known only after apply, leave out (developer.hashicorp.com/terraform/internals/
json-format, "Configuration Representation")."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from assessments.scan.types import Reference

MAX_DEPTH = 20
MAX_STEPS = 2_000
"""Names followed per resource: through variables, outputs and data sources."""
MAX_REFERENCES = 200
_INDEXES = re.compile(r"\[[^\]]{0,200}\]")

Expressions = dict[str, Any]


def plan_references(plan: dict[str, Any]) -> dict[str, list[Reference]]:
    """By address without indexes. Lines are 1: a plan is a document of one line."""
    configuration = plan.get("configuration")
    names = _Names()
    names.read(_mapping(_mapping(configuration).get("root_module")), prefix="", depth=0)
    return {address: names.references(address) for address in names.resources}


def without_indexes(address: str) -> str:
    return _INDEXES.sub("", address)


class _Names:
    """What every module of the plan declares, by address."""

    def __init__(self) -> None:
        self.resources: dict[str, tuple[str, Expressions]] = {}
        self._data: dict[str, tuple[str, Expressions]] = {}
        self._calls: dict[str, tuple[str, Expressions]] = {}
        self._outputs: dict[str, tuple[str, Expressions]] = {}
        self._left = 0

    def read(self, module: dict[str, Any], *, prefix: str, depth: int) -> None:
        if depth > MAX_DEPTH:
            return
        resources = module.get("resources")
        for each in resources if isinstance(resources, list) else ():
            if not isinstance(each, dict):
                continue
            kind = self._data if each.get("mode") == "data" else self.resources
            kind[f"{prefix}{each.get('address')}"] = prefix, _mapping(each.get("expressions"))
        for name, output in _mapping(module.get("outputs")).items():
            value = {"value": _mapping(output).get("expression")}
            self._outputs[f"{prefix}{name}"] = prefix, value
        for name, call in _mapping(module.get("module_calls")).items():
            inside = f"{prefix}module.{name}."
            self._calls[inside] = prefix, _mapping(_mapping(call).get("expressions"))
            self.read(_mapping(_mapping(call).get("module")), prefix=inside, depth=depth + 1)

    def references(self, address: str) -> list[Reference]:
        prefix, expressions = self.resources[address]
        self._left = MAX_STEPS
        found = {
            (to, at)
            for name, at in _names_in(expressions)
            for to in self._behind(name, prefix, frozenset())
            if to != address
        }
        return [Reference(to=to, at=at, line=1) for to, at in sorted(found)[:MAX_REFERENCES]]

    def _behind(self, name: str, prefix: str, seen: frozenset[str]) -> set[str]:
        key, self._left = f"{prefix}|{name}", self._left - 1
        if key in seen or self._left < 0:
            return set()
        seen |= {key}
        parts = without_indexes(name).split(".")
        kind, rest = parts[0], parts[1:]
        if not rest:
            return set()
        if kind == "var":
            return self._values(self._calls.get(prefix), seen, attribute=rest[0])
        if kind == "data":
            return self._values(self._data.get(prefix + ".".join(parts[:3])), seen)
        if kind == "module":
            output = f"{prefix}module.{rest[0]}.{rest[1]}" if len(rest) > 1 else ""
            return self._values(self._outputs.get(output), seen)
        address = f"{prefix}{kind}.{rest[0]}"
        return {address} if address in self.resources else set()

    def _values(
        self, declared: tuple[str, Expressions] | None, seen: frozenset[str], attribute: str = ""
    ) -> set[str]:
        if declared is None:
            return set()
        prefix, expressions = declared
        wanted = {attribute: expressions.get(attribute)} if attribute else expressions
        return {
            address for name, _ in _names_in(wanted) for address in self._behind(name, prefix, seen)
        }


def _names_in(value: Any, at: str = "", *, depth: int = 0) -> Iterator[tuple[str, str]]:
    """Every name in expressions, with the attribute in which it occurs."""
    if depth > MAX_DEPTH:
        return
    if isinstance(value, list):
        for each in value:
            yield from _names_in(each, at, depth=depth + 1)
    elif isinstance(value, dict):
        names = value.get("references")
        if isinstance(names, list):
            yield from ((name, at) for name in names if isinstance(name, str))
            return
        for key, each in value.items():
            yield from _names_in(each, f"{at}.{key}".strip("."), depth=depth + 1)


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}

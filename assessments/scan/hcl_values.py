"""Evaluates an HCL expression as far as the upload determines it: variables, locals, plain
operators and a few functions. Anything else is UNKNOWN, never a guess."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

from assessments.scan.hcl import (
    Call,
    Conditional,
    Expression,
    For,
    ListOf,
    Literal,
    MapOf,
    Operation,
    Reference,
    Template,
)

MAX_DEPTH = 60
MAX_ITEMS = 10_000
MAX_STEPS = 500_000
"""About 0.5 s."""


class _Unknown:
    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = _Unknown()
Lookup = Callable[[tuple[str, ...]], Any]


class Budget:
    """Total steps that evaluation may take: nested loops outgrow any bound on a single one."""

    def __init__(self, steps: int = MAX_STEPS) -> None:
        self.left = steps


def evaluate(
    expression: Expression, lookup: Lookup, *, budget: Budget | None = None, depth: int = 0
) -> Any:
    """A JSON value, in which individual items may be UNKNOWN, or UNKNOWN."""
    budget = budget or Budget()
    budget.left -= 1
    if depth > MAX_DEPTH or budget.left < 0:
        return UNKNOWN

    def value(inner: Expression, names: Lookup = lookup) -> Any:
        return evaluate(inner, names, budget=budget, depth=depth + 1)

    match expression:
        case Literal(literal):
            return literal
        case Reference(parts):
            return lookup(parts)
        case ListOf(items):
            return [value(item) for item in items]
        case MapOf(pairs):
            return _mapping([(value(key), value(item)) for key, item in pairs])
        case Template(parts):
            return _joined([value(part) for part in parts])
        case Call(name, arguments):
            return _called(name, [value(argument) for argument in arguments])
        case Conditional(condition, yes, no):
            return _chosen(value(condition), value(yes), value(no))
        case Operation(operator, operands):
            return _operated(operator, [value(operand) for operand in operands])
        case For():
            collection = value(expression.collection)
            return _looped(expression, collection, lookup, value, budget=budget)
        case _:
            return UNKNOWN


def _looped(
    loop: For,
    collection: Any,
    lookup: Lookup,
    value: Callable[[Expression, Lookup], Any],
    *,
    budget: Budget,
) -> Any:
    """UNKNOWN if the number of items that the loop produces can't be determined."""
    if not isinstance(collection, dict | list):
        return UNKNOWN
    pairs = list(collection.items() if isinstance(collection, dict) else enumerate(collection))
    found: list[tuple[Any, Any]] = []
    for pair in pairs:
        if budget.left < 0:
            return UNKNOWN
        bound = dict(zip(reversed(loop.names), reversed(pair), strict=False))

        def names(parts: tuple[str, ...], bound: dict[str, Any] = bound) -> Any:
            own = parts[0] in bound
            return step_into(bound[parts[0]], parts[1:]) if own else lookup(parts)

        wanted = True if loop.condition is None else value(loop.condition, names)
        if not isinstance(wanted, bool):
            return UNKNOWN
        if wanted:
            key = None if loop.key is None else value(loop.key, names)
            found.append((key, value(loop.value, names)))
    if loop.key is None:
        return [item for _, item in found]
    return _grouped(found) if loop.is_grouped else _mapping(found)


def _grouped(pairs: list[tuple[Any, Any]]) -> Any:
    keys = _mapping(pairs)
    if keys is UNKNOWN:
        return UNKNOWN
    groups: dict[str, list[Any]] = {key: [] for key in keys}
    for key, item in pairs:
        groups[str(key)].append(item)
    return groups


def step_into(value: Any, steps: tuple[str, ...]) -> Any:
    """Follows attribute names and indexes into ``value``."""
    for step in steps:
        if isinstance(value, dict):
            value = value.get(step, UNKNOWN)
        elif isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            return UNKNOWN
    return value


def instances(count: Any) -> int | None:
    """How many instances a value of ``count`` gives; None if unknown."""
    if isinstance(count, str):
        try:
            count = float(count)
        except ValueError:
            return None
    if isinstance(count, bool) or not isinstance(count, int | float) or not math.isfinite(count):
        return None
    return max(0, int(count))


def each_instances(collection: Any) -> int | None:
    """How many instances a value of ``for_each`` gives; None if unknown."""
    return len(collection) if isinstance(collection, dict | list) else None


def _mapping(pairs: list[tuple[Any, Any]]) -> Any:
    if any(not isinstance(key, str | int | float) for key, _ in pairs):
        return UNKNOWN
    return {str(key): value for key, value in pairs}


def _joined(parts: list[Any]) -> Any:
    if len(parts) == 1:
        return parts[0]
    if not all(isinstance(part, str | int | float) for part in parts):
        return UNKNOWN
    return "".join(_text(part) for part in parts)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _chosen(condition: Any, yes: Any, no: Any) -> Any:
    condition = (
        {"true": True, "false": False}.get(condition, condition)
        if isinstance(condition, str)
        else condition
    )
    if isinstance(condition, bool):
        return yes if condition else no
    return yes if yes is not UNKNOWN and type(yes) is type(no) and yes == no else UNKNOWN


def _operated(operator: str, operands: list[Any]) -> Any:
    if operator in {"&&", "||"}:
        decides = operator == "||"
        if any(operand is decides for operand in operands):
            return decides
        known = all(isinstance(operand, bool) for operand in operands)
        return (not decides) if known else UNKNOWN
    if any(not _whole(operand) for operand in operands):
        return UNKNOWN
    if operator in {"==", "!="}:
        equal = operands[0] == operands[1] and isinstance(operands[0], bool) == isinstance(
            operands[1], bool
        )
        return equal == (operator == "==")
    if operator == "!":
        return not operands[0] if isinstance(operands[0], bool) else UNKNOWN
    return _calculated(operator, operands)


def _calculated(operator: str, operands: list[Any]) -> Any:
    """Text that is a number counts as one, as in Terraform."""
    operands = [_as_number(each) for each in operands]
    if any(isinstance(n, bool) or not isinstance(n, int | float) for n in operands):
        return UNKNOWN
    if len(operands) == 1:
        return -operands[0] if operator == "-" else UNKNOWN
    a, b = operands
    try:
        return _OPERATORS[operator](a, b)
    except (KeyError, ZeroDivisionError, OverflowError):
        return UNKNOWN


def _as_number(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return _number(value)
    except (ValueError, OverflowError):
        return value


_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "%": lambda a, b: a % b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
}


def _called(name: str, arguments: list[Any]) -> Any:
    function = _FUNCTIONS.get(name)
    if function is None:
        return UNKNOWN
    try:
        found = function(*arguments)
    except (TypeError, ValueError, AttributeError, KeyError, IndexError, OverflowError):
        return UNKNOWN
    return UNKNOWN if isinstance(found, dict | list) and len(found) > MAX_ITEMS else found


def _whole(value: Any) -> bool:
    """Whether ``value`` is fully known."""
    if isinstance(value, dict):
        return all(_whole(item) for item in value.values())
    if isinstance(value, list):
        return all(_whole(item) for item in value)
    return value is not UNKNOWN


def _length(value: Any) -> Any:
    return len(value) if isinstance(value, str | list | dict) else UNKNOWN


def _set(value: Any) -> Any:
    if not isinstance(value, list) or not _whole(value):
        return UNKNOWN
    if all(isinstance(item, str) for item in value):
        return list(dict.fromkeys(value))
    if len(value) > MAX_COMPARED:
        return UNKNOWN
    return [item for place, item in enumerate(value) if item not in value[:place]]


MAX_COMPARED = 500
"""Items that are compared pairwise."""


def _range(*limits: Any) -> Any:
    if not all(isinstance(each, int) and not isinstance(each, bool) for each in limits):
        return UNKNOWN
    if len(limits) == 2 and limits[0] > limits[1]:
        limits = (*limits, -1)
    found = range(*limits)
    return list(found) if len(found) <= MAX_ITEMS else UNKNOWN


def _flat(value: Any) -> Any:
    if not isinstance(value, list) or any(item is UNKNOWN for item in value):
        return UNKNOWN
    found: list[Any] = []
    for item in value:
        inner = _flat(item) if isinstance(item, list) else [item]
        if inner is UNKNOWN or len(found) + len(inner) > MAX_ITEMS:
            return UNKNOWN
        found += inner
    return found


def _zipped(keys: Any, values: Any) -> Any:
    known = isinstance(keys, list) and isinstance(values, list) and len(keys) == len(values)
    return _mapping(list(zip(keys, values, strict=True))) if known else UNKNOWN


def _same(value: Any) -> Any:
    return value


def _concat(*lists: Any) -> Any:
    if not all(isinstance(each, list) for each in lists):
        return UNKNOWN
    return [item for each in lists for item in each]


def _merge(*maps: Any) -> Any:
    if not all(isinstance(each, dict) for each in maps):
        return UNKNOWN
    return {key: item for each in maps for key, item in each.items()}


def _number(value: Any) -> Any:
    return float(value) if isinstance(value, str) and "." in value else int(value)


def _numbers(pick: Callable[[Any], Any]) -> Callable[..., Any]:
    def function(*values: Any) -> Any:
        return pick(values) if all(isinstance(n, int | float) for n in values) else UNKNOWN

    return function


def _lookup(mapping: Any, key: Any, default: Any = UNKNOWN) -> Any:
    return mapping.get(key, default) if isinstance(mapping, dict) and _whole(key) else UNKNOWN


def _contains(items: Any, wanted: Any) -> Any:
    return wanted in items if isinstance(items, list) and _whole([items, wanted]) else UNKNOWN


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "length": _length,
    "toset": _set,
    "distinct": _set,
    "tolist": _same,
    "tomap": _same,
    "tostring": lambda v: _text(v) if isinstance(v, str | int | float) else UNKNOWN,
    "tonumber": _number,
    "concat": _concat,
    "merge": _merge,
    "range": _range,
    "flatten": _flat,
    "zipmap": _zipped,
    "keys": lambda v: sorted(v) if isinstance(v, dict) else UNKNOWN,
    "values": lambda v: [v[key] for key in sorted(v)] if isinstance(v, dict) else UNKNOWN,
    "min": _numbers(min),
    "max": _numbers(max),
    "lookup": _lookup,
    "contains": _contains,
    "lower": lambda v: v.lower() if isinstance(v, str) else UNKNOWN,
    "upper": lambda v: v.upper() if isinstance(v, str) else UNKNOWN,
    "element": lambda v, i: v[i % len(v)] if isinstance(v, list) and v else UNKNOWN,
}

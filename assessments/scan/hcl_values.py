"""What an HCL expression comes to, as far as the upload tells: variables, locals, plain operators
and a few functions. Anything else is UNKNOWN, never a guess."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

from assessments.scan.hcl import (
    Call,
    Conditional,
    Expression,
    ListOf,
    Literal,
    MapOf,
    Operation,
    Reference,
    Template,
)

MAX_DEPTH = 60
MAX_ITEMS = 10_000


class _Unknown:
    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = _Unknown()
Lookup = Callable[[tuple[str, ...]], Any]


def evaluate(expression: Expression, lookup: Lookup, *, depth: int = 0) -> Any:
    """A JSON value, in which single items may be UNKNOWN, or UNKNOWN."""
    if depth > MAX_DEPTH:
        return UNKNOWN

    def value(inner: Expression) -> Any:
        return evaluate(inner, lookup, depth=depth + 1)

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
        case _:
            return UNKNOWN


def step_into(value: Any, steps: tuple[str, ...]) -> Any:
    """``value`` followed along attribute names and indexes."""
    for step in steps:
        if isinstance(value, dict):
            value = value.get(step, UNKNOWN)
        elif isinstance(value, list) and step.isdigit() and int(step) < len(value):
            value = value[int(step)]
        else:
            return UNKNOWN
    return value


def instances(count: Any) -> int | None:
    """How many instances a value of ``count`` gives; None where it is not known."""
    if isinstance(count, str):
        try:
            count = float(count)
        except ValueError:
            return None
    if isinstance(count, bool) or not isinstance(count, int | float) or not math.isfinite(count):
        return None
    return max(0, int(count))


def each_instances(collection: Any) -> int | None:
    """How many instances a value of ``for_each`` gives; None where it is not known."""
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
    if any(isinstance(n, bool) or not isinstance(n, int | float) for n in operands):
        return UNKNOWN
    if len(operands) == 1:
        return -operands[0] if operator == "-" else UNKNOWN
    a, b = operands
    try:
        return _OPERATORS[operator](a, b)
    except (KeyError, ZeroDivisionError, OverflowError):
        return UNKNOWN


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
    """Whether nothing in ``value`` is unknown."""
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
    return [item for place, item in enumerate(value) if item not in value[:place]]


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

"""Reads declared configuration from any source: Terraform, a plan, CloudFormation, Kubernetes or
Compose.

An absent value takes the caller's default; a value that can't be resolved from the code (a
reference, an intrinsic function, null) reads as None, "unknown". The two must never be confused.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_DEPTH = 12
_WORD_BREAK = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def number(value: object) -> float | None:
    """A finite number, also one written as text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        result = float(value)
    except (ValueError, OverflowError):
        return None
    return result if math.isfinite(result) else None


def whole(value: object, *, most: int = 1_000_000) -> int | None:
    """A count between 0 and ``most``; None where it is unknown or out of bounds."""
    result = number(value)
    return None if result is None or not 0 <= result <= most else int(result)


def flag(value: object) -> bool | None:
    """True or False, also as text (plans and templates quote them); None where it is unknown."""
    if isinstance(value, bool):
        return value
    words = {"true": True, "enabled": True, "false": False, "disabled": False}
    return words.get(value.strip().lower()) if isinstance(value, str) else None


def text(value: object) -> str | None:
    """A literal text; None for a reference that the code leaves open."""
    return value if isinstance(value, str) and value and "${" not in value else None


def listed(value: object) -> list[Any] | None:
    """The entries of a list; None where the list itself is unknown."""
    return list(value) if isinstance(value, list | tuple) else None


def blocks(value: object) -> list[dict[str, Any]]:
    """Nested blocks: one mapping, or a list of them, as the different readers give them."""
    entries = value if isinstance(value, list) else [value]
    return [entry for entry in entries if isinstance(entry, dict)]


def block(value: object) -> dict[str, Any]:
    """The first nested block, or an empty one."""
    found = blocks(value)
    return found[0] if found else {}


def first(attributes: Mapping[str, Any], *keys: str, default: object = None) -> Any:
    """The first of ``keys`` that is declared, else ``default``."""
    for key in keys:
        if key in attributes:
            return attributes[key]
    return default


def declared(attributes: Mapping[str, Any], key: str, default: object) -> Any:
    """The value of ``key``; ``default`` where it is not declared, or null as plans have it."""
    value = attributes.get(key)
    return default if value is None else value


def snake_case(value: Any, *, depth: int = MAX_DEPTH) -> Any:
    """CloudFormation's keys in Terraform's spelling (``MultiAZ`` -> ``multi_az``), down to
    ``depth`` levels."""
    if depth <= 0:
        return None
    if isinstance(value, dict):
        return {
            _WORD_BREAK.sub("_", str(key)).lower(): snake_case(each, depth=depth - 1)
            for key, each in value.items()
        }
    if isinstance(value, list):
        return [snake_case(each, depth=depth - 1) for each in value]
    return value

"""Merges the services of a Compose project's files: an override changes what the file beside it
declares (docs.docker.com/compose/how-tos/multiple-compose-files/merge)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from assessments.scan.types import Resource

MAX_DEPTH = 20
REPLACED = {"command", "entrypoint"}


def merged_services(services: Iterable[Resource]) -> list[Resource]:
    """``services`` come in the order in which their files apply. Each keeps the place where it is
    first declared."""
    found: dict[str, Resource] = {}
    for service in services:
        first = found.get(service.address)
        if first is None:
            found[service.address] = service
        else:
            attributes = _merged(first.attributes, service.attributes, depth=0)
            found[service.address] = first.replace(attributes=attributes)
    return list(found.values())


def _merged(first: Any, second: Any, *, depth: int) -> Any:
    """Mappings are merged, lists are concatenated, anything else is replaced."""
    if depth > MAX_DEPTH or second is None:
        return first
    if isinstance(first, dict) and isinstance(second, dict | list):
        second = _pairs(second) if isinstance(second, list) else second
        return {
            **first,
            **{
                key: value
                if key in REPLACED or key not in first
                else _merged(first[key], value, depth=depth + 1)
                for key, value in second.items()
            },
        }
    if isinstance(first, list) and isinstance(second, dict):
        return _merged(_pairs(first), second, depth=depth)
    if isinstance(first, list) and isinstance(second, list):
        return [*first, *(item for item in second if item not in first)]
    return second


def _pairs(items: list[Any]) -> dict[str, Any]:
    """``["A=1"]`` as a mapping, since ``environment`` and ``labels`` may be written either way."""
    pairs = (str(item).partition("=") for item in items)
    return {name: value for name, _, value in pairs}

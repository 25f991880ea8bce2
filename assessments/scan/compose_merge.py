"""Merges the services of a Compose project's files: an override changes what the file beside it
declares, and a service adds to the one that it extends (docs.docker.com/compose/how-tos/
multiple-compose-files, "Merge" and "Extend")."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from typing import Any

from assessments.scan.types import Resource

MAX_DEPTH = 20
REPLACED = {"command", "entrypoint"}


def extended_services(services: Iterable[Resource]) -> list[Resource]:
    """``services`` with what they inherit. ``extends`` remains where the service that it names is
    not among them."""
    listed = list(services)
    known = {(each.file, each.name): each for each in listed}
    return [each.replace(attributes=_extended(each, known, depth=0)) for each in listed]


def _extended(
    service: Resource, known: Mapping[tuple[str, str], Resource], *, depth: int
) -> dict[str, Any]:
    own = service.attributes
    extends = own.get("extends")
    named = {"service": extends} if isinstance(extends, str) else extends
    if not isinstance(named, dict) or depth > MAX_DEPTH:
        return own
    file = named.get("file")
    folder = posixpath.dirname(service.file)
    path = posixpath.normpath(posixpath.join(folder, file)) if isinstance(file, str) else ""
    base = known.get((path or service.file, str(named.get("service"))))
    if base is None:
        return own
    inherited = _extended(base, known, depth=depth + 1)
    added = {key: value for key, value in own.items() if key != "extends"}
    merged: dict[str, Any] = _merged(inherited, added, depth=0)
    return merged


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

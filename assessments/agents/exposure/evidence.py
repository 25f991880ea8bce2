"""What makes a resource reachable, in words, with its location."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from assessments.scan.types import Resource

EVERYWHERE = {"0.0.0.0/0", "::/0", "*", "internet", "any"}
"""Any internet address, as the three clouds write it."""


@dataclass(frozen=True, slots=True)
class Exposure:
    """Why the internet can reach ``resource``: a chain in words, each link with its file and
    line."""

    resource: Resource
    reason: str


def place_of(resource: Resource, line: int = 0) -> str:
    return f"{resource.file}:{line or resource.line_start}"


def exposed(resource: Resource, *reasons: str) -> Exposure:
    words = "; ".join(each for each in reasons if each)
    return Exposure(resource, f"{resource.address} ({place_of(resource)}): {words}")


def is_everywhere(value: Any) -> bool:
    """Whether a value, or one in a list, is the whole internet. Unknown values are not."""
    if isinstance(value, list | tuple):
        return any(is_everywhere(each) for each in value)
    if not isinstance(value, str):
        return False
    if value.strip().lower() in EVERYWHERE:
        return True
    try:
        return ipaddress.ip_network(value.strip(), strict=False).prefixlen == 0
    except ValueError:
        return False


def texts(value: Any) -> list[str]:
    """The literal texts in a value or list."""
    values: Iterable[Any] = value if isinstance(value, list | tuple) else [value]
    return [each for each in values if isinstance(each, str)]

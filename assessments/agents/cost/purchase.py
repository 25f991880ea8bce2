"""How machines are purchased: operating system, tenancy, and whether on the spot market.

The operating system is determined from evidence only: the image's name or filters, the platform,
the startup script. Without evidence, Linux is assumed, and the price says so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from assessments.agents.attributes import block, flag, text
from assessments.scan.types import Resource

_WINDOWS = re.compile(r"windows|(?:^|[^a-z])win(?:[^a-z]|$)|winsrv|_ec2launch", re.IGNORECASE)
_WITH_FEE = {
    "RHEL": re.compile(r"rhel|red[-_ ]?hat", re.IGNORECASE),
    "SUSE": re.compile(r"(?:^|[^a-z])suse|(?:^|[^a-z])sles", re.IGNORECASE),
}
_LINUX = re.compile(
    r"amazon[-_ ]?linux|amzn|(?:^|[^a-z0-9])al20\d\d|(?:^|[^a-z])al2(?:[^a-z0-9]|$)|ubuntu|debian"
    r"|bottlerocket|centos|fedora|rocky|alma|linux|flatcar|coreos|alpine|nixos",
    re.IGNORECASE,
)
_POWERSHELL = ("<powershell>", "PHBvd2Vyc2hlbGw+")
"""The marker of a startup script for Windows, and its base64."""
_IMAGE_KEYS = ("ami", "image_id", "ami_type", "platform")


@dataclass(frozen=True, slots=True)
class Purchase:
    """``system`` is Linux, Windows, RHEL or SUSE, ``assumed`` if nothing shows it. ``tenancy``
    and ``market`` are None if they are declared but can't be resolved."""

    system: str
    assumed: bool
    tenancy: str | None
    market: str | None

    @property
    def words(self) -> str:
        return f"{self.system} assumed" if self.assumed else self.system


def purchase_of(
    attributes: Mapping[str, Any],
    template: Mapping[str, Any] | None,
    images: Mapping[str, Resource],
) -> Purchase:
    """What the machine's own attributes declare, otherwise its template's. ``images`` are the
    declared images by address."""
    both = [dict(attributes), dict(template or {})]
    system = next((found for each in both if (found := _system(each, images))), None)
    return Purchase(system or "Linux", system is None, _tenancy(both), _market(both))


def _system(attributes: dict[str, Any], images: Mapping[str, Resource]) -> str | None:
    script = f"{attributes.get('user_data', '')}{attributes.get('user_data_base64', '')}"
    if any(mark in script for mark in _POWERSHELL) or flag(attributes.get("get_password_data")):
        return "Windows"
    evidence = " ".join(_evidence(attributes.get(key), images) for key in _IMAGE_KEYS)
    if _WINDOWS.search(evidence):
        return "Windows"
    for name, pattern in _WITH_FEE.items():
        if pattern.search(evidence):
            return name
    return "Linux" if _LINUX.search(evidence) else None


def _evidence(value: object, images: Mapping[str, Resource]) -> str:
    """A reference to an image, and the filters of the image it leads to."""
    words = str(value or "")
    named = next((each for address, each in images.items() if address in words), None)
    return f"{words} {named.attributes}" if named else words


def _tenancy(both: list[dict[str, Any]]) -> str | None:
    for each in both:
        for where in (each, block(each.get("placement"))):
            for key in ("tenancy", "placement_tenancy"):
                if key in where:
                    return text(where[key])
    return "default"


def _market(both: list[dict[str, Any]]) -> str | None:
    for each in both:
        if "capacity_type" in each:
            kind = text(each["capacity_type"])
            return kind.lower().replace("_", "-") if kind else None
        if "spot_price" in each:
            return "spot"
        if "instance_market_options" in each:
            return text(block(each["instance_market_options"]).get("market_type", "spot"))
    return "on-demand"

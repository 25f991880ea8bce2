"""Finds the resource that an attribute of another one names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from assessments.agents.inventory import attributes_of
from assessments.scan.types import Resource

_ATTRIBUTE = re.compile(r"\.(id|arn|identifier|cluster_identifier|name)$")


def referred(resource: Resource, at: str, resources: Mapping[str, Resource]) -> Resource | None:
    """The resource that the attribute ``at`` leads to: by the references kept from the source, by
    the address it contains, or by CloudFormation's ``Ref``."""
    for each in resource.references:
        here = each.at == at or each.at.startswith(f"{at}.")
        if here and (found := _at(each.to, resources)):
            return found
    value = attributes_of(resource).get(at)
    name = _named(value)
    return _at(name, resources) if name else None


def _named(value: Any) -> str:
    if isinstance(value, dict):
        value = value.get("ref", value.get("Ref", ""))
    return _ATTRIBUTE.sub("", value) if isinstance(value, str) else ""


def _at(address: str, resources: Mapping[str, Resource]) -> Resource | None:
    """The resource of that address, of the address with an index, or of that logical name."""
    if address in resources:
        return resources[address]
    indexed = (each for name, each in resources.items() if name.startswith(f"{address}["))
    named = (each for each in resources.values() if each.name == address)
    return next(indexed, None) or next(named, None)

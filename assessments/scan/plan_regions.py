"""The region of each resource of a Terraform plan, by the provider that its ``configuration`` names
(developer.hashicorp.com/terraform/internals/json-format, "Configuration Representation")."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

MAX_DEPTH = 20


def plan_regions(plan: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """By address without indexes: the region, and the provider's name unless it is the default one
    (``aws.west``)."""
    configuration = _mapping(plan.get("configuration"))
    providers = _mapping(configuration.get("provider_config"))
    regions = {key: _region(_mapping(each), plan) for key, each in providers.items()}
    names = {key: _name(_mapping(each)) for key, each in providers.items()}
    return {
        address: (regions.get(key, ""), name if "." in (name := names.get(key, "")) else "")
        for address, key in _provider_keys(_mapping(configuration.get("root_module")))
    }


def _region(provider: dict[str, Any], plan: dict[str, Any]) -> str:
    """As written, or the value given for its variable. Unknown if expressed in another module's
    terms."""
    region = _mapping(_mapping(provider.get("expressions")).get("region"))
    if isinstance(region.get("constant_value"), str):
        return str(region["constant_value"])
    references = region.get("references")
    first = references[0] if isinstance(references, list) and references else ""
    if not isinstance(first, str) or not first.startswith("var.") or "module_address" in provider:
        return ""
    value = _mapping(_mapping(plan.get("variables")).get(first.removeprefix("var."))).get("value")
    return value if isinstance(value, str) else ""


def _name(provider: dict[str, Any]) -> str:
    alias = provider.get("alias")
    return f"{provider.get('name')}.{alias}" if isinstance(alias, str) else ""


def _provider_keys(
    module: dict[str, Any], prefix: str = "", depth: int = 0
) -> Iterator[tuple[str, str]]:
    if depth > MAX_DEPTH:
        return
    resources = module.get("resources")
    for each in resources if isinstance(resources, list) else ():
        if isinstance(each, dict) and isinstance(each.get("provider_config_key"), str):
            yield f"{prefix}{each.get('address')}", each["provider_config_key"]
    for name, call in _mapping(module.get("module_calls")).items():
        inner = _mapping(_mapping(call).get("module"))
        yield from _provider_keys(inner, f"{prefix}module.{name}.", depth + 1)


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}

"""Azure's own templates: ARM (JSON), its parameter files, and Bicep."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

BICEP = (".bicep", ".bicepparam")
_TEMPLATE = re.compile(
    r"/(?:subscription|managementGroup|tenant)?DeploymentTemplate\.json", re.IGNORECASE
)
_PARAMETERS = re.compile(
    r"/(?:subscription|managementGroup|tenant)?DeploymentParameters\.json", re.IGNORECASE
)
_TYPE = re.compile(r"^[A-Za-z]+\.[A-Za-z.]+/\w")
_MODULE = re.compile(r"^[ \t]*module[ \t]+\w+[ \t]+'([^'\n]{1,400})'", re.MULTILINE)

_SECURE_PARAM = re.compile(
    r"@secure\(\)\s{1,20}(?:@[^\n]{0,400}\s{1,20}){0,5}param\s+\w+\s+\w+\s*=\s*'([^'\n]{1,2000})'"
)
_SECURE_STRING = re.compile(
    r'"type"\s*:\s*"securestring"\s*,\s*"defaultValue"\s*:\s*"([^"\n]{1,2000})"'
    r'|"defaultValue"\s*:\s*"([^"\n]{1,2000})"\s*,\s*"type"\s*:\s*"securestring"',
    re.IGNORECASE,
)


@dataclass(frozen=True)
class BicepModule:
    """A ``module`` declaration: ``source`` as written, ``line`` is 1-based."""

    source: str
    line: int

    @property
    def is_local(self) -> bool:
        """Others come from a registry (``br:``) or a template spec (``ts:``)."""
        return not self.source.startswith(("br:", "br/", "ts:", "ts/"))


def is_arm(value: dict[str, Any]) -> bool:
    """Recognized by its schema, or by Azure resources with a version of their API."""
    if _TEMPLATE.search(str(value.get("$schema", ""))):
        return True
    resources = value.get("resources")
    items = resources.values() if isinstance(resources, dict) else resources
    return isinstance(resources, dict | list) and any(
        isinstance(item, dict)
        and "apiVersion" in item
        and isinstance(item.get("type"), str)
        and _TYPE.match(item["type"]) is not None
        for item in items or ()
    )


def is_arm_parameters(value: dict[str, Any]) -> bool:
    return bool(_PARAMETERS.search(str(value.get("$schema", "")))) and isinstance(
        value.get("parameters"), dict
    )


def given_values(value: Any) -> dict[str, Any]:
    """Name to value, from a parameter file; references to a key vault are left out."""
    parameters = value.get("parameters") if isinstance(value, dict) else None
    return {
        str(name): each["value"]
        for name, each in (parameters.items() if isinstance(parameters, dict) else ())
        if isinstance(each, dict) and "value" in each
    }


def secure_defaults(path: str, text: str) -> Iterator[str]:
    """Defaults of parameters that are declared secret: they are written out nevertheless."""
    if path.endswith(".bicep"):
        for found in _SECURE_PARAM.finditer(text):
            yield found[1]
    elif path.endswith(".json") and "secure" in text.lower():
        for found in _SECURE_STRING.finditer(text):
            yield found[1] or found[2]


def arm_units(value: dict[str, Any]) -> int:
    resources = value.get("resources")
    return max(1, len(resources) if isinstance(resources, dict | list) else 1)


def bicep_modules(text: str) -> Iterator[BicepModule]:
    """The modules that a Bicep file calls. Bicep allows no expression there, so the line
    itself suffices."""
    for found in _MODULE.finditer(text):
        yield BicepModule(found[1], text.count("\n", 0, found.start(1)) + 1)


def bicep_units(text: str) -> int:
    declared = re.findall(r"^[ \t]*(?:resource|module|param)[ \t]+\w", text, re.MULTILINE)
    return max(1, len(declared))

"""CloudFormation evaluated for one set of parameters: Conditions decided, Fn::If chosen.

What can't be decided from the upload stays as written (docs.aws.amazon.com/AWSCloudFormation/
latest/UserGuide/intrinsic-function-reference-conditions.html).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MAX_DEPTH = 40
GLOBALS = {
    "AWS::Serverless::Api": "Api",
    "AWS::Serverless::Function": "Function",
    "AWS::Serverless::HttpApi": "HttpApi",
    "AWS::Serverless::SimpleTable": "SimpleTable",
    "AWS::Serverless::StateMachine": "StateMachine",
}
"""SAM's sections of properties for all resources of a type."""


class _Nothing:
    """AWS::NoValue: the property is absent."""


NOTHING = _Nothing()


def given_parameters(value: Any) -> dict[str, Any]:
    """Name to value, from a parameter file in either of its forms."""
    if isinstance(value, dict):
        value = value.get("Parameters")
    if isinstance(value, dict):
        return dict(value)
    return {
        str(each["ParameterKey"]): each["ParameterValue"]
        for each in (value if isinstance(value, list) else ())
        if isinstance(each, dict) and "ParameterKey" in each and "ParameterValue" in each
    }


@dataclass
class Stack:
    """A template with its parameters. ``given`` come from the parameter file and override
    defaults."""

    template: dict[str, Any]
    given: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._decided: dict[str, bool | None] = {}

    def condition(self, name: str) -> bool | None:
        """Whether a named condition holds; None if it can't be determined."""
        if name not in self._decided:
            self._decided[name] = None  # One that refers to itself can't be determined.
            conditions = self.template.get("Conditions")
            written = conditions.get(name) if isinstance(conditions, dict) else None
            self._decided[name] = self._holds(written, depth=0)
        return self._decided[name]

    def absent(self) -> set[str]:
        """Logical ids of resources whose condition is false: they do not exist."""
        return {name for name in self._resources() if self.exists(name) is False}

    def exists(self, logical_id: str) -> bool | None:
        resource = self._resources().get(logical_id)
        name = resource.get("Condition") if isinstance(resource, dict) else None
        return self.condition(name) if isinstance(name, str) else True

    def condition_of(self, logical_id: str) -> str:
        resource = self._resources().get(logical_id)
        return str(resource.get("Condition", "")) if isinstance(resource, dict) else ""

    def properties(self, resource: Mapping[str, Any]) -> dict[str, Any]:
        """The resource's properties, resolved, over those that SAM's Globals section has for its
        type: its own values win, maps are merged, lists are joined (AWS SAM Developer Guide,
        "Globals section of the AWS SAM template")."""
        own = self.resolved(resource.get("Properties"))
        own = own if isinstance(own, dict) else {}
        sections = self.template.get("Globals")
        name = GLOBALS.get(str(resource.get("Type")), "")
        shared = self.resolved(sections.get(name)) if isinstance(sections, dict) else None
        if not isinstance(shared, dict):
            return own
        joined = {key: _joined(shared[key], own[key]) for key in own if key in shared}
        return {**shared, **own, **joined}

    def resolved(self, value: Any, *, depth: int = 0) -> Any:
        """``value`` with parameters filled in and Fn::If chosen; NOTHING if it is absent."""
        if depth > MAX_DEPTH:
            return value
        if isinstance(value, list):
            items = [self.resolved(item, depth=depth + 1) for item in value]
            return [item for item in items if item is not NOTHING]
        if not isinstance(value, dict):
            return value
        if set(value) == {"Ref"}:
            return self._reference(value)
        if set(value) == {"Fn::If"}:
            return self._chosen(value, depth=depth)
        pairs = {key: self.resolved(item, depth=depth + 1) for key, item in value.items()}
        return {key: item for key, item in pairs.items() if item is not NOTHING}

    def _resources(self) -> dict[str, Any]:
        resources = self.template.get("Resources")
        return resources if isinstance(resources, dict) else {}

    def _reference(self, value: dict[str, Any]) -> Any:
        name = value["Ref"]
        if name == "AWS::NoValue":
            return NOTHING
        if not isinstance(name, str):
            return value
        parameters = self.template.get("Parameters")
        parameter = parameters.get(name) if isinstance(parameters, dict) else None
        if not isinstance(parameter, dict) or str(parameter.get("NoEcho", "")).lower() == "true":
            return value
        if name in self.given:
            return self.given[name]
        return parameter.get("Default", value)

    def _chosen(self, value: dict[str, Any], *, depth: int) -> Any:
        branches = value["Fn::If"]
        if not isinstance(branches, list) or len(branches) != 3 or not isinstance(branches[0], str):
            return value
        holds = self.condition(branches[0])
        if holds is None:
            return value
        return self.resolved(branches[1 if holds else 2], depth=depth + 1)

    def _holds(self, written: Any, *, depth: int) -> bool | None:
        if depth > MAX_DEPTH or not isinstance(written, dict) or len(written) != 1:
            return None
        ((function, argument),) = written.items()
        if function == "Condition" and isinstance(argument, str):
            return self.condition(argument)
        if function == "Fn::Equals" and isinstance(argument, list) and len(argument) == 2:
            return self._equal(*argument)
        if not isinstance(argument, list) or not argument:
            return None
        parts: list[bool | None] = [self._holds(part, depth=depth + 1) for part in argument]
        if function == "Fn::Not":
            return None if parts[0] is None else not parts[0]
        if function in {"Fn::And", "Fn::Or"}:
            decides = bool(function == "Fn::Or")
            if any(part is decides for part in parts):
                return decides
            return None if None in parts else not decides
        return None

    def _equal(self, left: Any, right: Any) -> bool | None:
        sides = [self._text(self.resolved(side)) for side in (left, right)]
        return None if None in sides else sides[0] == sides[1]

    def _text(self, value: Any) -> str | None:
        """CloudFormation compares text: true is "true"."""
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, str | int | float):
            return str(value)
        return self._mapped(value) if isinstance(value, dict) else None

    def _mapped(self, value: dict[str, Any]) -> str | None:
        """``Fn::FindInMap`` with known keys."""
        keys = value.get("Fn::FindInMap")
        found: Any = self.template.get("Mappings")
        for key in keys if isinstance(keys, list) else [None]:
            found = found.get(key) if isinstance(found, dict) and isinstance(key, str) else None
        return str(found) if isinstance(found, str | int | float) else None


def _joined(shared: Any, own: Any) -> Any:
    if isinstance(shared, dict) and isinstance(own, dict):
        return {**shared, **own}
    if isinstance(shared, list) and isinstance(own, list):
        return [*shared, *own]
    return own

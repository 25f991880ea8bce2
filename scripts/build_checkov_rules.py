"""Write assessments/data/checkov_rules.json: Checkov's own description of each of its rules.

Run it with the interpreter of the scanner's environment, which has Checkov:

    .venv-scanner/bin/python scripts/build_checkov_rules.py --as-of 2026-11-23

For each rule it takes its category, the types of resources or kinds of objects that it inspects
(``entities``), and its ``roles``: what a resource of such a type must be for the rule to look at it
at all. Checkov reports a pass if it does not: for a container that isn't kube-apiserver, or for a
Defender plan that covers something else. Roles are read from the rules' source. Only facts are
taken (Checkov is under the Apache License 2.0).
"""

from __future__ import annotations

import argparse
import ast
import importlib
import inspect
import json
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

TARGET = Path(__file__).resolve().parent.parent / "assessments" / "data" / "checkov_rules.json"
REGISTRIES = {
    "checkov.terraform.checks.resource.registry": "resource_registry",
    "checkov.terraform.checks.data.registry": "data_registry",
    "checkov.terraform.checks.provider.registry": "provider_registry",
    "checkov.cloudformation.checks.resource.registry": "cfn_registry",
    "checkov.kubernetes.checks.resource.registry": "registry",
    "checkov.dockerfile.registry": "registry",
    "checkov.github_actions.checks.registry": "registry",
    "checkov.gitlab_ci.checks.registry": "registry",
    "checkov.azure_pipelines.checks.registry": "registry",
    "checkov.circleci_pipelines.registry": "registry",
    "checkov.ansible.checks.registry": "registry",
    "checkov.arm.registry": "arm_resource_registry",
    "checkov.bicep.checks.resource.registry": "registry",
}
LOADERS = [
    "checkov.terraform.checks",
    "checkov.cloudformation.checks",
    "checkov.kubernetes.checks",
    "checkov.dockerfile.checks",
    "checkov.github_actions.checks",
    "checkov.gitlab_ci.checks.job",
    "checkov.azure_pipelines.checks.job",
    "checkov.circleci_pipelines.checks",
    "checkov.ansible.checks.task",
    "checkov.arm.checks.resource",
    "checkov.bicep.checks.resource",
]
GRAPHS = ["terraform", "kubernetes", "cloudformation", "ansible", "arm", "bicep"]


COMPONENTS = {
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "etcd",
    "kubelet",
}
"""Programs of a cluster. A rule that looks for one of them by name in a container's command passes
every other container."""
DISCRIMINATORS = {"resource_type", "name"}
"""Arguments by which a rule selects the resources that it looks at, passing all others."""
DATA, PROVIDER = "checkov.terraform.checks.data", "checkov.terraform.checks.provider"


def rules() -> dict[str, dict[str, Any]]:
    """Rule id to category, entities and roles, e.g. ``{"CKV_AWS_18": {"category": "LOGGING",
    "entities": ["aws_s3_bucket"], "roles": []}}``."""
    for name in LOADERS:
        importlib.import_module(name)
    found: dict[str, dict[str, Any]] = {}
    for name, attribute in REGISTRIES.items():
        registry = getattr(importlib.import_module(name), attribute)
        for checks in [*registry.checks.values(), *registry.wildcard_checks.values()]:
            for check in checks:
                category = next(iter(check.categories or []), "GENERAL_SECURITY")
                row = found.setdefault(
                    check.id, {"category": _name(category), "entities": set(), "roles": []}
                )
                row["category"] = _name(category)
                row["entities"] |= set(_entities(name, check))
                row["roles"] = sorted({*row["roles"], *_roles(check)})
    graph = importlib.import_module("checkov.common.checks_infra.registry")
    for framework in GRAPHS:
        registry = graph.get_graph_checks_registry(framework)
        registry.load_checks()
        for check in registry.checks:
            row = found.setdefault(
                check.id,
                {
                    "category": _name(check.category or "GENERAL_SECURITY"),
                    "entities": set(),
                    "roles": [],
                },
            )
            row["entities"] |= set(check.resource_types or [])
    return {rule: {**row, "entities": sorted(row["entities"])} for rule, row in found.items()}


def _entities(registry: str, check: Any) -> Iterator[str]:
    for entity in check.supported_entities or []:
        if registry.startswith(PROVIDER):
            yield "provider"
        else:
            yield f"data.{entity}" if registry.startswith(DATA) else entity


def _roles(check: Any) -> Iterator[str]:
    """``command=kube-apiserver``, ``resource_type=AppServices``."""
    module = sys.modules[type(check).__module__]
    tree = ast.parse(inspect.getsource(module))
    if module.__name__.startswith("checkov.kubernetes"):
        words = {each.value for each in ast.walk(tree) if isinstance(each, ast.Constant)}
        yield from (f"command={word}" for word in sorted(COMPONENTS & words))
    if module.__name__.startswith("checkov.terraform.checks.resource.azure"):
        for each in ast.walk(tree):
            if isinstance(each, ast.Compare) and (role := _compared(each)):
                yield role


def _compared(test: ast.Compare) -> str:
    """``conf.get("resource_type", [None])[0] != "AppServices"`` as a role; empty for another
    test."""
    right = test.comparators[0]
    subject = ast.unparse(test.left).removesuffix(".lower()")
    keys = [
        key for key in DISCRIMINATORS if subject.startswith((f"conf.get('{key}'", f"conf['{key}']"))
    ]
    if keys and isinstance(right, ast.Constant) and isinstance(right.value, str):
        return f"{keys[0]}={right.value}"
    return ""


def _name(category: Any) -> str:
    return str(getattr(category, "name", category)).upper()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--as-of", required=True, help="the day this is run, YYYY-MM-DD")
    as_of = parser.parse_args().as_of
    found = rules()
    by_category: dict[str, list[str]] = {}
    for rule, row in sorted(found.items()):
        by_category.setdefault(row["category"], []).append(rule)
    header = {
        "source": "Checkov rules: categories, inspected types and roles",
        "url": "https://github.com/bridgecrewio/checkov",
        "version": version("checkov"),
        "as_of": as_of,
        "licence": "Apache-2.0",
    }
    parts = {
        "categories": by_category,
        "entities": {rule: row["entities"] for rule, row in sorted(found.items())},
        "roles": {rule: row["roles"] for rule, row in sorted(found.items()) if row["roles"]},
    }
    lines = [f'"header": {json.dumps(header)}']
    lines += [f'"{name}": {{\n{_lines(part)}\n}}' for name, part in parts.items()]
    TARGET.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(
        f"{len(found)} rules in {len(by_category)} categories, {len(parts['roles'])} with roles ->"
        f" {TARGET.name}"
    )


def _lines(part: dict[str, list[str]]) -> str:
    return ",\n".join(
        f"  {json.dumps(name)}: {json.dumps(each)}" for name, each in sorted(part.items())
    )


if __name__ == "__main__":
    main()

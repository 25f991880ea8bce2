"""Write assessments/data/checkov_rules.json: the category that Checkov itself gives each of its
rules.

Run it with the interpreter of the scanner's environment, which has Checkov:

    .venv-scanner/bin/python scripts/build_checkov_rules.py --as-of 2026-11-23

Only rule ids and category names are taken (facts; Checkov is under the Apache License 2.0).
"""

from __future__ import annotations

import argparse
import importlib
import json
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
}
LOADERS = [
    "checkov.terraform.checks",
    "checkov.cloudformation.checks",
    "checkov.kubernetes.checks",
    "checkov.dockerfile.checks",
    "checkov.github_actions.checks",
]
GRAPHS = ["terraform", "kubernetes", "cloudformation"]


def categories() -> dict[str, str]:
    """Rule id to category, e.g. ``{"CKV_AWS_18": "LOGGING"}``."""
    for name in LOADERS:
        importlib.import_module(name)
    found: dict[str, str] = {}
    for name, attribute in REGISTRIES.items():
        registry = getattr(importlib.import_module(name), attribute)
        for checks in [*registry.checks.values(), *registry.wildcard_checks.values()]:
            for check in checks:
                found[check.id] = _name(next(iter(check.categories or []), "GENERAL_SECURITY"))
    graph = importlib.import_module("checkov.common.checks_infra.registry")
    for framework in GRAPHS:
        registry = graph.get_graph_checks_registry(framework)
        registry.load_checks()
        for check in registry.checks:
            found.setdefault(check.id, _name(check.category or "GENERAL_SECURITY"))
    return found


def _name(category: Any) -> str:
    return str(getattr(category, "name", category)).upper()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--as-of", required=True, help="the day this is run, YYYY-MM-DD")
    as_of = parser.parse_args().as_of
    by_category: dict[str, list[str]] = {}
    for rule, category in sorted(categories().items()):
        by_category.setdefault(category, []).append(rule)
    header = {
        "source": "Checkov rule categories",
        "url": "https://github.com/bridgecrewio/checkov",
        "version": version("checkov"),
        "as_of": as_of,
        "licence": "Apache-2.0",
    }
    lines = ",\n".join(
        f"  {json.dumps(name)}: {json.dumps(rules)}" for name, rules in sorted(by_category.items())
    )
    TARGET.write_text(f'{{\n"header": {json.dumps(header)},\n"categories": {{\n{lines}\n}}\n}}\n')
    print(
        f"{sum(map(len, by_category.values()))} rules in {len(by_category)} categories ->"
        f" {TARGET.name}"
    )


if __name__ == "__main__":
    main()

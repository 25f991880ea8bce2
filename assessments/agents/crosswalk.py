"""The crosswalk: what each rule of the scan means, and which published check it equals.

``assessments/data/crosswalk.csv`` is this project's own work. It gives, for a rule of the scan, why
it matters, how to fix it, and which checks of Prowler (``provider/check_id``) test the same thing.
Titles are in ``assessments.rules``. Severities and the relation of those checks to
compliance frameworks come from ``frameworks.json.gz``, trimmed from Prowler's metadata.
"""

from __future__ import annotations

import csv
import tomllib
from dataclasses import dataclass
from functools import cache
from typing import Any

from assessments.agents.datasets import FOLDER, header, load
from assessments.agents.types import Severity

MAX_NUMBERS = 4
"""Requirement numbers shown per framework in a finding; the rest is counted."""

FRAMEWORK_NAMES = {
    "cis": "CIS",
    "pci_dss": "PCI DSS",
    "hipaa": "HIPAA",
    "soc2": "SOC 2",
    "iso27001": "ISO/IEC 27001",
    "gdpr": "GDPR",
    "nist_800_53": "NIST SP 800-53",
}
PROVIDER_NAMES = {"aws": "AWS", "azure": "Azure", "gcp": "Google Cloud", "kubernetes": "Kubernetes"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One rule. ``checks`` are Prowler's, the closest first; empty where no published check tests
    the same thing."""

    rule: str
    checks: tuple[str, ...]
    why: str
    remediation: str
    code_example: str = ""


@dataclass(frozen=True, slots=True)
class Requirement:
    """One requirement of one framework document.

    ``checks`` are those that the crosswalk reaches; ``mapped`` is how many the source maps in all.
    """

    id: str
    title: str
    checks: tuple[str, ...]
    mapped: int


@dataclass(frozen=True, slots=True)
class FrameworkDocument:
    """One edition of one framework for one provider, e.g. CIS for AWS, 7.0."""

    framework: str
    provider: str
    title: str
    edition: str
    requirements: tuple[Requirement, ...]

    @property
    def label(self) -> str:
        """``PCI DSS 4.0 (AWS)``: short enough to stand before a requirement's number."""
        return (
            f"{FRAMEWORK_NAMES[self.framework]} {self.edition}".rstrip()
            + f" ({PROVIDER_NAMES[self.provider]})"
        )


@cache
def entries() -> dict[str, Entry]:
    """Every rule of the crosswalk, by its id."""
    examples = tomllib.loads((FOLDER / "code_examples.toml").read_text(encoding="utf-8"))
    with (FOLDER / "crosswalk.csv").open(newline="", encoding="utf-8") as file:
        return {
            row["rule"]: _entry(row, str(examples.get(row["rule"], "")))
            for row in csv.DictReader(file)
        }


@cache
def severities() -> dict[str, Severity]:
    """Severity of each check that the crosswalk names, as Prowler's metadata gives it."""
    checks = load("frameworks.json.gz")["checks"]
    return {name: Severity[fields["severity"].upper()] for name, fields in checks.items()}


@cache
def documents() -> tuple[FrameworkDocument, ...]:
    """All framework documents, in the order of the data set."""
    return tuple(_document(fields) for fields in load("frameworks.json.gz")["frameworks"])


@cache
def rules_of_check() -> dict[str, tuple[str, ...]]:
    """The crosswalk read backwards: check to the rules that test it."""
    found: dict[str, list[str]] = {}
    for entry in entries().values():
        for check in entry.checks:
            found.setdefault(check, []).append(entry.rule)
    return {check: tuple(sorted(rules)) for check, rules in found.items()}


@cache
def requirements_of_rule(rule: str) -> tuple[str, ...]:
    """The framework requirements that ``rule`` bears on, one line per document: ``PCI DSS 4.0
    (AWS): 1.3.1, ...``."""
    entry = entries().get(rule)
    wanted = set(entry.checks) if entry else set()
    lines = []
    for document in documents():
        numbers = [each.id for each in document.requirements if wanted.intersection(each.checks)]
        if numbers:
            more = f" and {len(numbers) - MAX_NUMBERS} more" if len(numbers) > MAX_NUMBERS else ""
            lines.append(f"{document.label}: {', '.join(numbers[:MAX_NUMBERS])}{more}")
    return tuple(lines)


def vintage() -> str:
    """Version and date of the severities and frameworks, for beside every number that rests on
    them."""
    data = header("frameworks.json.gz")
    return f"{data.source}, version {data.version}, taken on {data.as_of} ({data.url})"


def _entry(row: dict[str, str], example: str) -> Entry:
    checks = tuple(row["prowler_checks"].split())
    return Entry(
        rule=row["rule"],
        checks=checks,
        why=row["why"],
        remediation=row["remediation"],
        code_example=example.strip(),
    )


def _document(fields: dict[str, Any]) -> FrameworkDocument:
    rows = fields["requirements"]
    requirements = tuple(
        Requirement(row["id"], row["title"], tuple(row["checks"]), row["mapped"]) for row in rows
    )
    framework, provider, title, edition = (
        fields[key] for key in ("framework", "provider", "title", "edition")
    )
    return FrameworkDocument(framework, provider, title, edition, requirements)

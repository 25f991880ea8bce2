"""What README and docs/ promise: settings, commands, files and versions that actually exist."""

from __future__ import annotations

import json
import re
import tomllib
from itertools import takewhile
from pathlib import Path
from textwrap import dedent

import pytest
import yaml
from django.core.management import get_commands

from assessments.agents.price_book.reading import read_price_book
from assessments.requirements import Requirements
from assessments.scan.own_rules import read_rules

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "client/README.md",
]
FOLDERS = ("infra_mind", "assessments", "accounts", "tasks_ui", "client", "docs", "tests")
INTERNAL = {"INFRA_MIND_ROLE"}  # set by asgi.py
EXAMPLES = {
    "ci/build.yml",
    "utils.py",
    "prices/list.csv",
    "logs/infra-mind.log",
    "multipart/form-data",
    "docker-compose.override.yml",
}


def test_the_readme_names_every_setting() -> None:
    read = re.findall(
        r'\benv(?:_\w+)?\(\s*"([A-Z_]+)"', (ROOT / "infra_mind/settings.py").read_text()
    )
    table = set(re.findall(r"`([A-Z_]+)`", (ROOT / "README.md").read_text()))
    assert len(read) > 40
    assert set(read) - table - INTERNAL == set()


def test_every_setting_that_the_readme_names_is_read() -> None:
    rows = re.findall(r"^\| (`[A-Z].+?) \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`([A-Z_]+)`", row)}
    code = "\n".join(path.read_text() for path in (ROOT / "infra_mind").rglob("*.py"))
    assert len(named) > 50
    assert {name for name in named if f'"{name}"' not in code} == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_that_a_document_names_exists(document: Path) -> None:
    text = document.read_text()
    targets = re.findall(r"^([\w./-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    made = re.findall(r"(?:`|^    |&& )make ([a-z-]+)", text, re.MULTILINE)
    managed = re.findall(r"manage\.py (\w+)", text)
    assert set(made) - set(targets) == set()
    assert set(managed) - get_commands().keys() == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_that_a_document_names_exists(document: Path) -> None:
    text = document.read_text()
    named = set(re.findall(r"`([\w./-]+\.(?:py|toml|csv|yml|md|sh|json))`", text))
    linked = set(re.findall(r"\]\((?!\w+:)([^)#]+)", text))
    for name in named - EXAMPLES:
        found = (path for folder in FOLDERS for path in (ROOT / folder).rglob(name))
        assert (ROOT / name).exists() or any(found), name
    for name in linked:
        assert (document.parent / name).exists(), name


def test_the_examples_of_rules_and_prices_can_be_used(tmp_path: Path) -> None:
    (tmp_path / "owner.yaml").write_text(example("docs/rules.md", "metadata:"))
    assert [each.about.rule for each in read_rules(tmp_path)] == ["ACME_TAGS_1"]
    assert len(read_price_book(example("docs/prices.md", "provider,").encode())) == 5
    usage = json.loads(example("docs/prices.md", '{"usage"'))
    assert len(Requirements.model_validate(usage).usage) == 2


def example(document: str, start: str) -> str:
    """The indented block that begins with ``start``, without its indentation."""
    lines = (ROOT / document).read_text().splitlines()
    first = next(n for n, line in enumerate(lines) if line.startswith(f"    {start}"))
    block = takewhile(lambda line: not line or line.startswith("    "), lines[first:])
    return dedent("\n".join(block))


def test_the_chart_has_the_version_of_the_project() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    chart = yaml.safe_load((ROOT / "deploy/helm/infra-mind/Chart.yaml").read_text())
    assert chart["appVersion"] == version

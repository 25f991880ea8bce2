"""The package: what it needs is in the application's locks, and it imports nothing else."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from infra_mind_client.cli import cli

ROOT = Path(__file__).parents[2]


def project(path: str) -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((ROOT / path).read_text())["project"]
    return found


def test_the_application_locks_what_the_client_needs() -> None:
    """It is installed into the application's environment without its dependencies."""
    locked = {
        each.split("[")[0].split(">")[0] for each in project("pyproject.toml")["dependencies"]
    }
    needed = {each.split(">")[0] for each in project("client/pyproject.toml")["dependencies"]}
    assert needed <= locked


def test_the_readme_names_options_that_there_are() -> None:
    text = (ROOT / "client/README.md").read_text()
    shown = CliRunner().invoke(cli, ["analyze", "--help"]).output
    for option in ("--assessment", "--base", "--new-only", "--max-increase", "--write-baseline"):
        assert option in text and option in shown

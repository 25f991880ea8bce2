"""Each scope of an upload gives the same results as when uploaded alone: checks, resources,
findings, scores, and costs to the cent."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from typing import Any

import pytest

from assessments.agents import AGENTS
from assessments.agents.types import AgentInput, AgentResult
from assessments.scan.types import Outcome, Scope
from tests.assessments.environments import THREE_ROOTS, TWO_OVERLAYS, TWO_ROOTS, TWO_VARIABLE_FILES
from tests.assessments.rows import scanned

Files = tuple[tuple[str, str], ...]
UPLOADS = {
    "two roots": (TWO_ROOTS, ["envs/prod", "envs/staging"]),
    "three roots": (THREE_ROOTS, ["envs/dev", "envs/prod", "envs/staging"]),
    "two variable files": (
        TWO_VARIABLE_FILES,
        ["infra:prod.tfvars", "infra:staging.tfvars"],
    ),
    "two overlays": (
        TWO_OVERLAYS,
        ["k8s/overlays/prod/kustomization.yaml", "k8s/overlays/staging/kustomization.yaml"],
    ),
}


@pytest.mark.parametrize("name", UPLOADS)
def test_each_scope_of_an_upload_equals_itself_alone(name: str) -> None:
    files, keys = UPLOADS[name]
    whole = scanned(tuple(files.items()))
    assert [scope.key for scope in whole.scopes] == keys
    for scope in whole.scopes:
        alone = scanned(_of(scope, files))
        assert [each.key for each in alone.scopes] == [scope.key]
        assert [each for each in whole.checks if each.scope == scope.key] == alone.checks
        assert [each for each in whole.resources if each.scope == scope.key] == alone.resources
        assert [each for each in whole.gaps if each.scope == scope.key] == alone.gaps
        assert alone.checks and alone.resources


@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.parametrize("name", UPLOADS)
def test_every_agent_gives_each_scope_the_answer_that_it_gives_it_alone(
    name: str, agent: str
) -> None:
    files, _ = UPLOADS[name]
    whole = scanned(tuple(files.items()))
    answer = ask(agent, tuple(files.items()))
    assert len(answer.scopes) == len(whole.scopes)
    for scope, part in zip(whole.scopes, answer.scopes, strict=True):
        alone = ask(agent, _of(scope, files))
        for field in ("status", "score", "score_formula", "summary", "figures", "tables", "gaps"):
            assert getattr(part, field) == getattr(alone, field), (scope.key, field)
        mine = [each for each in answer.findings if each.scope == scope.key]
        assert sorted(map(_identity, mine)) == sorted(map(_identity, alone.findings))


@pytest.mark.parametrize("name", ["two roots", "three roots", "two variable files"])
def test_costs_of_the_scopes_add_up_to_the_cent(name: str) -> None:
    files, _ = UPLOADS[name]
    whole = scanned(tuple(files.items()))
    alone = [_cost(ask("cost", _of(scope, files))) for scope in whole.scopes]
    assert all(alone)
    assert _cost(ask("cost", tuple(files.items()))) == sum(alone)


def test_production_keeps_its_public_unencrypted_database_beside_a_sound_staging() -> None:
    whole = scanned(tuple(TWO_ROOTS.items()))
    outcomes = {
        (each.scope, each.rule): each.outcome
        for each in whole.checks
        if each.resource == "module.db.aws_db_instance.main" and each.file == "modules/db/main.tf"
    }
    for rule in ("CKV_AWS_16", "CKV_AWS_17"):
        assert outcomes["envs/prod", rule] is Outcome.FAILED
        assert outcomes["envs/staging", rule] is Outcome.PASSED
    replicas = {each.scope for each in whole.resources if each.address.endswith("replica[0]")}
    assert replicas == {"envs/prod"}


def test_each_variable_file_gives_its_own_counts_and_values() -> None:
    whole = scanned(tuple(TWO_VARIABLE_FILES.items()))
    found = {
        scope.key: sorted(
            str(each.attributes.get("instance_class") or each.address)
            for each in whole.resources
            if each.scope == scope.key and each.type in {"aws_db_instance", "aws_instance"}
        )
        for scope in whole.scopes
    }
    assert found == {
        "infra:prod.tfvars": [
            "aws_instance.web[0]",
            "aws_instance.web[1]",
            "aws_instance.web[2]",
            "db.m5.large",
        ],
        "infra:staging.tfvars": ["aws_instance.web[0]", "db.t3.micro"],
    }


@cache
def ask(agent: str, files: Files) -> AgentResult:
    scan = scanned(files)
    data = AgentInput(
        scopes=scan.scopes,
        checks=scan.checks,
        resources=scan.resources,
        coverage=scan.coverage,
        gaps=scan.gaps,
    )
    return AGENTS[agent].run(data, lambda done, total, message: None)


def _of(scope: Scope, files: Mapping[str, str]) -> Files:
    return tuple((path, files[path]) for path in scope.paths)


def _identity(finding: Any) -> tuple[Any, ...]:
    return (
        finding.rule,
        finding.resource,
        finding.file,
        finding.line_start,
        finding.severity,
        finding.title,
        finding.actual,
        finding.monthly_saving_usd or 0,
    )


def _cost(answer: AgentResult) -> Decimal:
    (figure,) = [each for each in answer.figures if each.key == "monthly_cost"]
    return Decimal(str(figure.value))


def test_nothing_is_found_in_a_resource_whose_count_is_zero() -> None:
    """Checkov evaluates the block as written, for checks that look at several resources."""
    module = (
        'variable "replicas" {}\n'
        'resource "aws_db_instance" "replica" {\n'
        "  count          = var.replicas\n"
        '  instance_class = "db.t4g.medium"\n'
        "}\n"
    )
    files = {"modules/db/main.tf": module} | {
        f"envs/{name}/main.tf": (
            f'module "db" {{\n  source   = "../../modules/db"\n  replicas = {count}\n}}\n'
        )
        for name, count in (("prod", 1), ("staging", 0))
    }
    failed = [
        each for each in scanned(tuple(files.items())).checks if each.outcome is Outcome.FAILED
    ]
    assert {each.scope for each in failed} == {"envs/prod"}

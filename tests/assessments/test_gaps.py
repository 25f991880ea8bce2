"""Each agent reports what it could not look at, and a gap rules out a score of 100."""

from __future__ import annotations

import pytest

from assessments.agents import AGENTS
from assessments.agents.types import AgentInput, AgentResult, AgentStatus
from assessments.requirements import Requirements
from assessments.scan.types import CoverageStatus, FileCoverage, FileKind, Scope, ScopeKind
from tests.assessments.checks import check, passed, read, resource
from tests.assessments.rows import scanned

MODULE = FileCoverage(
    path="infra/network.tf",
    kind=FileKind.TERRAFORM,
    status=CoverageStatus.PARTLY_READ,
    reason="The module terraform-aws-modules/vpc/aws is not among the files.",
    line=2,
)
READ = read("infra/main.tf", FileKind.TERRAFORM)
SOUND = resource(
    "aws_instance.api",
    instance_type="m7g.large",
    availability_zone="us-east-1a",
    root_block_device={"volume_type": "gp3", "volume_size": 50},
    tags={"owner": "shop"},
)


def assess(agent: str, data: AgentInput) -> AgentResult:
    return AGENTS[agent].run(data, lambda done, total, message: None)


def sound(*coverage: FileCoverage, **stated: object) -> AgentInput:
    return AgentInput(
        checks=[passed("CKV_AWS_17"), passed("CKV_AWS_118")],
        resources=[SOUND],
        coverage=[READ, *coverage],
        requirements=Requirements.model_validate({"regions": ["us-east-1"], **stated}),
    )


@pytest.mark.parametrize("agent", AGENTS)
def test_each_agent_names_a_module_that_is_not_in_the_upload(agent: str) -> None:
    result = assess(agent, sound(MODULE, rps_now=1, service_time_ms=1))
    assert result.gaps == [
        "infra/network.tf:2 was read in part: The module terraform-aws-modules/vpc/aws is not among"
        " the files."
    ]
    assert "1 file was not read in full" in (result.summary or result.reason)
    assert result.score != 100


@pytest.mark.parametrize("agent", ["security", "compliance", "operations", "cost", "capacity"])
def test_a_score_of_100_is_withheld_beside_a_gap_and_given_without(agent: str) -> None:
    stated = {"rps_now": 1, "service_time_ms": 1}
    whole, gap = (assess(agent, sound(*more, **stated)) for more in ((), (MODULE,)))
    assert (whole.score, whole.gaps) == (100, [])
    assert gap.score is None
    assert gap.score_formula.startswith("No score: what was read scores 100, but")


def test_a_lower_score_stays_and_says_that_it_is_of_what_was_read() -> None:
    data = sound(MODULE)
    result = assess("security", data.replace(checks=[*data.checks, check("CKV_AWS_16")]))
    assert result.score is not None and 0 < result.score < 100
    assert "Of what was read" in result.score_formula


def test_a_gap_in_a_file_that_an_agent_does_not_use_is_not_its_gap() -> None:
    workflow = read("a.yml", FileKind.GITHUB_ACTIONS, CoverageStatus.FAILED)
    unknown = read("notes.bin", FileKind.UNKNOWN, CoverageStatus.NOT_ASSESSED)
    assert assess("cost", sound(workflow, unknown)).gaps == []
    assert assess("security", sound(workflow, unknown)).gaps == ["a.yml was not read"]


def test_what_there_may_be_more_of_or_none_of_is_named_and_leaves_the_score() -> None:
    several = resource("aws_instance.several", instance_type="m7g.large").replace(count_known=False)
    maybe = resource("aws_instance.maybe").replace(uncertain="It depends on a condition.")
    data = sound()
    result = assess("security", data.replace(resources=[*data.resources, several, maybe]))
    assert result.score == 100
    assert [gap.split(" ", maxsplit=1)[1] for gap in result.gaps] == [
        "aws_instance.maybe: It depends on a condition.",
        "aws_instance.several: at least 1; the upload does not say how many",
    ]


def test_a_gap_belongs_to_its_scope_and_to_the_run() -> None:
    keys = ("infra", "other")
    scopes = [
        Scope(key=key, kind=ScopeKind.TERRAFORM, label=key, paths=[f"{key}/main.tf", *more])
        for key, more in zip(keys, (["infra/network.tf"], []), strict=True)
    ]
    data = sound(MODULE, read("other/main.tf", FileKind.TERRAFORM))
    twice = data.replace(
        scopes=scopes,
        checks=[each.replace(scope=key) for each in data.checks for key in keys],
        resources=[each.replace(scope=key) for each in data.resources for key in keys],
    )
    result = assess("security", twice)
    assert [(each.score, len(each.gaps)) for each in result.scopes] == [(None, 1), (100, 0)]
    assert result.score is None and len(result.gaps) == 1


def test_a_file_that_belongs_to_no_scope_is_a_gap_of_the_run() -> None:
    lost = read("broken/main.tf", FileKind.TERRAFORM, CoverageStatus.FAILED)
    scopes = [
        Scope(key=key, kind=ScopeKind.TERRAFORM, label=key, paths=[f"{key}/main.tf"])
        for key in ("infra", "other")
    ]
    data = sound(lost)
    for named in (scopes, scopes[:1], []):
        checks = [each.replace(scope="infra" if named else "") for each in data.checks]
        result = assess("security", data.replace(scopes=named, checks=checks))
        assert result.gaps == ["broken/main.tf was not read"]
        assert result.score is None


def test_a_broken_file_and_a_missing_module_reach_the_agents_of_a_real_scan() -> None:
    files = {
        "good.tf": 'resource "aws_sns_topic" "a" {\n  kms_master_key_id = "alias/a"\n}\n',
        "network/main.tf": (
            'module "vpc" {\n  source  = "terraform-aws-modules/vpc/aws"\n  version = "5.0.0"\n}\n'
        ),
        "broken/main.tf": 'resource "aws_s3_bucket" "a" {\n  bucket = "a"\n  tags = {\n',
    }
    scan = scanned(tuple(files.items()))
    data = AgentInput(checks=scan.checks, resources=scan.resources, coverage=scan.coverage)
    for agent in AGENTS:
        result = assess(agent, data)
        assert any(gap.startswith("broken/main.tf") for gap in result.gaps), agent
        assert any("terraform-aws-modules/vpc/aws" in gap for gap in result.gaps), agent
        assert result.score != 100
        if result.status == AgentStatus.NOT_ASSESSED:
            assert "2 files were not read in full" in result.reason

"""Agents answer scope by scope: scopes don't affect each other, and the run's headline combines
them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import given as each_of
from hypothesis import settings
from hypothesis import strategies as st

from assessments.agents import AGENTS
from assessments.agents.types import AgentInput, AgentResult, AgentStatus, ScopeAnswer
from assessments.requirements import Requirements
from assessments.scan.types import (
    CheckResult,
    CoverageStatus,
    FileCoverage,
    FileKind,
    Outcome,
    Reference,
    Resource,
    Scope,
    ScopeKind,
)
from tests.assessments.checks import check, read

PROD, STAGING, REPOSITORY = "envs/prod", "envs/staging", "."
LOAD = {"rps_now": 50, "service_time_ms": 40}
RULES = ("CKV_AWS_17", "CKV_AWS_16", "CKV_AWS_24", "CKV_AWS_79", "CKV_AWS_118", "CKV_AWS_23")


def scope(key: str, *, kind: ScopeKind = ScopeKind.TERRAFORM) -> Scope:
    return Scope(key=key, kind=kind, label=key, paths=[f"{key}/main.tf"])


def declared(key: str, kind: str, name: str, **attributes: Any) -> Resource:
    return Resource(
        scope=key,
        address=f"{kind}.{name}",
        type=kind,
        name=name,
        provider="aws",
        origin=FileKind.TERRAFORM,
        file=f"{key}/main.tf",
        line_start=3,
        line_end=9,
        exact=False,
        attributes=attributes,
    )


def environment(key: str, *, size: str = "m5.large", zones: bool = False) -> list[Resource]:
    return [
        declared(
            key,
            "aws_autoscaling_group",
            "web",
            min_size=2 if zones else 1,
            desired_capacity=2 if zones else 1,
            vpc_zone_identifier=["a", "b"] if zones else ["a"],
            launch_template={"id": "aws_launch_template.web.id"},
        ),
        declared(key, "aws_launch_template", "web", instance_type=size),
        declared(
            key,
            "aws_db_instance",
            "orders",
            engine="postgres",
            instance_class="db.m5.large",
            allocated_storage=100,
            storage_type="gp2",
            multi_az=zones,
        ),
    ]


def failing(key: str, *rules: str, outcome: Outcome = Outcome.FAILED) -> list[CheckResult]:
    return [check(rule, outcome, file=f"{key}/main.tf").replace(scope=key) for rule in rules]


def both(**stated: Any) -> AgentInput:
    return AgentInput(
        scopes=[scope(PROD), scope(STAGING)],
        checks=[
            *failing(PROD, "CKV_AWS_17", "CKV_AWS_118"),
            *failing(STAGING, "CKV_AWS_17", "CKV_AWS_118", outcome=Outcome.PASSED),
        ],
        resources=[*environment(PROD), *environment(STAGING, size="m5.2xlarge", zones=True)],
        coverage=[read(f"{key}/main.tf", FileKind.TERRAFORM) for key in (PROD, STAGING)],
        requirements=Requirements(regions=["us-east-1"], **stated),
    )


def alone(key: str, data: AgentInput) -> AgentInput:
    """The same scope as if nothing else had been uploaded."""
    return data.replace(
        scopes=[each for each in data.scopes if each.key == key],
        checks=[each for each in data.checks if each.scope == key],
        resources=[each for each in data.resources if each.scope == key],
        coverage=[each for each in data.coverage if each.path.startswith(key)],
    )


def answer(agent: str, data: AgentInput) -> AgentResult:
    told: list[tuple[int, int]] = []
    result = AGENTS[agent].run(data, lambda done, total, message: told.append((done, total)))
    assert all(0 < done <= total for done, total in told)
    assert told == sorted(told)
    return result


def of_scope(result: AgentResult, key: str) -> ScopeAnswer:
    return next(each for each in result.scopes if each.scope == key)


def figure(result: AgentResult | ScopeAnswer, key: str) -> Any:
    return next(each.value for each in result.figures if each.key == key)


def said(result: AgentResult | ScopeAnswer) -> dict[str, Any]:
    fields = set(ScopeAnswer.__struct_fields__) - {"scope"}
    return {name: getattr(result, name) for name in fields}


def problems(result: AgentResult, key: str) -> set[tuple[str, str]]:
    return {(each.rule, each.resource) for each in result.findings if each.scope == key}


# The scopes don't affect each other


def test_each_scope_is_answered_as_if_it_were_alone() -> None:
    data = both()
    for name in AGENTS:
        together = answer(name, data)
        for key in (PROD, STAGING):
            single = answer(name, alone(key, data))
            assert said(of_scope(together, key)) == said(single), name
            assert problems(together, key) == problems(single, key), name


def test_one_scope_reads_exactly_as_an_input_without_scopes() -> None:
    data = alone(PROD, both(**LOAD, monthly_budget_usd=100))
    for name in AGENTS:
        named, unnamed = answer(name, data), answer(name, data.replace(scopes=[]))
        assert named.scopes == []
        assert {each.scope for each in named.findings} <= {PROD}
        plain = [each.replace(scope="") for each in named.findings]
        assert named.replace(findings=plain) == unnamed, name


@settings(max_examples=40, deadline=None)
@each_of(st.dictionaries(st.sampled_from(RULES), st.sampled_from(Outcome), min_size=1))
def test_a_sound_second_environment_removes_no_finding_and_raises_no_score_of_the_first(
    outcomes: dict[str, Outcome],
) -> None:
    first = [made for rule, each in outcomes.items() for made in failing(PROD, rule, outcome=each)]
    sound = failing(STAGING, *RULES, outcome=Outcome.PASSED)
    data = both().replace(checks=[*first, *sound])
    for name in AGENTS:
        before, after = answer(name, alone(PROD, data)), answer(name, data)
        assert problems(after, PROD) == problems(before, PROD), name
        assert of_scope(after, PROD).score == before.score, name


def test_findings_of_two_scopes_have_fingerprints_of_their_own() -> None:
    data = both()
    twins = data.replace(
        checks=[*failing(PROD, "CKV_AWS_17"), *failing(STAGING, "CKV_AWS_17")],
    )
    keys = [each.fingerprint_key for each in answer("security", twins).findings]
    assert len(keys) == len(set(keys)) == 2


def test_fingerprints_leave_out_the_folder_that_all_files_share() -> None:
    data = both()
    moved = data.replace(
        scopes=[
            each.replace(
                key=f"shop-1a2b/{each.key}", paths=[f"shop-1a2b/{path}" for path in each.paths]
            )
            for each in data.scopes
        ],
        checks=[
            each.replace(scope=f"shop-1a2b/{each.scope}", file=f"shop-1a2b/{each.file}")
            for each in data.checks
        ],
        resources=[
            each.replace(scope=f"shop-1a2b/{each.scope}", file=f"shop-1a2b/{each.file}")
            for each in data.resources
        ],
        coverage=[each.replace(path=f"shop-1a2b/{each.path}") for each in data.coverage],
    )
    for name in AGENTS:
        keys = [{each.fingerprint_key for each in answer(name, d).findings} for d in (data, moved)]
        assert keys[0] == keys[1], name


def test_what_names_an_unknown_scope_is_not_lost() -> None:
    data = both()
    stray = check("CKV_AWS_24", file="odd/main.tf").replace(scope="odd")
    result = answer("security", data.replace(checks=[*data.checks, stray]))
    assert ("CKV_AWS_24", "aws_db_instance.orders") in problems(result, "")


# The headline


def test_costs_of_two_scopes_add_up_to_the_cent() -> None:
    result = answer("cost", both())
    costs = [Decimal(str(figure(of_scope(result, key), "monthly_cost"))) for key in (PROD, STAGING)]
    assert Decimal(str(figure(result, "monthly_cost"))) == sum(costs)
    assert f"{sum(costs):,.2f} USD a month in 2 scopes" in result.summary
    assert [row[0] for row in result.tables[0].rows] == [PROD, STAGING]


def test_the_score_of_a_run_is_over_the_checks_of_all_scopes() -> None:
    result = answer("security", both())
    prod, staging = (of_scope(result, key).score for key in (PROD, STAGING))
    assert prod is not None and result.score is not None and staging == 100
    assert prod < result.score < 100
    assert "over 2 scopes" in result.score_formula
    assert result.summary.startswith("1 finding in 2 scopes:")


def test_a_single_share_gives_the_score_of_its_own_scope() -> None:
    data = both(**LOAD)
    for name in set(AGENTS) - {"capacity"}:
        for key in (PROD, STAGING):
            single = answer(name, alone(key, data))
            if single.score is not None and single.share is not None:
                exact = 100 * single.share.good / single.share.whole
                assert abs(exact - single.score) < 1, name


def test_availability_and_capacity_name_their_worst_scope() -> None:
    data = both()
    behind = Reference(to="aws_elb.edge", at="load_balancers", line=4)
    fronts = [declared(key, "aws_elb", "edge") for key in (PROD, STAGING)]
    groups = [
        each.replace(references=[behind]) if each.type == "aws_autoscaling_group" else each
        for each in data.resources
    ]
    availability = answer("reliability", data.replace(resources=[*groups, *fronts]))
    assert availability.summary.startswith(f"Worst of 2 scopes: {PROD}.")
    assert figure(availability, "composite_availability") == figure(
        of_scope(availability, PROD), "composite_availability"
    )
    capacity = answer("capacity", both(**LOAD, scope=STAGING))
    assert capacity.summary.startswith(f"{STAGING}: ")
    assert capacity.score == of_scope(capacity, STAGING).score


def test_a_run_is_not_assessed_only_where_no_scope_is() -> None:
    data = both()
    half = answer("cost", data.replace(resources=environment(PROD)))
    assert half.status == AgentStatus.ASSESSED
    assert of_scope(half, STAGING).status == AgentStatus.NOT_ASSESSED
    none = answer("cost", data.replace(resources=[]))
    assert none.status == AgentStatus.NOT_ASSESSED
    assert none.reason and none.score is None and not none.figures


# What the requirements describe


def test_traffic_of_an_unnamed_deployment_describes_no_scope_and_asks_which() -> None:
    result = answer("capacity", both(**LOAD))
    assert result.status == AgentStatus.NOT_ASSESSED
    assert result.missing == ["scope", "rps_peak"]
    assert result.reason == "These requirements describe one deployment; name its scope."
    budget = answer("cost", both(monthly_budget_usd=10))
    assert "scope" in budget.missing and "monthly_budget_usd" not in budget.missing
    assert not [each for each in budget.findings if each.rule == "im-cost-budget"]


def test_traffic_applies_to_the_scope_that_is_named_and_to_no_other() -> None:
    result = answer("capacity", both(**LOAD, scope=PROD))
    assert of_scope(result, PROD).status == AgentStatus.ASSESSED
    assert of_scope(result, STAGING).status == AgentStatus.NOT_ASSESSED
    assert of_scope(result, STAGING).reason == f"The requirements describe {PROD} only."
    assert "scope" not in result.missing


def test_a_name_that_is_no_scope_is_reported() -> None:
    result = answer("capacity", both(**LOAD, scope="envs/old"))
    assert result.status == AgentStatus.NOT_ASSESSED
    assert "envs/old" in result.reason and "scope" in result.missing


def test_frameworks_and_regions_hold_for_every_scope() -> None:
    result = answer("compliance", both(frameworks=["pci_dss"]))
    for key in (PROD, STAGING):
        tables = {each.key for each in of_scope(result, key).tables}
        assert "compliance_pci_dss_aws" in tables
    assert {figure(each, "region") for each in answer("cost", both()).scopes} == {"us-east-1"}


def test_a_repository_beside_one_deployment_leaves_nothing_to_ask() -> None:
    data = alone(PROD, both(**LOAD))
    beside = data.replace(
        scopes=[*data.scopes, scope(REPOSITORY, kind=ScopeKind.REPOSITORY)],
        coverage=[
            *data.coverage,
            FileCoverage(
                path="Dockerfile", kind=FileKind.DOCKERFILE, status=data.coverage[0].status
            ),
        ],
    )
    result = answer("capacity", beside)
    assert of_scope(result, PROD).status == AgentStatus.ASSESSED
    assert "scope" not in result.missing


def test_a_sum_of_costs_with_something_unpriced_is_a_least() -> None:
    data = both()
    odd = data.replace(resources=[*data.resources, declared(PROD, "aws_msk_cluster", "queue")])
    assert figure(answer("cost", odd), "unpriced") > 0
    assert answer("cost", odd).summary.startswith("At least ")


def test_no_cost_score_of_one_scope_stands_for_another_that_has_too_few_prices() -> None:
    data = both()
    queues = [declared(PROD, "aws_msk_cluster", f"queue{n}") for n in range(9)]
    clusters = [declared(key, "aws_eks_cluster", "main") for key in (PROD, STAGING)]
    result = answer("cost", data.replace(resources=[*clusters, *queues]))
    assert of_scope(result, PROD).score is None
    assert of_scope(result, STAGING).score is not None
    assert result.score is None
    assert PROD in result.score_formula


def test_a_scope_without_any_price_makes_the_sum_a_least_and_is_listed() -> None:
    data = both()
    bus = declared(STAGING, "aws_msk_cluster", "bus")
    result = answer("cost", data.replace(resources=[*environment(PROD), bus]))
    assert of_scope(result, STAGING).status == AgentStatus.NOT_ASSESSED
    assert result.summary.startswith("At least ")
    assert (result.score, figure(result, "unpriced")) == (None, 2)
    listed = [row for table in result.tables if table.key == "unpriced" for row in table.rows]
    assert [row[:2] for row in listed] == [[STAGING, "aws_msk_cluster.bus"]]
    none = answer("cost", data.replace(resources=[bus]))
    assert [row[1] for table in none.tables for row in table.rows] == ["aws_msk_cluster.bus"]


def test_why_no_scope_is_assessed_is_said_once_whatever_each_lacks() -> None:
    data = both()
    unread = [
        FileCoverage(
            path=f"{key}/more{n}.tf", kind=FileKind.TERRAFORM, status=CoverageStatus.FAILED
        )
        for key, count in ((PROD, 1), (STAGING, 2))
        for n in range(count)
    ]
    scopes = [
        each.replace(paths=[*each.paths, *(f.path for f in unread if f.path.startswith(each.key))])
        for each in data.scopes
    ]
    result = answer(
        "capacity", data.replace(coverage=[*data.coverage, *unread], gaps=[], scopes=scopes)
    )
    assert result.status == AgentStatus.NOT_ASSESSED
    assert result.reason.count("Capacity needs") == 1
    assert result.reason.endswith("3 files were not read in full.")


def test_reasons_that_differ_say_of_which_scopes_they_are_true() -> None:
    """'No billable resource was found' stood beside 'no price for any of the 4 billable resources
    found'."""
    empty, unknown = declared(PROD, "null_resource", "a"), declared(STAGING, "aws_msk_cluster", "b")
    told = answer("cost", both().replace(resources=[empty, unknown]))
    assert told.status == AgentStatus.NOT_ASSESSED
    assert "envs/prod: No billable resource was found" in told.reason
    assert "envs/staging: The billable resource found has no known price" in told.reason


def test_a_worst_scopes_summary_does_not_repeat_the_runs_gaps() -> None:
    unread = FileCoverage(
        path=f"{STAGING}/main.tf", kind=FileKind.TERRAFORM, status=CoverageStatus.PARTLY_READ
    )
    told = answer("capacity", both(**LOAD, scope=STAGING).replace(coverage=[unread]))
    assert told.summary.startswith(f"{STAGING}: ")
    assert told.summary.count("not read in full") == 1

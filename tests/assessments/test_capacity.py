"""Capacity: Erlang's formulas against published tables, and the agent's answers from a
questionnaire and from code."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assessments.agents.capacity import agent, erlang
from assessments.agents.capacity.erlang import (
    erlang_b,
    erlang_c,
    mean_wait,
    response_percentile,
    wait_percentile,
)
from assessments.agents.types import AgentInput, AgentResult, AgentStatus
from assessments.requirements import Requirements
from assessments.scan.types import FileKind, Reference, Resource


def assess(*resources: Resource, **wanted: Any) -> AgentResult:
    data = AgentInput(resources=list(resources), requirements=Requirements(**wanted))
    return agent.run(data, lambda done, total, message: None)


def figure(result: AgentResult, key: str) -> Any:
    return next(each.value for each in result.figures if each.key == key)


def deployment(name: str, replicas: int) -> Resource:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": name}]}}
    return kubernetes("Deployment", name, {"replicas": replicas, "template": template})


def kubernetes(kind: str, name: str, spec: dict[str, Any]) -> Resource:
    return Resource(
        address=f"{kind}/default/{name}",
        type=kind,
        name=name,
        provider="kubernetes",
        origin=FileKind.KUBERNETES,
        file="app.yaml",
        line_start=7,
        line_end=20,
        exact=True,
        attributes={"metadata": {"name": name}, "spec": spec},
    )


@pytest.mark.parametrize(
    ("servers", "load", "blocking"),
    # Traffic offered at a blocking of 1 %: Erlang B table of the ITU-D Teletraffic Engineering
    # Handbook.
    [
        (1, 0.0101, 0.01),
        (2, 0.1526, 0.01),
        (5, 1.3608, 0.01),
        (10, 4.4612, 0.01),
        (20, 12.031, 0.01),
        (100, 84.064, 0.01),
    ],
)
def test_erlang_b_matches_the_published_table(servers: int, load: float, blocking: float) -> None:
    assert erlang_b(servers, load) == pytest.approx(blocking, rel=2e-3)


@pytest.mark.parametrize(
    ("servers", "load", "waiting"),
    # c = 1: C = a. c = 2: C = a^2 / (2 + a). c = 3, a = 2: 4/9. c = 5, a = 4 and c = 10, a = 8:
    # textbook tables.
    [(1, 0.5, 0.5), (2, 1.0, 1 / 3), (3, 2.0, 4 / 9), (5, 4.0, 0.5541), (10, 8.0, 0.4092)],
)
def test_erlang_c_matches_the_published_table(servers: int, load: float, waiting: float) -> None:
    assert erlang_c(servers, load) == pytest.approx(waiting, abs=5e-5)


def test_one_server_gives_the_closed_forms_of_m_m_1() -> None:
    # rho = 0.8, S = 1: mean wait = rho / (1 - rho) = 4; p95 of the response = ln 20 / (1 - rho).
    assert mean_wait(1, 0.8, 1.0) == pytest.approx(4.0)
    assert response_percentile(1, 0.8, 1.0, share=0.95) == pytest.approx(math.log(20) / 0.2)
    assert wait_percentile(1, 0.8, 1.0, share=0.95) == pytest.approx(math.log(0.8 / 0.05) / 0.2)


def test_the_integral_agrees_with_the_recurrence(monkeypatch: pytest.MonkeyPatch) -> None:
    for servers, load in ((30_000, 29_900.0), (30_000, 27_000.0), (25_000, 24_999.0)):
        by_integral = erlang_b(servers, load)
        monkeypatch.setattr(erlang, "RECURRENCE_LIMIT", 10**9)
        assert by_integral == pytest.approx(erlang_b(servers, load), rel=1e-9)
        monkeypatch.setattr(erlang, "RECURRENCE_LIMIT", 20_000)


@given(st.integers(1, 10**10), st.floats(1e-6, 0.999999))
def test_every_probability_lies_between_nought_and_one(servers: int, utilisation: float) -> None:
    assert 0 <= erlang_c(servers, servers * utilisation) <= 1


@given(st.integers(1, 2_000), st.floats(0.05, 0.99))
def test_doubling_the_replicas_never_lengthens_the_p95_wait(
    servers: int, utilisation: float
) -> None:
    load = servers * utilisation
    before, after = (
        wait_percentile(count, load, 1.0, share=0.95) for count in (servers, 2 * servers)
    )
    assert after < before or (before == after == 0)


def test_a_questionnaire_alone_is_answered() -> None:
    # 80 requests/s x 100 ms = 8 erlangs on 10 servers: rho = 80 %, C = 0.4092, mean wait = C S / (c
    # - a) = 20.46 ms, p95 wait = ln(C / 0.05) S / 2 = 105.1 ms.
    result = assess(rps_now=80, service_time_ms=100, replicas=5, concurrency_per_replica=2)
    assert figure(result, "utilisation_now") == 80.0
    assert figure(result, "waiting_now") == pytest.approx(40.92, abs=0.01)
    assert figure(result, "mean_wait_now") == pytest.approx(20.46, abs=0.01)
    assert figure(result, "wait_p95_now") == pytest.approx(105.11, abs=0.05)


def test_the_replicas_needed_are_the_least_that_meet_the_target() -> None:
    wanted: dict[str, Any] = {"rps_peak": 200, "service_time_ms": 50, "latency_p95_target_ms": 180}
    needed = figure(assess(**wanted), "needed_peak")
    assert response_percentile(needed, 10.0, 0.05, share=0.95) <= 0.18
    assert response_percentile(needed - 1, 10.0, 0.05, share=0.95) > 0.18


def test_growth_is_taken_from_the_peak() -> None:
    result = assess(rps_now=10, rps_peak=40, growth_12m_percent=50, service_time_ms=100, replicas=8)
    assert [row[1] for row in result.tables[0].rows] == [10, 40, 60]
    assert result.score is not None and result.score < 100


def test_an_overloaded_tier_is_critical_and_its_wait_is_not_a_number() -> None:
    result = assess(rps_now=100, service_time_ms=100, replicas=5)
    assert (
        result.findings[0].rule == "im-cap-short-now"
        and result.findings[0].severity.name == "CRITICAL"
    )
    assert not [each for each in result.figures if each.key.startswith("mean_wait")]


def test_more_replicas_never_lower_the_score() -> None:
    scores = [
        assess(rps_now=50, rps_peak=90, service_time_ms=100, replicas=n).score or 0
        for n in range(1, 20)
    ]
    assert all(earlier <= later for earlier, later in itertools.pairwise(scores))
    assert (scores[0] < 20, scores[-1]) == (True, 100)


def test_a_target_below_the_service_times_own_percentile_is_out_of_reach() -> None:
    result = assess(rps_now=1, service_time_ms=100, latency_p95_target_ms=250, replicas=50)
    assert result.findings[0].rule == "im-cap-target-unreachable" and result.score == 0


def test_replicas_come_from_the_workload_that_the_outside_reaches() -> None:
    door = kubernetes("Service", "web", {"type": "LoadBalancer", "selector": {"app": "web"}})
    result = assess(
        deployment("cache", 1),
        deployment("web", 4),
        door,
        rps_now=10,
        service_time_ms=10,
        replicas=99,
    )
    assert (figure(result, "replicas"), figure(result, "bottleneck")) == (
        4,
        "Deployment/default/web",
    )


def cloud(kind: str, name: str, **names: str) -> Resource:
    """A resource that names others: ``cloud("aws_elb", "edge", instances="aws_instance.web")``."""
    return Resource(
        address=f"{kind}.{name}",
        type=kind,
        name=name,
        provider="aws",
        origin=FileKind.TERRAFORM,
        file="main.tf",
        line_start=1,
        line_end=2,
        exact=False,
        attributes={"min_size": 3} if kind == "aws_autoscaling_group" else {},
        references=[Reference(to=to, at=at, line=2) for at, to in names.items()],
    )


def test_instances_behind_a_balancer_count_before_the_questionnaire() -> None:
    two = [cloud("aws_instance", "web[0]"), cloud("aws_instance", "web[1]")]
    wanted = {"rps_now": 10, "service_time_ms": 10, "replicas": 99}
    balancer = cloud("aws_elb", "edge", instances="aws_instance.web")
    assert figure(assess(*two, balancer, **wanted), "replicas") == 2
    assert figure(assess(*two, cloud("aws_elb", "edge"), **wanted), "replicas") == 99
    assert figure(assess(*two, **wanted), "replicas") == 99


def test_what_the_request_path_leads_to_serves_and_not_the_smaller_group_beside_it() -> None:
    wanted = {"rps_now": 10, "service_time_ms": 10}
    web = cloud("aws_autoscaling_group", "web", load_balancers="aws_elb.edge")
    batch = cloud("aws_instance", "batch")
    result = assess(web, batch, cloud("aws_elb", "edge"), **wanted)
    assert (figure(result, "replicas"), figure(result, "bottleneck")) == (
        3,
        "aws_autoscaling_group.web",
    )


def test_of_several_that_nothing_leads_to_none_is_taken_for_the_one_that_serves() -> None:
    both = [cloud("aws_autoscaling_group", "web"), cloud("aws_instance", "batch")]
    result = assess(*both, rps_now=10, service_time_ms=10)
    assert result.score is None
    assert "doesn't show which" in result.score_formula
    assert figure(assess(both[0], rps_now=10, service_time_ms=10), "replicas") == 3


def test_without_replicas_the_number_needed_is_given_and_no_score() -> None:
    result = assess(rps_now=80, service_time_ms=100)
    assert (result.score, "replicas" in result.missing) == (None, True)
    assert figure(result, "needed_now") > 8


@pytest.mark.parametrize(
    ("given_fields", "missing"), [({}, "rps_now"), ({"rps_now": 5.0}, "service_time_ms")]
)
def test_without_rate_or_service_time_it_is_not_assessed_and_says_what_to_add(
    given_fields: dict[str, float], missing: str
) -> None:
    result = assess(**given_fields)
    assert (
        result.status is AgentStatus.NOT_ASSESSED
        and missing in result.missing
        and result.figures == []
    )


def test_the_largest_allowed_numbers_are_answered() -> None:
    result = assess(
        rps_now=10_000_000,
        service_time_ms=3_600_000,
        replicas=1_000_000,
        concurrency_per_replica=100_000,
    )
    assert 0 < figure(result, "utilisation_now") < 100


def test_a_small_instance_cannot_carry_the_traffic() -> None:
    small = Resource(
        address="aws_instance.web",
        type="aws_instance",
        name="web",
        provider="aws",
        origin=FileKind.TERRAFORM,
        file="main.tf",
        line_start=1,
        line_end=4,
        exact=False,
        attributes={"instance_type": "m5.large"},
    )
    # m5.large sustains 0.75 Gbit/s; 300,000 GB x 8 / 2,628,000 s = 0.9132 Gbit/s.
    result = assess(small, rps_now=1, service_time_ms=10, egress_gb_month=300_000)
    assert (figure(result, "network_ceiling"), figure(result, "network_peak")) == (0.75, 0.9132)
    assert "im-cap-network-ceiling" in {each.rule for each in result.findings}


def test_every_figure_has_a_source() -> None:
    result = assess(
        rps_now=10,
        rps_peak=20,
        growth_12m_percent=10,
        service_time_ms=10,
        replicas=3,
        egress_gb_month=5,
    )
    assert all(each.source for each in result.figures) and all(
        each.source for each in result.tables
    )

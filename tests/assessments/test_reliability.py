"""Reliability on hand-computed cases: availability, single points of failure, backups, recovery."""

from __future__ import annotations

from typing import Any

import pytest

from assessments.agents.reliability import agent
from assessments.agents.reliability.availability import (
    downtime_minutes,
    parallel,
    published_sla,
    serial,
)
from assessments.agents.reliability.objectives import required_strategy
from assessments.agents.types import AgentInput, AgentResult, AgentStatus, Severity, Table
from assessments.requirements import DisasterRecovery, Requirements
from assessments.scan.types import CheckResult, FileKind, Outcome, Reference, Resource


def declared(
    kind: str,
    name: str,
    *,
    origin: FileKind = FileKind.TERRAFORM,
    names: tuple[str, ...] = (),
    **attributes: Any,
) -> Resource:
    """A resource whose attributes name the resources in ``names``."""
    return Resource(
        address=f"{kind}.{name}",
        type=kind,
        name=name,
        provider="aws",
        origin=origin,
        file="main.tf",
        line_start=3,
        line_end=9,
        exact=False,
        attributes=attributes,
        references=[Reference(to=each, at="environment", line=5) for each in names],
    )


def manifest(kind: str, name: str, spec: dict[str, Any]) -> Resource:
    return Resource(
        address=f"{kind}/default/{name}",
        type=kind,
        name=name,
        provider="kubernetes",
        origin=FileKind.KUBERNETES,
        file="app.yaml",
        line_start=1,
        line_end=30,
        exact=True,
        attributes={"apiVersion": "apps/v1", "metadata": {"name": name}, "spec": spec},
    )


def deployment(name: str, *, replicas: int, probes: bool = False) -> Resource:
    probe = {"httpGet": {"path": "/", "port": 80}}
    container = {"name": name, "image": "x"} | (
        {"readinessProbe": probe, "livenessProbe": probe} if probes else {}
    )
    template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}}
    return manifest("Deployment", name, {"replicas": replicas, "template": template})


def assess(*resources: Resource, **wanted: Any) -> AgentResult:
    seen: list[tuple[int, int, str]] = []
    data = AgentInput(resources=list(resources), requirements=Requirements(**wanted))
    result = agent.run(data, lambda done, total, message: seen.append((done, total, message)))
    assert [done for done, _, _ in seen] == sorted(done for done, _, _ in seen)
    if result.status is AgentStatus.ASSESSED:
        assert seen[-1][0] == seen[-1][1]
    return result


def rules(result: AgentResult) -> set[str]:
    return {finding.rule for finding in result.findings}


def table(result: AgentResult, key: str) -> Table:
    return next(each for each in result.tables if each.key == key)


def figure(result: AgentResult, key: str) -> float | int | str:
    return next(each.value for each in result.figures if each.key == key)


def test_serial_and_parallel_availability_match_the_textbook() -> None:
    assert serial([0.999, 0.995]) == pytest.approx(0.994005)
    assert parallel(0.99, count=3) == pytest.approx(0.999999)
    assert downtime_minutes(0.999) == pytest.approx(43.8)


def shop() -> list[Resource]:
    """A classic load balancer in front of two machines that talk to a database."""
    return [
        declared("aws_elb", "edge", subnets=["a", "b"], names=("aws_instance.web",)),
        *(
            declared(
                "aws_instance",
                f"web[{place}]",
                availability_zone=f"eu-west-1{'ab'[place]}",
                names=("aws_db_instance.orders",),
            )
            for place in (0, 1)
        ),
        declared("aws_db_instance", "orders", backup_retention_period=7, deletion_protection=True),
    ]


def test_the_path_multiplies_balancer_machines_over_two_zones_and_a_single_zone_database() -> None:
    result = assess(*shop(), uptime_target_percent=99.9)
    # 0.9999 x min(1 - 0.005^2, 0.9999) x 0.995 = 0.9999 x 0.9999 x 0.995
    assert figure(result, "composite_availability") == pytest.approx(99.4801, abs=1e-4)
    assert figure(result, "allowed_downtime") == 43.8
    assert "im-rel-uptime-target" in rules(result)
    (path,) = table(result, "request_paths").rows
    assert path[0] == "aws_elb.edge -> aws_instance.web[0] and 1 more -> aws_db_instance.orders"
    assert path[3] == "main.tf:5"


def test_what_no_reference_connects_is_not_multiplied_in() -> None:
    beside = declared("aws_db_instance", "reports", multi_az=False)
    queue = declared("aws_lambda_function", "nightly")
    alone, with_both = assess(*shop()), assess(*shop(), beside, queue)
    assert figure(alone, "composite_availability") == figure(with_both, "composite_availability")
    assert [row[1] for row in table(with_both, "tiers_apart").rows] == [
        "aws_db_instance.reports",
        "aws_lambda_function.nightly",
    ]


def test_without_a_path_there_are_figures_by_tier_and_no_product() -> None:
    result = assess(
        declared("aws_lb", "edge"),
        declared("aws_db_instance", "orders"),
        uptime_target_percent=99.9,
    )
    assert "composite_availability" not in {each.key for each in result.figures}
    assert "im-rel-uptime-target" not in rules(result)
    assert "doesn't show the path of a request" in result.summary
    assert [row[1:3] for row in table(result, "tiers_apart").rows] == [
        ["aws_db_instance.orders", 99.5],
        ["aws_lb.edge", 99.99],
    ]


def test_of_two_paths_the_less_available_one_counts_and_not_both() -> None:
    """A request goes one way: to the function, or to the machines and their database."""
    function = declared("aws_lambda_function", "search")
    result = assess(*shop(), declared("aws_apigatewayv2_api", "api", names=()), function)
    assert len(table(result, "request_paths").rows) == 1
    url = declared("aws_lambda_function_url", "search", names=("aws_lambda_function.search",))
    result = assess(*shop(), function, url)
    assert [row[1] for row in table(result, "request_paths").rows] == [
        pytest.approx(99.4801, abs=1e-4),
        99.95,
    ]
    assert figure(result, "composite_availability") == pytest.approx(99.4801, abs=1e-4)


def test_a_container_service_in_one_zone_gets_no_figure_of_another_service() -> None:
    result = assess(
        declared("aws_elb", "edge"),
        declared("aws_ecs_service", "web", desired_count=1, names=("aws_elb.edge",)),
    )
    assert [row[0] for row in table(result, "request_path").rows] == ["Load balancer"]
    assert "no figure for aws_ecs_service.web" in table(result, "request_path").source


def test_subnets_of_one_zone_are_one_zone() -> None:
    subnets = [declared("aws_subnet", name, availability_zone="eu-west-1a") for name in ("a", "b")]
    balancer = declared("aws_lb", "edge", subnets=["aws_subnet.a", "aws_subnet.b"])
    assert "im-rel-balancer-zones" in rules(assess(balancer, *subnets))
    assert "im-rel-balancer-zones" not in rules(assess(balancer))


def test_a_standby_lifts_the_path_and_the_score() -> None:
    common: dict[str, Any] = {"backup_retention_period": 7, "deletion_protection": True}
    front = [
        declared("aws_lambda_function_url", "api", names=("aws_lambda_function.api",)),
        declared("aws_lambda_function", "api", names=("aws_db_instance.orders",)),
    ]
    before, after = (
        assess(
            *front,
            declared("aws_db_instance", "orders", multi_az=multi_az, **common),
            uptime_target_percent=99.9,
        )
        for multi_az in (False, True)
    )
    assert (figure(before, "composite_availability"), figure(after, "composite_availability")) == (
        99.4503,  # 0.9995 x 0.995, rounded
        99.9,  # 0.9995 x 0.9995, rounded
    )
    assert (before.score, after.score) == (50, 100)  # held: 6 + 3; not held: 6 (zones) + 3 (target)
    assert rules(before) - rules(after) == {"im-rel-database-zones", "im-rel-uptime-target"}


def test_a_database_without_backups_loses_everything_whatever_the_objective() -> None:
    result = assess(
        declared("aws_db_instance", "orders", backup_retention_period=0), rpo_minutes=60
    )
    assert {"im-rel-database-backups", "im-rel-rpo"} <= rules(result)


def test_point_in_time_recovery_cannot_meet_an_objective_of_one_minute() -> None:
    kept = declared("aws_db_instance", "orders", backup_retention_period=7)
    assert "im-rel-rpo" in rules(assess(kept, rpo_minutes=1))
    assert "im-rel-rpo" not in rules(assess(kept, rpo_minutes=5))


def test_a_value_the_code_leaves_open_counts_on_neither_side() -> None:
    result = assess(
        declared(
            "aws_db_instance", "orders", multi_az={"Ref": "Standby"}, backup_retention_period=7
        )
    )
    assert "im-rel-database-zones" not in rules(result)
    assert (
        "100 x 6 / (6 + 3)" in result.score_formula
    )  # backups held (6), deletion protection did not (3)


def test_a_suppression_written_in_the_file_is_counted_and_not_found_again() -> None:
    database = declared(
        "aws_db_instance", "orders", backup_retention_period=7, deletion_protection=True
    )
    passed_over = CheckResult(
        engine="checkov",
        rule="CKV_AWS_157",
        title="Multi-AZ",
        outcome=Outcome.SUPPRESSED,
        file="main.tf",
        resource=database.address,
        line_start=3,
        line_end=9,
        suppression="a test system",
    )
    data = AgentInput(resources=[database], checks=[passed_over])
    result = agent.run(data, lambda done, total, message: None)
    assert (rules(result), result.score) == (set(), 100)
    assert "1 suppressed" in result.score_formula


def test_a_bare_pod_is_asked_for_its_probes() -> None:
    assert "im-rel-readiness-probe" in rules(
        assess(manifest("Pod", "one", {"containers": [{"name": "one"}]}))
    )


def test_one_nat_gateway_for_two_zones_is_a_single_point_of_failure() -> None:
    group = declared("aws_autoscaling_group", "web", min_size=2, vpc_zone_identifier=["a", "b"])
    one = declared("aws_nat_gateway", "a")
    assert "im-rel-single-nat" in rules(assess(group, one))
    assert "im-rel-single-nat" not in rules(assess(group, one, declared("aws_nat_gateway", "b")))


def test_several_machines_in_one_subnet_are_one_point_of_failure() -> None:
    together = [declared("aws_instance", f"web[{n}]", subnet_id="aws_subnet.a") for n in range(3)]
    apart = [declared("aws_instance", f"web[{n}]", subnet_id=f"aws_subnet.{n}") for n in range(3)]
    assert "im-rel-machines-one-zone" in rules(assess(*together))
    assert "im-rel-machines-one-zone" not in rules(assess(*apart))


def test_a_single_replica_without_probes_is_found_and_a_good_one_is_not() -> None:
    bad = assess(deployment("cart", replicas=1))
    assert rules(bad) == {"im-rel-replicas", "im-rel-readiness-probe", "im-rel-liveness-probe"}
    spec = deployment("cart", replicas=3, probes=True).attributes["spec"]
    spec["template"]["spec"]["topologySpreadConstraints"] = [{"maxSkew": 1}]
    budget = manifest("PodDisruptionBudget", "cart", {"selector": {"matchLabels": {"app": "cart"}}})
    good = assess(manifest("Deployment", "cart", spec), budget)
    assert (rules(good), good.score) == (set(), 100)


def test_an_autoscalers_minimum_counts_for_more_than_the_manifest() -> None:
    target = {
        "scaleTargetRef": {"kind": "Deployment", "name": "cart"},
        "minReplicas": 3,
        "maxReplicas": 9,
    }
    scaled = manifest("HorizontalPodAutoscaler", "cart", target)
    assert "im-rel-replicas" not in rules(assess(deployment("cart", replicas=1), scaled))


def test_cloudformation_reads_like_terraform() -> None:
    properties: dict[str, Any] = {
        "MultiAZ": "true",
        "BackupRetentionPeriod": 7,
        "DeletionProtection": True,
    }
    result = assess(
        declared("AWS::RDS::DBInstance", "Orders", origin=FileKind.CLOUDFORMATION, **properties)
    )
    assert (result.score, rules(result)) == (100, set())


@pytest.mark.parametrize(
    ("rto", "rpo", "needed"),
    [
        (0, None, DisasterRecovery.MULTI_SITE),
        (240, 5, DisasterRecovery.WARM_STANDBY),
        (30, 30, DisasterRecovery.PILOT_LIGHT),
        (1440, 1440, DisasterRecovery.BACKUP_RESTORE),
    ],
)
def test_the_stricter_objective_decides_the_recovery_strategy(
    rto: float, rpo: float | None, needed: str
) -> None:
    assert required_strategy(rto, rpo) == needed


def test_requirements_alone_give_downtime_and_strategy_but_no_score() -> None:
    result = assess(uptime_target_percent=99.95, rto_minutes=15, disaster_recovery="backup_restore")
    assert (result.status, result.score) == (AgentStatus.ASSESSED, None)
    assert figure(result, "allowed_downtime") == 21.9
    assert figure(result, "needed_recovery_strategy") == "pilot light"
    assert rules(result) == {"im-rel-dr-strategy"}


def test_nothing_to_go_by_is_not_assessed_and_says_what_to_add() -> None:
    result = assess(declared("aws_iam_role", "x"))
    assert (result.status, result.score, result.findings) == (AgentStatus.NOT_ASSESSED, None, [])
    assert "uptime_target_percent" in result.missing


def test_the_order_of_the_resources_changes_nothing() -> None:
    parts = [
        deployment("a", replicas=1),
        deployment("b", replicas=2),
        declared("aws_db_instance", "orders"),
    ]
    assert assess(*parts) == assess(*reversed(parts))


def test_every_figure_and_table_has_a_source_and_every_finding_its_line() -> None:
    result = assess(
        declared("aws_db_instance", "orders"),
        deployment("a", replicas=1),
        uptime_target_percent=99.99,
    )
    assert (
        result.figures
        and all(each.source for each in result.figures)
        and all(each.source for each in result.tables)
    )
    assert all(each.file and each.line_start for each in result.findings)


def test_moved_lines_and_renamed_folders_leave_the_fingerprints_alone() -> None:
    here = declared("aws_db_instance", "orders")
    there = here.replace(file="infra/other/main.tf", line_start=90, line_end=99)
    keys = [
        [each.fingerprint_key for each in assess(where, rpo_minutes=5).findings]
        for where in (here, there)
    ]
    assert keys[0] == keys[1] and len(set(keys[0])) == len(keys[0]) > 2


def test_ten_times_the_allowed_downtime_is_severe() -> None:
    found = [
        each
        for each in assess(*shop(), uptime_target_percent=99.99).findings  # 99.48 %
        if each.rule == "im-rel-uptime-target"
    ]
    assert found[0].severity is Severity.HIGH
    assert published_sla("rds", shape="single") is not None


def template(kind: str, name: str, **properties: Any) -> Resource:
    return declared(kind, name, origin=FileKind.CLOUDFORMATION, **properties)


def test_a_templates_balancer_is_protected_by_an_attribute_in_a_list() -> None:
    kind = "AWS::ElasticLoadBalancingV2::LoadBalancer"
    attributes = [{"Key": "deletion_protection.enabled", "Value": "true"}]
    assert "im-rel-balancer-deletion" in rules(assess(template(kind, "Edge")))
    assert rules(assess(template(kind, "Edge", LoadBalancerAttributes=attributes))) == set()


def test_of_a_clusters_member_the_cluster_decides_about_zones_and_backups() -> None:
    cluster = template("AWS::RDS::DBCluster", "Orders", Engine="aurora", DeletionProtection=True)
    members = [
        template("AWS::RDS::DBInstance", name, Engine="aurora", DBClusterIdentifier="orders")
        for name in ("One", "Two")
    ]
    assert rules(assess(cluster, *members)) == set()
    assert rules(assess(cluster, members[0])) == {"im-rel-database-zones"}


def test_an_unknown_number_of_cluster_instances_may_include_a_second() -> None:
    cluster = declared("aws_rds_cluster", "a", engine="aurora-mysql", deletion_protection=True)
    member = declared("aws_rds_cluster_instance", "a")
    assert rules(assess(cluster, member)) == {"im-rel-database-zones"}
    assert rules(assess(cluster, member.replace(count_known=False))) == set()


def test_what_is_scaled_to_nothing_does_not_run_as_one() -> None:
    group = declared("aws_autoscaling_group", "web", min_size=0, vpc_zone_identifier=["a"])
    assert rules(assess(group)) == set()
    assert not [each for each in assess(group).tables if "published" in str(each.rows)]
    assert "im-rel-replicas" not in rules(assess(deployment("cart", replicas=0)))


def test_the_scaling_target_of_a_service_says_how_many_tasks_always_run() -> None:
    service = declared("aws_ecs_service", "web")
    assert rules(assess(service)) == set()
    service = declared("aws_ecs_service", "web", desired_count=1)
    assert rules(assess(service)) == {"im-rel-group-size"}
    target = declared("aws_appautoscaling_target", "web", min_capacity=2).replace(
        references=[Reference(to="aws_ecs_service.web", at="resource_id", line=4)]
    )
    assert rules(assess(service, target)) == set()
    resource_id = {"Fn::Sub": "service/${Cluster}/${Web.Name}"}
    scaled = template(
        "AWS::ApplicationAutoScaling::ScalableTarget", "T", MinCapacity=2, ResourceId=resource_id
    )
    service = template("AWS::ECS::Service", "Web", DesiredCount=1)
    assert rules(assess(service)) == {"im-rel-group-size"}
    assert rules(assess(service, scaled)) == set()


def test_replicas_of_a_cache_without_shards_belong_to_one() -> None:
    cache: dict[str, Any] = {"automatic_failover_enabled": True, "replicas_per_node_group": 1}
    assert rules(assess(declared("aws_elasticache_replication_group", "c", **cache))) == set()


def service(name: str, **attributes: Any) -> Resource:
    return declared("compose_service", name, origin=FileKind.COMPOSE, **attributes)


def test_a_service_that_others_wait_for_to_end_needs_no_restart() -> None:
    migrate = service("migrate", image="app")
    waits = {"migrate": {"condition": "service_completed_successfully"}}
    web = service("web", image="app", restart="always", depends_on=waits)
    assert rules(assess(migrate)) == {"im-rel-restart"}
    assert rules(assess(migrate, web)) == set()


def test_a_service_that_adds_to_another_files_is_not_judged_by_what_it_lacks() -> None:
    assert rules(assess(service("web", ports=["80:80"]))) == set()
    assert rules(assess(service("web", image="app", extends={"file": "gone.yaml"}))) == set()


def test_a_built_image_may_bring_its_own_health_check() -> None:
    built = service("web", build=".", restart="always")
    assert rules(assess(built)) == set()
    disabled = service("web", build=".", restart="always", healthcheck={"disable": True})
    assert rules(assess(disabled)) == {"im-rel-healthcheck"}


def test_subnets_of_an_unknown_number_may_be_in_several_zones() -> None:
    group = declared("aws_autoscaling_group", "web", min_size=2, vpc_zone_identifier=["id"])
    subnet = declared("aws_subnet", "public[0]")
    assert rules(assess(group, subnet)) == {"im-rel-group-zones"}
    assert rules(assess(group, subnet.replace(count_known=False))) == set()


def test_a_test_that_helm_runs_once_needs_no_probes() -> None:
    pod = manifest("Pod", "test", {"containers": [{"name": "wget"}]})
    hook = {"name": "test", "annotations": {"helm.sh/hook": "test"}}
    assert rules(assess(pod)) == {"im-rel-readiness-probe", "im-rel-liveness-probe"}
    assert rules(assess(pod.replace(attributes={**pod.attributes, "metadata": hook}))) == set()

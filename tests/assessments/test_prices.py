"""Prices by engine, market, tenancy, system, license, version and region; anything unpriced has a
reason, and a resource is never both priced and unpriced.

The sums were calculated by hand from AWS's price pages, 730 hours a month.
"""

from __future__ import annotations

from typing import Any

import pytest

from assessments.agents.cost import agent
from assessments.agents.types import AgentInput, AgentResult
from assessments.requirements import Requirements
from assessments.scan.types import FileKind, Reference, Resource


def declared(
    kind: str, name: str, *, origin: FileKind = FileKind.TERRAFORM, **attributes: Any
) -> Resource:
    return Resource(
        address=f"{kind}.{name}",
        type=kind,
        name=name,
        provider="aws",
        origin=origin,
        file="main.tf",
        line_start=1,
        line_end=9,
        exact=False,
        attributes=attributes,
    )


def assess(*resources: Resource, **wanted: Any) -> AgentResult:
    requirements = Requirements(**{"regions": ["us-east-1"], **wanted})
    data = AgentInput(resources=list(resources), requirements=requirements)
    return agent.run(data, lambda done, total, message: None)


def rows(result: AgentResult, key: str) -> list[list[Any]]:
    return next((each.rows for each in result.tables if each.key == key), [])


def costs(*resources: Resource, **wanted: Any) -> dict[str, float]:
    """USD a month by component."""
    return {row[1]: row[5] for row in rows(assess(*resources, **wanted), "cost")}


def reasons(*resources: Resource) -> dict[str, str]:
    """The reason, by component, for what is not priced; a priced cluster next to it ensures that
    there is an answer."""
    result = assess(*resources, declared("aws_eks_cluster", "beside"))
    found = {row[1]: row[2] for row in rows(result, "unpriced")}
    return found | {row[2]: row[3] for row in rows(result, "partly_priced")}


DISK = {"volume_type": "gp3", "volume_size": 10}


def instance(**attributes: Any) -> Resource:
    return declared(
        "aws_instance",
        "web",
        **{"instance_type": "m5.large", "root_block_device": DISK, **attributes},
    )


def database(engine: str, kind: str = "db.t3.large", **attributes: Any) -> Resource:
    shape = {"engine": engine, "instance_class": kind, "allocated_storage": 20, **attributes}
    return declared("aws_db_instance", "x", **shape)


def test_an_engine_is_the_same_in_any_case() -> None:
    for name in ("mysql", "MySQL", "MYSQL"):
        # 730 x 0.136
        assert costs(database(name))["db.t3.large single-AZ"] == 99.28
    # 730 x 0.145
    assert costs(database("PostgreSQL"))["db.t3.large single-AZ"] == 105.85
    assert costs(database("MariaDB"))["db.t3.large single-AZ"] == 99.28


@pytest.mark.parametrize(
    ("engine", "license_model", "kind", "usd"),
    [
        ("sqlserver-ee", None, "db.m5.xlarge", 1705.28),  # 730 x 2.336
        ("sqlserver-se", None, "db.m5.xlarge", 893.52),  # 730 x 1.224
        ("SQLServer-Web", None, "db.t3.large", 169.36),  # 730 x 0.232
        ("sqlserver-ex", None, "db.t3.large", 118.26),  # 730 x 0.162
        ("oracle-se2", "license-included", "db.t3.large", 219.00),  # 730 x 0.30
        ("oracle-ee", "bring-your-own-license", "db.t3.large", 99.28),  # 730 x 0.136
    ],
)
def test_a_database_is_priced_by_its_edition_and_license(
    engine: str, license_model: str | None, kind: str, usd: float
) -> None:
    named = {"license_model": license_model} if license_model else {}
    assert costs(database(engine, kind, **named))[f"{kind} single-AZ"] == usd


def test_an_oracle_database_without_a_license_model_asks_for_it() -> None:
    why = reasons(database("oracle-se2"))
    assert "declare license_model" in why["db.t3.large instance"]


def test_a_standby_doubles_instance_and_storage() -> None:
    found = costs(database("mysql", multi_az=True, allocated_storage=30))
    # 730 x 0.272; 2 x 30 x 0.115
    assert found == {"db.t3.large multi-AZ": 198.56, "gp2 storage": 6.90}


def test_iops_above_what_gp3_brings_are_priced() -> None:
    small = database("mysql", "db.t4g.small", storage_type="gp3", iops=4000)
    assert costs(small)["gp3 IOPS"] == 20.00  # (4,000 - 3,000) x 0.02
    big = database(
        "mysql",
        "db.t4g.small",
        storage_type="gp3",
        allocated_storage=400,
        iops=14000,
        multi_az=True,
    )
    assert costs(big)["gp3 IOPS"] == 80.00  # 2 x (14,000 - 12,000) x 0.02
    server = database(
        "sqlserver-ex", "db.t3.large", storage_type="gp3", allocated_storage=400, iops=4000
    )
    assert costs(server)["gp3 IOPS"] == 20.00  # SQL Server's gp3 includes 3,000 at any size


def test_a_database_whose_class_has_no_price_still_shows_its_storage() -> None:
    result = assess(database("postgres", "db.z9.large"))
    assert {row[1] for row in rows(result, "cost")} == {"gp2 storage"}
    (missing,) = rows(result, "partly_priced")
    assert missing[:3] == ["aws_db_instance.x", "gp2 storage", "db.z9.large instance"]


def test_a_replica_has_the_engine_and_size_of_its_source() -> None:
    source = database("postgres")
    replica = declared(
        "aws_db_instance",
        "replica",
        replicate_source_db="aws_db_instance.x",
        instance_class="db.t3.large",
    )
    found = rows(assess(source, replica), "cost")
    mine = {row[1]: row[5] for row in found if row[0] == "aws_db_instance.replica"}
    assert mine == {"db.t3.large single-AZ": 105.85, "gp2 storage": 2.30}


@pytest.mark.parametrize(
    ("engine", "version", "usd"),
    [
        ("mysql", "5.7.44", 292.00),  # third year: 730 x 2 vCPU x 0.20
        ("mysql", "8.0", 146.00),  # 730 x 2 vCPU x 0.10
        ("mysql", "8.4", None),
        ("postgres", "12.19", 146.00),
        ("postgres", "16", None),
        ("mariadb", "10.4", None),  # MariaDB has no extended support
    ],
)
def test_old_database_versions_pay_for_extended_support(
    engine: str, version: str, usd: float | None
) -> None:
    old = database(engine, engine_version=version)
    assert costs(old).get("extended support") == usd
    opted_out = database(
        engine,
        engine_version=version,
        engine_lifecycle_support="open-source-rds-extended-support-disabled",
    )
    assert "extended support" not in costs(opted_out)


def test_a_version_too_old_for_extended_support_has_no_fee_to_add_up() -> None:
    old = database("mysql", engine_version="5.6.35")
    assert "extended support" not in costs(old)
    assert "supported version" in reasons(old)["extended support"]


def test_a_standby_pays_for_extended_support_too() -> None:
    old = database("postgres", engine_version="13", multi_az=True)
    assert costs(old)["extended support"] == 292.00  # 2 x 730 x 2 vCPU x 0.10
    (source,) = [r[6] for r in rows(assess(old), "cost") if r[1] == "extended support"]
    assert "2026-02-28" in source and "judged on" in source


def test_an_old_cluster_pays_for_extended_support_unless_it_is_upgraded() -> None:
    assert costs(declared("aws_eks_cluster", "a", version="1.35")) == {"control plane": 73.00}
    old = declared("aws_eks_cluster", "a", version="1.29")
    # 730 x 0.10 and 730 x 0.50, together the published 0.60
    assert costs(old) == {"control plane": 73.00, "extended support": 365.00}
    upgraded = declared(
        "aws_eks_cluster", "a", version="1.29", upgrade_policy={"support_type": "STANDARD"}
    )
    assert costs(upgraded) == {"control plane": 73.00}
    assert "extended support" in reasons(declared("aws_eks_cluster", "a", version="${var.v}"))


def test_aurora_instances_are_priced_and_the_cluster_names_what_it_needs() -> None:
    cluster = declared("aws_rds_cluster", "main", engine="aurora-postgresql")
    member = declared(
        "aws_rds_cluster_instance",
        "one",
        cluster_identifier="aws_rds_cluster.main.id",
        instance_class="db.r5.large",
    )
    assert costs(cluster, member) == {"db.r5.large Aurora": 211.70}  # 730 x 0.29
    assert "GB" in reasons(cluster)["storage and I/O"]
    dear = cluster.replace(attributes={**cluster.attributes, "storage_type": "aurora-iopt1"})
    assert "db.r5.large Aurora I/O-Optimized" in reasons(dear, member)
    serverless = member.replace(attributes={**member.attributes, "instance_class": "db.serverless"})
    assert "ACU" in reasons(cluster, serverless)["serverless capacity"]


def cache(engine: str | None, **attributes: Any) -> Resource:
    named = {"engine": engine} if engine else {}
    return declared(
        "aws_elasticache_cluster", "c", **{"node_type": "cache.r6g.large", **named, **attributes}
    )


def test_a_cache_is_priced_by_its_engine() -> None:
    # 730 x 0.206; Valkey a fifth less, 730 x 0.1648
    assert costs(cache("Redis"))["cache.r6g.large redis nodes"] == 150.38
    assert costs(cache("memcached"))["cache.r6g.large memcached nodes"] == 150.38
    assert costs(cache("valkey"))["cache.r6g.large valkey nodes"] == 120.30
    newer = cache("valkey", node_type="cache.r8g.large")
    assert costs(newer)["cache.r8g.large valkey nodes"] == 128.19  # 730 x 0.1756
    assert "declare engine" in reasons(cache(None))["cache nodes"]
    assert reasons(cache("redis", node_type="cache.r8g.large"))  # sold only for Valkey
    assert "extended support" in reasons(cache("redis", engine_version="5.0.6"))


def test_a_sharded_cache_counts_replicas_of_every_shard() -> None:
    group = declared(
        "aws_elasticache_replication_group",
        "g",
        node_type="cache.m4.large",
        num_node_groups=4,
        replicas_per_node_group=3,
    )
    assert costs(group)["cache.m4.large redis nodes"] == 1822.08  # 16 x 730 x 0.156


def test_a_cluster_in_a_replication_group_has_the_groups_node_type() -> None:
    group = declared(
        "aws_elasticache_replication_group", "g", node_type="cache.t3.micro", num_cache_clusters=2
    )
    replica = declared(
        "aws_elasticache_cluster",
        "r",
        replication_group_id="aws_elasticache_replication_group.g.id",
    )
    found = {row[0]: row[5] for row in rows(assess(group, replica), "cost")}
    assert found[replica.address] == 12.41  # 730 x 0.017


def test_a_serverless_cache_costs_at_least_its_least_storage() -> None:
    redis = declared("aws_elasticache_serverless_cache", "s", engine="redis")
    assert costs(redis) == {"redis storage, minimum": 91.25}  # 1 GB x 730 x 0.125
    valkey = declared("aws_elasticache_serverless_cache", "s", engine="VALKEY")
    assert costs(valkey) == {"valkey storage, minimum": 6.13}  # 0.1 GB x 730 x 0.084
    assert "ECPUs" in reasons(valkey)["storage above the minimum, and requests"]


def test_spot_machines_have_no_list_price() -> None:
    for options in ({"market_type": "spot"}, dict[str, str]()):
        result = assess(instance(instance_market_options=options))
        assert not any("instances" in row[1] for row in rows(result, "cost"))
        (why,) = [row for row in rows(result, "partly_priced") if "spot" in row[2]]
        assert "70.08" in why[3]  # on demand: 730 x 0.096
    request = declared("aws_spot_instance_request", "r", instance_type="m5.large")
    assert "1 m5.large instance, spot" in reasons(request)
    nodes = declared(
        "aws_eks_node_group",
        "n",
        capacity_type="SPOT",
        instance_types=["m5.large"],
        scaling_config={"desired_size": 3},
    )
    assert "3 m5.large instances, spot" in reasons(nodes)


def test_dedicated_machines_are_not_priced_as_shared_ones() -> None:
    assert "m5.large instances, dedicated tenancy" in reasons(instance(tenancy="dedicated"))
    assert "host" in reasons(instance(tenancy="host"))["m5.large instances, dedicated host"]
    template = declared(
        "aws_launch_configuration",
        "t",
        instance_type="m5.large",
        placement_tenancy="dedicated",
        root_block_device=DISK,
    )
    group = declared("aws_autoscaling_group", "g", min_size=2)
    assert "m5.large instances, dedicated tenancy" in reasons(template, group)


@pytest.mark.parametrize(
    "evidence",
    [
        {"ami": "data.aws_ami.windows_2022"},
        {"ami": "resolve:ssm:/aws/service/ami-windows-latest/Windows_Server-2022-English-Base"},
        {"user_data": "<powershell>Install-WindowsFeature Web-Server</powershell>"},
        {"get_password_data": True},
    ],
)
def test_windows_pays_for_its_license_where_something_shows_it(evidence: dict[str, Any]) -> None:
    found = costs(instance(**evidence))
    assert found["m5.large instances, Windows"] == 137.24  # 730 x (0.096 + 0.092)


def test_the_filters_of_a_declared_image_are_evidence() -> None:
    image = declared(
        "data.aws_ami", "base", filter={"name": "name", "values": ["Windows_Server-2019-*"]}
    ).replace(address="data.aws_ami.base")
    found = costs(instance(ami="data.aws_ami.base.id"), image)
    assert found["m5.large instances, Windows"] == 137.24


def test_linux_without_evidence_is_named_an_assumption() -> None:
    assert "m5.large instances, Linux assumed" in costs(instance(ami="ami-0123456789"))
    assert "m5.large instances, Linux" in costs(instance(ami="data.aws_ami.ubuntu.id"))
    assert "RHEL" in " ".join(reasons(instance(ami="data.aws_ami.rhel_9.id")).values())


def test_windows_nodes_are_priced_as_such_and_not_offered_arm64() -> None:
    nodes = declared(
        "aws_eks_node_group",
        "n",
        ami_type="WINDOWS_CORE_2022_x86_64",
        instance_types=["t3.medium"],
        scaling_config={"desired_size": 1},
    )
    assert costs(nodes)["t3.medium instances, Windows"] == 43.80  # 730 x (0.0416 + 0.0184)
    assert not [each for each in assess(nodes).findings if each.rule == "im-cost-graviton"]


def mixed(count: int, *, base: int, percentage: int, **policy: Any) -> list[Resource]:
    template = declared("aws_launch_template", "t", instance_type="m5.large")
    return [
        template,
        declared(
            "aws_autoscaling_group",
            "g",
            desired_capacity=count,
            mixed_instances_policy={
                "instances_distribution": {
                    "on_demand_base_capacity": base,
                    "on_demand_percentage_above_base_capacity": percentage,
                },
                "launch_template": {
                    "launch_template_specification": {
                        "launch_template_id": "aws_launch_template.t"
                    },
                    **policy,
                },
            },
        ),
    ]


def test_a_mixed_group_pays_on_demand_for_its_base_and_share_alone() -> None:
    group = mixed(10, base=2, percentage=30)
    # 2 and 30 % of 8, rounded up: 5 x 730 x 0.096
    assert costs(*group)["m5.large instances, Linux assumed"] == 350.40
    assert "5 m5.large instances, spot" in reasons(*group)
    overridden = mixed(2, base=2, percentage=0, override=[{"instance_type": "c5.large"}])
    assert costs(*overridden)["c5.large instances, Linux assumed"] == 124.10  # 2 x 730 x 0.085
    weighted = mixed(
        4, base=0, percentage=100, override=[{"instance_type": "c5.large", "weighted_capacity": 2}]
    )
    assert "weighted" in reasons(*weighted)["instances"]


def test_a_machine_takes_its_type_from_its_launch_template() -> None:
    template = declared("aws_launch_template", "t", instance_type="m5.large")
    other = declared("aws_launch_template", "other", instance_type="c5.large")
    machine = declared(
        "aws_instance", "m", launch_template={"id": "aws_launch_template.t"}, root_block_device=DISK
    )
    assert costs(template, other, machine)["m5.large instances, Linux assumed"] == 70.08


def service(**attributes: Any) -> list[Resource]:
    task = declared(
        "aws_ecs_task_definition",
        "t",
        cpu=attributes.pop("cpu", 512),
        memory=attributes.pop("memory", 1024),
        **attributes.pop("task", {}),
    )
    shape = {"task_definition": "aws_ecs_task_definition.t", "desired_count": 4, **attributes}
    return [task, declared("aws_ecs_service", "s", **shape)]


def test_fargate_tasks_are_priced_by_vcpu_and_memory() -> None:
    # 4 x 0.5 x 730 x 0.04048 and 4 x 1 x 730 x 0.004445
    expected = {"Fargate vCPU": 59.10, "Fargate memory": 12.98}
    assert costs(*service(launch_type="FARGATE")) == expected
    assert costs(*service(launch_type="FARGATE", cpu="0.5 vCPU", memory="1 GB")) == expected
    arm = {"runtime_platform": {"cpu_architecture": "ARM64"}}
    assert costs(*service(launch_type="FARGATE", task=arm))["Fargate vCPU"] == 47.27


def test_fargate_spot_is_not_priced_as_fargate() -> None:
    split = [
        {"capacity_provider": "FARGATE", "base": 2, "weight": 1},
        {"capacity_provider": "FARGATE_SPOT", "weight": 1},
    ]
    tasks = service(capacity_provider_strategy=split)
    assert costs(*tasks)["Fargate vCPU"] == 44.33  # 3 x 0.5 x 730 x 0.04048
    assert "1 task on Fargate Spot" in reasons(*tasks)


def test_tasks_on_ec2_cost_nothing_beside_their_machines() -> None:
    assert "aws_ecs_service.s" not in {
        row[0] for row in rows(assess(*service(), declared("aws_eks_cluster", "e")), "unpriced")
    }


def test_an_interface_endpoint_is_billed_in_every_zone_and_a_gateway_is_free() -> None:
    kind = "aws_vpc_endpoint"
    interface = declared(kind, "e", vpc_endpoint_type="Interface", subnet_ids=["a", "b"])
    assert costs(interface) == {"Interface endpoint by zone": 14.60}  # 2 x 730 x 0.01
    somewhere = declared(kind, "e", vpc_endpoint_type="Interface", subnet_ids="${var.subnets}")
    assert costs(somewhere) == {"Interface endpoint by zone": 7.30}
    assert "endpoint in additional zones" in reasons(somewhere)
    gateway = declared(kind, "g")
    beside = declared("aws_eks_cluster", "k")
    assert not rows(assess(gateway, beside), "unpriced")
    cloudformation = declared(
        "AWS::EC2::VPCEndpoint",
        "e",
        origin=FileKind.CLOUDFORMATION,
        VpcEndpointType="Interface",
        SubnetIds=["a", "b", "c"],
    )
    assert costs(cloudformation) == {"Interface endpoint by zone": 21.90}


def test_prices_hold_for_many_regions() -> None:
    gateway = declared("aws_nat_gateway", "n")
    assert costs(gateway, regions=["sa-east-1"]) == {"NAT gateway": 67.89}  # 730 x 0.093
    assert costs(gateway, regions=["ap-northeast-1"]) == {"NAT gateway": 45.26}  # 730 x 0.062


def test_provisioned_iops_of_io2_are_priced() -> None:
    volume = declared("aws_ebs_volume", "v", type="io2", size=30, iops=300)
    # 30 x 0.125; 300 x 0.065
    assert costs(volume) == {"volume io2 storage": 3.75, "volume io2 IOPS": 19.50}
    fast = declared("aws_ebs_volume", "v", type="io2", size=30, iops=40000)
    assert "volume io2 IOPS above 32,000" in reasons(fast)


def test_a_reservation_says_what_would_settle_it() -> None:
    reserved = declared("aws_rds_reserved_instance", "r", offering_id="x")
    assert "contract" in reasons(reserved)["reservation"]


def test_no_resource_is_both_priced_and_unpriced() -> None:
    result = assess(
        instance(tenancy="dedicated"),
        database("sqlserver-ee", "db.r5.large"),
        declared("aws_nat_gateway", "n"),
        declared("aws_lb", "l"),
        declared("aws_msk_cluster", "bus"),
    )
    priced = {row[0] for row in rows(result, "cost")}
    unpriced = {row[0] for row in rows(result, "unpriced")}
    partly = {row[0] for row in rows(result, "partly_priced")}
    assert unpriced == {"aws_msk_cluster.bus"}
    assert partly <= priced and not priced & unpriced
    assert all(all(row) for row in rows(result, "partly_priced"))
    assert "1 resource could not be priced" in result.summary
    assert "4 resources are priced in part" in result.summary


def test_components_decide_about_the_score_not_resources() -> None:
    # One gateway: the hours have a price, the traffic doesn't. That is one of two components.
    result = assess(declared("aws_nat_gateway", "n"))
    assert result.score is None and "1 of 2 billable components" in result.score_formula
    assert result.summary.startswith("At least 32.85 USD")


def test_a_group_finds_its_template_by_the_reference_that_evaluation_dropped() -> None:
    template = declared("aws_launch_template", "t", instance_type="m5.large")
    other = declared("aws_launch_template", "other", instance_type="c5.large")
    named = Reference(to="aws_launch_template.t", at="launch_template.id", line=3)
    group = declared("aws_autoscaling_group", "g", desired_capacity=2, launch_template={})
    found = costs(template, other, group.replace(references=[named]))
    assert found == {"m5.large instances, Linux assumed": 140.16}  # 2 x 730 x 0.096


def test_nodes_from_a_template_nobody_can_find_have_no_usual_type() -> None:
    nodes = declared(
        "aws_eks_node_group", "n", launch_template={}, scaling_config={"desired_size": 2}
    )
    assert reasons(nodes)["instances"] == "their type can't be determined from the code"
    template = declared("aws_launch_template", "t", instance_type="m5.xlarge")
    named = Reference(to="aws_launch_template.t", at="launch_template.id", line=3)
    found = costs(nodes.replace(references=[named]), template)
    assert found["m5.xlarge instances, Linux"] == 280.32  # 2 x 730 x 0.192


def test_groups_by_index_have_the_template_of_their_index() -> None:
    pairs = []
    for n, kind in enumerate(("t3.micro", "m5.large")):
        template = declared("aws_launch_configuration", "t", instance_type=kind)
        group = declared(
            "aws_autoscaling_group",
            "g",
            desired_capacity=1,
            launch_configuration=f"aws_launch_configuration.t[{n}]",
        )
        pairs += [each.replace(address=f"{each.address}[{n}]") for each in (template, group)]
    found = costs(*pairs)
    assert found["t3.micro instances, Linux assumed"] == 7.59
    assert found["m5.large instances, Linux assumed"] == 70.08


def test_a_group_without_machines_costs_nothing_and_saves_nothing() -> None:
    template = declared("aws_launch_template", "t", instance_type="t2.medium")
    group = declared("aws_autoscaling_group", "g", desired_capacity=0, min_size=0)
    result = assess(template, group, declared("aws_eks_cluster", "beside"))
    assert {row[0] for row in rows(result, "cost")} == {"aws_eks_cluster.beside"}
    assert not result.findings and not rows(result, "unpriced")


def test_detailed_monitoring_is_billed_by_metric() -> None:
    assert costs(instance(monitoring=True))["detailed monitoring"] == 2.10  # 7 x 0.30
    old = instance(instance_type="r3.xlarge", ebs_optimized=True)
    assert "r3" in reasons(old)["EBS optimization"]
    assert "EBS optimization" not in reasons(instance(ebs_optimized=True))


def test_tasks_are_found_by_family_and_placed_by_the_clusters_default() -> None:
    by_family = service(launch_type="FARGATE", task_definition="shop", task={"family": "shop"})
    assert costs(*by_family)["Fargate vCPU"] == 59.10
    cluster = declared("aws_ecs_cluster", "c")
    providers = declared(
        "aws_ecs_cluster_capacity_providers",
        "p",
        cluster_name="aws_ecs_cluster.c",
        default_capacity_provider_strategy={"capacity_provider": "FARGATE", "weight": 1},
    )
    tasks = service(cluster="aws_ecs_cluster.c")
    assert costs(*tasks, cluster, providers)["Fargate vCPU"] == 59.10


def test_a_price_is_that_of_the_resources_own_region() -> None:
    here = declared("aws_nat_gateway", "a")
    there = declared("aws_nat_gateway", "b").replace(region="eu-central-1")
    result = assess(here, there)
    found = {row[0]: row[5] for row in rows(result, "cost")}
    # 730 x 0.045; 730 x 0.052
    assert found == {"aws_nat_gateway.a": 32.85, "aws_nat_gateway.b": 37.96}
    region = next(each for each in result.figures if each.key == "region")
    assert region.value == "eu-central-1, us-east-1"
    assert not [each for each in assess(here, there, criticality="low").findings]


def test_a_resource_that_can_not_be_counted_costs_at_least_one() -> None:
    many = declared("aws_eks_cluster", "each").replace(count_known=False)
    result = assess(many)
    assert result.summary.startswith("At least 73.00 USD")
    (row,) = rows(result, "partly_priced")
    assert row[2] == "additional instances" and "count or for_each" in row[3]


def test_what_may_not_exist_is_not_part_of_the_least() -> None:
    maybe = declared("aws_nat_gateway", "n").replace(uncertain="its condition can't be decided")
    result = assess(maybe, declared("aws_eks_cluster", "k"))
    assert result.summary.startswith("At least 73.00 USD")
    assert "may not exist" in rows(result, "unpriced")[0][2]


def test_failover_without_a_number_of_nodes_is_priced_in_part() -> None:
    group = declared(
        "aws_elasticache_replication_group",
        "g",
        node_type="cache.t3.micro",
        automatic_failover_enabled=True,
    )
    assert costs(group) == {"cache.t3.micro redis nodes": 12.41}
    assert "at least two nodes" in reasons(group)["further nodes"]


def test_what_a_template_makes_by_itself_is_not_a_billable_component() -> None:
    made = declared("Custom::ZoneSelector", "z", origin=FileKind.CLOUDFORMATION)
    task = declared("AWS::ECS::TaskDefinition", "t", origin=FileKind.CLOUDFORMATION)
    result = assess(made, task, declared("aws_vpn_gateway", "v"), declared("aws_eks_cluster", "k"))
    assert result.score == 100 and not rows(result, "unpriced")


def test_what_is_never_billed_is_not_a_component_without_a_price() -> None:
    free = ("aws_ram_principal_association", "pagerduty_service", "aws_ssoadmin_permission_set")
    billed = ("aws_networkfirewall_firewall", "aws_route53_resolver_endpoint")
    cluster = declared("aws_eks_cluster", "k")
    result = assess(cluster, *(declared(kind, "x") for kind in free))
    assert result.score == 100 and not rows(result, "unpriced")
    assert len(rows(assess(cluster, *(declared(kind, "x") for kind in billed)), "unpriced")) == 2

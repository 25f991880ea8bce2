"""Cost on hand-computed cases, to the cent; savings; anything without a price is listed and never
counted as 0."""

from __future__ import annotations

from typing import Any

import pytest

from assessments.agents.cost import agent
from assessments.agents.cost.price_list import egress_usd
from assessments.agents.instance_types import hourly_price, is_repaired, price_source
from assessments.agents.inventory import region_of
from assessments.agents.types import AgentInput, AgentResult, AgentStatus
from assessments.requirements import Requirements
from assessments.scan.types import CodeLine, FileKind, Resource


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
        line_start=3,
        line_end=9,
        exact=False,
        attributes=attributes,
    )


def assess(*resources: Resource, **wanted: Any) -> AgentResult:
    seen: list[tuple[int, int, str]] = []
    data = AgentInput(
        resources=list(resources), requirements=Requirements(**{"regions": ["us-east-1"], **wanted})
    )
    result = agent.run(data, lambda done, total, message: seen.append((done, total, message)))
    assert all(0 < done <= total for done, total, _ in seen)
    return result


def figure(result: AgentResult, key: str) -> Any:
    return next(each.value for each in result.figures if each.key == key)


def rows(result: AgentResult, key: str) -> list[list[Any]]:
    return next((each.rows for each in result.tables if each.key == key), [])


def savings(result: AgentResult) -> dict[str, float | None]:
    return {each.rule: each.monthly_saving_usd for each in result.findings}


TEN = [
    declared(
        "aws_instance",
        "app",
        instance_type="m5.large",
        root_block_device={"volume_type": "gp3", "volume_size": 50},
    ),
    declared(
        "aws_instance", "bastion", instance_type="t3.micro", root_block_device=[{"volume_size": 20}]
    ),
    declared(
        "aws_db_instance",
        "orders",
        instance_class="db.t3.medium",
        engine="postgres",
        multi_az=True,
        allocated_storage=100,
    ),
    declared("aws_ebs_volume", "fast", type="io1", size=30, iops=300),
    declared("aws_ebs_volume", "big", type="gp3", size=500, iops=4000, throughput=250),
    declared("aws_nat_gateway", "out"),
    declared("aws_lb", "edge", load_balancer_type="application"),
    declared("aws_eks_cluster", "main"),
    declared(
        "aws_elasticache_replication_group",
        "cart",
        node_type="cache.m5.large",
        num_cache_clusters=2,
    ),
    declared("aws_autoscaling_group", "web", min_size=3),
    declared("aws_launch_template", "web", instance_type="c5.large"),
]

HAND_COMPUTED = {
    ("aws_instance.app", "m5.large instances, Linux assumed"): 70.08,  # 730 x 0.096
    ("aws_instance.app", "root_block_device[0] gp3 storage"): 4.00,  # 50 x 0.08
    ("aws_instance.bastion", "t3.micro instances, Linux assumed"): 7.59,  # 730 x 0.0104 = 7.592
    ("aws_instance.bastion", "root_block_device[0] gp2 storage"): 2.00,  # 20 x 0.10
    ("aws_db_instance.orders", "db.t3.medium multi-AZ"): 105.85,  # 730 x 0.145
    ("aws_db_instance.orders", "gp2 storage"): 23.00,  # 2 x 100 x 0.115
    ("aws_ebs_volume.fast", "volume io1 storage"): 3.75,  # 30 x 0.125
    ("aws_ebs_volume.fast", "volume io1 IOPS"): 19.50,  # 300 x 0.065
    ("aws_ebs_volume.big", "volume gp3 storage"): 40.00,  # 500 x 0.08
    ("aws_ebs_volume.big", "volume gp3 iops"): 5.00,  # (4,000 - 3,000) x 0.005
    ("aws_ebs_volume.big", "volume gp3 throughput"): 5.00,  # (250 - 125) x 0.04
    ("aws_nat_gateway.out", "NAT gateway"): 32.85,  # 730 x 0.045
    ("aws_lb.edge", "application load balancer"): 16.43,  # 730 x 0.0225 = 16.425
    ("aws_eks_cluster.main", "control plane"): 73.00,  # 730 x 0.10
    (
        "aws_elasticache_replication_group.cart",
        "cache.m5.large redis nodes",
    ): 227.76,  # 2 x 730 x 0.156
    ("aws_autoscaling_group.web", "c5.large instances, Linux assumed"): 186.15,  # 3 x 730 x 0.085
}


def test_ten_resources_cost_what_the_hand_computes_to_the_cent() -> None:
    result = assess(*TEN, egress_gb_month=1000)
    assert {(row[0], row[1]): row[5] for row in rows(result, "cost")} == HAND_COMPUTED
    assert figure(result, "egress") == 81.00  # (1,000 - 100) x 0.09
    assert figure(result, "monthly_cost") == 902.96  # 821.96 + 81.00
    assert all(row[6] for row in rows(result, "cost"))


@pytest.mark.parametrize(
    ("instance_type", "region", "usd"),
    # AWS's published on-demand prices; three of them were wrong in the raw data (t3.large,
    # m5.xlarge, c6g.xlarge).
    [
        ("t3.large", "us-east-1", 0.0832),
        ("m5.xlarge", "us-east-1", 0.192),
        ("c6g.xlarge", "us-east-1", 0.136),
        ("r5.24xlarge", "us-east-1", 6.048),
        ("m5.large", "eu-central-1", 0.115),
        ("m5.large", "ap-southeast-2", 0.12),
        ("t3.medium", "eu-west-1", 0.0456),
    ],
)
def test_repaired_prices_are_the_published_ones(
    instance_type: str, region: str, usd: float
) -> None:
    assert hourly_price(instance_type, region) == pytest.approx(usd)


def test_within_a_family_the_price_is_proportional_to_the_size() -> None:
    for region in ("us-east-1", "eu-west-1", "eu-central-1", "ap-northeast-1"):
        large, xlarge = (hourly_price(f"m6i.{size}", region) for size in ("large", "xlarge"))
        assert large and xlarge == pytest.approx(2 * large, rel=0.013)


def test_egress_goes_through_the_tiers() -> None:
    # 100 free, 10,140 x 0.09, 40,960 x 0.085, 8,800 x 0.07
    price = egress_usd(60_000, "us-east-1")
    assert price and float(price.usd) == pytest.approx(912.60 + 3481.60 + 616.00)


def test_a_large_gp2_volume_saves_only_what_an_equal_gp3_leaves() -> None:
    # 2,000 GB: gp2 200.00; gp3 160.00 + 3,000 extra IOPS x 0.005 + 125 extra MB/s x 0.04 = 180.00
    assert savings(assess(declared("aws_ebs_volume", "big", type="gp2", size=2000))) == {
        "im-cost-gp3": 20.0
    }
    assert savings(assess(declared("aws_ebs_volume", "small", type="gp2", size=100))) == {
        "im-cost-gp3": 2.0
    }


def test_an_old_generation_saves_first_by_the_newer_one_and_then_by_arm64_without_overlap() -> None:
    found = savings(assess(declared("aws_instance", "web", instance_type="t2.medium")))
    # 730 x 0.0464 = 33.87; t3.medium 730 x 0.0416 = 30.37; t4g.medium 730 x 0.0336 = 24.53
    assert found == {
        "im-cost-generation": pytest.approx(3.50),
        "im-cost-graviton": pytest.approx(5.84),
    }


def test_a_balancer_that_faces_the_internet_pays_for_an_address_in_each_zone() -> None:
    facing = assess(declared("aws_lb", "edge", subnets=["a", "b"]))
    assert figure(facing, "monthly_cost") == 16.43 + 7.30  # 2 x 730 x 0.005
    assert (
        figure(
            assess(declared("aws_lb", "edge", subnets=["a", "b"], internal=True)), "monthly_cost"
        )
        == 16.43
    )
    # Elastic IPs of its own are priced by themselves, and not twice.
    mapped = declared("aws_lb", "edge", subnet_mapping=[{"subnet_id": "a", "allocation_id": "ip"}])
    assert figure(assess(mapped), "monthly_cost") == 16.43


def test_an_instance_type_of_a_template_is_not_shown_as_missing_in_its_group() -> None:
    template = declared("aws_launch_template", "web", instance_type="m5.large")
    code = [CodeLine(number=3, text='resource "aws_autoscaling_group" "web" {')]
    group = declared("aws_autoscaling_group", "web", min_size=2).replace(code=code, line_end=3)
    (found,) = [f for f in assess(template, group).findings if f.rule == "im-cost-graviton"]
    assert found.shown == 'resource "aws_autoscaling_group" "web" {'


def test_nat_gateways_are_consolidated_only_for_what_is_not_critical() -> None:
    two = [declared("aws_nat_gateway", "a"), declared("aws_nat_gateway", "b")]
    assert savings(assess(*two, criticality="low")) == {"im-cost-nat": 32.85}
    assert savings(assess(*two)) == savings(assess(*two, criticality="high")) == {}


def test_a_cheaper_class_lowers_the_cost() -> None:
    costs = [
        figure(
            assess(declared("aws_db_instance", "x", instance_class=name, engine="mysql")),
            "monthly_cost",
        )
        for name in ("db.r5.large", "db.m5.large", "db.t3.large", "db.t3.medium", "db.t3.micro")
    ]
    assert costs == sorted(costs, reverse=True) and len(set(costs)) == 5


def test_the_budget_gap_is_a_finding_and_lowers_the_score() -> None:
    inside, over = (assess(TEN[7], monthly_budget_usd=budget) for budget in (100, 36.5))
    assert (inside.score, figure(inside, "budget_left"), inside.findings) == (100, 27.0, [])
    assert (over.score, figure(over, "budget_left")) == (50, -36.5)
    assert [each.rule for each in over.findings] == ["im-cost-budget"]


def test_what_has_no_price_is_listed_with_a_reason_and_not_counted() -> None:
    alone = assess(TEN[7])
    more = assess(
        TEN[7],
        declared("aws_msk_cluster", "bus"),
        declared("aws_instance", "odd", instance_type="zz9.large"),
    )
    assert figure(alone, "monthly_cost") == figure(more, "monthly_cost")
    assert {row[0] for row in rows(more, "unpriced")} == {"aws_msk_cluster.bus", "aws_instance.odd"}
    assert all(row[2] for row in rows(more, "unpriced"))


def test_a_region_without_a_price_leaves_the_resource_unpriced() -> None:
    result = assess(TEN[0], TEN[2], regions=["us-west-2-lax-1"])
    assert {row[0] for row in rows(result, "cost")} == {"aws_instance.app"}
    assert "aws_db_instance.orders" in {row[0] for row in rows(result, "unpriced")}


def test_the_region_comes_from_the_provider_block_or_is_said_to_be_assumed() -> None:
    block = declared("provider", "aws", region="eu-west-1")
    from_code = assess(TEN[5], block, regions=[])
    assert (figure(from_code, "region"), figure(from_code, "monthly_cost")) == ("eu-west-1", 35.04)
    assumed = next(each for each in assess(TEN[5], regions=[]).figures if each.key == "region")
    assert assumed.value == "us-east-1" and "assumed" in assumed.source


def test_kubernetes_alone_is_not_assessed_and_says_what_to_add() -> None:
    pod = declared("Deployment", "cart", origin=FileKind.KUBERNETES)
    result = assess(pod)
    assert (result.status, result.score) == (AgentStatus.NOT_ASSESSED, None)
    assert "nodes" in result.reason


def test_cloudformation_costs_the_same_as_terraform() -> None:
    template = declared(
        "AWS::RDS::DBInstance",
        "Orders",
        origin=FileKind.CLOUDFORMATION,
        DBInstanceClass="db.t3.medium",
        Engine="postgres",
        MultiAZ="true",
        AllocatedStorage="100",
    )
    assert (
        figure(assess(template), "monthly_cost") == figure(assess(TEN[2]), "monthly_cost") == 128.85
    )
    open_ended = template.replace(attributes={**template.attributes, "MultiAZ": {"Ref": "Standby"}})
    result = assess(open_ended, TEN[7])
    assert "standby" in rows(result, "unpriced")[0][2]


def test_what_has_no_price_at_all_is_listed_all_the_same() -> None:
    result = assess(
        declared("google_sql_database_instance", "db"), declared("aws_msk_cluster", "m")
    )
    assert (result.status, result.score) == (AgentStatus.NOT_ASSESSED, None)
    assert "2 billable resources" in result.reason
    assert {row[0] for row in rows(result, "unpriced")} == {
        "google_sql_database_instance.db",
        "aws_msk_cluster.m",
    }
    assert figure(result, "unpriced") == 2


def test_blocks_of_which_the_number_is_unknown_have_no_price() -> None:
    machine = declared("aws_instance", "web", instance_type="m5.large")
    result = assess(machine.replace(open_blocks=["ebs_block_device"]))
    assert result.summary.startswith("At least ")
    assert ["aws_instance.web", "ebs_block_device"] in [
        [row[0], row[2]] for row in rows(result, "partly_priced")
    ]


def test_nothing_billable_is_not_assessed() -> None:
    assert assess(declared("aws_iam_role", "x")).status is AgentStatus.NOT_ASSESSED
    assert assess().status is AgentStatus.NOT_ASSESSED


def test_the_order_of_the_resources_changes_nothing() -> None:
    assert assess(*TEN) == assess(*reversed(TEN))


def test_every_figure_and_table_has_a_source() -> None:
    result = assess(*TEN, egress_gb_month=10, monthly_budget_usd=10)
    assert all(each.source for each in result.figures) and all(
        each.source for each in result.tables
    )


def test_another_providers_region_is_not_the_region_of_aws() -> None:
    cluster = declared("aws_eks_cluster", "shop")
    alibaba = declared("provider", "alicloud", region="cn-hangzhou").replace(provider="alicloud")
    aws = declared("provider", "aws", region="us-west-2")
    other = declared("provider", "aws", region="eu-north-1", alias="replica")
    region = region_of(Requirements(), [alibaba, other, cluster, aws])
    assert (region.name, region.assumed) == ("us-west-2", False)
    assumed = region_of(Requirements(), [alibaba, cluster])
    assert (assumed.name, assumed.assumed) == ("us-east-1", True)


def test_a_score_needs_a_price_for_four_of_five_components() -> None:
    priced = [declared("aws_eks_cluster", f"c{n}") for n in range(4)]
    unknown = [declared("aws_macie2_account", f"m{n}") for n in range(2)]
    assert assess(*priced, unknown[0]).score is not None
    without = assess(*priced, *unknown)
    assert without.score is None
    assert "4 of 6" in without.score_formula
    assert without.summary.startswith("At least ")


@pytest.mark.parametrize(
    ("instance_type", "region", "usd"),
    # Families with accelerators aren't priced by size: AWS's list has 0.526 for g4dn.xlarge and
    # 0.752 for g4dn.2xlarge.
    [
        ("g4dn.xlarge", "us-east-1", 0.526),
        ("g6.xlarge", "us-east-2", 0.8048),
        ("g4dn.2xlarge", "us-west-1", 0.902),
        ("inf2.xlarge", "us-east-2", 0.7582),
    ],
)
def test_machines_with_accelerators_have_the_price_of_the_list(
    instance_type: str, region: str, usd: float
) -> None:
    assert hourly_price(instance_type, region) == pytest.approx(usd)


@pytest.mark.parametrize(
    ("instance_type", "region", "usd", "repaired"),
    [
        ("g5g.xlarge", "us-east-1", 0.42, False),
        ("g4dn.xlarge", "sa-east-1", 0.894, False),
        ("g4dn.xlarge", "eu-north-1", 0.558, False),
        ("g5g.xlarge", "ap-northeast-2", 0.51663, True),  # 0.42 x the family's rate there, 1.23007
        ("p4d.24xlarge", "us-east-1", 21.957642, False),
    ],
)
def test_types_with_accelerators_keep_the_relation_of_their_sizes(
    instance_type: str, region: str, usd: float, repaired: bool
) -> None:
    assert hourly_price(instance_type, region) == pytest.approx(usd, rel=1e-4)
    assert is_repaired(instance_type, region) is repaired
    assert ("repaired:" in price_source(instance_type, region)) is repaired


def test_what_was_cut_since_the_source_has_no_price_where_the_lists_end() -> None:
    for instance_type in ("p4d.24xlarge", "p5.48xlarge"):
        assert hourly_price(instance_type, "ap-northeast-2") is None


def test_a_repaired_price_is_marked_where_it_is_used() -> None:
    machine = declared("aws_instance", "gpu", instance_type="g5g.xlarge")
    (source,) = [row[6] for row in rows(assess(machine, regions=["ap-northeast-2"]), "cost")]
    assert "repaired: the source has no price here, or one for another tenancy" in source

"""Prices of AWS's services and databases by region.

Services: lib/data/pricing of github.com/lamngockhuong/aws-price, files of 2025-08-28 to 2025-11-04.
Databases and traffic: data/cloud-pricing.json.gz of github.com/coroot/cloud-pricing, 2024-08-09.
Volumes, balancers, database storage: src/zombiescan/pricing/table.json of github.com/xbill9/
zombiescan, 2026-09-21.
"""

from __future__ import annotations

from typing import Any

import pytest

from assessments.agents.cost.price_list import LISTS, egress_usd, fact
from assessments.agents.datasets import load
from assessments.agents.instance_types import REPAIRED, hourly_price, is_repaired, price_source
from tests.assessments.test_prices import assess, costs, database, declared, rows


@pytest.mark.parametrize(
    ("region", "engine", "multi", "usd"),
    [
        ("us-east-1", "postgres", False, 0.178),
        ("eu-west-1", "postgres", False, 0.197),
        ("eu-west-1", "postgres", True, 0.394),
        ("eu-central-1", "postgres", True, 0.424),
    ],
)
def test_a_database_has_the_price_of_its_region(
    region: str, engine: str, multi: bool, usd: float
) -> None:
    found = costs(database(engine, "db.m5.large", multi_az=multi), regions=[region])
    name = "db.m5.large multi-AZ" if multi else "db.m5.large single-AZ"
    assert found[name] == pytest.approx(730 * usd, abs=0.005)


def test_aurora_is_priced_as_standard_and_a_price_that_was_derived_says_so() -> None:
    # the list has 0.372 for MySQL, which is I/O-Optimized, and 0.286 for PostgreSQL
    standard = fact("rds.aurora.db.r6g.large", "eu-west-1")
    assert standard and float(standard.usd) == 0.286 and "repaired" not in standard.source
    derived = [
        (key, region)
        for key, row in load("databases.json.gz")["prices"].items()
        for region in row.get("repaired", ())
    ]
    assert derived
    for key, region in derived:
        price = fact(key, region)
        assert price is not None
        assert region == "us-east-1" or ", repaired: its I/O-Optimized" in price.source


def test_gateways_and_tasks_have_prices_where_few_lists_reach() -> None:
    assert costs(declared("aws_nat_gateway", "a"), regions=["ap-southeast-5"]) == {
        "NAT gateway": 36.61  # 730 x 0.05015
    }
    assert "NAT gateway" not in costs(
        declared("aws_nat_gateway", "a"), declared("aws_kms_key", "a"), regions=["nowhere-1"]
    )


@pytest.mark.parametrize(
    ("kind", "attributes", "region", "component", "usd"),
    [
        ("aws_ebs_volume", {"type": "gp3", "size": 100}, "eu-west-2", "volume gp3 storage", 9.28),
        ("aws_ebs_volume", {"type": "gp2", "size": 100}, "sa-east-1", "volume gp2 storage", 19.0),
        ("aws_ebs_volume", {"type": "st1", "size": 500}, "ap-south-1", "volume st1 storage", 25.5),
        ("aws_lb", {"internal": True}, "ap-southeast-2", "application load balancer", 18.40),
        ("aws_elb", {}, "eu-north-1", "classic load balancer", 19.42),
        ("aws_secretsmanager_secret", {}, "eu-west-3", "secret", 0.40),
    ],
)
def test_volumes_and_balancers_have_prices_in_every_region(
    kind: str, attributes: dict[str, Any], region: str, component: str, usd: float
) -> None:
    found = costs(declared(kind, "x", **attributes), regions=[region])
    assert found[component] == usd


def test_database_storage_has_the_price_of_its_region_and_doubles_with_a_standby() -> None:
    # 20 GB x 0.133, and twice that
    for multi, usd in ((False, 2.66), (True, 5.32)):
        found = costs(database("mysql", multi_az=multi), regions=["eu-west-2"])
        assert found["gp2 storage"] == usd


def test_storage_of_a_task_above_the_free_part_is_priced() -> None:
    task = declared(
        "aws_ecs_task_definition",
        "big",
        family="big",
        cpu=256,
        memory=512,
        ephemeral_storage={"size_in_gib": 50},
    )
    service = declared(
        "aws_ecs_service", "s", task_definition="big", desired_count=2, launch_type="FARGATE"
    )
    found = costs(service, task)
    # 730 h x 2 tasks x 30 GB x 0.000111
    assert found["ephemeral storage above 20 GB"] == 4.86


@pytest.mark.parametrize(
    ("region", "gigabytes", "usd"),
    [
        ("us-east-1", 100, 0),
        ("us-east-1", 1_100, 90.0),
        ("eu-west-1", 11_240, 997.60),  # 10,140 x 0.09 + 1,000 x 0.085
        ("sa-east-1", 1_100, 150.0),
    ],
)
def test_traffic_has_the_tiers_of_its_region(region: str, gigabytes: float, usd: float) -> None:
    price = egress_usd(gigabytes, region)
    assert price is not None and float(price.usd) == pytest.approx(usd)
    assert price.as_of == "2024-08-09"


def test_traffic_without_a_price_is_said_to_be_left_out() -> None:
    elsewhere = declared(
        "azurerm_managed_disk",
        "d",
        storage_account_type="Premium_LRS",
        disk_size_gb=32,
        location="westeurope",
    )
    gateway = declared("aws_nat_gateway", "a")
    assert "Traffic to the internet is left out" in assess(elsewhere, egress_gb_month=9).summary
    assert "Traffic" not in assess(elsewhere).summary
    assert "Traffic" not in assess(gateway, egress_gb_month=9).summary
    secret = assess(gateway, egress_gb_month=9, regions=["us-gov-west-1"])
    assert "Traffic to the internet is left out" in secret.summary


def test_traffic_out_of_govcloud_has_no_price_as_its_free_part_differs() -> None:
    assert egress_usd(1_000, "us-gov-west-1") is None


@pytest.mark.parametrize(
    ("metal", "sized", "region"),
    [
        ("c7i.metal-24xl", "c7i.24xlarge", "us-east-1"),
        ("r7iz.metal-16xl", "r7iz.16xlarge", "us-east-1"),
        ("m6g.metal", "m6g.16xlarge", "us-gov-west-1"),
    ],
)
def test_a_metal_type_listed_with_dedicated_tenancy_costs_what_its_size_costs(
    metal: str, sized: str, region: str
) -> None:
    """The list has 4.7124 for c7i.metal-24xl, 10 % more than for c7i.24xlarge; coroot has 4.284."""
    assert hourly_price(metal, region) == hourly_price(sized, region)
    assert is_repaired(metal, region) and not is_repaired(sized, region)
    assert REPAIRED in price_source(metal, region)


def test_no_price_is_in_two_lists() -> None:
    keys = [key for name in LISTS for key in load(name)["prices"]]
    assert len(keys) == len(set(keys)) > 1_500


def test_the_lists_behind_the_prices_are_named_with_their_days() -> None:
    result = assess(database("mysql"), declared("aws_nat_gateway", "a"), regions=["eu-west-2"])
    lists = {row[0]: row[1] for row in rows(result, "price_lists")}
    assert lists == {
        "AWS's price list of databases and traffic, as kept by coroot": "2024-08-09",
        "AWS's price list by region, as kept by aws-price": "2025-10-28",
        "AWS's price pages": "2026-09-21",
    }

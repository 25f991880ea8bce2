"""What is billed by use: the meters of each kind of resource, and what people state for them.

The tiers' bounds are those of the services' pricing pages; the keys of the prices are those of
services.json.gz and cost_facts.json.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

from assessments.agents.attributes import block, declared, first, flag, listed, number, text
from assessments.agents.cost.price_list import ONE
from assessments.agents.inventory import attributes_of
from assessments.agents.references import kind_of
from assessments.requirements import Measure

if TYPE_CHECKING:
    from assessments.scan.types import Resource

DEFAULT_MEMORY_MB = 128
"""Of a Lambda function (AWS Lambda Developer Guide, "Configure memory")."""
PITR = "dynamodb.pitr"
WORDS = {
    Measure.REQUESTS: "requests a month",
    Measure.DURATION_MS: "mean ms a request",
    Measure.STORAGE_GB: "GB stored",
    Measure.PUT_REQUESTS: "PUT requests a month",
    Measure.GET_REQUESTS: "GET requests a month",
    Measure.READ_UNITS: "read request units a month",
    Measure.WRITE_UNITS: "write request units a month",
    Measure.INGESTED_GB: "GB written a month",
    Measure.DELIVERED_GB: "GB read a month",
    Measure.PROCESSED_GB: "GB processed a month",
    Measure.MESSAGES: "messages a month",
    Measure.CONNECTION_MINUTES: "connection minutes a month",
    Measure.PAYLOAD_UNITS: "25 KB payload units a month",
}


class Meter(NamedTuple):
    """A component billed by use. ``needs`` are the amounts whose product is the quantity in
    ``unit``; in the price's ``key``, {} is the variant of the resource."""

    component: str
    needs: tuple[Measure, ...]
    unit: str
    key: str


class Metered(NamedTuple):
    """How a resource is billed: a row of ``METERS``, the variant in its keys, and the factor of
    products of amounts, None if the code leaves it open, with its source."""

    row: str
    variant: str = ""
    factor: Decimal | None = ONE
    factor_source: str = ""
    has_backup: bool = False


METERS: dict[str, tuple[Meter, ...]] = {
    "api.rest": (Meter("requests", (Measure.REQUESTS,), "requests", "apigateway.rest"),),
    "api.http": (Meter("requests", (Measure.REQUESTS,), "requests", "apigateway.http"),),
    "api.websocket": (
        Meter("messages", (Measure.MESSAGES,), "messages", "apigateway.websocket"),
        Meter(
            "connections",
            (Measure.CONNECTION_MINUTES,),
            "connection-minutes",
            "apigateway.websocket.minute",
        ),
    ),
    "dynamodb.provisioned": (
        Meter("storage", (Measure.STORAGE_GB,), "GB", "dynamodb.{}.gb"),
        Meter("point-in-time backup", (Measure.STORAGE_GB,), "GB", PITR),
    ),
    "dynamodb.on_demand": (
        Meter("reads", (Measure.READ_UNITS,), "read request units", "dynamodb.{}.read"),
        Meter("writes", (Measure.WRITE_UNITS,), "write request units", "dynamodb.{}.write"),
        Meter("storage", (Measure.STORAGE_GB,), "GB", "dynamodb.{}.gb"),
        Meter("point-in-time backup", (Measure.STORAGE_GB,), "GB", PITR),
    ),
    "ecr": (Meter("storage", (Measure.STORAGE_GB,), "GB", "ecr.gb"),),
    "efs": (Meter("storage", (Measure.STORAGE_GB,), "GB", "efs.{}.gb"),),
    "endpoint": (Meter("data processed", (Measure.PROCESSED_GB,), "GB", "endpoint.{}.gb"),),
    "kinesis.provisioned": (
        Meter("payload", (Measure.PAYLOAD_UNITS,), "payload units", "kinesis.put"),
    ),
    "kinesis.on_demand": (
        Meter("data in", (Measure.INGESTED_GB,), "GB", "kinesis.in.gb"),
        Meter("data out", (Measure.DELIVERED_GB,), "GB", "kinesis.out.gb"),
    ),
    "lambda": (
        Meter("requests", (Measure.REQUESTS,), "requests", "lambda.{}.request"),
        Meter("duration", (Measure.REQUESTS, Measure.DURATION_MS), "GB-seconds", "lambda.{}"),
    ),
    "logs": (
        Meter("data in", (Measure.INGESTED_GB,), "GB", "logs.{}.gb"),
        Meter("storage", (Measure.STORAGE_GB,), "GB", "logs.stored"),
    ),
    "nat": (Meter("data processed", (Measure.PROCESSED_GB,), "GB", "nat.gb"),),
    "s3": (
        Meter("Standard storage", (Measure.STORAGE_GB,), "GB", "s3.standard.gb"),
        Meter(
            "PUT and LIST requests",
            (Measure.PUT_REQUESTS,),
            "requests",
            "s3.standard.put",
        ),
        Meter("GET requests", (Measure.GET_REQUESTS,), "requests", "s3.standard.get"),
    ),
    "secret": (Meter("requests", (Measure.REQUESTS,), "requests", "secretsmanager.request"),),
    "sfn": (Meter("state transitions", (Measure.REQUESTS,), "transitions", "sfn.standard"),),
    "sns": (Meter("requests", (Measure.REQUESTS,), "requests", "sns.{}.request"),),
    "sqs": (Meter("requests", (Measure.REQUESTS,), "requests", "sqs.{}.request"),),
    "tgw": (Meter("data processed", (Measure.PROCESSED_GB,), "GB", "tgw.gb"),),
}

LIMITS: dict[str, tuple[int, ...]] = {
    "apigateway.rest": (333_000_000, 1_000_000_000, 20_000_000_000),
    "apigateway.http": (300_000_000,),
    "apigateway.websocket": (1_000_000_000,),
    "endpoint.gatewayloadbalancer.gb": (),
    "endpoint.interface.gb": (1_048_576, 5_242_880),
    "lambda.arm64": (7_500_000_000, 18_750_000_000),
    "lambda.x86_64": (6_000_000_000, 15_000_000_000),
    "s3.standard.gb": (51_200, 512_000),
}
"""Where the tiers of a price end, in its unit; the price of tier n is ``KEY.n``."""


STORES = ("s3", "efs", "dynamodb.on_demand", "dynamodb.provisioned")


def metered(resource: Resource) -> Metered | None:
    """How the resource is billed by use; None for a type that isn't."""
    read = _READERS.get(kind_of(resource))
    return read(attributes_of(resource)) if read else None


def meters_of(billed: Metered) -> list[Meter]:
    meters = METERS.get(billed.row, ())
    return [each for each in meters if each.key != PITR or billed.has_backup]


def table_mode(attributes: Mapping[str, Any]) -> str | None:
    """``provisioned`` or ``on_demand``; None if the code leaves it open. A SimpleTable of SAM,
    which declares neither, is billed on demand."""
    if "billing_mode" not in attributes:
        capacities = ("read_capacity", "write_capacity", "provisioned_throughput")
        return "provisioned" if any(each in attributes for each in capacities) else "on_demand"
    modes = {"PAY_PER_REQUEST": "on_demand", "PROVISIONED": "provisioned"}
    return modes.get((text(attributes["billing_mode"]) or "").upper())


def table_class(attributes: Mapping[str, Any]) -> str:
    rare = text(attributes.get("table_class")) == "STANDARD_INFREQUENT_ACCESS"
    return "ia" if rare else "standard"


def stream_mode(attributes: Mapping[str, Any]) -> str:
    mode = text(block(attributes.get("stream_mode_details")).get("stream_mode"))
    return "on_demand" if mode == "ON_DEMAND" else "provisioned"


def _function(attributes: Mapping[str, Any]) -> Metered:
    memory = number(declared(attributes, "memory_size", DEFAULT_MEMORY_MB))
    kinds = listed(attributes.get("architectures")) or ["x86_64"]
    kind = "arm64" if kinds[0] == "arm64" else "x86_64"
    if memory is None:
        return Metered("lambda", kind, None)
    gigabyte_seconds = Decimal(str(memory)) / 1024 / 1000
    return Metered("lambda", kind, gigabyte_seconds, f"{memory:g} MB of memory")


def _table(attributes: Mapping[str, Any]) -> Metered:
    names = ("point_in_time_recovery", "point_in_time_recovery_specification")
    backup = block(first(attributes, *names))
    has_backup = flag(first(backup, "enabled", "point_in_time_recovery_enabled"))
    row = f"dynamodb.{table_mode(attributes) or 'provisioned'}"
    return Metered(row, table_class(attributes), has_backup=bool(has_backup))


def _files(attributes: Mapping[str, Any]) -> Metered:
    return Metered("efs", "one_zone" if "availability_zone_name" in attributes else "regional")


def _api(attributes: Mapping[str, Any]) -> Metered:
    kind = (text(attributes.get("protocol_type")) or "HTTP").lower()
    return Metered("api.websocket" if kind == "websocket" else "api.http")


def _logs(attributes: Mapping[str, Any]) -> Metered:
    return Metered("logs", (text(attributes.get("log_group_class")) or "standard").lower())


def _endpoint(attributes: Mapping[str, Any]) -> Metered:
    kind = (text(declared(attributes, "vpc_endpoint_type", "Gateway")) or "").lower()
    return Metered("endpoint" if kind in ("interface", "gatewayloadbalancer") else "", kind)


def _workflow(attributes: Mapping[str, Any]) -> Metered | None:
    kind = text(first(attributes, "type", "state_machine_type", default="STANDARD")) or ""
    return Metered("sfn") if kind.upper() == "STANDARD" else None


def _fifo(row: str, key: str) -> Callable[[Mapping[str, Any]], Metered]:
    return lambda attributes: Metered(row, "fifo" if flag(attributes.get(key)) else "standard")


def _always(row: str) -> Callable[[Mapping[str, Any]], Metered]:
    return lambda attributes: Metered(row)


_READERS: dict[str, Callable[[Mapping[str, Any]], Metered | None]] = {
    "aws_api_gateway_rest_api": _always("api.rest"),
    "aws_apigatewayv2_api": _api,
    "aws_cloudwatch_log_group": _logs,
    "aws_dynamodb_table": _table,
    "aws_ec2_transit_gateway_vpc_attachment": _always("tgw"),
    "aws_ecr_repository": _always("ecr"),
    "aws_efs_file_system": _files,
    "aws_kinesis_stream": lambda attributes: Metered(f"kinesis.{stream_mode(attributes)}"),
    "aws_lambda_function": _function,
    "aws_nat_gateway": _always("nat"),
    "aws_s3_bucket": _always("s3"),
    "aws_secretsmanager_secret": _always("secret"),
    "aws_sfn_state_machine": _workflow,
    "aws_sns_topic": _fifo("sns", "fifo_topic"),
    "aws_sqs_queue": _fifo("sqs", "fifo_queue"),
    "aws_vpc_endpoint": _endpoint,
}

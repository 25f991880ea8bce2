"""Build assessments/data/services.json.gz: prices of AWS's services by region.

    python scripts/build_service_prices.py FOLDER

FOLDER holds lib/data/pricing of github.com/lamngockhuong/aws-price (MIT): the files behind AWS's
own pricing calculator, which name each rate and give its USD by region, on demand. MAPS names the
rates that are kept. Keys are those of cost_facts.json, whose prices take precedence; a region
without a rate has none.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
from pathlib import Path
from typing import Any

OUTPUT = Path(__file__).resolve().parent.parent / "assessments" / "data" / "services.json.gz"
COMMIT, AS_OF = "508fb45296c8", "2025-08-28"
"""The commit, and the day of the oldest file; each price has its own file's day."""

REGIONS = {
    "AWS GovCloud (US)": "us-gov-west-1",
    "AWS GovCloud (US-East)": "us-gov-east-1",
    "Africa (Cape Town)": "af-south-1",
    "Asia Pacific (Hong Kong)": "ap-east-1",
    "Asia Pacific (Hyderabad)": "ap-south-2",
    "Asia Pacific (Jakarta)": "ap-southeast-3",
    "Asia Pacific (Malaysia)": "ap-southeast-5",
    "Asia Pacific (Melbourne)": "ap-southeast-4",
    "Asia Pacific (Mumbai)": "ap-south-1",
    "Asia Pacific (New Zealand)": "ap-southeast-6",
    "Asia Pacific (Osaka)": "ap-northeast-3",
    "Asia Pacific (Seoul)": "ap-northeast-2",
    "Asia Pacific (Singapore)": "ap-southeast-1",
    "Asia Pacific (Sydney)": "ap-southeast-2",
    "Asia Pacific (Taipei)": "ap-east-2",
    "Asia Pacific (Thailand)": "ap-southeast-7",
    "Asia Pacific (Tokyo)": "ap-northeast-1",
    "Canada (Central)": "ca-central-1",
    "Canada West (Calgary)": "ca-west-1",
    "EU (Frankfurt)": "eu-central-1",
    "EU (Ireland)": "eu-west-1",
    "EU (London)": "eu-west-2",
    "EU (Milan)": "eu-south-1",
    "EU (Paris)": "eu-west-3",
    "EU (Spain)": "eu-south-2",
    "EU (Stockholm)": "eu-north-1",
    "EU (Zurich)": "eu-central-2",
    "Israel (Tel Aviv)": "il-central-1",
    "Mexico (Central)": "mx-central-1",
    "Middle East (Bahrain)": "me-south-1",
    "Middle East (UAE)": "me-central-1",
    "South America (Sao Paulo)": "sa-east-1",
    "US East (N. Virginia)": "us-east-1",
    "US East (Ohio)": "us-east-2",
    "US West (N. California)": "us-west-1",
    "US West (Oregon)": "us-west-2",
}

# file: (key, unit, the rate's name there)
MAPS: dict[str, list[tuple[str, str, str]]] = {
    "apigateway": [
        ("apigateway.rest.1", "request", "API Calls Number of up to 333 million"),
        ("apigateway.rest.2", "request", "API Calls Number of Request Next 667 million"),
        ("apigateway.rest.3", "request", "API Calls Number of Request Next 19 billion"),
        ("apigateway.rest.4", "request", "API Calls Number of Request Over 20 billion"),
        ("apigateway.http.1", "request", "ApiGatewayHttpApi First 300 million"),
        ("apigateway.http.2", "request", "ApiGatewayHttpApi more than 300 million"),
        ("apigateway.websocket.1", "message", "WebSocket Messages Messages first 1 billion"),
        ("apigateway.websocket.2", "message", "WebSocket Messages Messages over 1 billion"),
        ("apigateway.websocket.minute", "connection-minute", "WebSocket Connection Minutes"),
        ("apigateway.cache.0.5", "hour", "Caching Memory Size 0 5"),
        ("apigateway.cache.1.6", "hour", "Caching Memory Size 1 6"),
        ("apigateway.cache.6.1", "hour", "Caching Memory Size 6 1"),
        ("apigateway.cache.13.5", "hour", "Caching Memory Size 13 5"),
        ("apigateway.cache.28.4", "hour", "Caching Memory Size 28 4"),
        ("apigateway.cache.58.2", "hour", "Caching Memory Size 58 2"),
        ("apigateway.cache.118", "hour", "Caching Memory Size 118"),
        ("apigateway.cache.237", "hour", "Caching Memory Size 237"),
    ],
    "cloudwatch": [
        ("cloudwatch.metric", "metric-month, first 10,000", "Metric for the first 10000"),
        ("cloudwatch.alarm.standard", "alarm metric-month", "Alarm Standard"),
        ("cloudwatch.alarm.high", "alarm metric-month", "Alarm High Resolution"),
        ("cloudwatch.alarm.composite", "alarm-month", "Alarm Composite"),
        ("logs.standard.gb", "GB ingested", "Logs Collected Data Ingestion"),
        (
            "logs.infrequent_access.gb",
            "GB ingested",
            "IA Custom ingested Logs from 0 upto Inf",
        ),
        ("logs.stored", "GB-month", "Stored Data"),
    ],
    "dynamodb": [
        ("dynamodb.standard.read", "read request unit", "PayPerRequest Read Request Units"),
        ("dynamodb.standard.write", "write request unit", "PayPerRequest Write Request Units"),
        ("dynamodb.standard.rcu", "unit-hour", "Provisioned Read Units"),
        ("dynamodb.standard.wcu", "unit-hour", "Provisioned Write Units"),
        ("dynamodb.standard.gb", "GB-month", "Data Storage Indexed GB-Mo"),
        ("dynamodb.ia.read", "read request unit", "PayPerRequest Read Request Units IA"),
        ("dynamodb.ia.write", "write request unit", "PayPerRequest Write Request Units IA"),
        ("dynamodb.ia.rcu", "unit-hour", "Provisioned Read Units IA"),
        ("dynamodb.ia.wcu", "unit-hour", "Provisioned Write Units IA"),
        ("dynamodb.ia.gb", "GB-month", "Data Storage Indexed - IA GB-Mo"),
        ("dynamodb.pitr", "GB-month", "PITR Backup Storage GB-Mo"),
    ],
    "ecs": [
        ("fargate.x86_64.vcpu", "vCPU-hour", "perCPU per hour"),
        ("fargate.x86_64.gb", "GB-hour", "perGB per hour"),
        ("fargate.arm64.vcpu", "vCPU-hour", "ARM perCPU per hour"),
        ("fargate.arm64.gb", "GB-hour", "ARM perGB per hour"),
        ("fargate.windows.vcpu", "vCPU-hour", "perCPU per hour Windows"),
        ("fargate.windows.gb", "GB-hour", "perGB per hour Windows"),
        ("fargate.windows.license", "vCPU-hour", "perCPU OS License Fee per hour Windows"),
        ("fargate.disk.gb", "GB-hour", "Storage per GB-Hours"),
    ],
    "efs": [
        ("efs.regional.gb", "GB-month", "General Purpose Storage GB Mo"),
        ("efs.one_zone.gb", "GB-month", "One Zone General Purpose Storage GB Mo"),
        ("efs.throughput", "MB/s-month", "Throughput Provisioned"),
    ],
    "kinesis": [
        ("kinesis.shard.hour", "shard-hour", "Provisioned shard hour per ShardHour"),
        ("kinesis.put", "payload unit of 25 KB", "Payload Units per PutRequest"),
        ("kinesis.stream.hour", "stream-hour", "OnDemandStreamHr per StreamHr"),
        ("kinesis.in.gb", "GB", "OnDemandDataIngested per GB"),
        ("kinesis.out.gb", "GB", "OnDemandDataRetrieval per GB"),
    ],
    "lambda": [
        ("lambda.x86_64.request", "request", "Lambda Requests"),
        ("lambda.x86_64.1", "GB-second", "Lambda Duration"),
        ("lambda.x86_64.2", "GB-second", "Lambda Duration Tier2"),
        ("lambda.x86_64.3", "GB-second", "Lambda Duration Tier3"),
        ("lambda.arm64.request", "request", "Lambda Requests-ARM"),
        ("lambda.arm64.1", "GB-second", "Lambda Duration-ARM"),
        ("lambda.arm64.2", "GB-second", "Lambda Duration-ARM Tier2"),
        ("lambda.arm64.3", "GB-second", "Lambda Duration-ARM Tier3"),
    ],
    "msk": [
        ("msk.gb", "GB-month", "RunVolume GP2"),
        *(
            (f"msk.kafka.{size}", "broker-hour", f"RunBroker {size}")
            for size in (
                "t3.small",
                *(f"m5.{n}" for n in ("large", "xlarge", "2xlarge", "4xlarge", "8xlarge")),
                *(f"m5.{n}" for n in ("12xlarge", "16xlarge", "24xlarge")),
                *(f"m7g.{n}" for n in ("large", "xlarge", "2xlarge", "4xlarge", "8xlarge")),
                *(f"m7g.{n}" for n in ("12xlarge", "16xlarge")),
            )
        ),
    ],
    "natgateway": [
        ("nat.hour", "hour", "Hourly charge for NAT Gateways"),
        ("nat.gb", "GB", "Charge for per GB data processed by NatGateways"),
    ],
    "s3": [
        ("s3.standard.gb.1", "GB-month", "Standard Storage First 50 TB per GB Mo"),
        ("s3.standard.gb.2", "GB-month", "Standard Storage Next 450 TB per GB Mo"),
        ("s3.standard.gb.3", "GB-month", "Standard Storage Over 500 TB per GB Mo"),
        ("s3.standard.put", "request", "PUT COPY/POST or LIST requests per Requests"),
        ("s3.standard.get", "request", "GET and all other requests per Requests"),
    ],
    "sns": [
        ("sns.standard.request", "request", "Amazon SNS API Requests"),
        ("sns.fifo.request", "request", "Amazon SNS FIFO API Requests per Requests"),
    ],
    "vpc": [
        ("endpoint.interface.hour", "hour", "Hourly charge for VPC Endpoints per Hrs"),
        (
            "endpoint.interface.gb.1",
            "GB",
            "Charge for per GB data processed by VPC Endpoints per GB from 0 to 1048576",
        ),
        (
            "endpoint.interface.gb.2",
            "GB",
            "Charge for per GB data processed by VPC Endpoints per GB from 1048576 to 5242880",
        ),
        (
            "endpoint.interface.gb.3",
            "GB",
            "Charge for per GB data processed by VPC Endpoints per GB from 5242880 to Inf",
        ),
        (
            "endpoint.gatewayloadbalancer.hour",
            "hour",
            "Hourly charge for AWS Gateway Load Balancer VPC Endpoint per Hrs",
        ),
        (
            "endpoint.gatewayloadbalancer.gb.1",
            "GB",
            "Charge for per GB data processed by AWS Gateway Load Balancer VPC Endpoint per GB",
        ),
        (
            "tgw.attachment.hour",
            "hour",
            "Hourly charge for Transit Gateway VPC Attachments per hour",
        ),
        (
            "tgw.gb",
            "GB",
            "Charge for per GB data processed by AWS Transit Gateways for VPC attachments"
            " per GigaBytes",
        ),
        ("vpn.hour", "hour", "CreateVpnConnection per Hrs"),
    ],
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    regions = sorted(REGIONS.values())
    prices: dict[str, Any] = {}
    for service, rates in MAPS.items():
        found = json.loads((folder / f"{service}.json").read_text())
        day = found["manifest"]["hawkFilePublicationDate"][:10]
        for key, unit, name in rates:
            by_region = rates_of(found["regions"], name)
            usd = [by_region.get(region) for region in regions]
            prices[key] = {"unit": unit, "as_of": day, "usd": usd}
    content = {
        "header": {
            "source": "AWS's price list by region, as kept by aws-price",
            "url": "https://github.com/lamngockhuong/aws-price",
            "version": COMMIT,
            "as_of": AS_OF,
            "licence": "MIT",
        },
        "regions": regions,
        "prices": prices,
    }
    packed = json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
    OUTPUT.write_bytes(gzip.compress(packed, mtime=0))
    sys.stdout.write(f"{OUTPUT}: {len(prices)} prices, {len(regions)} regions\n")


def rates_of(places: dict[str, Any], name: str) -> dict[str, float]:
    """The rate's USD by region."""
    return {
        REGIONS[place]: float(rates[name]["price"])
        for place, rates in places.items()
        if place in REGIONS and name in rates and float(rates[name]["price"])
    }


if __name__ == "__main__":
    main()

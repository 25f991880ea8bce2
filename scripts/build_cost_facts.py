"""Write assessments/data/cost_facts.json: list prices other than those of machines, maintained
here, where each row has its page.

    python scripts/build_cost_facts.py

A price that isn't known for a region is not in the table: the resource is then listed as unpriced.
Prices are USD, on demand, without tax and without free tiers unless the row says so. Longer lists
are in aws_list_prices.py and cloud_list_prices.py, and those by region in services.json.gz,
databases.json.gz and nodes.json.gz.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aws_list_prices import (
    AURORA,
    CACHE_AS_OF,
    LICENSED_DATABASES,
    REDIS,
    VALKEY_ONLY,
    VALKEY_SHARE,
)
from aws_regional_prices import AS_OF as REGIONAL_AS_OF
from aws_regional_prices import (
    BALANCERS,
    EBS_RATES,
    RDS_STORAGE,
    SECRET,
    STORAGES,
    VOLUMES,
    columns,
)
from cloud_list_prices import DISK_AS_OF, DISK_PAGE, OTHERS, disk_prices

OUTPUT = Path(__file__).resolve().parent.parent / "assessments" / "data" / "cost_facts.json"
AS_OF = "2025-03-01"
US = ("us-east-1", "us-east-2", "us-west-2")
IRELAND = "eu-west-1"
FRANKFURT = "eu-central-1"
EVERYWHERE = "*"

EBS = "https://aws.amazon.com/ebs/pricing/"
VPC = "https://aws.amazon.com/vpc/pricing/"
ELB = "https://aws.amazon.com/elasticloadbalancing/pricing/"
RDS = "https://aws.amazon.com/rds/pricing/"
AURORA_PAGE = "https://aws.amazon.com/rds/aurora/pricing/"
CACHE = "https://aws.amazon.com/elasticache/pricing/"
SEARCH = "https://aws.amazon.com/opensearch-service/pricing/"
SECRETS = "https://aws.amazon.com/secrets-manager/pricing/"
SQS = "https://aws.amazon.com/sqs/pricing/"
EKS = "https://aws.amazon.com/eks/pricing/"

# key, unit, price in the three US regions, in Ireland, in Frankfurt, page
BY_REGION: list[tuple[str, str, float, float | None, float | None, str]] = [
    ("ebs.gp3.iops", "IOPS-month above 3,000", 0.005, 0.0055, 0.006, EBS),
    ("ebs.gp3.throughput", "MB/s-month above 125", 0.04, 0.044, 0.048, EBS),
    ("ebs.io1.iops", "IOPS-month", 0.065, 0.072, 0.078, EBS),
    ("rds.storage.io1.iops", "IOPS-month", 0.10, None, None, RDS),
]

ALL_REGIONS: list[tuple[str, str, float, str]] = [
    ("public_ipv4.hour", "hour", 0.005, VPC),
    ("eks.hour", "cluster-hour, standard support", 0.10, EKS),
    ("eks.extended.hour", "cluster-hour, on top of standard support", 0.50, EKS),
    ("kms.key", "key-month", 1.0, "https://aws.amazon.com/kms/pricing/"),
    ("route53.zone", "hosted zone-month, first 25", 0.5, "https://aws.amazon.com/route53/pricing/"),
]

# USD an hour in the three US regions: class, MySQL and MariaDB single and multi-AZ, PostgreSQL
# single and multi-AZ
RDS_CLASSES: list[tuple[str, float, float, float, float]] = [
    ("db.t3.micro", 0.017, 0.034, 0.018, 0.036),
    ("db.t3.small", 0.034, 0.068, 0.036, 0.072),
    ("db.t3.medium", 0.068, 0.136, 0.072, 0.145),
    ("db.t3.large", 0.136, 0.272, 0.145, 0.29),
    ("db.t3.xlarge", 0.272, 0.544, 0.29, 0.579),
    ("db.t3.2xlarge", 0.544, 1.088, 0.579, 1.158),
    ("db.t4g.micro", 0.016, 0.032, 0.016, 0.032),
    ("db.t4g.small", 0.032, 0.065, 0.032, 0.065),
    ("db.t4g.medium", 0.065, 0.129, 0.065, 0.129),
    ("db.t4g.large", 0.129, 0.258, 0.129, 0.258),
    ("db.m5.large", 0.171, 0.342, 0.178, 0.356),
    ("db.m5.xlarge", 0.342, 0.684, 0.356, 0.712),
    ("db.m5.2xlarge", 0.684, 1.368, 0.712, 1.424),
    ("db.m5.4xlarge", 1.368, 2.736, 1.424, 2.848),
    ("db.m6g.large", 0.152, 0.304, 0.159, 0.318),
    ("db.m6g.xlarge", 0.304, 0.608, 0.318, 0.636),
    ("db.r5.large", 0.24, 0.48, 0.25, 0.50),
    ("db.r5.xlarge", 0.48, 0.96, 0.50, 1.00),
    ("db.r5.2xlarge", 0.96, 1.92, 1.00, 2.00),
    ("db.r6g.large", 0.215, 0.43, 0.225, 0.45),
    ("db.m6i.large", 0.171, 0.342, 0.178, 0.356),
    ("db.m6i.xlarge", 0.342, 0.684, 0.356, 0.712),
    ("db.m6i.2xlarge", 0.684, 1.368, 0.712, 1.424),
    ("db.r6i.large", 0.24, 0.48, 0.25, 0.50),
    ("db.r6i.xlarge", 0.48, 0.96, 0.50, 1.00),
    ("db.r6i.2xlarge", 0.96, 1.92, 1.00, 2.00),
]

# MySQL and MariaDB, single-AZ, in the three US regions
OLD_CLASSES = {"db.t2.micro": 0.017, "db.t2.small": 0.034, "db.t2.medium": 0.068}

# key, unit, USD in us-east-1 only, page
US_EAST_1: list[tuple[str, str, float, str]] = [
    ("ecr.gb", "GB-month", 0.10, "https://aws.amazon.com/ecr/pricing/"),
    ("secretsmanager.request", "request", 0.000005, SECRETS),
    (
        "sfn.standard",
        "state transition",
        0.000025,
        "https://aws.amazon.com/step-functions/pricing/",
    ),
    ("sqs.fifo.request", "request", 0.0000005, SQS),
    ("sqs.standard.request", "request", 0.0000004, SQS),
    ("rds.storage.gp3.iops", "IOPS-month above the baseline", 0.02, RDS),
    ("rds.extended.year1", "vCPU-hour, years 1 and 2", 0.10, RDS),
    ("rds.extended.year3", "vCPU-hour, from year 3", 0.20, RDS),
    ("cache.redis.serverless", "GB-hour", 0.125, CACHE),
    ("cache.memcached.serverless", "GB-hour", 0.125, CACHE),
    ("cache.valkey.serverless", "GB-hour", 0.084, CACHE),
    ("search.gp2", "GB-month", 0.135, SEARCH),
    ("search.io1", "GB-month", 0.169, SEARCH),
    ("search.standard", "GB-month", 0.067, SEARCH),
]

# Nodes known to have the same price in the three US regions
US_CACHE_NODES = (
    *("t2.micro", "t2.small", "t2.medium", "t3.micro", "t3.small", "t3.medium"),
    *("t4g.micro", "t4g.small", "t4g.medium"),
    *("m4.large", "m5.large", "m6g.large", "r5.large", "r6g.large"),
)

SUPPORT = {
    "judged_on": "2026-10-01",
    "eks": {
        "url": "https://docs.aws.amazon.com/eks/latest/userguide/kubernetes-versions.html",
        "ends": {
            "1.23": "2023-10-11",
            "1.24": "2024-01-31",
            "1.25": "2024-05-01",
            "1.26": "2024-06-11",
            "1.27": "2024-07-24",
            "1.28": "2024-11-26",
            "1.29": "2025-03-23",
            "1.30": "2025-07-23",
            "1.31": "2025-11-26",
            "1.32": "2026-03-23",
            "1.33": "2026-07-29",
            "1.34": "2026-12-02",
            "1.35": "2027-03-27",
        },
    },
    "mysql": {
        "url": "https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/MySQL.Concepts.VersionMgmt.html",
        "ends": {"5.7": "2024-02-29", "8.0": "2026-07-31"},
    },
    "postgres": {
        "url": "https://docs.aws.amazon.com/AmazonRDS/latest/PostgreSQLReleaseNotes/postgresql-release-calendar.html",
        "ends": {"11": "2024-03-31", "12": "2025-02-28", "13": "2026-02-28"},
    },
}
"""The last day without the fee for extended support, by version; anything that ends after
``judged_on`` is still in standard support. RDS PostgreSQL 11 left it a month before the fee
began."""


def main() -> None:
    parts = (
        regional(),
        volumes_and_balancers(),
        everywhere(),
        us_east_1(),
        databases(),
        caches(),
        other_clouds(),
    )
    rows = {row["key"]: row for part in parts for row in part}
    content = {
        "header": {
            "source": "AWS public price pages, on demand, USD, without tax",
            "url": "https://aws.amazon.com/pricing/",
            "version": "1",
            "as_of": AS_OF,
            "licence": "facts",
        },
        "prices": rows,
        "support": SUPPORT,
    }
    OUTPUT.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")
    sys.stdout.write(f"{OUTPUT}: {len(rows)} rows\n")


def regional() -> list[dict[str, Any]]:
    return [
        row(key, unit, {**dict.fromkeys(US, us), IRELAND: ireland, FRANKFURT: frankfurt}, url)
        for key, unit, us, ireland, frankfurt, url in BY_REGION
    ]


def everywhere() -> list[dict[str, Any]]:
    return [row(key, unit, {EVERYWHERE: price}, url) for key, unit, price, url in ALL_REGIONS]


def volumes_and_balancers() -> list[dict[str, Any]]:
    prices = {f"ebs.{name}": each for name, each in columns(VOLUMES, EBS_RATES).items()}
    hours = columns(("application", "classic"), BALANCERS)
    for name, each in {**hours, "network": hours["application"]}.items():
        prices[f"lb.{name}.hour"] = each
    for name, each in columns(STORAGES, RDS_STORAGE).items():
        prices[f"rds.storage.{name}"] = each
    prices["secretsmanager.secret"] = dict.fromkeys(RDS_STORAGE, SECRET)
    pages = {"ebs": EBS, "lb": ELB, "rds": RDS, "secretsmanager": SECRETS}
    return [
        row(
            key,
            {"lb": "hour", "secretsmanager": "secret-month"}.get(key.partition(".")[0], "GB-month"),
            each,
            pages[key.partition(".")[0]],
            as_of=REGIONAL_AS_OF,
        )
        for key, each in prices.items()
    ]


def databases() -> list[dict[str, Any]]:
    rows = []
    for name, mysql, mysql_multi, postgres, postgres_multi in RDS_CLASSES:
        shapes = (("mysql", mysql, mysql_multi), ("postgres", postgres, postgres_multi))
        for engine, single, multi in shapes:
            rows.append(row(f"rds.{engine}.single.{name}", "hour", dict.fromkeys(US, single), RDS))
            rows.append(row(f"rds.{engine}.multi.{name}", "hour", dict.fromkeys(US, multi), RDS))
    for name, price in OLD_CLASSES.items():
        rows.append(row(f"rds.mysql.single.{name}", "hour", dict.fromkeys(US, price), RDS))
    return rows


def us_east_1() -> list[dict[str, Any]]:
    rows = [row(key, unit, {US[0]: price}, url) for key, unit, price, url in US_EAST_1]
    for engine, license_model, name, price in LICENSED_DATABASES:
        rows.append(row(f"rds.{engine}.{license_model}.single.{name}", "hour", {US[0]: price}, RDS))
    for name, price in AURORA.items():
        rows.append(row(f"rds.aurora.{name}", "hour", {US[0]: price}, AURORA_PAGE))
    for key, price in (("ebs.io2", 0.125), ("ebs.io2.iops", 0.065)):
        unit = "IOPS-month, first 32,000" if key.endswith("iops") else "GB-month"
        rows.append(row(key, unit, {US[0]: price}, EBS))
    return rows


def caches() -> list[dict[str, Any]]:
    """ElastiCache by engine: how Memcached and Valkey prices relate to Redis's is documented in
    aws_list_prices."""
    prices = {f"redis.cache.{name}": usd for name, usd in REDIS.items()}
    prices |= {f"memcached.cache.{n}": usd for n, usd in REDIS.items() if not n.startswith("r6gd")}
    prices |= {f"valkey.cache.{n}": round(usd * VALKEY_SHARE, 4) for n, usd in REDIS.items()}
    prices |= {f"valkey.cache.{name}": usd for name, usd in VALKEY_ONLY.items()}
    return [
        row(
            f"cache.{name}",
            "node-hour",
            dict.fromkeys(US if name.partition(".cache.")[2] in US_CACHE_NODES else US[:1], usd),
            CACHE,
            as_of=CACHE_AS_OF,
        )
        for name, usd in prices.items()
    ]


def other_clouds() -> list[dict[str, Any]]:
    disks = [
        row(f"azure.disk.{tier}", "disk-month", usd, DISK_PAGE, as_of=DISK_AS_OF)
        for tier, usd in disk_prices().items()
    ]
    return disks + [
        row(key, unit, prices, url, as_of=day) for key, unit, prices, url, day in OTHERS
    ]


def row(
    key: str, unit: str, prices: Mapping[str, float | None], url: str, *, as_of: str = AS_OF
) -> dict[str, Any]:
    return {
        "key": key,
        "unit": unit,
        "url": url,
        "as_of": as_of,
        "prices": {k: v for k, v in prices.items() if v is not None},
    }


if __name__ == "__main__":
    main()

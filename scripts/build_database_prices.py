"""Build assessments/data/databases.json.gz: prices of RDS and Aurora, and of traffic out of AWS, by
region.

    python scripts/build_database_prices.py CLOUD_PRICING.json.gz

That is data/cloud-pricing.json.gz of github.com/coroot/cloud-pricing (Apache-2.0, branch gh-pages):
AWS's price list, on demand, USD an hour. Keys are those of cost_facts.json, whose prices take
precedence.

RDS for MySQL (MariaDB has its prices) and PostgreSQL is taken as it is. A class is left out where
it is more than 5 % off what its family costs for its size. All 321 prices that cost_facts.json has
for the United States are the same here.

Aurora's classes have two prices, for Standard and for I/O-Optimized, which is 1.3 times as much
(Amazon Aurora pricing page), and the list keeps either, for MySQL and for PostgreSQL. A family in a
region is used only if both occur, which shows which one is Standard; a class listed only at its
I/O-Optimized price has that price divided by 1.3, and is marked as repaired.

Traffic out of GovCloud is left out: it has no free 100 GB.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
import statistics
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

OUTPUT = Path(__file__).resolve().parent.parent / "assessments" / "data" / "databases.json.gz"
COMMIT, AS_OF = "af03eada15b2", "2024-08-09"
SIZES = {"micro": 0.5, "small": 1.0, "medium": 2.0, "large": 4.0, "xlarge": 8.0}
DEPLOYMENTS = {"single_az": "single", "multi_az": "multi"}
AURORA = ("aurora-mysql", "aurora-postgresql")
OPTIMIZED, TOLERANCE = 1.3, 0.05
EGRESS_FROM_GB = ("0", "10240", "51200", "153600")

Rates = dict[str, dict[str, float]]
"""By key and region."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pricing", type=Path)
    with gzip.open(parser.parse_args().pricing) as packed_list:
        listed = json.loads(packed_list.read())["aws"]
    rates: Rates = defaultdict(dict)
    repaired: dict[str, list[str]] = defaultdict(list)
    for region, engines in listed["managed_db"].items():
        if region.count("-") > 2 and not region.startswith("us-gov"):
            continue
        for key, usd in rds_rates(engines):
            rates[key][region] = usd
        for key, usd, is_repaired in aurora_rates(engines):
            rates[key][region] = usd
            if is_repaired:
                repaired[key].append(region)
        for tier, start in enumerate(EGRESS_FROM_GB, start=1):
            usd = listed["internet_egress"].get(region, {}).get(start)
            if usd and not region.startswith("us-gov"):
                rates[f"egress.{tier}"][region] = round(usd, 4)
    regions = sorted({region for each in rates.values() for region in each})
    content = {
        "header": {
            "source": "AWS's price list of databases and traffic, as kept by coroot",
            "url": "https://github.com/coroot/cloud-pricing",
            "version": COMMIT,
            "as_of": AS_OF,
            "licence": "Apache-2.0",
        },
        "regions": regions,
        "prices": {
            key: {
                "unit": "GB" if key.startswith("egress") else "hour",
                "usd": [each.get(region) for region in regions],
                **({"repaired": repaired[key]} if key in repaired else {}),
            }
            for key, each in rates.items()
        },
    }
    packed = json.dumps(content, separators=(",", ":"), sort_keys=True).encode()
    OUTPUT.write_bytes(gzip.compress(packed, 9, mtime=0))
    sys.stdout.write(f"{OUTPUT}: {OUTPUT.stat().st_size} bytes, {len(rates)} prices\n")


def rds_rates(engines: dict[str, Any]) -> Iterator[tuple[str, float]]:
    for engine in ("mysql", "postgres"):
        for deployment, name in DEPLOYMENTS.items():
            listed = prices(engines, engine, deployment)
            for family in families(listed).values():
                usual = statistics.median(listed[each] / size_of(each) for each in family)
                for each in family:
                    if abs(listed[each] / size_of(each) / usual - 1) <= TOLERANCE:
                        yield f"rds.{engine}.{name}.{each}", listed[each]


def aurora_rates(engines: dict[str, Any]) -> Iterator[tuple[str, float, bool]]:
    """Keys, prices, and whether these are repaired."""
    found: dict[str, set[float]] = defaultdict(set)
    for engine in AURORA:
        for each, usd in prices(engines, engine, "single_az").items():
            found[each].add(usd)
    for family in families(found).values():
        a_unit = [usd / size_of(each) for each in family for usd in found[each]]
        least = min(a_unit)
        if abs(max(a_unit) / least / OPTIMIZED - 1) > TOLERANCE:
            continue
        for each in family:
            usd = min(found[each])
            optimized = usd / size_of(each) > least * (1 + OPTIMIZED) / 2
            usd = round(usd / OPTIMIZED, 3) if optimized else usd
            yield f"rds.aurora.{each}", usd, optimized


def prices(engines: dict[str, Any], engine: str, deployment: str) -> dict[str, float]:
    return {
        each: usd
        for each, shapes in engines.get(engine, {}).items()
        if size_of(each) and (usd := shapes[deployment]["on_demand"])
    }


def families(classes: dict[str, Any]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for each in classes:
        found[each.rpartition(".")[0]].append(each)
    return found


def size_of(name: str) -> float:
    """Of ``db.m5.2xlarge``, in units of a ``small``; 0 if it has none."""
    size = name.rpartition(".")[2]
    times = re.fullmatch(r"(\d+)xlarge", size)
    return int(times[1]) * SIZES["xlarge"] if times else SIZES.get(size, 0.0)


if __name__ == "__main__":
    main()

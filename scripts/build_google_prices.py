"""Build assessments/data/google.json.gz: prices of Google Cloud's machines and disks by region.

    python scripts/build_google_prices.py PRICING.yml

PRICING.yml is pricing.yml of github.com/Cyclenerd/google-cloud-pricing-cost-calculator
(Apache-2.0), which its maintainer generates from Google's Cloud Billing Catalog; its commit is
recorded in the data's header. It keeps the on-demand price of each machine type, the share of it
that remains after the sustained use discount of a whole month, persistent disks, addresses, VPN
tunnels, and Standard-class buckets.

Cores and memory of custom machines come from the same list: in each family, two types that differ
only in memory give the price of a GB, and the remainder is that of a core.
"""

from __future__ import annotations

import argparse
import datetime
import gzip
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

OUTPUT = Path(__file__).resolve().parent.parent / "assessments" / "data" / "google.json.gz"
COMMIT = "fd66b26ff84fee5cdd94f341ea89206e76c06b99"
HOURS = 730
PAIRS = {
    "e2": ("e2-standard-2", "e2-highmem-2"),
    "n1": ("n1-standard-2", "n1-highmem-2"),
    "n2": ("n2-standard-2", "n2-highmem-2"),
    "n2d": ("n2d-standard-2", "n2d-highmem-2"),
    "n4": ("n4-standard-2", "n4-highmem-2"),
}
"""Families with custom machines."""
DISKS = {
    "pd-standard": "hdd",
    "pd-balanced": "balanced",
    "pd-ssd": "ssd",
    "pd-extreme": "extreme",
    "pd-standard.regional": "hdd-replicated",
    "pd-balanced.regional": "balanced-replicated",
    "pd-ssd.regional": "ssd-replicated",
    "local-ssd": "local",
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pricing", type=Path)
    source = yaml.safe_load(parser.parse_args().pricing.read_text())
    compute = source["compute"]
    regions = sorted(source["region"])
    machines = {
        name: each
        for name, each in sorted(compute["instance"].items())
        if each.get("cost") and "custom" not in name
    }
    network = compute["network"]
    content = {
        "header": header(source["about"]["timestamp"]),
        "regions": regions,
        "machines": {name: hours(each["cost"], regions) for name, each in machines.items()},
        "sustained": {name: remaining(each["cost"]) for name, each in machines.items()},
        "custom": {
            family: [custom(machines[plain], machines[more], region) for region in regions]
            for family, (plain, more) in PAIRS.items()
        },
        "disks": {
            kind: months(compute["storage"][name]["cost"], regions) for kind, name in DISKS.items()
        },
        "addresses": {
            "used": hours(network["ip"]["vm"]["cost"], regions),
            "reserved": hours(network["ip"]["unused"]["cost"], regions),
        },
        "vpn_tunnels": hours(network["vpn"]["tunnel"]["cost"], regions),
        "buckets": months(source["storage"]["bucket"]["standard"]["cost"], regions),
        "systems": {
            name: {system: each["hour"] for system, each in fees["cost"].items()}
            for name, fees in sorted(compute["license"].items())
            if name in machines
        },
    }
    packed = json.dumps(content, separators=(",", ":"), sort_keys=True).encode()
    OUTPUT.write_bytes(gzip.compress(packed, 9, mtime=0))
    sys.stdout.write(f"{OUTPUT}: {OUTPUT.stat().st_size} bytes, {len(machines)} machine types\n")


def header(timestamp: float) -> dict[str, Any]:
    day = datetime.datetime.fromtimestamp(timestamp, datetime.UTC).date().isoformat()
    return {
        "source": (
            "Google Cloud Billing Catalog, as kept by"
            " Cyclenerd/google-cloud-pricing-cost-calculator"
        ),
        "url": "https://cloud.google.com/compute/all-pricing",
        "version": COMMIT[:12],
        "as_of": day,
        "licence": "Apache-2.0",
    }


def hours(cost: Mapping[str, Mapping[str, float]], regions: list[str]) -> list[float | None]:
    return [cost.get(region, {}).get("hour") or None for region in regions]


def months(cost: Mapping[str, Mapping[str, float]], regions: list[str]) -> list[float | None]:
    return [cost.get(region, {}).get("month") or None for region in regions]


def remaining(cost: Mapping[str, Mapping[str, float]]) -> float:
    """The share of the on-demand price that is paid for a machine that runs all month."""
    priced = [each for each in cost.values() if each.get("hour") and each.get("month")]
    return max((round(each["month"] / (each["hour"] * HOURS), 4) for each in priced), default=1.0)


def custom(
    plain: Mapping[str, Any], more: Mapping[str, Any], region: str
) -> tuple[float, float] | None:
    """USD an hour of a vCPU and of a GB of memory; None if the family isn't sold."""
    prices = [each["cost"].get(region, {}).get("hour") for each in (plain, more)]
    if not all(prices):
        return None
    memory = (prices[1] - prices[0]) / (more["ram"] - plain["ram"])
    return round((prices[0] - memory * plain["ram"]) / plain["cpu"], 7), round(memory, 7)


if __name__ == "__main__":
    main()

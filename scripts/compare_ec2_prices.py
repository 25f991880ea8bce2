"""Compare EC2's prices with a published list.

    python scripts/compare_ec2_prices.py [--other CLOUD_PRICING.json.gz]
        LIBCLOUD.whl LIST.json RECENT.go [RECENT.go ...]

The lists are those of build_ec2_data.py. It compares twice: what ships, and the repair alone as if
the lists did not exist outside us-east-1, which gives the ratios between a family's sizes. It
prints by region how many types are in both, how many are within 0.5 %, and of those with
accelerators within 1 %; then the ten that are furthest off. The lists are not part of the
repository.

``--other`` is an independent list for 31 regions, data/cloud-pricing.json.gz of
github.com/coroot/cloud-pricing. It mixes in prices of dedicated tenancy, 6 to 10 % above the list,
so types that it has at such a price are left out of the comparison.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from build_ec2_data import (  # noqa: E402
    ACCELERATED,
    SURCHARGE,
    listed_prices,
    recent_prices,
    repaired_prices,
)

from assessments.agents.instance_types import hourly_price  # noqa: E402

NEAR, NEAR_ACCELERATED = 0.005, 0.01
Prices = Mapping[str, Mapping[str, float]]
BASE = "us-east-1"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("libcloud_wheel", type=Path)
    parser.add_argument("price_list", type=Path)
    parser.add_argument("recent", type=Path, nargs="+")
    parser.add_argument("--other", type=Path)
    arguments = parser.parse_args()
    with zipfile.ZipFile(arguments.libcloud_wheel) as wheel:
        pricing = json.loads(wheel.read("libcloud/data/pricing.json"))
    listed = listed_prices(json.loads(arguments.price_list.read_text()))
    recent, _ = recent_prices([each.read_text() for each in arguments.recent], listed)
    published = {**listed, **recent}
    repaired, _ = repaired_prices(pricing["compute"]["ec2_linux"], recent[BASE])
    held_out = {region: each for region, each in published.items() if region != BASE}
    shipped = {
        region: {name: usd for name in each if (usd := hourly_price(name, region))}
        for region, each in published.items()
    }
    for title, ours, theirs in (
        ("What ships", shipped, published),
        ("The repair alone", repaired, held_out),
    ):
        sys.stdout.write("\n".join(report(title, ours, theirs)) + "\n\n")
    if arguments.other:
        with gzip.open(arguments.other) as packed:
            other = without_dedicated(json.loads(packed.read())["aws"]["compute"])
        ours = {
            region: {name: usd for name in each if (usd := hourly_price(name, region))}
            for region, each in other.items()
        }
        sys.stdout.write("\n".join(report("An independent list", ours, other)) + "\n")


def without_dedicated(
    listed: Mapping[str, Mapping[str, Mapping[str, float]]],
) -> dict[str, dict[str, float]]:
    """The on-demand prices that are not ours plus dedicated tenancy's surcharge."""
    found: dict[str, dict[str, float]] = {}
    for region, types in listed.items():
        for name, prices in types.items():
            theirs, ours = prices["on_demand"], hourly_price(name, region)
            if theirs and ours and not SURCHARGE[0] < theirs / ours < SURCHARGE[1]:
                found.setdefault(region, {})[name] = theirs
    return found


def report(title: str, ours: Prices, theirs: Prices) -> Iterator[str]:
    rows = [
        (region, name, ours[region][name] / usd - 1)
        for region, each in theirs.items()
        for name, usd in each.items()
        if name in ours.get(region, {})
    ]
    yield title
    for region in sorted(theirs):
        yield _counted(region, [row for row in rows if row[0] == region])
    yield _counted("all", rows)
    for region, name, off in sorted(rows, key=lambda row: -abs(row[2]))[:10]:
        yield f"    {region} {name}: {off:+.1%}"


def _counted(title: str, rows: list[tuple[str, str, float]]) -> str:
    near = sum(abs(off) <= NEAR for _, _, off in rows)
    fast = [off for _, name, off in rows if ACCELERATED.match(name)]
    near_fast = sum(abs(off) <= NEAR_ACCELERATED for off in fast)
    return (
        f"  {title:15} {len(rows):6} types, {near / max(1, len(rows)):7.1%} within 0.5 %;"
        f" {len(fast):5} with accelerators, {near_fast / max(1, len(fast)):7.1%} within 1 %"
    )


if __name__ == "__main__":
    main()

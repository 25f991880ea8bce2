"""Build assessments/data/ec2.json.gz: EC2 shapes, on-demand Linux prices, Windows license fees.

    python scripts/build_ec2_data.py LIBCLOUD.whl MOTO.whl LIST.json RECENT.go [RECENT.go ...]

RECENT.go are pkg/providers/pricing/zz_generated.pricing_aws.go and ..._us_gov.go of
github.com/aws/karpenter-provider-aws (Apache-2.0): AWS's price list of 2026 for us-east-1 and the
two GovCloud regions, on-demand Linux. They take precedence. Some metal types are listed there at
the price of dedicated tenancy, 6 to 10 % above the list: those are taken from LIST.json, or else
get the price of the type of their size (c7i.metal-24xl that of c7i.24xlarge), marked as repaired.

LIST.json is lib/data/pricing/ec2-transformed.json of github.com/lamngockhuong/aws-price (MIT):
AWS's own price list of 2025 for ten regions, on-demand Linux.

Other regions, and families the lists don't have, are apache-libcloud's pricing.json
(Apache-2.0). Used raw it is wrong: prices of dedicated tenancy (6 to 10 % more) and zeros are
mixed in. Within most families EC2's on-demand price is proportional to size (large : xlarge =
1 : 2), so one rate per size unit is determined for each family and region, and each size is priced
from it. Sizes of families with accelerators have no such rate, but the same ratio to each other in
every region: there the rate is the region's price divided by the price in us-east-1. A family is
dropped, and its instances are listed as unpriced, if its sizes don't agree on a rate. P4 and P5 are
dropped: AWS cut their prices in June 2025, after libcloud's data. Each price that is not the
source's own is marked as repaired.

scripts/compare_ec2_prices.py measures both repairs against the lists.

The fee for Windows is the same in every region, so it is the difference between libcloud's Windows
price and the Linux price that most regions agree on; a type with fewer than three such regions has
none. Shapes are moto's (Apache-2.0).
"""

from __future__ import annotations

import argparse
import datetime
import gzip
import json
import re
import statistics
import sys
import zipfile
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

OUTPUT = Path(__file__).resolve().parent.parent / "assessments" / "data" / "ec2.json.gz"
SMALL_SIZES = {"nano": 0.25, "micro": 0.5, "small": 1.0, "medium": 2.0, "large": 4.0, "xlarge": 8.0}
LIST_AS_OF = "2025-11-03"
"""The day the list was downloaded from AWS (the files beside it say 2025-10-28 to 2025-11-04)."""
REGIONS_THAT_AGREE = 3
ACCELERATED = re.compile(r"(g|p|inf|trn|dl|vt|f)\d")
CUT = ("p4d", "p4de", "p5", "p5e", "p5en")
RECENT_COMMIT = "6fc13b523"
SAME = 1.012
"""Rates within 1.2 % are treated as one: published prices are rounded to four digits."""
UNEVEN = 1.05
ABOVE_SURCHARGE = 1.12
SURCHARGE = (1.05, 1.11)
"""A rate higher by this factor is that of dedicated tenancy."""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("libcloud_wheel", type=Path)
    parser.add_argument("moto_wheel", type=Path)
    parser.add_argument("price_list", type=Path)
    parser.add_argument("recent", type=Path, nargs="+")
    arguments = parser.parse_args()
    with zipfile.ZipFile(arguments.libcloud_wheel) as wheel:
        pricing = json.loads(wheel.read("libcloud/data/pricing.json"))
    with zipfile.ZipFile(arguments.moto_wheel) as wheel:
        types = json.loads(gzip.decompress(wheel.read("moto/ec2/resources/instance_types.json.gz")))
    listed = listed_prices(json.loads(arguments.price_list.read_text()))
    recent, recent_as_of = recent_prices([each.read_text() for each in arguments.recent], listed)
    recent, metal = with_metal_by_size(recent)
    raw = pricing["compute"]["ec2_linux"]
    repaired, marks = repaired_prices(raw, recent["us-east-1"])
    prices = beside_the_lists(repaired, listed, recent)
    marked = {region: sorted(marks[region].intersection(each)) for region, each in prices.items()}
    for region, names in metal.items():
        marked[region] = sorted({*marked.get(region, ()), *names})
    counts = {
        "kept": sum(len(each) for each in prices.values()) - sum(map(len, marked.values())),
        "repaired": sum(map(len, marked.values())),
    }
    as_of = datetime.datetime.fromtimestamp(pricing["updated"], datetime.UTC).date().isoformat()
    content = {
        "header": header(as_of, recent_as_of, counts),
        "shape_columns": [
            "vcpus",
            "memory_mib",
            "network_gbps",
            "disk_mbs",
            "architecture",
            "manufacturer",
            "current",
        ],
        "shapes": {name: shape(body) for name, body in sorted(types.items())},
        "recent_prices": recent,
        "list_prices": beside_the_recent(listed, recent),
        "prices": prices,
        "repaired": marked,
        "windows_fees": windows_fees(pricing["compute"]["ec2_windows"], (recent, listed, prices)),
    }
    packed = json.dumps(content, separators=(",", ":"), sort_keys=True).encode()
    OUTPUT.write_bytes(gzip.compress(packed, 9, mtime=0))
    sys.stdout.write(f"{OUTPUT}: {OUTPUT.stat().st_size} bytes, {counts}\n")


def header(as_of: str, recent_as_of: str, counts: dict[str, int]) -> dict[str, Any]:
    return {
        "source": ("apache-libcloud 3.9.1 pricing.json, EC2 on-demand Linux"),
        "url": "https://libcloud.apache.org/",
        "version": "1",
        "as_of": as_of,
        "licence": "Apache-2.0",
        "repair": counts,
        "recent_source": (
            "AWS price list, EC2 on-demand Linux, as kept by karpenter-provider-aws,"
            f" commit {RECENT_COMMIT}"
        ),
        "recent_url": "https://aws.amazon.com/ec2/pricing/on-demand/",
        "recent_as_of": recent_as_of,
        "list_source": "AWS price list, EC2 on-demand Linux, as kept by lamngockhuong/aws-price",
        "list_url": "https://aws.amazon.com/ec2/pricing/on-demand/",
        "list_as_of": LIST_AS_OF,
        "windows_source": (
            "Windows license fee: Windows less Linux price in apache-libcloud 3.9.1 pricing.json,"
            " the same in most regions"
        ),
        "shapes_source": (
            "moto 5.2.5, ec2/resources/instance_types.json.gz (Apache-2.0), EC2"
            " DescribeInstanceTypes"
        ),
        "shapes_url": "https://github.com/getmoto/moto",
        "parts": [
            {
                "source": "AWS price list of us-east-1 and GovCloud, as kept by karpenter",
                "url": "https://github.com/aws/karpenter-provider-aws",
                "version": RECENT_COMMIT,
                "as_of": recent_as_of,
                "licence": "Apache-2.0",
            },
            {
                "source": "AWS price list of ten regions, as kept by lamngockhuong/aws-price",
                "url": "https://github.com/lamngockhuong/aws-price",
                "version": "1",
                "as_of": LIST_AS_OF,
                "licence": "MIT",
            },
        ],
    }


def listed_prices(rows: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """USD an hour by region and type; local and wavelength zones, which have names in brackets, are
    left out."""
    prices: dict[str, dict[str, float]] = defaultdict(dict)
    for row in rows:
        price, shape_of = float(row["pricePerUnit"]), row["attributes"]
        if price > 0 and "(" not in row["region"] and shape_of["operatingSystem"] == "Linux":
            prices[row["region"]][shape_of["instanceType"]] = price
    return {region: dict(sorted(each.items())) for region, each in sorted(prices.items())}


def recent_prices(
    sources: list[str], listed: dict[str, dict[str, float]]
) -> tuple[dict[str, dict[str, float]], str]:
    """USD an hour by region and type from the generated Go files, and the oldest of their dates."""
    prices: dict[str, dict[str, float]] = {}
    days = []
    for source in sources:
        days += re.findall(r"// generated at (\d{4}-\d\d-\d\d)T", source)
        for region, body in re.findall(r'\n\t"([a-z0-9-]+)": \{(.*?)\n\t\}', source, re.DOTALL):
            found = re.findall(r'"([a-z0-9-]+\.[a-z0-9-]+)": ([\d.]+)', body)
            known = listed.get(region, {})
            prices[region] = {
                name: float(usd)
                for name, usd in sorted(found)
                if float(usd) > 0 and not is_dedicated(name, float(usd), known.get(name))
            }
    return prices, min(days)


def is_dedicated(name: str, price: float, listed: float | None) -> bool:
    """Whether a metal type is listed at the price of dedicated tenancy."""
    return listed is not None and ".metal" in name and price / listed > SURCHARGE[0]


def with_metal_by_size(
    prices: dict[str, dict[str, float]],
) -> tuple[dict[str, dict[str, float]], dict[str, list[str]]]:
    """Metal types at the price of dedicated tenancy get that of the type of their size, or of the
    largest if they name none; by region, the types that this changes."""
    changed: dict[str, list[str]] = defaultdict(list)
    found: dict[str, dict[str, float]] = {}
    for region, each in prices.items():
        found[region] = dict(each)
        for name, usd in each.items():
            family, _, size = name.partition(".")
            if not size.startswith("metal"):
                continue
            sized = each.get(f"{family}.{size.removeprefix('metal-')}arge")
            largest = max(
                (p for n, p in each.items() if re.match(rf"{family}\.\d*xlarge", n)), default=0
            )
            right = largest if size == "metal" else sized
            if right and SURCHARGE[0] < usd / right < SURCHARGE[1]:
                found[region][name] = right
                changed[region].append(name)
    return found, changed


def beside_the_recent(
    listed: dict[str, dict[str, float]], recent: dict[str, dict[str, float]]
) -> dict[str, dict[str, float]]:
    """The part of ``listed`` that the recent list doesn't have."""
    return {
        region: {name: usd for name, usd in prices.items() if name not in recent.get(region, {})}
        for region, prices in listed.items()
    }


def beside_the_lists(
    repaired: dict[str, dict[str, float]],
    listed: dict[str, dict[str, float]],
    recent: dict[str, dict[str, float]],
) -> dict[str, dict[str, float]]:
    """The part of ``repaired`` that the lists don't have: if a list has a family for a region, it
    is complete there."""
    found: dict[str, dict[str, float]] = {}
    for region, prices in repaired.items():
        known = {
            name.partition(".")[0] for each in (listed, recent) for name in each.get(region, {})
        }
        found[region] = {
            name: price for name, price in prices.items() if name.partition(".")[0] not in known
        }
    return found


def uneven_families(prices: dict[str, float]) -> set[str]:
    """The families of one region whose price isn't proportional to size, by more than 5 %."""
    rates: dict[str, list[float]] = defaultdict(list)
    for name, price in prices.items():
        family, _, size = name.partition(".")
        if units := size_units(size):
            rates[family].append(price / units)
    return {family for family, each in rates.items() if max(each) / min(each) > UNEVEN}


def windows_fees(
    windows: dict[str, dict[str, float]], linux: tuple[dict[str, dict[str, float]], ...]
) -> dict[str, float]:
    """USD an hour on top of the Linux price, by type; the first of ``linux`` that has it is
    used."""
    fees = {}
    for name, regions in sorted(windows.items()):
        differences = Counter(
            round(float(usd) - base, 4)
            for region, usd in regions.items()
            if (base := next((p for each in linux if (p := each.get(region, {}).get(name))), None))
            and float(usd) > ABOVE_SURCHARGE * base
        )
        fee, seen = differences.most_common(1)[0] if differences else (0.0, 0)
        if seen >= REGIONS_THAT_AGREE:
            fees[name] = fee
    return fees


def repaired_prices(
    raw: dict[str, dict[str, float]], base: dict[str, float]
) -> tuple[dict[str, dict[str, float]], dict[str, set[str]]]:
    """USD an hour by region and type, and the types of each region that are repaired. ``base`` are
    the prices that give families with accelerators their relation between sizes.

    A family that isn't proportional to size in ``base`` takes that ratio from there, too."""
    uneven = uneven_families(base)
    families: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    units: dict[str, float] = {}
    for name, regions in raw.items():
        family, _, size = name.partition(".")
        related = family in uneven or ACCELERATED.match(family) is not None
        unit = base.get(name) if related else size_units(size)
        if unit is None or family in CUT:
            continue
        units[name] = unit
        for region, price in regions.items():
            families[region, family][name] = float(price)
    rates = {key: rate for key, each in families.items() if (rate := family_rate(each, units))}
    prices: dict[str, dict[str, float]] = defaultdict(dict)
    marks: dict[str, set[str]] = defaultdict(set)
    for (region, family), each in sorted(families.items()):
        rate = rates.get((region, family))
        if rate is None or markup_stands_alone(region, family, rates):
            continue
        for name, price in each.items():
            same = rate / SAME <= price / units[name] <= rate * SAME
            prices[region][name] = price if same else round(rate * units[name], 6)
            if not same:
                marks[region].add(name)
    return dict(prices), marks


def markup_stands_alone(region: str, family: str, rates: dict[tuple[str, str], float]) -> bool:
    """Whether a family's markup over us-east-1 is off the region's median by more than 5.5 %, and
    no family of its class (its first letter) shares it: then the surcharge may have hidden in every
    size."""
    markups = {
        name: rate / rates["us-east-1", name]
        for (where, name), rate in rates.items()
        if where == region and ("us-east-1", name) in rates
    }
    own = markups.get(family)
    if own is None or abs(own / statistics.median(markups.values()) - 1) <= 0.055:
        return False
    siblings = [
        markup for name, markup in markups.items() if name != family and name[0] == family[0]
    ]
    return not any(abs(own / markup - 1) <= 0.025 for markup in siblings)


def family_rate(prices: dict[str, float], units: dict[str, float]) -> float | None:
    """USD an hour for one unit of size, if two sizes agree on it; None if they don't.

    Of two rates that differ by a surcharge the lower is shared tenancy, even if only one size
    still shows it.
    """
    rates = sorted(price / units[name] for name, price in prices.items() if price > 0)
    clusters: list[list[float]] = []
    for rate in rates:
        if clusters and rate / clusters[-1][0] < SAME:
            clusters[-1].append(rate)
        else:
            clusters.append([rate])
    for position, cluster in enumerate(clusters):
        above = clusters[position + 1] if position + 1 < len(clusters) else []
        confirmed = (
            bool(above)
            and len(above) >= 2
            and SURCHARGE[0] <= above[0] / cluster[0] <= SURCHARGE[1]
        )
        if len(cluster) >= 2 or confirmed:
            return cluster[len(cluster) // 2]
    return None


def size_units(size: str) -> float | None:
    """Size in units of ``small``: nano 0.25 ... xlarge 8, Nxlarge 8 x N; None for metal and
    others."""
    if size in SMALL_SIZES:
        return SMALL_SIZES[size]
    times = size.removesuffix("xlarge")
    return 8.0 * int(times) if size.endswith("xlarge") and times.isdigit() else None


def shape(body: dict[str, Any]) -> list[Any]:
    """Columns as in ``shape_columns``; baseline network in Gbit/s, baseline EBS throughput in
    MB/s."""
    cards = body.get("NetworkInfo", {}).get("NetworkCards", [])
    baselines = [
        card["BaselineBandwidthInGbps"] for card in cards if "BaselineBandwidthInGbps" in card
    ]
    ebs = body.get("EbsInfo", {}).get("EbsOptimizedInfo", {})
    return [
        body["VCpuInfo"]["DefaultVCpus"],
        body["MemoryInfo"]["SizeInMiB"],
        round(sum(baselines), 3) if baselines else None,
        ebs.get("BaselineThroughputInMBps"),
        body["ProcessorInfo"]["SupportedArchitectures"][-1],
        body["ProcessorInfo"].get("Manufacturer"),
        bool(body.get("CurrentGeneration")),
    ]


if __name__ == "__main__":
    main()

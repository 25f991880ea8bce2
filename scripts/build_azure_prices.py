"""Build assessments/data/azure.json.gz: prices of Azure's virtual machines by size and region.

    python scripts/build_azure_prices.py ZZ_GENERATED.go LIBCLOUD.whl

ZZ_GENERATED.go is pkg/providers/pricing/zz_generated.pricing.go of
github.com/Azure/karpenter-provider-azure (Apache-2.0), which its maintainers generate from
Microsoft's Retail Prices API: pay as you go, Linux, USD an hour. Its commit is recorded in the
data's header. Dedicated hosts (names with ``Type``), promotions and first-generation Basic sizes
are left out.

The fee for Windows is the same in every region, so it is the difference between the Windows and the
Linux price that most regions have in apache-libcloud's pricing.json (Apache-2.0); a size with fewer
than three such regions has none.
"""

from __future__ import annotations

import argparse
import datetime
import gzip
import json
import re
import sys
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

OUTPUT = Path(__file__).resolve().parent.parent / "assessments" / "data" / "azure.json.gz"
COMMIT = "2b431da153a6a92b705c18046512c60b1631b682"
REGIONS_THAT_AGREE = 3
_REGION = re.compile(r'\s*initialOnDemandPrices\["(\w+)"\]')
_PRICE = re.compile(r'\s*"(Standard_\w+)":\s*([\d.]+),')
_GENERATED = re.compile(r"// generated at (\d{4}-\d\d-\d\d)T")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("prices", type=Path)
    parser.add_argument("libcloud_wheel", type=Path)
    arguments = parser.parse_args()
    source = arguments.prices.read_text()
    generated = _GENERATED.search(source)
    if generated is None:
        raise SystemExit(f"{arguments.prices} does not say when it was generated")
    with zipfile.ZipFile(arguments.libcloud_wheel) as wheel:
        pricing = json.loads(wheel.read("libcloud/data/pricing.json"))
    compute = pricing["compute"]
    prices = machine_prices(source)
    regions = sorted({region for each in prices.values() for region in each})
    content = {
        "header": header(generated[1], pricing["updated"]),
        "regions": regions,
        "linux": {
            size: [each.get(region) for region in regions] for size, each in sorted(prices.items())
        },
        "windows_fees": windows_fees(prices, compute["azure_linux"], compute["azure_windows"]),
    }
    packed = json.dumps(content, separators=(",", ":"), sort_keys=True).encode()
    OUTPUT.write_bytes(gzip.compress(packed, 9, mtime=0))
    counted = f"{len(prices)} sizes, {len(regions)} regions, {len(content['windows_fees'])} fees"
    sys.stdout.write(f"{OUTPUT}: {OUTPUT.stat().st_size} bytes, {counted}\n")


def header(as_of: str, libcloud_updated: float) -> dict[str, Any]:
    day = datetime.datetime.fromtimestamp(libcloud_updated, datetime.UTC).date().isoformat()
    return {
        "source": "Azure Retail Prices API, virtual machines, as kept by karpenter-provider-azure",
        "url": "https://azure.microsoft.com/pricing/details/virtual-machines/linux/",
        "version": COMMIT[:12],
        "as_of": as_of,
        "licence": "Apache-2.0",
        "windows_source": (
            "Windows license fee: Windows less Linux price in apache-libcloud 3.9.1 pricing.json,"
            " the same in most regions"
        ),
        "windows_as_of": day,
    }


def machine_prices(source: str) -> dict[str, dict[str, float]]:
    """USD an hour by size and region, from the generated Go file."""
    prices: dict[str, dict[str, float]] = {}
    region = ""
    for line in source.splitlines():
        if found := _REGION.match(line):
            region = found[1]
            continue
        found = _PRICE.match(line)
        if found and not found[1].endswith("_Promo") and (usd := float(found[2])) > 0:
            prices.setdefault(found[1], {})[region] = usd
    return prices


def windows_fees(
    prices: dict[str, dict[str, float]],
    linux: dict[str, dict[str, float]],
    windows: dict[str, dict[str, float]],
) -> dict[str, float]:
    """USD an hour on top of the Linux price, by size."""
    fees = {}
    for size in sorted(prices):
        key = size.lower().replace("_", "")
        differences = Counter(
            round(float(usd) - float(base), 4)
            for region, usd in windows.get(key, {}).items()
            if (base := linux.get(key, {}).get(region)) and float(usd) > float(base)
        )
        fee, seen = differences.most_common(1)[0] if differences else (0.0, 0)
        if seen >= REGIONS_THAT_AGREE:
            fees[size] = fee
    return fees


if __name__ == "__main__":
    main()

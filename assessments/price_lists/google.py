"""Compute Engine's machine types from the Cloud Billing Catalog API (Google Cloud, "REST resource:
services.skus"), which needs an API key.

Google bills vCPUs and memory: a type's price is vCPUs x the core's price + GB x the memory's
("Compute Engine pricing", general-purpose machine family). Taken: on demand, families whose SKUs
are named "... Instance Core" and "... Instance Ram".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from assessments.price_lists.fetch import FetchError, page
from assessments.price_lists.rows import Row

BASE = "https://cloudbilling.googleapis.com"
COMPUTE_ENGINE = "6F81-5844-456A"
MAX_PAGES = 200
NAMES = {
    "E2 Instance": "e2",
    "N1 Predefined Instance": "n1",
    "N2 Instance": "n2",
    "N2D AMD Instance": "n2d",
    "T2D AMD Instance": "t2d",
    "Compute optimized": "c2",
    "Compute optimized Instance": "c2",
}
"""The beginning of a SKU's description, by family; some regions, Dallas and Berlin among them, name
C2 in another way."""
USUAL_GB = {"standard": "4", "highmem": "8", "highcpu": "1"}
N1_GB = {"standard": "3.75", "highmem": "6.5", "highcpu": "0.9"}
SIZES = {
    "e2": {"standard": "2 4 8 16 32", "highmem": "2 4 8 16", "highcpu": "2 4 8 16 32"},
    "n1": {
        "standard": "1 2 4 8 16 32 64 96",
        "highmem": "2 4 8 16 32 64 96",
        "highcpu": "2 4 8 16 32 64 96",
    },
    "n2": dict.fromkeys(USUAL_GB, "2 4 8 16 32 48 64 80 96"),
    "n2d": dict.fromkeys(USUAL_GB, "2 4 8 16 32 48 64 80 96"),
    "t2d": {"standard": "1 2 4 8 16 32 48 60"},
    "c2": {"standard": "4 8 16 30 60"},
}
"""vCPUs of the types, and GB for each ("Machine families resource and comparison guide")."""
_SKU = re.compile(r"(.+?) (Core|Ram) running in .+")


def fetch(region: str, *, key: str, base: str = BASE) -> Iterator[Row]:
    """The rows of one region. Raises FetchError, without the key."""
    found: list[dict[str, Any]] = []
    token = ""
    for _ in range(MAX_PAGES):
        query = {"key": key, "currencyCode": "USD", "pageSize": "5000", "pageToken": token}
        answer = page(f"{base}/v1/services/{COMPUTE_ENGINE}/skus?{urlencode(query)}")
        skus = answer.get("skus")
        if not isinstance(skus, list):
            raise FetchError("Google's catalog has no skus where they should be.")
        found += [each for each in skus if isinstance(each, dict)]
        token = str(answer.get("nextPageToken") or "")
        if not token:
            return (yield from parse(found, region=region))
    raise FetchError(f"{base} has more than {MAX_PAGES} pages.")


def parse(skus: Iterable[dict[str, Any]], *, region: str) -> Iterator[Row]:
    """The types of a region whose core and memory both have one price."""
    prices: dict[tuple[str, str], tuple[Decimal, str]] = {}
    for sku in skus:
        category = sku.get("category") or {}
        named = _SKU.fullmatch(str(sku.get("description", "")))
        family = NAMES.get(named[1]) if named else None
        if named and family and category.get("usageType") == "OnDemand":
            price = _price(sku) if region in (sku.get("serviceRegions") or []) else None
            if price:
                prices[family, named[2]] = price
    for family, shapes in SIZES.items():
        core, ram = prices.get((family, "Core")), prices.get((family, "Ram"))
        if core and ram:
            for shape, sizes in shapes.items():
                yield from _types(family, shape, sizes.split(), core, ram[0], region)


def _types(
    family: str,
    shape: str,
    sizes: list[str],
    core: tuple[Decimal, str],
    ram: Decimal,
    region: str,
) -> Iterator[Row]:
    gigabytes = Decimal((N1_GB if family == "n1" else USUAL_GB)[shape])
    for size in sizes:
        usd = int(size) * (core[0] + gigabytes * ram)
        yield Row(
            provider="gcp",
            instance_type=f"{family}-{shape}-{size}",
            region=region,
            component="",
            price=f"{usd.normalize():f}",
            source=f"Google Cloud Billing Catalog, in force since {core[1]}",
        )


def _price(sku: dict[str, Any]) -> tuple[Decimal, str] | None:
    """USD an hour and since when; None where it isn't billed by the hour at one rate."""
    try:
        newest = sku["pricingInfo"][-1]
        expression = newest["pricingExpression"]
        rates = expression["tieredRates"]
        money = rates[0]["unitPrice"]
        if len(rates) != 1 or money.get("currencyCode") != "USD":
            return None
        if expression["usageUnit"] not in ("h", "GiBy.h"):
            return None
        usd = Decimal(int(money.get("units") or 0)) + Decimal(int(money.get("nanos") or 0)) / 10**9
        return usd, str(newest.get("effectiveTime", ""))[:10]
    except (KeyError, IndexError, TypeError, ValueError):
        return None

"""Linux virtual machines from the Azure Retail Prices API (Microsoft Learn, "Azure Retail Prices
REST API overview"): JSON pages of ``Items``, each with ``NextPageLink`` until it is null.

Taken: pay as you go by the hour, neither spot nor low priority. Windows is billed as a license on
top, which the bundled data have.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlsplit

from assessments.price_lists.fetch import FetchError, page
from assessments.price_lists.rows import Row, plain_decimal

BASE = "https://prices.azure.com"
FILTER = (
    "serviceName eq 'Virtual Machines' and armRegionName eq '{region}'"
    " and priceType eq 'Consumption'"
)
MAX_PAGES = 500


def fetch(region: str, *, base: str = BASE) -> Iterator[Row]:
    """The rows of one region. Raises FetchError."""
    url = f"{base}/api/retail/prices?$filter={quote(FILTER.format(region=region))}"
    for _ in range(MAX_PAGES):
        found = page(url)
        yield from parse(found)
        url = str(found.get("NextPageLink") or "")
        if not url:
            return
        if urlsplit(url).netloc != urlsplit(base).netloc:
            raise FetchError(f"{base} names a next page elsewhere.")
    raise FetchError(f"{base} has more than {MAX_PAGES} pages for {region}.")


def parse(found: dict[str, Any]) -> Iterator[Row]:
    """The rows of a page. Raises FetchError for another format."""
    items = found.get("Items")
    if not isinstance(items, list):
        raise FetchError("Azure's prices have no Items where they should be.")
    for item in items:
        if isinstance(item, dict) and _is_wanted(item):
            since = str(item.get("effectiveStartDate", ""))[:10]
            yield Row(
                provider="azure",
                instance_type=str(item["armSkuName"]),
                region=str(item.get("armRegionName", "")),
                component="linux",
                price=plain_decimal(item.get("retailPrice")),
                source=f"Azure Retail Prices, in force since {since}",
            )


def _is_wanted(item: dict[str, Any]) -> bool:
    product, sku = str(item.get("productName", "")), str(item.get("skuName", ""))
    return bool(
        item.get("armSkuName")
        and item.get("currencyCode") == "USD"
        and item.get("type") == "Consumption"
        and item.get("unitOfMeasure") == "1 Hour"
        and "Windows" not in product
        and "Cloud Services" not in product
        and "Spot" not in sku
        and "Low Priority" not in sku
    )

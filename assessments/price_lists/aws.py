"""EC2's on-demand prices from the AWS Price List bulk files, as CSV.

"Reading the service price list file for an AWS service" (AWS Billing user guide): five lines of
metadata (FormatVersion, Disclaimer, Publication Date, Version, OfferCode), a line of column names,
then a line for each price. Taken: Linux and Windows, shared tenancy, on demand, without further
software.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator

from assessments.price_lists.fetch import FetchError, lines
from assessments.price_lists.rows import Row

BASE = "https://pricing.us-east-1.amazonaws.com"
PATH = "/offers/v1.0/aws/AmazonEC2/current/{region}/index.csv"
SYSTEMS = {"Linux": "linux", "Windows": "windows"}
WANTED = {
    "TermType": "OnDemand",
    "Tenancy": "Shared",
    "CapacityStatus": "Used",
    "Pre Installed S/W": "NA",
    "Currency": "USD",
    "Unit": "Hrs",
}
OWN_LICENSE = "Bring your own license"


def fetch(region: str, *, base: str = BASE) -> Iterator[Row]:
    """The rows of one region. Raises FetchError."""
    with lines(base + PATH.format(region=region)) as text:
        yield from parse(text)


def parse(text: Iterable[str]) -> Iterator[Row]:
    """``text`` are the file's lines. Raises FetchError for another format."""
    reader = csv.reader(text)
    published, columns = "", None
    for cells in reader:
        if cells[:1] == ["Publication Date"] and len(cells) > 1:
            published = cells[1][:10]
        if "SKU" in cells and "TermType" in cells:
            columns = cells
            break
        if reader.line_num > 20:
            break
    if columns is None:
        raise FetchError("AWS's price list has no line of column names where it should be.")
    for cells in reader:
        row = dict(zip(columns, cells, strict=False))
        if price := _row(row, published):
            yield price


def _row(row: dict[str, str], published: str) -> Row | None:
    system = SYSTEMS.get(row.get("Operating System", ""))
    instance_type, price = row.get("Instance Type", ""), row.get("PricePerUnit", "")
    if any(row.get(name) != value for name, value in WANTED.items()):
        return None
    if not system or not instance_type or row.get("License Model") == OWN_LICENSE:
        return None
    if row.get("MarketOption", "OnDemand") != "OnDemand":  # Capacity Blocks
        return None
    return Row(
        provider="aws",
        instance_type=instance_type,
        region=row.get("Region Code", ""),
        component=system,
        price=price,
        source=f"AWS Price List, AmazonEC2, published {published}",
    )

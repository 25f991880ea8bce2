"""Sizes of Azure's virtual machines: their price as you go, from the data set azure.json.gz."""

from __future__ import annotations

from assessments.agents.datasets import header, load

DATA = "azure.json.gz"


def region_name(location: str) -> str:
    """``West Europe`` and ``westeurope`` are one region."""
    return location.replace(" ", "").lower()


def is_region(name: str) -> bool:
    return name in load(DATA)["regions"]


def hourly_price(size: str, region: str) -> float | None:
    """USD an hour, pay as you go, Linux, of a size such as ``Standard_D2s_v5`` in ``westeurope``;
    None where no price is held."""
    data = load(DATA)
    row = data["linux"].get(_canonical(size))
    if row is None or region not in data["regions"]:
        return None
    price = row[data["regions"].index(region)]
    return float(price) if price else None


def windows_fee(size: str) -> float | None:
    """USD an hour on top of the Linux price for the Windows license; None where it isn't known."""
    fee = load(DATA)["windows_fees"].get(_canonical(size))
    return float(fee) if fee else None


def price_source(size: str, region: str) -> str:
    return header(DATA).cite(f"{size} in {region}")


def price_list() -> tuple[str, str]:
    """The name of the list of sizes, and its day."""
    return header(DATA).source, header(DATA).as_of


def windows_list() -> tuple[str, str]:
    """The name of the list that the licenses' fees are from, and its day."""
    fields = load(DATA)["header"]
    return "Fees of Windows licenses, apache-libcloud", str(fields["windows_as_of"])


def windows_source(size: str) -> str:
    fields = load(DATA)["header"]
    return f"{fields['windows_source']}, as of {fields['windows_as_of']}, {size}"


def _canonical(size: str) -> str:
    """Azure takes sizes in any case; the data has them as its API writes them."""
    known = load(DATA)["linux"]
    if size in known:
        return size
    return next((each for each in known if each.lower() == size.lower()), size)

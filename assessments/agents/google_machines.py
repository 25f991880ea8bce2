"""Prices of Google Cloud's machine types, disks and addresses, from the data set google.json.gz.

A machine is priced as one that runs all month: USD an hour on demand, times what the sustained use
discount leaves of it (cloud.google.com/compute/docs/sustained-use-discounts: 30 % off N1 and
others, 20 % off N2, N2D, C2, nothing off E2 and the newer families).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from assessments.agents.datasets import header, load

DATA = "google.json.gz"
MIB_PER_GB = 1024
PREMIUM = {"n1": 1.0494, "n2": 1.0494, "n2d": 1.05, "e2": 1.0}
"""What cores and memory of a custom machine cost beside those of a predefined one: N1 0.033174 USD
to 0.031611 USD a core, 0.004446 USD to 0.004237 USD a GB (apache-libcloud 3.9.1, gce_instances,
us-central1)."""
SUSTAINED = {"n1": 0.7, "n2": 0.8002, "n2d": 0.8002, "e2": 1.0}
_CUSTOM = re.compile(r"(?:(e2|n1|n2|n2d)-)?custom-(\d{1,3})-(\d{1,7})")


@dataclass(frozen=True, slots=True)
class Rate:
    """``listed`` is USD an hour on demand; ``paid`` what of it a whole month costs."""

    listed: float
    paid: float


def is_region(name: str) -> bool:
    return name in load(DATA)["regions"]


def hourly_rate(machine_type: str, region: str) -> Rate | None:
    """Of ``e2-medium``, ``n2-custom-4-10240``...; None where no price is held. Extended memory
    (``-ext``) has a price of its own, which is not held."""
    data = load(DATA)
    if (row := data["machines"].get(machine_type)) is not None:
        listed = _at(row, region)
        share = data["sustained"][machine_type]
        return Rate(listed, round(listed * share, 8)) if listed else None
    custom = _CUSTOM.fullmatch(machine_type)
    return _custom_rate(custom, region) if custom else None


def price_source(machine_type: str, region: str, rate: Rate) -> str:
    cited = header(DATA).cite(f"{machine_type} in {region}")
    off = round(100 * (1 - rate.paid / rate.listed))
    less = f", {rate.listed:g} less {off} % sustained use discount for a whole month" if off else ""
    return f"{cited}{less}"


def system_fee(machine_type: str, system: str) -> float | None:
    """USD an hour of the license of ``windows``, ``rhel`` or ``sles``; None where it isn't held."""
    fee = load(DATA)["systems"].get(machine_type, {}).get(system)
    return float(fee) if fee else None


def disk_price(kind: str, region: str, *, regional: bool = False) -> float | None:
    """USD a GB a month of ``pd-ssd`` and its kin; a regional disk keeps two copies."""
    row = load(DATA)["disks"].get(f"{kind}.regional" if regional else kind)
    return _at(row, region) if row else None


def address_price(region: str) -> float | None:
    """USD an hour of an external IPv4 address in use by a machine."""
    return _at(load(DATA)["addresses"]["used"], region)


def tunnel_price(region: str) -> float | None:
    """USD an hour of a VPN tunnel."""
    return _at(load(DATA)["vpn_tunnels"], region)


def price_list() -> tuple[str, str]:
    """The name of the list, and its day."""
    return header(DATA).source, header(DATA).as_of


def source(detail: str) -> str:
    return header(DATA).cite(detail)


def _custom_rate(custom: re.Match[str], region: str) -> Rate | None:
    family = custom[1] or "n1"
    pair = _at(load(DATA)["custom"][family], region)
    if pair is None:
        return None
    core, memory = pair
    usd = int(custom[2]) * core + int(custom[3]) / MIB_PER_GB * memory
    listed = round(usd * PREMIUM[family], 8)
    return Rate(listed, round(listed * SUSTAINED[family], 8))


def _at[T](row: list[T | None], region: str) -> T | None:
    regions = load(DATA)["regions"]
    return row[regions.index(region)] if region in regions else None

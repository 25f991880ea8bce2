"""The carbon intensity of cloud regions' grids, read from the unpacked wheels of greenpick and
codecarbon. Used by build_carbon_facts.py.

The location of a region is public: the providers' lists of regions name its city or state. Which
grid serves a state comes from the operators' own maps (PJM, MISO, Bonneville).
"""

from __future__ import annotations

import csv
import json
from functools import cache
from pathlib import Path
from typing import Any

POUNDS_PER_MWH_TO_G_PER_KWH = 0.45359237

ZONES = {
    "US-MIDA-PJM": {
        "aws": "us-east-1 us-east-2 us-gov-east-1",
        "azure": "eastus eastus2 northcentralus",
        "gcp": "us-east4 us-east5",
    },
    "US-MIDW-MISO": {"azure": "centralus", "gcp": "us-central1"},
    "US-NW-PACW": {"aws": "us-west-2 us-gov-west-1", "gcp": "us-west1"},
    "IE": {"aws": "eu-west-1", "azure": "northeurope"},
    "SE": {"aws": "eu-north-1", "azure": "swedencentral", "gcp": "europe-north2"},
    "FI": {"gcp": "europe-north1"},
    "CA-QC": {"aws": "ca-central-1", "azure": "canadaeast", "gcp": "northamerica-northeast1"},
    "CA-ON": {"azure": "canadacentral", "gcp": "northamerica-northeast2"},
}
"""Regions by the grid that serves them, under greenpick's names. ``US-NW-PACW`` is Bonneville's."""

ZONE_NAMES = {
    "US-MIDA-PJM": "PJM",
    "US-MIDW-MISO": "MISO",
    "US-NW-PACW": "Bonneville Power Administration",
    "IE": "Ireland",
    "SE": "Sweden",
    "FI": "Finland",
    "CA-QC": "Quebec",
    "CA-ON": "Ontario",
}

STATES = {
    "aws": {"us-west-1": "california"},
    "azure": {
        "southcentralus": "texas",
        "westcentralus": "wyoming",
        "westus": "california",
        "westus2": "washington",
        "westus3": "arizona",
        "usgovvirginia": "virginia",
        "usgovarizona": "arizona",
        "usgovtexas": "texas",
    },
    "gcp": {},
}

PROVINCES = {
    "aws": {"cn-north-1": "CN-BJ", "cn-northwest-1": "CN-NX"},
    "azure": {
        "chinaeast": "CN-SH",
        "chinaeast2": "CN-SH",
        "chinanorth": "CN-BJ",
        "chinanorth2": "CN-BJ",
        "chinanorth3": "CN-HE",
    },
    "gcp": {},
}

BIDDING_ZONES = {"azure": {"norwayeast": "NO1", "norwaywest": "NO2"}}

COUNTRIES = {
    "aws": {
        "AUS": "ap-southeast-2 ap-southeast-4",
        "ARE": "me-central-1",
        "BHR": "me-south-1",
        "BRA": "sa-east-1",
        "CHE": "eu-central-2",
        "DEU": "eu-central-1",
        "ESP": "eu-south-2",
        "FRA": "eu-west-3",
        "GBR": "eu-west-2",
        "HKG": "ap-east-1",
        "IDN": "ap-southeast-3",
        "IND": "ap-south-1 ap-south-2",
        "ISR": "il-central-1",
        "ITA": "eu-south-1",
        "JPN": "ap-northeast-1 ap-northeast-3",
        "KOR": "ap-northeast-2",
        "MEX": "mx-central-1",
        "MYS": "ap-southeast-5",
        "NZL": "ap-southeast-6",
        "SGP": "ap-southeast-1",
        "THA": "ap-southeast-7",
        "TWN": "ap-east-2",
        "ZAF": "af-south-1",
    },
    "azure": {
        "ARE": "uaenorth uaecentral",
        "AUS": "australiaeast australiasoutheast australiacentral australiacentral2",
        "AUT": "austriaeast",
        "BEL": "belgiumcentral",
        "BRA": "brazilsouth brazilsoutheast",
        "CHE": "switzerlandnorth switzerlandwest",
        "CHL": "chilecentral",
        "DEU": "germanywestcentral germanynorth",
        "DNK": "denmarkeast",
        "ESP": "spaincentral",
        "FRA": "francecentral francesouth",
        "GBR": "uksouth ukwest",
        "HKG": "eastasia",
        "IDN": "indonesiacentral",
        "IND": "centralindia southindia westindia jioindiawest jioindiacentral",
        "ISR": "israelcentral",
        "ITA": "italynorth",
        "JPN": "japaneast japanwest",
        "KOR": "koreacentral koreasouth",
        "MEX": "mexicocentral",
        "MYS": "malaysiawest",
        "NLD": "westeurope",
        "NZL": "newzealandnorth",
        "POL": "polandcentral",
        "QAT": "qatarcentral",
        "SGP": "southeastasia",
        "ZAF": "southafricanorth southafricawest",
    },
    "gcp": {"MEX": "northamerica-south1", "THA": "asia-southeast3"},
}

GREENPICK_COUNTRIES = {"AUS": "AU", "IND": "IN", "JPN": "JP", "SGP": "SG"}
MISSPELT = {"me-cenrtal1": "me-central1"}
"""A region that codecarbon 3.3.2 misspells."""

Row = list[Any]
"""kgCO2e a kWh, key of its origin, place, period."""


def origins() -> dict[str, dict[str, str]]:
    """Where a row comes from: its source, the page behind it, and what the figure counts."""
    return {
        "greenpick_zone": {
            "source": "greenpick 0.4.1, hourly generation of the grid's operator (EIA-930,"
            " ENTSO-E A75, Hydro-Québec, IESO) with life cycle factors by fuel",
            "url": "https://github.com/bithug01/greenpick",
        },
        "greenpick_country": {
            "source": "greenpick 0.4.1, Ember's yearly electricity data, life cycle",
            "url": "https://ourworldindata.org/grapher/carbon-intensity-electricity",
        },
        "google": {
            "source": "codecarbon 3.3.2, Google's carbon data of its regions, whose year the"
            " package does not name",
            "url": "https://cloud.google.com/sustainability/region-carbon",
        },
        "egrid": {
            "source": "codecarbon 3.3.2, EPA eGRID, emissions of generation without those upstream",
            "url": "https://www.epa.gov/egrid/download-data",
        },
        "china": {
            "source": "codecarbon 3.3.2, China's Ministry of Ecology and Environment,"
            " announcement 2025 no. 47, CO2 alone",
            "url": "https://www.mee.gov.cn/xxgk2018/xxgk/xxgk01/202512/t20251231_1139517.html",
        },
        "nordic": {
            "source": "codecarbon 3.3.2, ENTSO-E A75 by bidding zone, life cycle factors by fuel",
            "url": "https://doi.org/10.5281/zenodo.22285397",
        },
        "country": {
            "source": "codecarbon 3.3.2, Ember and Energy Institute by Our World in Data,"
            " life cycle",
            "url": "https://ourworldindata.org/grapher/carbon-intensity-electricity",
        },
        "alberta": {
            "source": "codecarbon 3.3.2, mix of the province with its factors for coal, oil and"
            " gas, generation alone",
            "url": "https://github.com/mlco2/codecarbon",
        },
    }


def grid_rows(wheels: Path) -> dict[str, dict[str, Row]]:
    """By provider (``aws``, ``azure``, ``gcp``) and region."""
    return {
        provider: dict(
            sorted(
                {
                    **_countries(wheels, provider),
                    **_states(wheels, provider),
                    **(_google(wheels) if provider == "gcp" else {}),
                    **_zones(wheels, provider),
                }.items()
            )
        )
        for provider in ("aws", "azure", "gcp")
    }


def _zones(wheels: Path, provider: str) -> dict[str, Row]:
    found = {}
    for zone, regions in ZONES.items():
        row = _zone(wheels, zone)
        found.update({name: row for name in regions.get(provider, "").split()})
    return found


def _zone(wheels: Path, zone: str) -> Row:
    """The mean of all hours of the year that greenpick keeps for the zone."""
    regions = _read(wheels / "greenpick/data/typical.json")["regions"]
    year = next(
        each for group in regions.values() for each in group.values() if each["zone"] == zone
    )
    months = year["months"].values()
    if len(months) != 12:
        raise ValueError(f"{zone} has {len(months)} months")
    hours = sum(each["hours"] for each in months)
    mean = sum(each["hours"] * each["avg_g_co2_per_kwh"] for each in months) / hours
    period = f"{year['from'][:10]} to {year['to'][:10]}"
    return _row(mean, "greenpick_zone", ZONE_NAMES[zone], period)


def _countries(wheels: Path, provider: str) -> dict[str, Row]:
    mixes = _read(wheels / "codecarbon/data/private_infra/global_energy_mix.json")
    newer = _read(wheels / "greenpick/data/annual.json")["zones"]
    found = {}
    for code, regions in COUNTRIES[provider].items():
        mix = mixes[code]
        row = _row(mix["carbon_intensity"], "country", mix["country_name"], str(mix["year"]))
        if code in GREENPICK_COUNTRIES:
            own = newer[GREENPICK_COUNTRIES[code]]
            value = own["g_co2_per_kwh"]
            row = _row(value, "greenpick_country", own["country"], str(own["year"]))
        found.update({name: row for name in regions.split()})
    return found


def _states(wheels: Path, provider: str) -> dict[str, Row]:
    folder = wheels / "codecarbon/data/private_infra"
    egrid = _read(folder / "2023/usa_emissions.json")
    china = _read(folder / "2023/china_provincial_emissions.json")["data"]
    nordic = _read(folder / "nordic_emissions.json")["data"]
    found = {}
    for region, state in STATES[provider].items():
        value = egrid[state]["emissions"] * POUNDS_PER_MWH_TO_G_PER_KWH
        found[region] = _row(value, "egrid", state.title(), str(egrid["_source"]["year"]))
    for region, code in PROVINCES[provider].items():
        own = china[code]
        found[region] = _row(own["emission_factor"], "china", own["description"], str(own["year"]))
    for region, code in BIDDING_ZONES.get(provider, {}).items():
        own = nordic[code]
        found[region] = _row(own["emission_factor"], "nordic", own["description"], str(own["year"]))
    if provider == "aws":
        found["ca-west-1"] = _alberta(_read(folder / "2023/canada_energy_mix.json")["alberta"])
    return found


def _alberta(mix: dict[str, float]) -> Row:
    """As codecarbon computes a province: shares of coal, oil and gas by its factors
    (core/emissions.py)."""
    factors = {"coal": 995.725971, "petroleum": 816.6885263, "naturalGas": 743.8415916}
    value = sum(mix[fuel] / mix["total"] * factor for fuel, factor in factors.items())
    return _row(value, "alberta", "Alberta", "2023")


def _google(wheels: Path) -> dict[str, Row]:
    path = wheels / "codecarbon/data/cloud/impact.csv"
    with path.open(encoding="utf-8-sig", newline="") as stream:
        return {
            MISSPELT.get(row["region"], row["region"]): _row(
                float(row["impact"]), "google", row["city"], ""
            )
            for row in csv.DictReader(stream)
            if row["provider"] == "gcp"
        }


def _row(grams: float, origin: str, place: str, period: str) -> Row:
    return [round(grams / 1000, 5), origin, place, period]


@cache
def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))

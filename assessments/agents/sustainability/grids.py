"""The carbon intensity of a kilowatt-hour where a resource runs (carbon.json, each region's figure
with its origin and period)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from assessments.agents.datasets import load
from assessments.agents.sustainability.carbon import DATA, NAMES


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A region of ``aws``, ``azure`` or ``gcp``."""

    provider: str
    region: str

    def __str__(self) -> str:
        return self.region or f"{NAMES[self.provider]}, region unknown"


def grid_factor(place: Place) -> tuple[float, str]:
    """kgCO2e a kWh of the grid at ``place`` (location-based, production), and its source; if
    we have none, the mean of the provider's regions."""
    rows = _rows(place.provider)
    if row := rows.get(place.region):
        return float(row[0]), _cited(place.region, row)
    mean = round(sum(row[0] for row in rows.values()) / len(rows), 5)
    return mean, (
        f"no known grid intensity for {place}: the mean of {len(rows)} regions of"
        f" {NAMES[place.provider]}, {mean} kgCO2e a kWh"
    )


def grid_factors(provider: str) -> dict[str, float]:
    """kgCO2e a kWh by region."""
    return {str(name): float(row[0]) for name, row in _rows(provider).items()}


def provider_with(region: str) -> str:
    """The provider that has a region of this name; ``aws`` if no provider is known to have it."""
    return next((each for each in ("aws", "azure", "gcp") if region in _rows(each)), "aws")


def no_cleaner(place: Place) -> int:
    """How many of the provider's regions have a grid that is no cleaner."""
    factor = grid_factor(place)[0]
    return sum(each >= factor for each in grid_factors(place.provider).values())


def _rows(provider: str) -> dict[str, list[Any]]:
    rows: dict[str, list[Any]] = load(DATA)["grids"][provider]
    return rows


def _cited(region: str, row: list[Any]) -> str:
    value, key, place, period = row
    origin = load(DATA)["grid_origins"][key]
    when = f", {period}" if period else ""
    return f"{region} {value} kgCO2e a kWh: {place}{when}, {origin['source']} ({origin['url']})"

"""What this project knows about individual rules: plain titles, the action that fixes the problem,
the effort of that change, and the attribute that shows it.

``data/rules.csv`` is the project's own work, one line for one problem; ``rules`` lists the rules
that report it. ``title`` is the problem as an engineer would put it (empty for the agents' own
rules, which word it themselves), ``action`` the imperative that heads a recommendation.
``attribute`` names what to look for in the resource's lines where the engine does not: an argument
(``publicly_accessible``), or the type of a resource of its own (``aws_flow_log``).
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "data"


class Effort(StrEnum):
    """The effort of the change, regardless of the number of places.

    SMALL is a setting that takes effect in place. MEDIUM needs something beside it (a key, a role,
    a network) or a rollout to clients. LARGE means a rebuild: the resource is replaced, migrated or
    restored. Whether a setting replaces a resource is as the Terraform providers document it
    ("forces a new resource").
    """

    SMALL = "small"
    MEDIUM = "medium"
    LARGE = "large"


@dataclass(frozen=True, slots=True)
class Rule:
    title: str
    action: str
    effort: Effort
    attribute: str


@cache
def known_rules() -> dict[str, Rule]:
    """Every rule of the table, by its id."""
    with (FOLDER / "rules.csv").open(newline="", encoding="utf-8") as file:
        return {
            rule: Rule(row["title"], row["action"], Effort(row["effort"]), row["attribute"])
            for row in csv.DictReader(file)
            for rule in row["rules"].split()
        }

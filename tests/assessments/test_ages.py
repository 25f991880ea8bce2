"""How old prices are on the day of a run, and where data comes from."""

from __future__ import annotations

from datetime import date

import pytest

from assessments.agents.datasets import headers
from assessments.ages import age, months_old

RUN = date(2026, 11, 25)


@pytest.mark.parametrize(
    ("as_of", "months", "words"),
    [
        ("2026-11-20", 0, "less than a month"),
        ("2026-10-20", 1, "1 month"),
        ("2025-11-25", 12, "12 months"),
        ("2025-03-02", 20, "20 months"),
        ("not a day", 0, "less than a month"),
    ],
)
def test_an_age_is_counted_in_whole_months(as_of: str, months: int, words: str) -> None:
    assert months_old(as_of, RUN) == months
    assert age(as_of, RUN) == words
    assert months_old(as_of, None) == 0


def test_a_data_set_from_several_sources_names_each_with_its_day() -> None:
    days = [each.as_of for each in headers("ec2.json.gz")]
    assert days == ["2025-03-02", "2026-07-20", "2025-11-03"]
    assert len(headers("azure.json.gz")) == 1

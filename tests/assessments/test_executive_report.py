"""The executive report: short, complete, and true to the document that it is written from."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from copy import deepcopy
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pypdf
import pytest

from assessments.models import AssessmentRun, Recommendation
from assessments.reports import WRITERS
from assessments.reports.layout import blocks_of
from assessments.reports.layout.blocks import Cards, Drawing, Item, Notes, Table, clipped_place
from assessments.reports.layout.executive import sentences
from assessments.reports.pdf import LEAST_MM, MOST_PAGES
from tests.assessments.rows import (
    assessed,
    document_of,
    sample_files,
    sample_requirements,
    uploaded,
    written,
)

if TYPE_CHECKING:
    from django.contrib.auth.models import User

LONG = "a/very-long_folder.name/" * 25
WORDS = "Something is wrong here, and it is hard to say what. " * 40


@pytest.fixture
def sample_run(alice: User) -> AssessmentRun:
    return assessed(uploaded(alice, sample_files(), requirements=sample_requirements()))


_kept: dict[str, dict[str, Any]] = {}


@pytest.fixture
def document(alice: User) -> dict[str, Any]:
    """For the sample's run, which is assessed once for all tests."""
    if not _kept:
        run = assessed(uploaded(alice, sample_files(), requirements=sample_requirements()))
        _kept["pdf"] = executive(run)
    return deepcopy(_kept["pdf"])


def executive(run: AssessmentRun, format: str = "pdf") -> dict[str, Any]:
    return document_of(run, kind="executive", format=format)


def pages_of(document: Mapping[str, Any]) -> list[pypdf.PageObject]:
    content = WRITERS["pdf"](dict(document))
    return list(pypdf.PdfReader(io.BytesIO(content)).pages)


def reached(page: pypdf.PageObject) -> float:
    """How far down the page its text reaches, in millimeters, without the footer."""
    found: list[float] = []

    def note(text: str, outer: list[float], inner: list[float], *more: Any) -> None:
        if text.strip():
            found.append(297 - (outer[5] + outer[3] * inner[5]) * 25.4 / 72)

    page.extract_text(visitor_text=note)
    return max(y for y in found if y < 278)


def test_it_says_what_is_at_risk_what_it_costs_what_to_do_and_how_certain_it_is(
    document: dict[str, Any],
) -> None:
    text = WRITERS["markdown"](document).decode()
    headings = [line[3:] for line in text.splitlines() if line.startswith("## ")]
    expected = [
        "What is at risk",
        "What it costs",
        "What to do first",
        "Map",
        "How certain this is",
    ]
    assert headings == expected
    first = document["recommendations"][0]
    risks = [block for block in blocks_of(document) if isinstance(block, Item)]
    worst = next(risk for risk in risks if risk.severity)
    assert (worst.title, worst.place) == (first["problem"], first["where"])
    assert worst.text.startswith(first["why"])
    (actions,) = (
        block
        for block in blocks_of(document)
        if isinstance(block, Table) and "Effort" in block.columns
    )
    assert actions.rows[0][1:4] == [first["title"], first["where"], first["effort"].capitalize()]
    cost = next(answer for answer in document["agents"] if answer["agent"] == "cost")
    figures = {figure["key"]: figure["value"] for figure in cost["figures"]}
    (budget,) = document["summary"]["budgets"]
    costs = next(
        block
        for block in blocks_of(document)
        if isinstance(block, Table) and "USD a month" in block.columns
    )
    assert [row[1] for row in costs.rows] == [
        f"{abs(value):,.2f}"
        for value in (figures["monthly_cost"], budget["value"], figures["savings"])
    ]
    assert figures["unpriced"] and "at least" in costs.rows[0][2]


def test_every_source_it_cites_is_in_its_list_and_every_source_is_cited(
    document: dict[str, Any],
) -> None:
    blocks = list(blocks_of(document))
    (notes,) = (block for block in blocks if isinstance(block, Notes))
    body = repr([block for block in blocks if not isinstance(block, Notes | Drawing)])
    assert len(notes.rows) == len(set(notes.rows)) > 5
    for number in range(1, len(notes.rows) + 1):
        assert f"[{number}]" in body
    assert f"[{len(notes.rows) + 1}]" not in body


def test_a_long_place_keeps_its_file_and_line_and_a_long_sentence_ends_after_a_comma() -> None:
    place = f"patterns/{'charts/' * 12}templates/backend-deploy.yaml:17"
    short = clipped_place(place, 64)
    assert len(short) == 64 and short.startswith("patterns/") and short.endswith("deploy.yaml:17")
    assert clipped_place("main.tf:1", 64) == "main.tf:1"
    words = (
        f"384 findings in 49 scopes: 44 in {'a-long-name' * 3}, 22 in {'another-name' * 3}, 9 more"
    )
    assert sentences(words, 100) == f"384 findings in 49 scopes: 44 in {'a-long-name' * 3}, …"


def test_files_that_were_not_read_for_the_same_reason_are_one_row(
    document: dict[str, Any],
) -> None:
    reason = "The module terraform-aws-modules/{}/aws is not in the upload. Vendor it."
    document["coverage"] = [
        {"file": f"{name}/main.tf", "status": "partly_read", "reason": reason.format(name)}
        for name in ("vpc", "eks", "iam")
    ]
    (table,) = (b for b in blocks_of(document) if isinstance(b, Table) and "Why not" in b.columns)
    words = "The module … is not in the upload. Vendor it."
    assert table.rows == [["3", "In part", words, "vpc/main.tf and 2 more"]]
    document["coverage"] = document["coverage"][:1]
    (table,) = (b for b in blocks_of(document) if isinstance(b, Table) and "Why not" in b.columns)
    assert table.rows[0][2] == reason.format("vpc")


def test_a_risk_without_a_reason_does_not_repeat_its_heading(document: dict[str, Any]) -> None:
    worst = document["recommendations"][0]
    worst["why"], worst["impact"]["exposure"] = worst["problem"], []
    risks = [block for block in blocks_of(document) if isinstance(block, Item) and block.severity]
    assert (risks[0].title, risks[0].text) == (worst["problem"], "")


@pytest.mark.parametrize(
    "files",
    [
        {"Dockerfile": "FROM alpine:3\nRUN apk add curl\n"},
        {"notes.txt": "hello\n"},
        {"main.tf": 'resource "a" {\n', "Dockerfile": "FROM alpine:3\n"},
    ],
    ids=["small", "nothing assessed", "not read"],
)
def test_a_small_run_has_one_page(alice: User, files: dict[str, str]) -> None:
    assert len(pages_of(executive(assessed(uploaded(alice, files))))) == 1


def test_nothing_is_said_of_risks_and_costs_where_nothing_was_assessed(alice: User) -> None:
    run = assessed(uploaded(alice, {"notes.txt": "hello\n"}))
    blocks = list(blocks_of(executive(run)))
    texts = repr(blocks)
    assert "Nothing could be assessed" in texts and "No finding" not in texts
    assert "at risk" not in texts and not [b for b in blocks if isinstance(b, Cards)]


def test_a_failed_agent_is_named_first(document: dict[str, Any]) -> None:
    document["about"]["needs_attention"] = [
        {
            "code": "agent_failed",
            "message": "The cost agent failed: no memory",
            "count": 1,
            "files": [],
        }
    ]
    for answer in document["agents"]:
        if answer["agent"] == "cost":
            answer |= {"status": "failed", "score": None, "figures": [], "summary": ""}
            answer |= {"reason": "no memory"}
    text = WRITERS["markdown"](document).decode()
    assert text.index("The cost agent failed") < text.index("findings")
    assert "| Cost | Failed | no memory |" in text
    assert "USD" not in text.replace("| saves", "").split("## What it costs")[1].split("##")[0]
    assert len(pages_of(document)) <= MOST_PAGES


@pytest.mark.parametrize(("actions", "gaps"), [(1, 0), (4, 6), (8, 3)])
def test_the_last_page_is_never_a_few_lines(
    document: dict[str, Any], actions: int, gaps: int
) -> None:
    document["recommendations"] = document["recommendations"][:actions]
    document["coverage"] = [
        {"file": "a.tf", "status": "failed", "reason": f"Reason {n}", "line": None}
        for n in range(gaps)
    ]
    assert len(pages_of(document)) <= MOST_PAGES
    document["map"] = {}
    pages = pages_of(document)
    assert len(pages) == 1 or reached(pages[-1]) > LEAST_MM - 30


def test_the_longest_of_everything_has_four_pages_at_most(document: dict[str, Any]) -> None:
    document["about"] |= {"assessment": "W" * 120, "scopes": document["about"]["scopes"] * 300}
    document["about"]["needs_attention"] = [
        {"code": "files_unread", "message": WORDS, "count": 90, "files": [LONG] * 20}
    ] * 12
    document["trend"] = trend(12)
    step = {"from": LONG, "to": LONG, "why": WORDS, "source": LONG, "opened_by": [WORDS]}
    document["map"] |= {"paths": [[step] * 5] * 60, "more_paths": 9}
    for answer in document["agents"]:
        answer |= {"summary": WORDS, "reason": WORDS}
    for row in document["recommendations"]:
        row |= {"title": WORDS[:300], "problem": LONG[:300], "why": WORDS, "where": LONG}
        row["impact"] |= {"severities": dict.fromkeys(row_levels(), 99_999), "places": 99_999}
        row |= {"saving": {"monthly_usd": "1234567.89", "source": WORDS}, "fix": {"files": [1]}}
    document["summary"]["budgets"] *= 40
    document["coverage"] = [
        {"file": LONG, "status": "failed", "reason": f"{number} {WORDS}", "line": None}
        for number in range(80)
    ]
    document["data"] = [{**document["data"][-1], "name": WORDS}] * 40
    assert 2 <= len(pages_of(document)) <= MOST_PAGES


def row_levels() -> list[str]:
    return ["critical", "high", "medium", "low", "info"]


def trend(runs: int) -> list[dict[str, Any]]:
    return [
        {"run": n, "assessed_at": None, "findings": 40 + n, "severe": n, "source": "Counted"}
        for n in range(1, runs + 1)
    ]


def test_the_trend_shows_from_the_third_completed_run(alice: User) -> None:
    assessment = uploaded(alice, {"Dockerfile": "FROM alpine:3\n"})
    found = []
    for _ in range(3):
        run = assessed(assessment)
        AssessmentRun.objects.filter(pk=run.pk).update(finished_at=datetime(2026, 1, 2, tzinfo=UTC))
        found.append(json.loads(written(run, "json", kind="executive"))["trend"])
    assert found[:2] == [[], []]
    assert [row["run"] for row in found[2]] == [1, 2, 3]
    assert {row["findings"] for row in found[2]} == {run.findings.counted().count()}
    html = written(run, "html", kind="executive").decode()
    assert "Findings by run" in html and ">Run 3<" in html


def test_what_was_dismissed_or_done_is_not_to_do_first(sample_run: AssessmentRun) -> None:
    before = executive(sample_run)["recommendations"]
    first, second = (sample_run.recommendations.get(priority=row["priority"]) for row in before[:2])
    Recommendation.objects.filter(pk=first.pk).update(status="dismissed")
    Recommendation.objects.filter(pk=second.pk).update(status="done")
    after = executive(sample_run)["recommendations"]
    assert [row["priority"] for row in after][:8] == [row["priority"] for row in before][2:]
    assert len(after) == 10


def test_a_text_is_cut_between_sentences() -> None:
    assert sentences("One. Two is here. 3 files were not read.", 20) == "One. Two is here."
    assert sentences("A sentence of many words", 12) == "A sentence…"

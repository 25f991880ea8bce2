"""Reports: one document in six formats that agree, each number with its source, uploaded content
inert."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import subprocess
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pypdf
import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone
from jsonschema import Draft202012Validator
from markdown_it import MarkdownIt

from assessments.models import AssessmentRun, Report
from assessments.muting import mute_finding
from assessments.reports import WRITERS, pdf
from assessments.reports.csv import inert
from assessments.reports.layout.blocks import clean
from assessments.reports.markdown import escape
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

NASTY = (
    "=cmd|' /C calc'!A0 <script>alert(1)</script> **b** [x](javascript:1) `c` #eval(\"9+9\")"
    " $x$ @me"
)
NASTY_FOLDER = "=1+1 <img src=x onerror=alert(1)> [y](z) `#panic()`"
NASTY_FILES = {
    f"{NASTY_FOLDER}/main.tf": (
        'resource "aws_s3_bucket" "a" {\n  #checkov:skip=CKV_AWS_18:<b>because</b> =1+1 *so*\n '
        ' bucket = "x<script>alert(2)</script>"\n  tags = { note ='
        f' "{NASTY.replace(chr(34), chr(39))}" }}\n}}\n'
    ),
    f"{NASTY_FOLDER}/@pod.yaml": (
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: '=1+1 <script>alert(3)</script>'\n"
        "spec:\n  containers:\n    - name: '<i>c</i>'\n      image: 'a:latest'\n"
    ),
    "broken.tf": 'resource "a" {\n',
}


@pytest.fixture
def sample_run(alice: User) -> AssessmentRun:
    run = assessed(uploaded(alice, sample_files(), requirements=sample_requirements()))
    muted = run.findings.filter(agent="security").first()
    assert muted is not None
    mute_finding(muted, by=alice, reason="The test network, taken down in May", expires_at=None)
    return run


@pytest.fixture
def nasty_run(alice: User) -> AssessmentRun:
    return assessed(uploaded(alice, NASTY_FILES, name=NASTY))


def numbers(node: Any, *, source: str = "", path: str = "") -> Iterator[tuple[str, str]]:
    """Every number with the nearest source around it. Anything inside a file has the file as its
    source."""
    if isinstance(node, dict):
        source = str(node.get("source") or node.get("file") or "") or source
        for key, value in node.items():
            yield from numbers(value, source=source, path=f"{path}.{key}")
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from numbers(value, source=source, path=f"{path}[{index}]")
    elif not isinstance(node, bool) and re.fullmatch(r"-?\d+([.,]\d+)*", str(node)):
        yield path, source


@pytest.mark.parametrize("kind", Report.Kind.values)
def test_no_number_of_the_report_is_without_its_source(
    sample_run: AssessmentRun, kind: str
) -> None:
    document = json.loads(written(sample_run, "json", kind=kind))
    del document["about"]  # ids, times, and what the person stated
    found = list(numbers(document))
    assert len(found) > 20
    assert [path for path, source in found if len(source) < 3] == []
    told = [
        *document["summary"]["figures"],
        *(f for a in document["agents"] for f in (*a["figures"], *a["tables"])),
    ]
    assert all(len(figure["source"]) > 2 for figure in told)
    assert all(answer["source"] for answer in document["agents"] if answer["score"] is not None)


def test_a_figure_without_a_source_would_be_noticed(sample_run: AssessmentRun) -> None:
    document = json.loads(written(sample_run, "json"))
    cost = next(answer for answer in document["agents"] if answer["agent"] == "cost")
    cost["source"], cost["figures"][0]["source"] = "", ""
    assert [path for path, source in numbers(document["agents"]) if not source]


def test_the_report_ends_with_coverage_the_dates_of_its_data_and_its_formulas(
    sample_run: AssessmentRun,
) -> None:
    document = document_of(sample_run)
    assert list(document)[-3:] == ["coverage", "data", "formulas"]
    assert {row["file"] for row in document["coverage"]} == set(sample_files())
    names = " ".join(f"{row['name']} {row['version']} {row['as_of']}" for row in document["data"])
    ages = {row["as_of"]: row["age"] for row in document["data"]}
    assert ages["2025-03-02"].endswith(" months") and int(ages["2025-03-02"].split()[0]) >= 20
    for expected in (
        "checkov",
        "Prowler",
        "pricing.json",
        "2025-03-02",
        "Cloud Carbon Footprint",
        "service level",
    ):
        assert expected in names
    assert {row["of"] for row in document["formulas"]} >= {
        "Cost score",
        "Priority of a recommendation",
    }


def test_the_kinds_differ_as_their_readers_do(sample_run: AssessmentRun) -> None:
    executive, technical, compliance, cost, full = (
        document_of(sample_run, kind=kind) for kind in Report.Kind.values
    )
    assert "findings" not in executive and not any(
        answer["tables"] for answer in executive["agents"]
    )
    assert len(executive["recommendations"]) == 10
    assert "resources" in full and "resources" not in technical
    assert {finding["agent"] for finding in compliance["findings"]} == {"compliance"}
    assert [answer["agent"] for answer in cost["agents"]] == ["cost"]
    assert {row["agent"] for row in cost["recommendations"]} == {"cost"}


class Rows(HTMLParser):
    """The cells of all table rows, and the names of all elements."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.tags: set[str] = set()
        self.text = ""
        self._in_cell = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append("")
            self._in_cell = True

    def handle_endtag(self, tag: str) -> None:
        self._in_cell = self._in_cell and tag not in {"td", "th"}

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._in_cell:
            self.rows[-1][-1] += data.strip()


def of_markdown(content: bytes) -> Rows:
    return Rows(MarkdownIt("commonmark").enable("table").render(content.decode()))


def squeezed(text: str) -> str:
    return re.sub(r"[\s\u200b-]", "", text)


def test_the_readable_formats_hold_every_figure_of_the_json_report(
    sample_run: AssessmentRun,
) -> None:
    document = json.loads(written(sample_run, "json"))
    html, markdown = (
        Rows(written(sample_run, "html").decode()),
        of_markdown(written(sample_run, "markdown")),
    )
    pages = pypdf.PdfReader(io.BytesIO(written(sample_run, "pdf", kind="technical"))).pages
    typeset = squeezed("".join(page.extract_text() for page in pages))
    assert [[squeezed(cell) for cell in row] for row in html.rows] == [
        [squeezed(cell) for cell in row] for row in markdown.rows
    ]
    figures = [
        *document["summary"]["figures"],
        *(f for answer in document["agents"] for f in answer["figures"]),
    ]
    assert len(figures) > 60
    (resources,) = (f["value"] for f in document["summary"]["figures"] if f["key"] == "resources")
    assert resources == len(document["resources"])
    for figure in figures:
        row = next(
            row
            for row in html.rows
            if row[0] == figure["label"] and shows(row[1].split(" ")[0], figure["value"])
        )
        assert squeezed(row[0] + row[1]) in typeset
    for answer in document["agents"]:
        score = "No score" if answer["score"] is None else f"{answer['score']} of 100"
        assert [answer["label"], score, answer["summary"]] in [row[:3] for row in html.rows]
    tables = [table for answer in document["agents"] for table in answer["tables"]]
    listed = re.findall(r'<li id="source-(\d+)">(.*?)</li>', written(sample_run, "html").decode())
    notes = {f"[{number}]": unescape(text) for number, text in listed}
    rows = [[*row[:-1], notes.get(row[-1].strip(), row[-1])] for row in html.rows]
    by_first = defaultdict(list)
    for row in rows:
        by_first[row[0]].append(row)
    expected = [row for table in tables for row in table["rows"]]
    assert len(expected) > 100
    for cells in expected:
        assert any(
            len(row) == len(cells) and all(map(shows, row, cells))
            for row in by_first[clean(str(cells[0]))]
        ), cells


def shows(shown: str, value: Any) -> bool:
    """The same value, as a number however many decimals are shown."""
    if isinstance(value, float):
        is_number = re.fullmatch(r"[-\d,.e]+", shown)
        return bool(is_number) and float(shown.replace(",", "")) == pytest.approx(value, abs=0.005)
    return shown == ("" if value is None else clean(str(value)))


def test_the_lists_hold_every_finding_of_the_json_report(sample_run: AssessmentRun) -> None:
    findings = json.loads(written(sample_run, "json"))["findings"]
    expected = [
        (
            f["fingerprint"],
            f["severity"],
            f["file"],
            f["line_start"],
            f["saving"] and f["saving"]["monthly_usd"],
        )
        for f in findings
    ]
    rows = csv.DictReader(io.StringIO(written(sample_run, "csv").decode()))
    listed = [
        (
            r["fingerprint"],
            r["severity"],
            r["file"],
            int(r["line_start"] or 0) or None,
            r["monthly_saving_usd"] or None,
        )
        for r in rows
    ]
    assert listed == expected
    (run,) = json.loads(written(sample_run, "sarif"))["runs"]
    assert [tuple(_of_sarif(result).values()) for result in run["results"]] == expected
    by_level = Counter(result["properties"]["severity"] for result in run["results"])
    assert by_level == Counter(finding["severity"] for finding in findings)


def _of_sarif(result: dict[str, Any]) -> dict[str, Any]:
    place = (result["locations"] or [{}])[0].get("physicalLocation", {})
    saving = result["properties"]["saving"]
    return {
        "fingerprint": result["partialFingerprints"]["infraMind/v1"],
        "severity": result["properties"]["severity"],
        "file": place.get("artifactLocation", {}).get("uri", ""),
        "line_start": place.get("region", {}).get("startLine"),
        "saving": saving and saving["monthly_usd"],
    }


def test_the_report_and_the_api_say_the_same(sample_run: AssessmentRun, alice: User) -> None:
    document = json.loads(written(sample_run, "json"))
    client = Client()
    client.force_login(alice)
    base = f"/api/v1/assessments/{sample_run.assessment_id}"
    run = client.get(f"{base}/runs/1").json()
    findings = client.get(f"{base}/findings?limit=1000").json()["findings"]
    advice = client.get(f"{base}/recommendations").json()["recommendations"]
    of_agent = {answer["agent"]: answer for answer in document["agents"]}
    for answer in run["agents"]:
        told = of_agent[answer["agent"]]
        assert (answer["score"], answer["score_formula"]) == (told["score"], told["source"])
        tables = [table for table in answer["tables"] if table["key"] != "usage"]  # what to fill in
        assert (answer["figures"], tables) == (told["figures"], told["tables"])
    figures = {figure["key"]: figure["value"] for figure in document["summary"]["figures"]}
    unmuted = Counter(finding["severity"] for finding in findings if not finding["is_muted"])
    assert run["summary"]["severities"] == {
        level: figures[f"findings_{level}"]
        for level in ("critical", "high", "medium", "low", "info")
    }
    assert all(figures[f"findings_{level}"] == number for level, number in unmuted.items())
    assert (
        sum(finding["is_muted"] for finding in findings)
        == run["summary"]["muted"]
        == figures["findings_muted"]
        == 1
    )
    assert {f["fingerprint"]: f["monthly_saving_usd"] for f in findings} == {
        f["fingerprint"]: f["saving"] and float(f["saving"]["monthly_usd"])
        for f in document["findings"]
    }
    assert [(r["priority"], r["title"], r["impact"]["places"]) for r in advice] == [
        (r["priority"], r["title"], r["impact"]["places"]) for r in document["recommendations"]
    ]


def test_the_same_input_twice_gives_the_same_bytes_but_for_ids_and_times(alice: User) -> None:
    first, second = (
        assessed(
            uploaded(alice, sample_files(), requirements=sample_requirements()), scan_again=again
        )
        for again in (False, True)
    )
    documents = [json.loads(written(run, "json")) for run in (first, second)]
    for document in documents:
        assert document["about"].pop("assessment_id")
        document["about"].pop("assessed_at")
    texts = [json.dumps(document, indent=1) for document in documents]
    assert texts[0] == texts[1]


def test_json_keeps_every_character(nasty_run: AssessmentRun) -> None:
    document = json.loads(written(nasty_run, "json"))
    assert document["about"]["assessment"] == NASTY
    assert {row["file"] for row in document["coverage"]} == set(NASTY_FILES)


def test_html_shows_what_was_uploaded_and_runs_nothing(nasty_run: AssessmentRun) -> None:
    shown = Rows(written(nasty_run, "html").decode())
    ours = "html head meta title style body div h1 h2 h3 h4 p pre wbr table thead tbody tr th td"
    ours += " nav main details summary ol li a span svg rect g path text tspan"
    assert shown.tags <= set(ours.split())
    assert NASTY in shown.text and NASTY_FOLDER in shown.text


def test_markdown_shows_what_was_uploaded_and_nothing_of_it_is_markup(
    nasty_run: AssessmentRun,
) -> None:
    shown = of_markdown(written(nasty_run, "markdown"))
    assert shown.tags <= set(
        ["h1", "h2", "h3", "p", "em", "pre", "code", "table", "thead", "tbody", "tr", "th", "td"]
    )
    assert NASTY in shown.text and NASTY_FOLDER in shown.text
    assert "`c`" in shown.text


@pytest.mark.parametrize(
    "text",
    [
        "- a",
        "+ a",
        "1. a",
        "12) a",
        "# a",
        "> a",
        "=== ",
        "a | b",
        "<b>",
        "**a**",
        "&lt;",
        "\\",
        "![x](y)",
        "~~~",
        "***",
    ],
)
def test_a_line_of_text_stays_a_line_of_text_in_markdown(text: str) -> None:
    shown = Rows(MarkdownIt("commonmark").enable("table").render(f"a title\n\n{escape(text)}"))
    assert shown.tags == {"p"}
    assert text.strip() in shown.text


def test_no_cell_of_the_csv_is_a_formula(nasty_run: AssessmentRun) -> None:
    rows = list(csv.reader(io.StringIO(written(nasty_run, "csv").decode())))
    assert any(f"'{NASTY_FOLDER}/main.tf" in row for row in rows)
    assert not [
        cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@", "\t", "\r"))
    ]
    assert inert("\tx") == "'\tx" and inert("plain") == "plain"


def test_pdf_shows_what_was_uploaded_as_text(nasty_run: AssessmentRun) -> None:
    pages = pypdf.PdfReader(io.BytesIO(written(nasty_run, "pdf"))).pages
    text = squeezed("".join(page.extract_text() for page in pages))
    assert squeezed(NASTY) in text
    annotations = [note.get_object() for page in pages for note in page.get("/Annots", [])]
    assert annotations and not [each for each in annotations if "/URI" in str(each)]


def test_a_pdf_says_what_it_leaves_out(
    nasty_run: AssessmentRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pdf, "MOST", 2)
    monkeypatch.setattr(pdf, "MOST_ROWS", 2)
    pages = pypdf.PdfReader(io.BytesIO(written(nasty_run, "pdf"))).pages
    text = squeezed("".join(page.extract_text() for page in pages))
    count = len(document_of(nasty_run)["findings"])
    assert f"ThisPDFhasthe2worstof{count}findings." in text
    assert re.search(r"Thesearethefirst2of\d+rows\.", text)


def test_sarif_keeps_links_and_placeholders_from_arising(nasty_run: AssessmentRun) -> None:
    (run,) = json.loads(written(nasty_run, "sarif"))["runs"]
    messages = [result["message"]["text"] for result in run["results"]]
    assert messages and not [text for text in messages if re.search(r"(?<!\\)\]\(", text)]
    uris = {
        place["physicalLocation"]["artifactLocation"]["uri"]
        for r in run["results"]
        for place in r["locations"]
    }
    assert all(re.fullmatch(r"[\w.~%/-]+", uri) for uri in uris)


def test_characters_that_cannot_be_seen_are_shown_as_such() -> None:
    assert clean("a\u202eb\x00c\nd") == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}c d"


SARIF_SCHEMA = (
    settings.BASE_DIR / ".node/node_modules/@microsoft/sarif-multitool-linux/sarif-2.1.0.json"
)


@pytest.fixture(scope="module")
def sarif() -> Draft202012Validator:
    """The schema of the standard, as shipped with the SARIF Multitool."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not there: the schema of SARIF comes from it")
    done = subprocess.run(
        ["make", ".node/.installed"], cwd=settings.BASE_DIR, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return Draft202012Validator(json.loads(SARIF_SCHEMA.read_text()))


@pytest.mark.parametrize("fixture", ["sample_run", "nasty_run"])
def test_sarif_follows_its_schema(
    fixture: str, sarif: Draft202012Validator, request: pytest.FixtureRequest
) -> None:
    log = json.loads(written(request.getfixturevalue(fixture), "sarif"))
    assert [f"{error.json_path} {error.message}" for error in sarif.iter_errors(log)] == []
    assert log["version"] == "2.1.0" and log["$schema"].endswith("sarif-schema-2.1.0.json")
    (run,) = log["runs"]
    names = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert len(names) == len(set(names))
    for result in run["results"]:
        assert names[result["ruleIndex"]] == result["ruleId"]
        for location in result["locations"]:
            region = location.get("physicalLocation", {}).get(
                "region", {"startLine": 1, "endLine": 1}
            )
            assert 1 <= region["startLine"] <= region["endLine"]


def test_sarif_tells_gaps_as_notifications_and_mutes_as_suppressions(
    sample_run: AssessmentRun, nasty_run: AssessmentRun
) -> None:
    (run,) = json.loads(written(nasty_run, "sarif"))["runs"]
    (gap,) = run["invocations"][0]["toolExecutionNotifications"]
    assert gap["level"] == "error"
    assert gap["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "broken.tf"
    (sample,) = json.loads(written(sample_run, "sarif"))["runs"]
    muted = [result["suppressions"] for result in sample["results"] if result["suppressions"]]
    assert muted == [
        [
            {
                "kind": "external",
                "status": "accepted",
                "justification": "The test network, taken down in May",
            }
        ]
    ]


def test_every_kind_is_written_in_every_format(nasty_run: AssessmentRun) -> None:
    for kind in Report.Kind.values:
        for format in WRITERS:
            assert len(written(nasty_run, format, kind=kind)) > 100
    assert set(WRITERS) == set(Report.Format.values)


def test_a_mute_that_has_ended_is_no_longer_in_the_report(sample_run: AssessmentRun) -> None:
    sample_run.assessment.mutes.update(expires_at=timezone.now() - timedelta(seconds=1))
    document = document_of(sample_run)
    assert not [finding for finding in document["findings"] if finding["muted"]]


@pytest.mark.django_db
@pytest.mark.parametrize("level", ["isolated", "confined", "open"])
def test_a_report_says_how_the_engines_were_shut_in(alice: User, level: str) -> None:
    run = assessed(uploaded(alice, {"main.tf": 'resource "aws_sqs_queue" "q" {}'}))
    AssessmentRun.objects.filter(pk=run.pk).update(
        summary={**run.summary, "sandbox": level}, finished_at=timezone.now()
    )
    run.refresh_from_db()
    assert f"{level} sandbox" in written(run, format="markdown").decode()
    assert json.loads(written(run, format="json"))["about"]["sandbox"] == level

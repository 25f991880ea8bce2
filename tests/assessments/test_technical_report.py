"""The technical report: short for what it contains, each thing said once, nothing printed over
anything else, and every reference leads somewhere."""

from __future__ import annotations

import io
import re
from collections import Counter
from copy import deepcopy
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pypdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assessments.models import Report
from assessments.reports import WRITERS, pdf
from assessments.reports.columns import CHAR_MM, INSET_MM, WIDTH_MM, fitting
from assessments.reports.layout import blocks_of
from assessments.reports.layout.blocks import (
    Bars,
    Code,
    Heading,
    Item,
    Notes,
    Patch,
    Table,
    Text,
)
from assessments.reports.layout.findings import passages
from assessments.reports.layout.recommendations import _step
from assessments.reports.layout.scopes import Scopes
from assessments.reports.patches import shown_once
from assessments.reports.pdf import CODE_CHARS, wrapped
from assessments.templatetags.reports import wrapping
from tests.assessments.rows import (
    assessed,
    document_of,
    sample_files,
    sample_requirements,
    uploaded,
)

if TYPE_CHECKING:
    from django.contrib.auth.models import User

MOST_PAGES = 60
FINDINGS = 500
_kept: dict[str, dict[str, Any]] = {}


@pytest.fixture
def document(alice: User) -> dict[str, Any]:
    """For the sample's run, which is assessed once for all tests."""
    if not _kept:
        run = assessed(uploaded(alice, sample_files(), requirements=sample_requirements()))
        _kept["technical"] = document_of(run, kind="technical", format="pdf")
    return deepcopy(_kept["technical"])


def with_findings(document: dict[str, Any], count: int) -> dict[str, Any]:
    """``count`` findings like the sample's, in copies of its files, and a recommendation for every
    second one: as many as in large repositories."""
    found = document["findings"]
    copies = [
        {**found[n % len(found)], "fingerprint": f"{n:064x}"}
        | ({"file": f"copy-{n // len(found)}/{found[n % len(found)]['file']}"})
        for n in range(count)
    ]
    actions = document["recommendations"]
    recommendations = [
        {
            **actions[n % len(actions)],
            "priority": n + 1,
            "findings": [copies[2 * n]["fingerprint"], copies[2 * n + 1]["fingerprint"]],
        }
        for n in range(count // 2)
    ]
    return {**document, "findings": copies, "recommendations": recommendations}


def reader_of(document: dict[str, Any]) -> pypdf.PdfReader:
    return pypdf.PdfReader(io.BytesIO(WRITERS["pdf"](document)))


def test_500_findings_take_less_than_60_pages_and_no_page_is_a_line(
    document: dict[str, Any],
) -> None:
    pages = reader_of(with_findings(document, FINDINGS)).pages
    assert 20 < len(pages) < MOST_PAGES
    assert len(pages[-1].extract_text()) > 300


def test_many_scopes_and_equal_fixes_take_few_pages(document: dict[str, Any]) -> None:
    """As in a repository of examples: 60 alike, and a fix that changes a file of each."""
    document = with_findings(document, FINDINGS)
    labels = [f"Terraform examples/a-rather-long-name/number-{n}" for n in range(60)]
    document["about"]["scopes"] = [
        {"key": label[10:], "label": label, "kind": "terraform", "files": 1} for label in labels
    ]
    terms = " + ".join(f"1 ({label})" for label in labels)
    for answer in document["agents"]:
        answer["figures"] = [
            {**each, "source": f"Sum over scopes: {n} ({labels[0]}) + {terms}"}
            for n, each in enumerate(answer["figures"])
        ]
        columns = ["scope", *answer["tables"][0]["columns"]] if answer["tables"] else []
        answer["tables"] = [
            {
                **table,
                "columns": ["scope", *table["columns"]],
                "units": ["", *table["units"]],
                "rows": [[label, *row] for label in labels for row in table["rows"]],
            }
            for table in answer["tables"]
            if columns
        ]
    fixed = next(row for row in document["recommendations"] if not row["fix"])
    diff = "--- a/{0}/main.tf\n+++ b/{0}/main.tf\n@@ -1,2 +1,3 @@\n a\n+b\n c"
    fixed["fix"] = {
        "removes": 60,
        "adds": 0,
        "recreates": False,
        "notes": [],
        "files": [{"path": label, "diff": diff.format(label[10:])} for label in labels],
    }
    reader = reader_of(document)
    assert len(reader.pages) < MOST_PAGES
    text = " ".join(" ".join(page.extract_text() for page in reader.pages).split())
    assert text.count("a-rather-long-name") < 4 * len(labels)
    assert "in the HTML report" in text


def test_a_change_that_is_equal_in_many_files_is_shown_once_with_the_lines_of_the_others() -> None:
    def diff(path: str, first: int, indent: str) -> list[str]:
        hunk = [f"@@ -{first},3 +{first},4 @@", " x", " y", f"+{indent}encrypted = true", " z"]
        return [f"--- a/{path}", f"+++ b/{path}", *hunk]

    other = [*diff("c.tf", 5, ""), "-  public = true"]
    code, same, last = shown_once(Patch([diff("a.tf", 1, ""), diff("b.tf", 7, "  "), other]))
    assert isinstance(code, Code) and code.lines == ["a.tf", *diff("a.tf", 1, "")[2:]]
    assert isinstance(same, Text) and same.text.endswith(": b.tf:9")
    assert isinstance(last, Code) and last.lines[0] == "c.tf"


def test_a_step_names_its_first_places_and_all_only_if_their_findings_are_not_in_the_report() -> (
    None
):
    places = ", ".join(f"main.tf:{n}" for n in range(1, 7))
    first = "main.tf:1, main.tf:2, main.tf:3, and 3 more places"
    assert _step(f"Set a (b) = 1. ({places})", has_all=True) == f"Set a (b) = 1 ({first})"
    assert _step(f"Set a. ({places})", has_all=False) == f"Set a ({places})"
    assert _step(f"Look at {places}", has_all=True) == f"Look at {first}"
    assert _step("Look at main.tf:1", has_all=True) == "Look at main.tf:1"


def test_many_scopes_are_numbered_and_rows_that_differ_in_nothing_else_are_one() -> None:
    keys = [f"examples/{n}" for n in range(1, 11)]
    scopes = Scopes([{"key": key, "label": f"Terraform {key}"} for key in keys])
    rows = [[f"Terraform {key}", 1 if key.endswith("4") else 0] for key in keys]
    assert scopes.grouped(["Scope", "Failed"], rows) == [
        ["S1\N{EN DASH}S3, S5\N{EN DASH}S10", 0],
        ["S4", 1],
    ]
    terms = " + ".join(f"{row[1]} ({row[0]})" for row in rows)
    assert scopes.source(f"Sum over scopes: {terms}") == (
        "Sum over 10 scopes: 1 (S4); 0 in the others"
    )
    assert scopes.source("By hand (Terraform examples/1)") == "By hand (Terraform examples/1)"
    assert (scopes.named("examples/2"), scopes.named("elsewhere")) == ("S2", "elsewhere")
    (_, _, table) = scopes.listed()
    assert isinstance(table, Table) and table.rows[3] == ["S4", "Terraform examples/4"]
    few = Scopes([{"key": key, "label": f"Terraform {key}"} for key in keys[:8]])
    assert few.grouped(["Scope", "Failed"], rows[:8]) == rows[:8] and not list(few.listed())


def test_a_pdf_with_more_findings_than_it_can_hold_says_so_first_and_names_what_holds_all(
    document: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pdf, "MOST", 20)
    reader = reader_of(with_findings(document, 30))
    first = " ".join(reader.pages[0].extract_text().split())
    assert "This PDF has the 20 worst of 30 findings. HTML, Markdown, JSON, CSV and SARIF" in first
    text = " ".join(page.extract_text() for page in reader.pages)
    assert "F20" in text and "F21" not in text
    assert b"PDF has the" not in WRITERS["html"](with_findings(document, 30))


def test_a_pdf_that_is_not_typeset_fails_with_what_the_typesetter_said() -> None:
    with pytest.raises(pdf.NotTypeset, match="does not contain key"):
        pdf.typeset({"title": "without the rest"})


@pytest.mark.parametrize("indent", [2, 9])
def test_long_lines_of_code_continue_under_their_text(indent: int) -> None:
    line = "> 12  " + "  value = some.rather.long/path" * 9
    first, *rest = wrapped(line, indent=indent)
    assert all(len(part) <= CODE_CHARS for part in (first, *rest))
    assert all(part[:indent].isspace() and not part[indent].isspace() for part in rest)
    joined = "".join((first, *(part[indent:] for part in rest)))
    assert joined.split() == line.split() or joined.replace(" ", "") == line.replace(" ", "")
    assert next(wrapped("x" * 200, indent=2)) == "x" * CODE_CHARS
    assert list(wrapped("short", indent=2)) == ["short"]


def test_its_contents_name_every_part_with_its_page(document: dict[str, Any]) -> None:
    reader = reader_of(document)
    parts = [b.text for b in blocks_of(document) if isinstance(b, Heading) and b.level == 2]
    first = reader.pages[0].extract_text()
    shown = {
        str(entry.title): (reader.get_destination_page_number(entry) or 0) + 1
        for entry in reader.outline
        if not isinstance(entry, list)
    }
    assert set(shown) == set(parts)
    for title, page in shown.items():
        assert re.search(rf"{re.escape(title)}[ .\s]*{page}\b", first), title
        assert title in reader.pages[page - 1].extract_text()


def test_each_line_of_code_is_shown_once_and_each_finding_is_beside_its_own(
    document: dict[str, Any],
) -> None:
    document = with_findings(document, FINDINGS)
    shown: Counter[tuple[str, int]] = Counter()
    beside: dict[str, tuple[str, set[int]]] = {}
    file, lines = "", set[int]()
    for block in blocks_of(document):
        if isinstance(block, Heading):
            file, lines = block.text, set()
        elif isinstance(block, Code) and (found := _numbers(block)):
            lines = found
            shown.update((file, number) for number in lines)
        elif isinstance(block, Item) and block.number.startswith("F"):
            beside[block.number] = (file, lines)
    assert shown and set(shown.values()) == {1}
    assert len(beside) == FINDINGS
    for number, finding in enumerate(document["findings"], start=1):
        file, lines = beside[f"F{number}"]
        assert finding["file"] == file or not finding["file"]
        if finding["evidence"] and finding["line"]:
            assert finding["line"] in lines


def _numbers(block: Code) -> set[int]:
    """The numbers of a passage of a file; a patch has none."""
    found = [re.match(r"[> ] +(\d+)  ", f"{line}  ") for line in block.lines]
    return {int(each[1]) for each in found if each} if all(found) else set()


def test_lines_that_touch_are_one_passage_without_empty_edges() -> None:
    def row(first: int, last: int, line: int) -> dict[str, Any]:
        evidence = [{"number": n, "text": "" if n in (4, 9) else "x"} for n in range(first, last)]
        return {"evidence": evidence, "line": line}

    rows = [row(1, 6, 3), row(4, 10, 5), row(20, 23, 21), {"evidence": [], "line": None}]
    found = passages(enumerate(rows, start=1))
    assert [sorted(each.lines) for each in found] == [[1, 2, 3, 4, 5, 6, 7, 8], [20, 21, 22], []]
    assert [[number for number, _ in each.items] for each in found] == [[1, 2], [3], [4]]
    assert found[0].marked == {3, 5}


@pytest.mark.parametrize("kind", [kind for kind in Report.Kind.values if kind != "executive"])
def test_sources_are_listed_once_at_the_end_and_each_is_cited(
    document: dict[str, Any], kind: str
) -> None:
    document["about"]["report_type"] = kind
    blocks = list(blocks_of(document))
    notes = blocks[-1]
    assert isinstance(notes, Notes)
    assert len(notes.rows) == len(set(notes.rows)) > 20
    cited = {
        ref.anchor for block in blocks for ref in _refs(block) if ref.anchor.startswith("source-")
    }
    named = {f"source-{number}" for number in range(1, len(notes.rows) + 1)}
    assert cited <= named
    data = {row["name"] for row in document["data"]}
    uncited = [notes.rows[int(each.removeprefix("source-")) - 1] for each in named - cited]
    assert all(any(note.startswith(name) for name in data) for note in uncited)
    assert all(item.refs for item in blocks if isinstance(item, Item) and item.number[:1] == "F")


def _refs(block: Any) -> list[Any]:
    if isinstance(block, Table | Bars):
        return [ref for refs in block.cites for ref in refs]
    return block.refs if isinstance(block, Text | Item) else []


class Places(HTMLParser):
    """The ids of a page, and where its links lead."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if found.get("id"):
            self.ids.append(str(found["id"]))
        if tag == "a":
            self.links.append(str(found.get("href")))


@pytest.mark.parametrize("kind", Report.Kind.values)
def test_every_link_of_the_html_report_leads_to_a_place_in_it(
    document: dict[str, Any], kind: str
) -> None:
    document["about"]["report_type"] = kind
    document["trend"] = []
    html = WRITERS["html"](document).decode()
    places = Places(html)
    assert len(places.ids) == len(set(places.ids)) > 5
    assert places.links and {link[0] for link in places.links} == {"#"}
    assert {link[1:] for link in places.links} <= set(places.ids)
    navigation = Places(html.partition("<nav")[2].partition("</nav>")[0])
    assert {f"#{name}" for name in ("map", "actions")} <= set(navigation.links)


def test_long_words_of_the_html_report_wrap_and_stay_text() -> None:
    assert wrapping("patterns/a.tf <b>") == "patterns/<wbr>a.<wbr>tf &lt;b&gt;"
    assert wrapping("short & sweet") == "short &amp; sweet"


WORDS = st.text(st.characters(codec="ascii", categories=("L", "N", "P")), min_size=1, max_size=90)
CELLS = st.lists(WORDS, max_size=6).map(" ".join)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 9).flatmap(
        lambda n: st.lists(st.lists(CELLS, min_size=n, max_size=n), min_size=1)
    )
)
def test_every_column_has_room_for_its_longest_word(rows: list[list[str]]) -> None:
    names = [f"Column {n}" for n in range(len(rows[0]))]
    heads, cells, widths = fitting(names, rows)
    assert sum(widths) == pytest.approx(WIDTH_MM)
    for place, width in enumerate(widths):
        words = re.split(r"[\s\u200b]+", " ".join([heads[place], *(row[place] for row in cells)]))
        assert INSET_MM + CHAR_MM * max(map(len, words)) <= width + 0.01
    joined = ["".join(row).replace("\u200b", "") for row in cells]
    assert joined == ["".join(row) for row in rows]


def test_a_report_of_nothing_is_short(alice: User) -> None:
    run = assessed(uploaded(alice, {"notes.txt": "hello\n"}))
    assert len(reader_of(document_of(run, kind="technical", format="pdf")).pages) <= 2


def test_a_step_without_a_place_stands_alone(document: dict[str, Any]) -> None:
    text = WRITERS["markdown"](document).decode()
    assert "or relax the objectives." in text and "relax the objectives (" not in text


def test_machines_are_counted_as_instances(document: dict[str, Any]) -> None:
    """It said "Run 5 replicas of instances"."""
    assert "Run 5 instances, or shorten" in WRITERS["markdown"](document).decode()

"""The code browser: a run's files as a tree, and a file's lines with their findings."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.db.models import Count, Max
from django.http import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_GET

from assessments.models import AssessmentRun, Finding, MaskedSource
from assessments.pages.highlight import highlighted
from assessments.pages.runs import run_or_404
from assessments.sources import source_of
from tasks_ui.access.sign_in import SignedInRequest

if TYPE_CHECKING:
    from django.http import QueryDict

LINES_SHOWN = 500
NOTES_SHOWN = 4
"""Findings named on one line; the rest are counted."""
FILES_SHOWN = 2_000


@dataclass(kw_only=True)
class Line:
    number: int
    code: str
    is_hit: bool
    notes: list[Finding] = field(default_factory=list)

    @property
    def shown(self) -> list[Finding]:
        return self.notes[:NOTES_SHOWN]

    @property
    def more(self) -> int:
        return max(0, len(self.notes) - NOTES_SHOWN)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A file of the tree: its number of findings, and the worst severity."""

    path: str
    name: str
    count: int
    worst: int | None


@login_required
@require_GET
def code(request: SignedInRequest, assessment_id: UUID, number: int) -> HttpResponseBase:
    run = run_or_404(request, assessment_id, number)
    return render(request, "assessments/code.html", context_of(run, query=request.GET))


def context_of(run: AssessmentRun, *, query: QueryDict) -> dict[str, Any]:
    source = MaskedSource.objects.filter(run=run).only("paths").first()
    paths = source.paths if source else []
    counts = _counts(run)
    path = query.get("path", "").replace("\0", "")[:512]
    path = path or next(iter(sorted(paths, key=lambda p: (-counts.get(p, (0, 0))[0], p))), "")
    lines = source_of(run, path) if path in paths else None
    hit = _number(query.get("line", ""))
    page = (hit - 1) // LINES_SHOWN if hit else max(0, _number(query.get("page", "")) - 1)
    pages = -(-len(lines or ()) // LINES_SHOWN)
    page = min(page, max(0, pages - 1))
    return {
        "tab": "code",
        "run": run,
        "is_ready": source is not None,
        "path": path,
        "lines": _lines(run, path, lines or [], page=page, hit=hit),
        "is_shown": lines is not None,
        "line_count": len(lines or ()),
        "page": page + 1,
        "pages": pages,
        "folders": _folders(paths[:FILES_SHOWN], counts),
        "folder": str(PurePosixPath(path).parent),
        "left_out": max(0, len(paths) - FILES_SHOWN),
    }


def _lines(
    run: AssessmentRun, path: str, lines: Sequence[str], *, page: int, hit: int
) -> list[Line]:
    first = page * LINES_SHOWN
    shown = highlighted(lines[first : first + LINES_SHOWN], path=path)
    notes = _notes(run, path)
    return [
        Line(number=number, code=text, is_hit=number == hit, notes=notes.get(number, []))
        for number, text in enumerate(shown, start=first + 1)
    ]


def _notes(run: AssessmentRun, path: str) -> Mapping[int, list[Finding]]:
    """Unmuted findings by the line that they are shown on."""
    notes: dict[int, list[Finding]] = defaultdict(list)
    found = run.findings.counted().unmuted().filter(file=path)
    for each in found.only("title", "severity", "line_start", "detail", "rule")[:2000]:
        line = each.detail.get("line") or each.line_start
        if each.title not in {other.title for other in notes[line]}:
            notes[line].append(each)
    return notes


def _counts(run: AssessmentRun) -> dict[str, tuple[int, int]]:
    """Findings of each file, and the worst severity."""
    found = run.findings.counted().unmuted().order_by().values_list("file")
    rows = found.annotate(n=Count("pk"), worst=Max("severity"))
    return {path: (count, worst) for path, count, worst in rows}


def _folders(
    paths: Sequence[str], counts: Mapping[str, tuple[int, int]]
) -> list[tuple[str, int, list[Entry]]]:
    """Folders with their number of findings and their files."""
    folders: dict[str, list[Entry]] = defaultdict(list)
    total: Counter[str] = Counter()
    for path in sorted(paths):
        file = PurePosixPath(path)
        count, worst = counts.get(path, (0, None))
        total[str(file.parent)] += count
        folders[str(file.parent)].append(Entry(path=path, name=file.name, count=count, worst=worst))
    return [(name, total[name], folders[name]) for name in sorted(folders)]


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0

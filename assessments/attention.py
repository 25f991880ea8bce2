"""Why a finished run needs attention: what should have been read or answered but was not.

Without reasons, ``completed`` means that every file of an assessed kind was read in full and that
every agent answered. Anything less is a reason here, shown on the dashboard, on the run's page, in
the API, in each report's first lines, and in the exit status of ``analyze``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypedDict

from assessments.scan.types import SEARCHED, CoverageStatus, FileKind
from assessments.scan.unsupported import instead_of

if TYPE_CHECKING:
    from assessments.models import AssessmentRun

NAMED = 20
"""How many files a reason names; the others are counted."""
READ = frozenset({CoverageStatus.READ, CoverageStatus.PARTLY_READ})


class Reason(TypedDict):
    """``code`` is for programs, ``message`` for people; ``files`` are ``path:line``, the first
    twenty of ``count``."""

    code: str
    message: str
    count: int
    files: list[str]


def reasons_of(run: AssessmentRun) -> list[Reason]:
    """The reasons, files first, from the run's coverage and its agents' reports."""
    unread = [row for row in run.coverage if _should_have_been_read(row)]
    failed = [row for row in unread if row["status"] == CoverageStatus.FAILED]
    partly = [row for row in unread if row["status"] == CoverageStatus.PARTLY_READ]
    agents = list(run.reports.filter(status="failed"))
    return [
        *_files("files_unread", "could not be read", failed),
        *_files("files_partly_read", "could not be read in full", partly),
        *([_only_searched(run)] if was_only_searched(run) else []),
        *(
            Reason(
                code="agent_failed",
                message=f"The {each.agent} agent failed: {each.reason}",
                count=1,
                files=[],
            )
            for each in agents
        ),
    ]


def nothing_was_read(run: AssessmentRun) -> bool:
    """Files were uploaded, and no engine could read any of them."""
    return bool(run.coverage) and not was_only_searched(run) and not _any_read(run)


def was_only_searched(run: AssessmentRun) -> bool:
    """No file is of a kind that is assessed, and some were searched for secrets (scripts, ``.env``
    files)."""
    kinds = {row["kind"] for row in run.coverage}
    return kinds == {FileKind.UNKNOWN} and bool(_searched(run)) and not _any_read(run)


def _any_read(run: AssessmentRun) -> bool:
    return any(row["status"] in READ for row in run.coverage)


def _searched(run: AssessmentRun) -> list[dict[str, Any]]:
    return [row for row in run.coverage if SEARCHED in (row.get("reason") or "")]


def _only_searched(run: AssessmentRun) -> Reason:
    rows = _searched(run)
    files = "1 file was" if len(rows) == 1 else f"{len(rows):,} files were"
    advice = next((words for row in rows if (words := instead_of(row["path"]))), "")
    return Reason(
        code="only_searched",
        message=f"No file is of a kind that is assessed. {files} {SEARCHED}. {advice}".strip(),
        count=len(rows),
        files=[row["path"] for row in rows[:NAMED]],
    )


def what_was_not_read(run: AssessmentRun) -> str:
    """A sentence for the run's owner, with the first reason."""
    rows = sorted(run.coverage, key=lambda row: row["kind"] == FileKind.UNKNOWN)
    first = rows[0]
    line = f":{first['line']}" if first.get("line") else ""
    files = "The file" if len(rows) == 1 else f"None of the {len(rows):,} files"
    verb = "could not be read" if len(rows) == 1 else "could be read"
    return (
        f"{files} {verb}. {first['path']}{line}: {first.get('reason') or 'unsupported file type'}"
    )


def _should_have_been_read(row: dict[str, Any]) -> bool:
    """A file of an assessed kind that was not read in full. A kind that nothing assesses is listed
    on the page, but is no reason."""
    return bool(row["status"] != CoverageStatus.READ and row["kind"] != FileKind.UNKNOWN)


def _files(code: str, what: str, rows: Sequence[dict[str, Any]]) -> Iterable[Reason]:
    if not rows:
        return
    files = "1 file" if len(rows) == 1 else f"{len(rows):,} files"
    places = [
        f"{row['path']}:{row['line']}" if row.get("line") else row["path"] for row in rows[:NAMED]
    ]
    first = f": {rows[0]['reason']}" if len(rows) == 1 and rows[0].get("reason") else "."
    named = f" {places[0]}" if len(rows) == 1 else ""
    yield Reason(
        code=code, message=f"{files}{named} {what}{first}".strip(), count=len(rows), files=places
    )

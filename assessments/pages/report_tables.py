"""The tables of agents' answers, as rows that name their scope."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from assessments.models import AgentReport, AssessmentRun


def report_of(run: AssessmentRun, agent: str) -> AgentReport | None:
    """The answer of one agent; None if it gave none."""
    return run.reports.filter(agent=agent).first()


def tables_of(report: AgentReport | None) -> dict[str, Mapping[str, Any]]:
    """The tables of an answer by key; those of several scopes have the scope's label in the first
    column."""
    return {table["key"]: table for table in report.tables} if report else {}


def figures_of(report: AgentReport | None) -> dict[str, Mapping[str, Any]]:
    return {figure["key"]: figure for figure in report.figures} if report else {}


def rows_of(table: Mapping[str, Any] | None) -> Iterator[dict[str, Any]]:
    """The rows by the names of their columns, in lower case; ``scope`` is "" if the table does
    not name scopes."""
    if table is None:
        return
    columns = [str(name).lower() for name in table["columns"]]
    for row in table["rows"]:
        yield {"scope": "", **dict(zip(columns, row, strict=True))}


def keys_by_label(scopes: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """A scope's key by its label, as ``AssessmentRun.scopes`` gives them."""
    only = scopes[0]["key"] if len(scopes) == 1 else ""
    return {"": only, **{scope["label"]: scope["key"] for scope in scopes}}

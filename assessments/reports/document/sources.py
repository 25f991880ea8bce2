"""What a report is based on: resources, files, engines, data sets, formulas."""

from __future__ import annotations

from datetime import date
from typing import Any

from assessments import recommending
from assessments.agents import AGENTS
from assessments.agents.datasets import USED_BY, Header, headers
from assessments.agents.types import AgentStatus
from assessments.ages import age
from assessments.models import Report
from assessments.reports.document.agents import answers
from assessments.reports.document.scope import coverage_of, resources_of
from assessments.scan.types import CoverageStatus


def resources(report: Report) -> list[dict[str, Any]]:
    """As many as the summary counts: the settings of a provider are not a resource."""
    return [each for each in resources_of(report) if each["type"] != "provider"]


def coverage(report: Report) -> list[dict[str, Any]]:
    """Each file with its ``file`` (its path) and how much of it was read; an executive report lists
    only the gaps."""
    files = [
        {"file": row["path"], **{key: row[key] for key in _COVERAGE_KEYS}}
        for row in coverage_of(report)
    ]
    if report.kind != Report.Kind.EXECUTIVE:
        return files
    return [row for row in files if row["status"] != CoverageStatus.READ]


_COVERAGE_KEYS = ("kind", "status", "reason", "line")


def data(report: Report) -> list[dict[str, Any]]:
    """Engines with their versions and data sets with their dates, as far as this report is based on
    them."""
    on = (report.run.finished_at or report.run.created_at).date()
    shown = {answer.agent for answer in answers(report) if answer.status == AgentStatus.ASSESSED}
    engines = [
        {
            "name": name,
            "version": version,
            "as_of": "",
            "age": "",
            "licence": "",
            "source": f"Reported by {name} itself",
        }
        for name, version in sorted(report.run.summary.get("engines", {}).items())
    ]
    own = [_own_rule(rule) for rule in report.run.summary.get("own_rules", [])]
    sets = [
        _data_set(head, on=on)
        for name, agents in USED_BY.items()
        if shown.intersection(agents)
        for head in headers(name)
    ]
    return [*engines, *own, *sets]


def _data_set(head: Header, *, on: date) -> dict[str, Any]:
    """``age`` is the age of its figures on the day of the run."""
    return {
        "name": head.source,
        "version": head.version,
        "as_of": head.as_of,
        "age": age(head.as_of, on),
        "licence": head.licence,
        "source": head.url,
    }


def formulas(report: Report) -> list[dict[str, Any]]:
    """How each score, and the order of the recommendations, was calculated."""
    scores = [
        {"of": f"{AGENTS[answer.agent].label} score", "source": answer.score_formula}
        for answer in answers(report)
        if answer.score_formula
    ]
    return [*scores, {"of": "Priority of a recommendation", "source": recommending.FORMULA}]


def _own_rule(rule: dict[str, Any]) -> dict[str, Any]:
    """One of the server's own rules, as used by the scan."""
    found = f"{rule['failed']} failed, {rule['passed']} passed"
    if not rule["is_loaded"]:
        found = "not run: Checkov could not read it"
    return {
        "name": f"{rule['rule']}: {rule['title']}",
        "version": "",
        "as_of": "",
        "age": "",
        "licence": "",
        "source": f"A custom rule of this server, {rule['file']}: {found}",
    }

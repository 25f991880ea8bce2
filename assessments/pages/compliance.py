"""The compliance page: a framework's requirements by section, with what was checked, what failed
and where, and what code can't show."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.db.models import Count
from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_GET

from assessments.agents.compliance import Verdict
from assessments.agents.crosswalk import Requirement, documents, rules_of_check
from assessments.agents.problems import UNKNOWN_VALUES
from assessments.models import AgentReport, AssessmentRun
from assessments.pages.report_tables import keys_by_label, report_of, rows_of, tables_of
from assessments.pages.runs import run_or_404
from assessments.reports.csv import inert
from tasks_ui.access.audit import Event, record
from tasks_ui.access.sign_in import SignedInRequest

if TYPE_CHECKING:
    from django.http import QueryDict

KEY = re.compile(r"compliance_(\w+)_(aws|azure|gcp|kubernetes)$")
VERDICTS = {
    Verdict.FAIL: "Failed",
    Verdict.PARTLY_COVERED: "Partly checked",
    Verdict.PASS: "Passed",
    Verdict.NOT_ASSESSABLE: "Can't be checked from code",
}

COLUMNS = (
    "section",
    "requirement",
    "title",
    "result",
    "controls checked",
    "controls mapped",
    "controls that don't apply",
    "controls no rule tests",
    "checks passed",
    "checks failed",
    "checks suppressed",
    "checks undecided",
    "failing rules",
)


@dataclass(frozen=True, kw_only=True)
class Control:
    """One requirement of a framework in one scope. ``checked`` of its ``mapped`` controls were
    checked, ``inapplicable`` have nothing to check here, and no rule tests ``untested``.
    ``failing`` are the rules whose findings make it fail, with their counts."""

    id: str
    title: str
    verdict: Verdict
    passed: int
    failed: int
    suppressed: int
    undecided: int
    checked: int
    mapped: int
    inapplicable: int
    untested: int
    failing: list[tuple[str, int]]

    @property
    def word(self) -> str:
        return VERDICTS[self.verdict]

    @property
    def state(self) -> str:
        """The glyph shown before it."""
        return {"fail": "FAILURE", "pass": "SUCCESS", "partly covered": "PARTIAL"}.get(
            self.verdict, "SKIP"
        )


@login_required
@require_GET
def compliance(request: SignedInRequest, assessment_id: UUID, number: int) -> HttpResponseBase:
    run = run_or_404(request, assessment_id, number)
    return render(request, "assessments/compliance.html", context_of(run, query=request.GET))


@login_required
@require_GET
def export(request: SignedInRequest, assessment_id: UUID, number: int) -> HttpResponseBase:
    """The chosen framework and scope as CSV."""
    run = run_or_404(request, assessment_id, number)
    context = context_of(run, query=request.GET)
    if not context["framework"]:
        raise Http404
    record(Event.DOWNLOADED, request=request, about=f"compliance of run {run.pk}")
    name = f"{context['framework']}-run-{number}.csv"
    return HttpResponse(
        _csv(context["sections"]),
        content_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{name}"',
            "X-Content-Type-Options": "nosniff",
        },
    )


def context_of(run: AssessmentRun, *, query: QueryDict) -> dict[str, Any]:
    report = report_of(run, "compliance")
    tables = {key: table for key, table in tables_of(report).items() if KEY.match(key)}
    framework = query.get("framework", "")
    framework = framework if framework in tables else next(iter(tables), "")
    rows = list(rows_of(tables.get(framework)))
    scopes = _scopes(rows)
    scope = query.get("scope", "")
    scope = scope if scope in scopes else next(iter(scopes), "")
    key = keys_by_label(run.scopes).get(scope, "")
    mine = [row for row in rows if row["scope"] == scope]
    controls = _controls(mine, framework, _failing_rules(run, key))
    wanted = query.get("result", "")
    shown = [each for each in controls if not wanted or each.verdict.name.lower() == wanted]
    return {
        "tab": "compliance",
        "run": run,
        "report": report,
        "is_failed": bool(report and report.status == AgentReport.FAILED),
        "frameworks": [(name, table["title"]) for name, table in tables.items()],
        "framework": framework,
        "title": tables[framework]["title"] if framework else "",
        "source": tables[framework]["source"] if framework else "",
        "scopes": scopes,
        "scope": scope,
        "scope_key": key if len(run.scopes) > 1 else "",
        "result": wanted,
        "results": _results(controls),
        "total": len(controls),
        "checked": sum(each.checked for each in controls),
        "mapped": sum(each.mapped for each in controls),
        "untested": sum(each.untested for each in controls),
        "inapplicable": sum(each.inapplicable for each in controls),
        "sections": _sections(shown),
    }


def _scopes(rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Labels of the scopes with the number of requirements that fail there, most first; empty
    if the page does not show scopes."""
    failed: Counter[str] = Counter()
    for row in rows:
        if row["scope"]:
            failed[row["scope"]] += row["result"] == Verdict.FAIL
    return dict(sorted(failed.items(), key=lambda pair: (-pair[1], pair[0])))


def _failing_rules(run: AssessmentRun, scope: str) -> dict[str, int]:
    """How many findings each rule has in the scope, without those that can't be determined."""
    found = run.findings.counted().exclude(problem=UNKNOWN_VALUES).order_by()
    found = found.filter(scope=scope) if scope else found
    return dict(found.values_list("rule").annotate(n=Count("pk")))


def _controls(
    rows: Sequence[Mapping[str, Any]], framework: str, failing: Mapping[str, int]
) -> list[Control]:
    known = _requirements(framework)
    return [_control(row, known.get(str(row["requirement"])), failing) for row in rows]


def _control(
    row: Mapping[str, Any], known: Requirement | None, failing: Mapping[str, int]
) -> Control:
    tested = {check: rules_of_check().get(check, ()) for check in known.checks} if known else {}
    rules = sorted({rule for rules in tested.values() for rule in rules})
    verdict = Verdict(str(row["result"]).split(",")[0])
    return Control(
        id=str(row["requirement"]),
        title=str(row["title"]),
        verdict=verdict,
        passed=row["passed"],
        failed=row["failed"],
        suppressed=row["suppressed"],
        undecided=row.get("undecided", 0),
        checked=row["controls checked"],
        mapped=row["controls mapped"],
        inapplicable=row["controls that don't apply"],
        untested=row["controls mapped"] - sum(1 for rules in tested.values() if rules),
        failing=(
            [(rule, failing[rule]) for rule in rules if rule in failing]
            if verdict is Verdict.FAIL
            else []
        ),
    )


def _requirements(framework: str) -> dict[str, Requirement]:
    found = KEY.match(framework)
    if not found:
        return {}
    return {
        requirement.id: requirement
        for document in documents()
        if (document.framework, document.provider) == (found[1], found[2])
        for requirement in document.requirements
    }


def _results(controls: Sequence[Control]) -> list[tuple[str, str, int]]:
    counts = Counter(each.verdict for each in controls)
    return [
        (verdict.name.lower(), label, counts[verdict])
        for verdict, label in VERDICTS.items()
        if counts[verdict]
    ]


def _sections(controls: Sequence[Control]) -> list[tuple[str, list[Control]]]:
    found: dict[str, list[Control]] = {}
    for each in controls:
        found.setdefault(section_of(each.id), []).append(each)
    return list(found.items())


def section_of(number: str) -> str:
    """The part of a framework that a requirement's number belongs to: ``2.1`` for ``2.1.3``,
    ``164.308`` for ``164.308(a)(1)``, ``AC`` for ``AC-2(1)``."""
    base = number.split("(")[0]
    if family := re.match(r"([A-Z]{2,3})-\d", base):
        return family[1]
    if base != number or "." not in base:
        return base
    return base.rsplit(".", 1)[0]


def _csv(sections: Sequence[tuple[str, list[Control]]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for section, controls in sections:
        for each in controls:
            rules = ", ".join(f"{rule} ({count})" for rule, count in each.failing)
            words = [section, each.id, each.title, each.word]
            numbers = [each.checked, each.mapped, each.inapplicable, each.untested]
            checks = [each.passed, each.failed, each.suppressed, each.undecided]
            writer.writerow([inert(str(cell)) for cell in [*words, *numbers, *checks, rules]])
    return out.getvalue()

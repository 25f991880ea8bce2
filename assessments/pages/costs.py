"""The cost page: what the priced components cost, by scope, resource and component, and what has no
price and why."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from assessments.ages import YEAR, age, months_old
from assessments.forms import AssumptionsForm, UsageForm
from assessments.models import AgentReport, AssessmentRun, MergedScan
from assessments.pages.report_tables import (
    figures_of,
    keys_by_label,
    report_of,
    rows_of,
    tables_of,
)
from assessments.pages.runs import run_or_404
from assessments.quotas import QuotaError
from assessments.services import VersionDroppedError, recalculate
from tasks_ui.access.sign_in import SignedInRequest

if TYPE_CHECKING:
    from django.http import QueryDict

PER_PAGE = 50
MAX_ASKED = 200
"""Amounts asked for on the page; more can be stated through the API."""
REPAIRED = "repaired: "
"""Part of a price's source if the price is not the list's own."""
WAYS = {"resource": "Resource", "component": "Component", "scope": "Scope"}


@dataclass(frozen=True, kw_only=True)
class CostRow:
    """One resource, component or scope: USD a month, and ``share`` as a percentage of the most
    expensive one."""

    label: str
    scope: str
    usd: Decimal
    share: float
    parts: list[dict[str, Any]]


@login_required
@require_http_methods(["GET", "POST"])
def costs(request: SignedInRequest, assessment_id: UUID, number: int) -> HttpResponseBase:
    """On POST, recalculate with other assumptions, as a run that reuses this run's scan."""
    run = run_or_404(request, assessment_id, number)
    if request.method == "GET":
        return _page(request, run, _form(run), _usage_form(run))
    form, usage = _form(run, data=request.POST), _usage_form(run, data=request.POST)
    if not _is_newest(run):
        messages.error(request, "There is a newer run. Change the assumptions there.")
        return redirect("run_costs", assessment_id, _newest(run))
    if not all([form.is_valid(), usage.is_valid()]):
        return _page(request, run, form, usage, status=422)
    try:
        requirements = form.merged(run.assessment.stated, usage=usage.usage)
        task = recalculate(run, by=request.user, requirements=requirements)
    except QuotaError as error:
        messages.error(request, error.message)
        return _page(request, run, form, usage, status=error.status)
    except VersionDroppedError as error:
        messages.error(request, str(error))
        return _page(request, run, form, usage, status=409)
    return redirect("task_page", task.pk)


def _page(
    request: SignedInRequest,
    run: AssessmentRun,
    form: AssumptionsForm,
    usage: UsageForm,
    *,
    status: int = 200,
) -> HttpResponseBase:
    context = {
        **context_of(run, query=request.GET),
        "form": form,
        "usage": usage,
        "is_newest": _is_newest(run),
    }
    return render(request, "assessments/costs.html", context, status=status)


def _form(run: AssessmentRun, *, data: QueryDict | None = None) -> AssumptionsForm:
    scopes = [(scope["key"], scope["label"]) for scope in run.scopes]
    stated = run.assessment.stated
    initial = stated.model_dump(mode="json", exclude_none=True)
    regions = ", ".join(stated.regions)
    return AssumptionsForm(data, scopes=scopes, initial={**initial, "regions": regions})


def _usage_form(run: AssessmentRun, *, data: QueryDict | None = None) -> UsageForm:
    keys = keys_by_label(run.scopes) if len(run.scopes) > 1 else {}
    asked = [
        {**row, "key": keys.get(row["scope"], "")}
        for row in rows_of(tables_of(report_of(run, "cost")).get("usage"))
    ]
    return UsageForm(data, asked=asked[:MAX_ASKED], stated=run.assessment.stated.usage)


def _newest(run: AssessmentRun) -> int:
    return run.assessment.runs.values_list("number", flat=True)[0]


def _is_newest(run: AssessmentRun) -> bool:
    """Whether it may be recalculated: the newest run, finished, with its scan."""
    is_done = run.status == AssessmentRun.Status.COMPLETED
    return is_done and _newest(run) == run.number and MergedScan.objects.filter(run=run).exists()


def context_of(run: AssessmentRun, *, query: QueryDict) -> dict[str, Any]:
    report = report_of(run, "cost")
    tables, figures = tables_of(report), figures_of(report)
    lines = _lines(tables, figures)
    scopes = sorted({line["scope"] for line in lines if line["scope"]})
    ways = {key: label for key, label in WAYS.items() if key != "scope" or scopes}
    by = query.get("by", "")
    by = by if by in ways else "resource"
    scope = query.get("scope", "")
    scope = scope if scope in scopes else ""
    mine = [line for line in lines if not scope or line["scope"] == scope]
    rows = cost_rows(mine, by=by)
    unpriced = [row for row in _unpriced(tables) if not scope or row["scope"] == scope]
    return {
        "tab": "cost",
        "run": run,
        "report": report,
        "is_failed": bool(report and report.status == AgentReport.FAILED),
        "total": sum((row.usd for row in rows), Decimal(0)),
        "is_partial": bool(unpriced),
        "by": by,
        "ways": list(ways.items()),
        "scopes": scopes,
        "scope": scope,
        "page": Paginator(rows, PER_PAGE).get_page(query.get("page", "")),
        "savings": _usd(figures["savings"]["value"]) if "savings" in figures else None,
        "budget_left": (
            _usd(figures["budget_left"]["value"]) if "budget_left" in figures else None
        ),
        "region": figures.get("region", {}),
        "carbon": carbon_of(run),
        "unpriced": Paginator(unpriced, PER_PAGE).get_page(query.get("unpriced", "")),
        "source": tables["cost"]["source"] if "cost" in tables else "",
        "lists": price_lists(tables, on=(run.finished_at or run.created_at).date()),
    }


def price_lists(tables: Mapping[str, Mapping[str, Any]], *, on: date) -> list[dict[str, Any]]:
    """The price lists behind the cost, oldest first: ``name``, ``as_of``, its ``age`` on the
    day of the run, ``is_old`` from a year on, ``components`` and ``usd`` a month of all scopes."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in rows_of(tables.get("price_lists")):
        found[row["as of"], row["list"]].append(row)
    return [
        {
            "name": name,
            "as_of": as_of,
            "age": age(as_of, on),
            "is_old": months_old(as_of, on) > YEAR,
            "components": sum(row["components"] for row in rows),
            "usd": sum((_usd(row["cost"]) for row in rows), Decimal(0)),
        }
        for (as_of, name), rows in sorted(found.items())
    ]


def carbon_of(run: AssessmentRun) -> dict[str, Any]:
    """Carbon alongside the cost, as usage changes both: ``emitted``, ``left`` of the budget
    (figures), ``budget`` in kgCO2e a month, and ``reason`` if it is not assessed."""
    report = report_of(run, "sustainability")
    figures = figures_of(report)
    return {
        "emitted": figures.get("carbon"),
        "left": figures.get("carbon_budget_left"),
        "budget": run.requirements.get("monthly_carbon_budget_kg"),
        "reason": report.reason if report else "The sustainability agent gave no answer.",
    }


def cost_rows(lines: Sequence[Mapping[str, Any]], *, by: str) -> list[CostRow]:
    """``lines`` of the cost agent's table, combined, most expensive first."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for line in lines:
        label = {"scope": line["scope"], "component": line["component"]}.get(by, line["resource"])
        found[label, line["scope"] if by == "resource" else ""].append(
            {
                **line,
                "cost": _usd(line["cost"]),
                "price": None if line["price"] is None else _plain(line["price"]),
                "is_repaired": REPAIRED in (line["source"] or ""),
            }
        )
    sums = {key: sum((part["cost"] for part in parts), Decimal(0)) for key, parts in found.items()}
    most = max(sums.values(), default=Decimal(0)) or Decimal(1)
    return [
        CostRow(
            label=key[0],
            scope=key[1],
            usd=sums[key],
            share=round(float(100 * sums[key] / most), 2),
            parts=sorted(found[key], key=lambda part: (-part["cost"], part["component"]))[:20],
        )
        for key in sorted(found, key=lambda key: (-sums[key], key))
    ]


def _lines(
    tables: Mapping[str, Mapping[str, Any]], figures: Mapping[str, Mapping[str, Any]]
) -> list[dict[str, Any]]:
    lines = list(rows_of(tables.get("cost")))
    if egress := figures.get("egress"):
        lines.append(
            {
                "scope": "",
                "resource": "Egress",
                "component": "egress",
                "quantity": None,
                "unit": "",
                "price": None,
                "cost": egress["value"],
                "source": egress["source"],
            }
        )
    return lines


def _unpriced(tables: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    whole = [{**row, "is_partly": False} for row in rows_of(tables.get("unpriced"))]
    partly = [
        {**row, "component": row["missing"], "is_partly": True}
        for row in rows_of(tables.get("partly_priced"))
    ]
    return sorted([*whole, *partly], key=lambda row: (row["scope"], row["resource"]))


def _plain(price: float) -> str:
    """``0.0000002`` for 2e-07: every digit of a price."""
    return f"{Decimal(str(price)).normalize():f}"


def _usd(value: Any) -> Decimal:
    return Decimal(str(value)).quantize(Decimal("0.01"))

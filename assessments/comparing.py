"""Compares two runs: findings by fingerprint, and figures by resource.

A finding that is gone counts as fixed only if the later run could have found it again: its agent
answered, and its file was read in full or no longer exists. Muted findings are left out, as in all
counts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.db.models import Exists, OuterRef, Q

from assessments.agents import AGENTS
from assessments.models import AgentReport, AssessmentRun, Finding
from assessments.scan.types import CoverageStatus

if TYPE_CHECKING:
    from assessments.models import FindingQuerySet

LOOKED_BACK = 100
"""Completed runs before the earlier one in which a new finding is looked for: it is reopened if it
was there."""


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A figure that is compared, in sum and by resource: where an agent's report holds it.

    ``partial`` is the figure that counts what the sum lacks.
    """

    key: str
    label: str
    agent: str
    figure: str
    table: str
    column: str
    partial: str


MEASURES = (
    Measure(
        key="cost",
        label="Cost",
        agent="cost",
        figure="monthly_cost",
        table="cost",
        column="cost",
        partial="unpriced",
    ),
    Measure(
        key="energy",
        label="Energy",
        agent="sustainability",
        figure="energy",
        table="carbon",
        column="energy",
        partial="not_estimated",
    ),
    Measure(
        key="carbon",
        label="Carbon",
        agent="sustainability",
        figure="carbon",
        table="carbon",
        column="carbon",
        partial="not_estimated",
    ),
)


@dataclass(frozen=True)
class Moved:
    """A number before and now; None if there was none."""

    before: float | None
    now: float | None

    @property
    def change(self) -> float | None:
        if self.before is None or self.now is None:
            return None
        return float(Decimal(str(self.now)) - Decimal(str(self.before)))


@dataclass(frozen=True, kw_only=True)
class MovedResource:
    """``scope`` is the label of its scope, empty if there is only one. A resource that is in only
    one run counts as 0 in the other."""

    scope: str
    resource: str
    value: Moved


@dataclass(frozen=True, kw_only=True)
class MovedMeasure:
    """``resources`` are those whose value differs, largest change first. ``is_partial``: in one of
    the runs the sum is a lower bound, as something has no known value."""

    measure: Measure
    unit: str
    total: Moved
    is_partial: bool
    resources: list[MovedResource]


class Comparison:
    """``run`` against the earlier ``before``. Both may be of any assessment of the owner."""

    def __init__(self, run: AssessmentRun, before: AssessmentRun) -> None:
        self.run = run
        self.before = before

    @property
    def new(self) -> FindingQuerySet:
        """Found now, not before, and not in the runs before that either."""
        return self._appeared.exclude(known_earlier(self.run, self.before))

    @property
    def reopened(self) -> FindingQuerySet:
        """Found now and in an earlier run, but not in the run before."""
        return self._appeared.filter(known_earlier(self.run, self.before))

    @property
    def persisting(self) -> FindingQuerySet:
        return self._here.filter(_has_twin(self.before))

    @property
    def fixed(self) -> FindingQuerySet:
        return self._gone.exclude(self._unlooked)

    @property
    def unchecked(self) -> FindingQuerySet:
        """Found before, and not looked for now."""
        return self._gone.filter(self._unlooked)

    @cached_property
    def scores(self) -> dict[str, Moved]:
        """By agent, in their order."""
        return {
            name: Moved(_score(self._then.get(name)), _score(self._now.get(name)))
            for name in AGENTS
            if name in self._then or name in self._now
        }

    @cached_property
    def measures(self) -> list[MovedMeasure]:
        return [
            _moved(measure, self._then.get(measure.agent), self._now.get(measure.agent))
            for measure in MEASURES
        ]

    @property
    def _here(self) -> FindingQuerySet:
        return _counted(self.run)

    @property
    def _appeared(self) -> FindingQuerySet:
        return self._here.filter(~_has_twin(self.before))

    @property
    def _gone(self) -> FindingQuerySet:
        return _counted(self.before).filter(~_has_twin(self.run))

    @cached_property
    def _unlooked(self) -> Q:
        """Earlier findings that the run could not have found: their agent gave no answer, or their
        file was not read in full."""
        answered = self.run.reports.exclude(status__in=["", AgentReport.FAILED])
        then, now = self.before.reports.values_list("agent"), answered.values_list("agent")
        silent = [name for (name,) in {*then} - {*now}]
        unread = {
            file["path"]
            for file in self.run.coverage
            if file["status"] in {CoverageStatus.FAILED, CoverageStatus.PARTLY_READ}
        }
        return Q(agent__in=silent) | Q(file__in=unread)

    @cached_property
    def _now(self) -> Mapping[str, AgentReport]:
        return _reports(self.run)

    @cached_property
    def _then(self) -> Mapping[str, AgentReport]:
        return _reports(self.before)


def known_earlier(run: AssessmentRun, before: AssessmentRun) -> Q:
    """Whether a finding of ``run`` was in one of the completed runs before both."""
    if run.assessment_id != before.assessment_id:
        return Q(pk__in=[])
    runs = AssessmentRun.objects.filter(
        assessment=run.assessment_id,
        number__lt=min(run.number, before.number),
        status=AssessmentRun.Status.COMPLETED,
    ).order_by("-number")
    ids = list(runs.values_list("pk", flat=True)[:LOOKED_BACK])
    twins = Finding.objects.filter(run__in=ids, fingerprint=OuterRef("fingerprint"))
    return Q(Exists(twins)) if ids else Q(pk__in=[])


def _counted(run: AssessmentRun) -> FindingQuerySet:
    return Finding.objects.filter(run=run).counted().unmuted()


def _has_twin(run: AssessmentRun) -> Exists:
    """Whether ``run`` has a finding with the fingerprint of the outer query's."""
    return Exists(Finding.objects.filter(run=run, fingerprint=OuterRef("fingerprint")))


def _reports(run: AssessmentRun) -> dict[str, AgentReport]:
    rows = run.reports.only("agent", "status", "score", "figures", "tables", "run")
    return {report.agent: report for report in rows}


def _score(report: AgentReport | None) -> int | None:
    return report.score if report else None


def _moved(measure: Measure, before: AgentReport | None, now: AgentReport | None) -> MovedMeasure:
    then_by, now_by = (_by_resource(measure, report) for report in (before, now))
    total = Moved(_figure(measure.figure, before), _figure(measure.figure, now))
    resources = [
        MovedResource(scope=key[0], resource=key[1], value=Moved(then_by[key], now_by[key]))
        for key in sorted(then_by.keys() | now_by.keys())
        if total.change is not None and round(now_by[key] - then_by[key], 6)
    ]
    return MovedMeasure(
        measure=measure,
        unit=_unit(measure.figure, now) or _unit(measure.figure, before),
        total=total,
        is_partial=any(_figure(measure.partial, report) for report in (before, now)),
        resources=sorted(resources, key=lambda each: -abs(each.value.change or 0)),
    )


def _figure(key: str, report: AgentReport | None) -> float | None:
    figures = report.figures if report else []
    return next((float(each["value"]) for each in figures if each["key"] == key), None)


def _unit(key: str, report: AgentReport | None) -> str:
    figures = report.figures if report else []
    return next((each.get("unit", "") for each in figures if each["key"] == key), "")


def _by_resource(
    measure: Measure, report: AgentReport | None
) -> defaultdict[tuple[str, str], float]:
    """Sums of the table's column by scope and resource; 0 if absent."""
    sums: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for table in report.tables if report else []:
        if table["key"] == measure.table and measure.column in table["columns"]:
            for scope, resource, value in _cells(table, measure.column):
                sums[scope, resource] += Decimal(str(value or 0))
    return defaultdict(float, {key: float(value) for key, value in sums.items()})


def _cells(table: Mapping[str, Any], column: str) -> list[tuple[str, str, Any]]:
    columns: Sequence[str] = table["columns"]
    scope = columns.index("scope") if "scope" in columns else None
    resource, value = columns.index("resource"), columns.index(column)
    return [
        (row[scope] if scope is not None else "", row[resource], row[value])
        for row in table["rows"]
    ]

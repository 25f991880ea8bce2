"""Which of a run's findings are about something that the internet can reach, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assessments.agents.exposure.reach import place_in, reasons_by_place
from assessments.models import Finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from assessments.models import AssessmentRun
    from assessments.scan.types import Resource

ABOUT_RISK = ("security", "operations", "reliability", "compliance")
"""Agents whose findings weigh more where the internet can reach their resource. A saving does
not."""


def mark_exposed(run: AssessmentRun, resources: Iterable[Resource]) -> None:
    """Set ``is_exposed``, and the reason in ``detail["exposure"]``, on the run's findings."""
    changed = list(_changed(run, reasons_by_place(resources)))
    Finding.objects.bulk_update(changed, ["is_exposed", "detail"], batch_size=500)


def _changed(run: AssessmentRun, reasons: dict[tuple[str, str, str], str]) -> Iterator[Finding]:
    """Those that read otherwise than before: a completed run brings findings of the one that it
    completes."""
    rows = run.findings.filter(agent__in=ABOUT_RISK).exclude(resource="")
    for finding in rows.only("id", "scope", "file", "resource", "detail", "is_exposed"):
        place = place_in(finding.scope, finding.file, finding.resource)
        reason = reasons.get(place, "")
        if finding.is_exposed == bool(reason) and finding.detail.get("exposure", "") == reason:
            continue
        finding.is_exposed = bool(reason)
        finding.detail = {**finding.detail, "exposure": reason}
        yield finding

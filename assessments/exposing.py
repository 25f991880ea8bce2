"""Which of a run's findings concern something that the internet can reach, and why."""

from __future__ import annotations

from itertools import batched
from typing import TYPE_CHECKING

from django.db.models import Q

from assessments.agents.exposure.reach import place_in, reasons_by_place
from assessments.models import Finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from assessments.models import AssessmentRun
    from assessments.scan.types import Resource

ABOUT_RISK = ("security", "operations", "reliability", "compliance")
"""Agents whose findings weigh more if the internet can reach their resource. Savings don't."""
BATCH = 500


def mark_exposed(run: AssessmentRun, resources: Iterable[Resource]) -> None:
    """Set ``is_exposed``, and the reason in ``detail["exposure"]``, on the run's findings: a few
    hundred of them at a time."""
    for changed in batched(_changed(run, reasons_by_place(resources)), BATCH):
        Finding.objects.bulk_update(changed, ["is_exposed", "detail"])


def _changed(run: AssessmentRun, reasons: dict[tuple[str, str, str], str]) -> Iterator[Finding]:
    """Those whose mark or reason changes: a completed run takes over findings of the run that it
    completes, with theirs."""
    could_change = Q(is_exposed=True) | Q(file__in={file for _, file, _ in reasons})
    rows = run.findings.filter(could_change, agent__in=ABOUT_RISK).exclude(resource="")
    rows = rows.only("id", "scope", "file", "resource", "detail", "is_exposed")
    for finding in rows.iterator(chunk_size=BATCH):
        place = place_in(finding.scope, finding.file, finding.resource)
        reason = reasons.get(place, "")
        if finding.is_exposed == bool(reason) and finding.detail.get("exposure", "") == reason:
            continue
        finding.is_exposed = bool(reason)
        finding.detail = {**finding.detail, "exposure": reason}
        yield finding

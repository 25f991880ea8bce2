"""Muting: a person accepts a finding, with a reason, permanently or until a date.

A muted finding stays in the run's results, shown as muted with its reason. It leaves the counts by
severity and the recommendations, not the scores: the flaw is still there. It holds for every run of
the assessment, as the finding's fingerprint is the same from run to run.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from django.utils import timezone

from assessments.agents.types import Severity
from assessments.models import Assessment, AssessmentRun, Finding, FindingMute

if TYPE_CHECKING:
    from uuid import UUID

    from django.contrib.auth.models import AbstractBaseUser

    from assessments.models import FindingQuerySet

MAX_REASON_CHARS = 500
BULK_MAX = 5_000
"""Findings that one request may change."""


class MuteError(Exception):
    """The finding can't be muted; the message says what to change."""


class TooManyError(Exception):
    """More findings than one request may change; the message says how many it may."""


def mute_finding(
    finding: Finding, *, by: AbstractBaseUser, reason: str, expires_at: datetime | None = None
) -> FindingMute:
    """Mute ``finding`` in all runs of its assessment. Muting it again renews reason and expiry.
    Raises MuteError."""
    reason = _checked(reason, expires_at)
    mute, _ = FindingMute.objects.update_or_create(
        assessment=finding.run.assessment,
        fingerprint=finding.fingerprint,
        defaults={
            "reason": reason,
            "expires_at": expires_at,
            "by_id": by.pk,
            "created_at": timezone.now(),
        },
    )
    return mute


def mute_findings(
    found: FindingQuerySet, *, by: AbstractBaseUser, reason: str, expires_at: datetime | None = None
) -> int:
    """Mute every finding in ``found``, as ``mute_finding`` does. Returns how many there were.
    Raises MuteError, TooManyError."""
    reason = _checked(reason, expires_at)
    pairs = fingerprints_of(found)
    FindingMute.objects.bulk_create(
        (
            FindingMute(
                assessment_id=assessment,
                fingerprint=fingerprint,
                reason=reason,
                expires_at=expires_at,
                by_id=by.pk,
            )
            for assessment, fingerprint in pairs
        ),
        batch_size=1000,
        update_conflicts=True,
        unique_fields=["assessment", "fingerprint"],
        update_fields=["reason", "expires_at", "by", "created_at"],
    )
    return len(pairs)


def fingerprints_of(found: FindingQuerySet) -> list[tuple[UUID, str]]:
    """The findings by assessment and fingerprint, each once. Raises TooManyError."""
    pairs = found.order_by().values_list("run__assessment", "fingerprint").distinct()
    first = list(pairs[: BULK_MAX + 1])
    if len(first) > BULK_MAX:
        raise TooManyError(f"At most {BULK_MAX:,} findings can be changed at once.")
    return first


def unmute_finding(assessment: Assessment, *, fingerprint: str) -> bool:
    """Lift a mute. False when there was none."""
    return (
        FindingMute.objects.filter(assessment=assessment, fingerprint=fingerprint).delete()[0] > 0
    )


def _checked(reason: str, expires_at: datetime | None) -> str:
    reason = reason.strip()
    if not reason or len(reason) > MAX_REASON_CHARS or not reason.replace("\n", " ").isprintable():
        raise MuteError(f"Give a reason of 1 to {MAX_REASON_CHARS} characters.")
    if expires_at is not None and expires_at <= timezone.now():
        raise MuteError("That end date has passed. Choose a later one, or none.")
    return reason


def mutes_of(run: AssessmentRun) -> dict[str, FindingMute]:
    """The current mutes of the run's assessment, by fingerprint."""
    found = FindingMute.objects.in_force().filter(assessment=run.assessment_id).select_related("by")
    return {mute.fingerprint: mute for mute in found}


def severity_counts(run: AssessmentRun) -> dict[str, int]:
    """Findings to fix by severity, worst first; without muted ones, and without those of
    compliance, which repeat the others'."""
    return counts_of(run.findings.all())


def counts_of(findings: FindingQuerySet) -> dict[str, int]:
    """The same of some of a run's findings."""
    counts = dict.fromkeys((level.name.lower() for level in sorted(Severity, reverse=True)), 0)
    for level in findings.counted().unmuted().values_list("severity", flat=True).order_by():
        counts[Severity(level).name.lower()] += 1
    return counts


def muted_count(run: AssessmentRun) -> int:
    return run.findings.counted().muted().count()

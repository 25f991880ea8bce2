"""Assigning findings to people, in all runs of an assessment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assessments.models import FindingAssignment
from assessments.muting import fingerprints_of

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser

    from assessments.models import FindingQuerySet

MAX_ASSIGNEE_CHARS = 120


class AssignError(Exception):
    """The findings can't be assigned; the message says what to change."""


def assign_findings(found: FindingQuerySet, *, by: AbstractBaseUser, assignee: str) -> int:
    """Assign every finding in ``found`` to ``assignee``, a name or an email address; an empty one
    removes the assignment. Returns how many findings that were. Raises AssignError,
    TooManyError."""
    assignee = " ".join(assignee.split())
    if len(assignee) > MAX_ASSIGNEE_CHARS or not assignee.isprintable():
        raise AssignError(f"Enter a name or an address of at most {MAX_ASSIGNEE_CHARS} characters.")
    pairs = fingerprints_of(found)
    if not assignee:
        for assessment, fingerprints in _by_assessment(pairs).items():
            FindingAssignment.objects.filter(
                assessment=assessment, fingerprint__in=fingerprints
            ).delete()
        return len(pairs)
    FindingAssignment.objects.bulk_create(
        (
            FindingAssignment(
                assessment_id=assessment, fingerprint=fingerprint, assignee=assignee, by_id=by.pk
            )
            for assessment, fingerprint in pairs
        ),
        batch_size=1000,
        update_conflicts=True,
        unique_fields=["assessment", "fingerprint"],
        update_fields=["assignee", "by", "created_at"],
    )
    return len(pairs)


def _by_assessment[K](pairs: list[tuple[K, str]]) -> dict[K, list[str]]:
    found: dict[K, list[str]] = {}
    for assessment, fingerprint in pairs:
        found.setdefault(assessment, []).append(fingerprint)
    return found

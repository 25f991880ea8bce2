"""Lists of runs; pages, REST API and admin all query them the same way:

    TaskRun.objects.visible_to(user).roots().needing_attention().search("vpc").page(50)

``visible_to`` comes first, and exists on every model whose rows have an owner.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self
from uuid import UUID

from django.db import models
from django.db.models import Q

from tasks_ui.models.states import ACTIVE, RUNNING, State

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

SEARCHED = 10_000
"""A search looks at the titles of at most this many runs, the newest, so its time has an upper
bound however many rows there are. A trigram index would have none for common words, needs an
extension that the embedded server lacks, and would slow every change of a state down."""

NEEDS_ATTENTION = (Q(state=State.FAILURE), Q(state=State.SUCCESS, partial=True))
"""What a person should look at, as conditions that exclude each other."""


class OwnedQuerySet[M: models.Model](models.QuerySet[M]):
    """Rows that belong to users. ``owner_id`` is the path to the owner's id."""

    owner_id = "owner_id"

    def visible_to(self, user: AbstractBaseUser | AnonymousUser) -> Self:
        """The rows that ``user`` may see and act on: their own. Only the admin shows everyone's."""
        return self.filter(**{self.owner_id: user.pk}) if user.is_authenticated else self.none()


@dataclass(frozen=True)
class Page[M: models.Model]:
    """A part of a list. ``next_cursor`` is the ``after`` of the next part, None on the last."""

    runs: list[M]
    next_cursor: UUID | None


class RunQuerySet[M: models.Model](OwnedQuerySet[M]):
    """The queries on ``TaskRun``."""

    def roots(self) -> Self:
        return self.filter(parent=None)

    def active(self) -> Self:
        return self.filter(state__in=ACTIVE)

    def held(self) -> Self:
        """Runs that a worker is working on. The states are those of the index over leases."""
        return self.filter(state__in=[*RUNNING, State.CANCELLING], lease_until__isnull=False)

    def needing_attention(self) -> Self:
        failed, partial = NEEDS_ATTENTION
        return self.filter(failed | partial)

    def search(self, words: str) -> Self:
        """The run whose id is ``words``, or the runs among the SEARCHED newest of these whose title
        contains them. Apply the other filters first."""
        if task_id := as_uuid(words):
            return self.filter(pk=task_id)
        oldest = self.search_limit()
        recent = self.filter(pk__gte=oldest) if oldest else self
        return recent.filter(title__icontains=words)

    def search_limit(self) -> UUID | None:
        """The oldest run that a search looks at; None if it looks at all of them."""
        ids = self.order_by("-id").values_list("pk", flat=True)[SEARCHED - 1 : SEARCHED + 1]
        return ids[0] if len(ids) == 2 else None

    def page(
        self,
        size: int,
        *,
        after: UUID | None = None,
        oldest_first: bool = False,
        cells: Sequence[Q] = (Q(),),
    ) -> Page[M]:
        """The next ``size`` runs by age, past the run ``after``.

        ``cells`` are mutually exclusive conditions, any of which may hold. Up to ``size`` + 1 runs
        of each are read in order, from an index of its own, then merged.
        """
        order, past = ("id", "pk__gt") if oldest_first else ("-id", "pk__lt")
        rows = self.filter(**{past: after}) if after else self
        parts = [rows.filter(cell).order_by(order)[: size + 1] for cell in cells]
        if not parts:
            return Page([], None)
        merged = parts[0].union(*parts[1:], all=True).order_by(order) if parts[1:] else parts[0]
        found = list(merged[: size + 1])
        return Page(found[:size], found[size - 1].pk if len(found) > size else None)

    def count_to(self, limit: int) -> int:
        """How many there are, counted up to ``limit``."""
        return self.order_by()[:limit].count()


def as_uuid(text: str) -> UUID | None:
    try:
        return UUID(text.strip())
    except ValueError:
        return None

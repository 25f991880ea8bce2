"""Runs as lists show them: filtered, grouped, and with the facts of their apps."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self
from uuid import UUID

from django.db.models import Q

from tasks_ui import kinds
from tasks_ui.kinds import RunFacts
from tasks_ui.models import ACTIVE, State, TaskRun, TaskRunQuerySet
from tasks_ui.models.querysets import NEEDS_ATTENTION, Page, as_uuid
from tasks_ui.runs.waiting import Bounds, places, usual_times
from tasks_ui.runs.wording import COUNTED

if TYPE_CHECKING:
    from django.http import QueryDict

PAGE = 50


@dataclass(frozen=True)
class Tab:
    """``cells`` are mutually exclusive conditions, each served in order of age from an index of its
    own."""

    label: str
    cells: tuple[Q, ...] = ()


WAITING = Q(state=State.PENDING)

TABS = {
    "": Tab("All"),
    "active": Tab("Active", tuple(Q(state=state) for state in State if state in ACTIVE)),
    "attention": Tab("Needs you", NEEDS_ATTENTION),
    "done": Tab("Done", (Q(state=State.SUCCESS, partial=False),)),
    "cancelled": Tab("Cancelled", (Q(state=State.REVOKED),)),
}


@dataclass(frozen=True)
class Row:
    """A run and its facts, for the template ``tasks_ui/_run_row.html``."""

    run: TaskRun
    facts: RunFacts
    kind_label: str
    can_run_again: bool
    place: int | None = None
    """In the queue, 1 is next; None where it does not wait in one."""
    usual: Bounds | None = None
    """How long such runs took, in seconds, if this one is active."""


@dataclass(frozen=True)
class Group:
    label: str
    count: int
    rows: list[Row]


@dataclass(frozen=True)
class Filters:
    """What the query string asks for: ``state`` is a key of TABS, ``q`` a search, ``kind`` a kind's
    name, ``before`` a run's id."""

    state: str = ""
    q: str = ""
    kind: str = ""
    before: UUID | None = None

    @classmethod
    def of(cls, query: QueryDict) -> Self:
        """Read a query string; unknown values are ignored."""
        state, kind = query.get("state", ""), query.get("kind", "")
        return cls(
            state=state if state in TABS else "",
            q=query.get("q", "").replace("\0", "").strip()[:100],
            kind=kind if kinds.find(kind) else "",
            before=as_uuid(query.get("before", "")),
        )

    @property
    def are_set(self) -> bool:
        return bool(self.state or self.q or self.kind)

    def narrow(self, runs: TaskRunQuerySet) -> TaskRunQuerySet:
        """All filters except the state, for which the tabs count.

        Follow-ups are listed only if they failed, unless their kind or id is asked for: the page of
        the run that they follow shows them, and rows that come and go by themselves would move the
        other rows' buttons.
        """
        if self.kind:
            runs = runs.filter(kind=self.kind)
        elif not as_uuid(self.q):
            quiet = [state for state in State if state != State.FAILURE]
            runs = runs.exclude(kind__in=kinds.follow_ups(), state__in=quiet)
        if not self.q:
            return runs
        found = runs.search(self.q).values_list("pk", flat=True)[: COUNTED + 1]
        return runs.filter(pk__in=list(found))  # the tabs are counted from it, one by one


@dataclass(frozen=True)
class Listing:
    """One page of runs. ``counts`` by tab, up to COUNTED + 1; ``next_before`` is the cursor of the
    next page, "" on the last. ``is_cut``: a search did not look at the older runs."""

    groups: list[Group]
    counts: dict[str, int]
    next_before: str
    is_cut: bool = False

    @property
    def shown(self) -> int:
        return sum(len(group.rows) for group in self.groups)


def listing(runs: TaskRunQuerySet, *, filters: Filters) -> Listing:
    """A page of ``runs`` in their groups. Neither the number of queries nor their time grows with
    the runs."""
    narrowed = filters.narrow(runs)
    counts = count_by_tab(narrowed)
    head, (label, names) = sections_of(filters)
    parts = [
        (TABS[name].label, counts[name], page_of(narrowed, names=[name]).runs)
        for name in head
        if counts[name]
    ]
    counted = [name for name in names if counts[name]]
    paged = page_of(narrowed, names=counted, after=filters.before)
    parts.append((label, min(COUNTED + 1, sum(counts[name] for name in names)), paged.runs))
    rows = iter(as_rows([run for *_, group in parts for run in group]))
    groups = [Group(label, count, [next(rows) for _ in group]) for label, count, group in parts]
    return Listing(
        groups=[group for group in groups if group.rows],
        counts=counts,
        next_before=str(paged.next_cursor or ""),
        is_cut=bool(filters.q) and runs.search_limit() is not None,
    )


def page_of(
    runs: TaskRunQuerySet, *, names: Sequence[str], after: UUID | None = None
) -> Page[TaskRun]:
    """The runs of some tabs after the run ``after``: active before waiting ones, each by age.

    A run that starts between two pages is shown on both; none is left out.
    """
    cells = [cell for name in names for cell in TABS[name].cells]
    if WAITING not in cells:
        return runs.page(PAGE, cells=cells, after=after)
    if after and runs.filter(WAITING, pk=after).exists():
        return runs.page(PAGE, cells=[WAITING], after=after)
    at_work = runs.page(PAGE, cells=[cell for cell in cells if cell != WAITING], after=after)
    room = PAGE - len(at_work.runs)
    if not room:
        is_last = not at_work.next_cursor and not runs.filter(WAITING).exists()
        return Page(at_work.runs, None if is_last else at_work.runs[-1].pk)
    waiting = runs.page(room, cells=[WAITING])
    return Page([*at_work.runs, *waiting.runs], waiting.next_cursor)


def sections_of(filters: Filters) -> tuple[list[str], tuple[str, list[str]]]:
    """The tabs at the top of a page, and label and tabs of the group that spans pages."""
    if filters.state:
        return [], (TABS[filters.state].label, [filters.state])
    return [] if filters.before else ["active", "attention"], ("Finished", ["done", "cancelled"])


def as_rows(runs: Sequence[TaskRun]) -> list[Row]:
    """The runs with their facts: a fixed number of queries for each kind among them."""
    by_kind: dict[str, list[TaskRun]] = defaultdict(list)
    for run in runs:
        by_kind[run.kind].append(run)
    facts: dict[UUID, RunFacts] = {}
    for name, of_kind in by_kind.items():
        kind = kinds.find(name)
        if kind and kind.describe:
            facts |= kind.describe(of_kind)
    waiting, usual = places(runs), usual_times(runs)
    return [_row(run, facts.get(run.pk), waiting.get(run.pk), usual.get(run.kind)) for run in runs]


def count_by_tab(runs: TaskRunQuerySet) -> dict[str, int]:
    """How many runs each tab holds, each counted up to COUNTED + 1."""
    active = [Q(state__in=ACTIVE)]  # a count needs no order: one index serves them all
    counts = {
        name: min(
            COUNTED + 1,
            sum(
                runs.filter(cell).count_to(COUNTED + 1)
                for cell in (active if name == "active" else tab.cells)
            ),
        )
        for name, tab in TABS.items()
        if name
    }
    return {"": min(COUNTED + 1, sum(counts.values())), **counts}


def _row(run: TaskRun, facts: RunFacts | None, place: int | None, usual: Bounds | None) -> Row:
    kind = kinds.find(run.kind)
    label = kind.label if kind else run.kind
    return Row(
        run, facts or RunFacts(title=run.title), label, bool(kind and kind.run_again), place, usual
    )

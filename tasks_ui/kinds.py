"""The kinds of task that exist. An app registers its own; tasks_ui knows no kind by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from uuid import UUID

    from django.contrib.auth.models import AbstractBaseUser
    from django.urls import ResolverMatch

    from tasks_ui.models import TaskRun


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """What an app adds to one of its runs in a list.

    ``severities`` counts findings by level, 4 (critical) to 0 (info); None if this kind has no
    findings. ``outcome`` is a sentence about a run that succeeded, shown beside or instead of the
    counts; ``offer`` is the next step, as text and URL.
    """

    title: str
    suffix: str = ""
    note: str = ""
    link: str = ""
    severities: Mapping[int, int] | None = None
    outcome: str = ""
    offer: tuple[str, str] | None = None

    @property
    def found(self) -> int:
        """All findings, of any severity."""
        return sum((self.severities or {}).values())


class CannotRunAgainError(Exception):
    """The run can't be repeated; the message says why and what to do. ``status`` is the matching
    HTTP status."""

    def __init__(self, message: str, *, status: int = 409) -> None:
        super().__init__(message)
        self.status = status


class CannotCompareError(Exception):
    """Two runs can't be compared; the message says why."""


class RunAgain(Protocol):
    """Repeats the work of a finished run. If it raises CannotRunAgainError, nothing was started."""

    def __call__(
        self, task: TaskRun, by: AbstractBaseUser, *, only_failed: bool = False
    ) -> TaskRun: ...


@dataclass(frozen=True, kw_only=True)
class TaskKind:
    """``name`` is stored in ``TaskRun.kind``, ``task_name`` is Celery's.

    ``link`` turns a run's subject into a URL. ``shows`` returns whether an address is a page that
    only shows this run, which staff with the permission may read as its owner does. ``on_final`` is
    called with a run that has just reached a final state, in the transaction of that change, so
    that an app's own rows agree with it. ``describe`` returns the facts of many runs, by run id,
    with a fixed number of queries. ``run_again`` starts and returns a new run of the same subject
    on behalf of a person; call it through ``tasks_ui.runs.services.run_again``. ``compare`` returns
    the URL of the page that compares two runs, in any order, or raises CannotCompareError.
    ``is_follow_up``: it continues another run, on whose page its outcome is shown; lists leave it
    out once it is done.
    """

    name: str
    label: str
    task_name: str
    queue: str
    link: Callable[[Any], str] | None = None
    on_final: Callable[[TaskRun], None] | None = None
    shows: Callable[[TaskRun, ResolverMatch], bool] | None = None
    describe: Callable[[Sequence[TaskRun]], Mapping[UUID, RunFacts]] | None = None
    run_again: RunAgain | None = None
    compare: Callable[[TaskRun, TaskRun], str] | None = None
    is_follow_up: bool = False


_kinds: dict[str, TaskKind] = {}


def register(kind: TaskKind) -> TaskKind:
    if _kinds.setdefault(kind.name, kind) != kind:
        raise ValueError(f"Two kinds of task are named {kind.name!r}.")
    return kind


def get(name: str) -> TaskKind:
    """Raises KeyError for a kind that no installed app registered."""
    return _kinds[name]


def find(name: str) -> TaskKind | None:
    """The kind, or None if the app that registered it is gone."""
    return _kinds.get(name)


def label(name: str) -> str:
    """The kind's label; its name if the app that registered it is gone."""
    kind = find(name)
    return kind.label if kind else name


def every() -> list[TaskKind]:
    return list(_kinds.values())


def follow_ups() -> list[str]:
    """Names of the kinds that lists leave out once they are done."""
    return [kind.name for kind in _kinds.values() if kind.is_follow_up]

"""The REST API v1: tasks, and the one ``NinjaAPI`` to which each app adds its part.

The first line of every operation fetches what its caller may see; anything else is a 404, never a
403.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import conditional_page
from ninja import Query, Schema, Status
from ninja.decorators import decorate_view
from pydantic import ConfigDict, Field, model_validator

from tasks_ui import protocol as p
from tasks_ui.access.auth import SessionAuth, TokenAuth, caller
from tasks_ui.kinds import CannotRunAgainError
from tasks_ui.models import ACTIVE, SocketTicket, State, TaskEvent, TaskRun, TaskRunQuerySet
from tasks_ui.models.querysets import Page
from tasks_ui.rest import asyncapi, problems
from tasks_ui.rest.openapi import Api, answers
from tasks_ui.runs import results
from tasks_ui.runs.services import request_cancel, run_again

COUNT_MAX = 10_000
BULK_MAX = 200
TICKET_AUTH = [TokenAuth(changes_nothing=True), SessionAuth()]
Limit = Annotated[int, Field(ge=1, le=200)]

api = Api(
    title=settings.TASKS_SITE_NAME,
    version="1",
    description=(
        "Follow tasks live. Other people's objects are 404."
        " Errors are problem details (RFC 9457). Past the limit of requests per minute, you get"
        " 429 with Retry-After. Status, task and events have an ETag: If-None-Match gets 304 as"
        " long as nothing has changed. asyncapi.json, beside this document, describes the WebSocket"
        " API."
    ),
    docs_url=None,
    servers=[{"url": "/", "description": "This server"}],
    urls_namespace="api-v1",
    auth=[TokenAuth(), SessionAuth()],
    parser=problems.JsonParser(),
)
problems.add_handlers(api)


class TaskFilter(Schema):
    """Which tasks. All conditions have to hold."""

    state: list[State] = Field([], max_length=len(State), description="Any of these states")
    kind: p.AskedKind | None = None
    queue: p.AskedQueue | None = None
    parent: UUID | None = Field(
        None, description="The children of this task, instead of tasks without a parent"
    )
    since: datetime | None = Field(None, description="Created at this time or later")
    until: datetime | None = Field(None, description="Created before this time")
    q: p.Words | None = Field(
        None,
        max_length=200,
        description="A task's id, or a part of its title, searched in the newest 10,000 tasks"
        " that match the rest of the filter",
    )

    def matching(self, rows: TaskRunQuerySet) -> TaskRunQuerySet:
        return self.of_states(self.matching_but_state(rows))

    def of_states(self, rows: TaskRunQuerySet) -> TaskRunQuerySet:
        return rows.filter(state__in=self.state) if self.state else rows

    def matching_but_state(self, rows: TaskRunQuerySet) -> TaskRunQuerySet:
        rows = self.unsearched(rows)
        return rows.search(self.q) if self.q else rows

    def unsearched(self, rows: TaskRunQuerySet) -> TaskRunQuerySet:
        """The rows that match the filter, apart from its states and its search."""
        rows = rows.filter(parent_id=self.parent) if self.parent else rows.roots()
        exact = {"kind": self.kind, "queue": self.queue}
        span = {"created_at__gte": self.since, "created_at__lt": self.until}
        return rows.filter(**{name: value for name, value in {**exact, **span}.items() if value})


class TaskQuery(TaskFilter):
    """Which tasks, in which order. Several states: ``state=STARTED&state=PROGRESS``."""

    limit: Limit = 50
    cursor: UUID | None = Field(None, description="next_cursor of the previous page")
    order: Literal["newest", "oldest"] = "newest"

    def page_of(self, rows: TaskRunQuerySet) -> Page[TaskRun]:
        return rows.select_related("owner").page(
            self.limit,
            after=self.cursor,
            oldest_first=self.order == "oldest",
            cells=[Q(state=state) for state in self.state] or [Q()],
        )


class BulkFilter(TaskFilter):
    """As in the list of tasks. At least one condition is required."""

    model_config = ConfigDict(extra="forbid")


class BulkIn(Schema):
    """``ids`` or ``filter``. With a filter, "cancel" covers unfinished tasks, "retry" finished ones
    that failed, failed in part or were cancelled."""

    model_config = ConfigDict(extra="forbid")

    action: Literal["cancel", "retry"]
    ids: list[UUID] = Field([], max_length=BULK_MAX)
    filter: BulkFilter | None = None

    @model_validator(mode="after")
    def _says_which(self) -> Self:
        if bool(self.ids) == bool(self.filter):
            raise ValueError("Give either ids or filter.")
        if self.filter and not self.filter.model_dump(exclude_defaults=True):
            raise ValueError("The filter is empty. Add at least one condition.")
        if len(set(self.ids)) < len(self.ids):
            raise ValueError("The same task is listed twice.")
        return self

    def reachable(self, rows: TaskRunQuerySet) -> TaskRunQuerySet:
        """The tasks matching the filter that the action can change, so that repeating the request
        eventually finishes."""
        rows = self.filter.matching(rows) if self.filter else rows.none()
        if self.action == "cancel":
            return rows.filter(state__in=ACTIVE - {State.CANCELLING})
        unrepeated = rows.filter(run_again_as=None)
        return unrepeated.needing_attention() | unrepeated.filter(state=State.REVOKED)


@api.get("/tasks/", response=p.TaskPage, tags=["tasks"], operation_id="list_tasks")
def list_tasks(request: HttpRequest, wanted: Query[TaskQuery]) -> p.TaskPage:
    """Your tasks, newest first."""
    visible = TaskRun.objects.visible_to(request.user)
    found = wanted.matching_but_state(visible)
    page = wanted.page_of(found)
    counts = _count_by_state(found)
    return p.TaskPage(
        total=wanted.of_states(found).count_to(COUNT_MAX) if wanted.state else sum(counts.values()),
        counts=counts,
        tasks=p.tasks_out(page.runs),
        next_cursor=page.next_cursor,
        is_cut=bool(wanted.q) and wanted.unsearched(visible).search_limit() is not None,
    )


polled = decorate_view(conditional_page)
"""For polling: an ETag for the response, and 304 for clients that already have it."""
WITH_ETAG = answers(200, "ETag")


@api.get(
    "/tasks/{uuid:task_id}",
    response=p.TaskDetail,
    tags=["tasks"],
    operation_id="get_task",
    openapi_extra=WITH_ETAG,
)
@polled
def get_task(request: HttpRequest, task_id: UUID) -> p.TaskDetail:
    """One task, with its children."""
    run = _visible_run(request, task_id)
    task, *children = p.tasks_out([run, *run.children.select_related("owner").order_by("id")])
    return p.TaskDetail(**task.model_dump(), children=children)


@api.get(
    "/tasks/{uuid:task_id}/status",
    response=p.TaskStatus,
    tags=["tasks"],
    exclude_unset=True,
    operation_id="get_status",
    openapi_extra=WITH_ETAG,
)
@polled
def get_status(request: HttpRequest, task_id: UUID) -> p.TaskStatus:
    """A task's progress. ``result`` is its result once it is done, ``error`` is present if it has
    failed."""
    return status_of(_visible_run(request, task_id))


@api.get(
    "/tasks/{uuid:task_id}/events",
    response=p.EventPage,
    tags=["tasks"],
    operation_id="list_events",
    openapi_extra=WITH_ETAG,
)
@polled
def list_events(
    request: HttpRequest,
    task_id: UUID,
    after_seq: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 500,
) -> p.EventPage:
    """The events of a task after ``after_seq``, in order."""
    run = _visible_run(request, task_id)
    rows = TaskEvent.objects.filter(task=run, seq__gt=after_seq).order_by("seq")[:limit]
    return p.EventPage(events=[p.TaskEventOut.of(event) for event in rows], last_seq=run.last_seq)


@api.get(
    "/tasks/{uuid:task_id}/result",
    response=p.TaskResultOut,
    tags=["tasks"],
    operation_id="get_result",
)
def get_result(request: HttpRequest, task_id: UUID) -> Any:
    """The result of a finished task; null if it did not succeed, and once results are past their
    retention."""
    run = _visible_run(request, task_id)
    if not run.is_final:
        return problems.problem(409, "The task has not finished yet.", state=str(run.state))
    value = results.read(run) if run.state == State.SUCCESS else None
    return p.TaskResultOut(task_id=run.pk, state=State(run.state), result=value)


@api.post(
    "/tasks/{uuid:task_id}/cancel", response=p.CancelOut, tags=["tasks"], operation_id="cancel_task"
)
def cancel_task(request: HttpRequest, task_id: UUID) -> p.CancelOut:
    """Ask a task and its children to end. A finished task stays as it is."""
    run = _visible_run(request, task_id)
    was_final = run.is_final
    run = request_cancel(run, by=caller(request))
    words = "It had already ended." if was_final else _cancel_words(State(run.state))
    return p.CancelOut(task_id=run.pk, status=State(run.state), message=words)


@api.post(
    "/tasks/{uuid:task_id}/retry",
    response={202: p.RetryOut},
    tags=["tasks"],
    operation_id="retry_task",
    openapi_extra=answers(202, "Location"),
)
def retry_task(
    request: HttpRequest,
    response: HttpResponse,
    task_id: UUID,
    only: Literal["failed"] | None = None,
) -> Any:
    """Repeat the work of a finished task, as a new task. ``only=failed`` repeats only the parts
    that failed."""
    run = _visible_run(request, task_id)
    try:
        again = run_again(run, by=caller(request), only_failed=only == "failed")
    except CannotRunAgainError as error:
        return problems.problem(error.status, str(error), state=str(run.state))
    response["Location"] = status_url(again)
    return Status(202, _retried(again, of=run))


@api.post("/tasks/bulk", response=p.BulkOut, tags=["tasks"], operation_id="change_tasks")
def change_tasks(request: HttpRequest, wanted: BulkIn) -> p.BulkOut:
    """Cancel or retry many tasks: those in ``ids``, or the newest that match ``filter``."""
    visible = TaskRun.objects.visible_to(request.user).select_related("owner")
    if wanted.ids:
        found = visible.in_bulk(wanted.ids)
        results = [
            _change(wanted.action, task_id, found.get(task_id), by=caller(request))
            for task_id in wanted.ids
        ]
        return p.BulkOut(results=results, remaining=0)
    rows = wanted.reachable(visible)
    chosen = list(rows.order_by("-id")[:BULK_MAX])
    results = [_change(wanted.action, run.pk, run, by=caller(request)) for run in chosen]
    beyond = (
        rows.order_by()[: COUNT_MAX + BULK_MAX].count() - len(chosen)
        if len(chosen) == BULK_MAX
        else 0
    )
    return p.BulkOut(results=results, remaining=beyond)


@api.post(
    "/ws-tickets/",
    response={201: p.TicketOut},
    tags=["socket"],
    auth=TICKET_AUTH,
    operation_id="create_ticket",
)
def create_ticket(request: HttpRequest) -> Any:
    """A ticket that opens one WebSocket within 60 s, for clients that can't send a header with the
    handshake."""
    token = getattr(request, "api_token", None)
    session_key = "" if token else request.session.session_key or ""
    row, key = SocketTicket.issue(owner=caller(request), token=token, session_key=session_key)
    return Status(201, p.TicketOut(ticket=key, expires_at=row.expires_at))


@api.get("/asyncapi.json", auth=None, include_in_schema=False)
def asyncapi_document(request: HttpRequest) -> JsonResponse:
    """The AsyncAPI 3 document of the WebSocket API."""
    return JsonResponse(asyncapi.document(host=request.get_host(), is_secure=request.is_secure()))


def status_of(run: TaskRun) -> p.TaskStatus:
    """The status of a run, with its result if it is done."""
    words = run.message or State(run.state).label
    result = results.read(run) if run.state == State.SUCCESS else None
    more = {"error": run.error} if run.state == State.FAILURE else {}
    current = run.total if run.state == State.SUCCESS else run.current
    return p.TaskStatus(
        task_id=run.pk,
        state=State(run.state),
        current=current,
        total=run.total,
        status=words,
        result=result,
        **more,
    )


def _change(action: str, task_id: UUID, run: TaskRun | None, *, by: AbstractUser) -> p.BulkResult:
    if run is None:
        return p.BulkResult(task_id=task_id, outcome="not_found", message="You have no such task.")
    if action == "cancel":
        if run.is_final:
            words = "It had already ended."
            return p.BulkResult(
                task_id=task_id, outcome="refused", message=words, state=State(run.state)
            )
        state = State(request_cancel(run, by=by).state)
        return p.BulkResult(
            task_id=task_id, outcome="done", message=_cancel_words(state), state=state
        )
    try:
        again = run_again(run, by=by)
    except CannotRunAgainError as error:
        return p.BulkResult(
            task_id=task_id, outcome="refused", message=str(error), state=State(run.state)
        )
    return p.BulkResult(
        task_id=task_id,
        outcome="done",
        message="Queued again.",
        state=State(run.state),
        new_task_id=again.pk,
    )


def _cancel_words(state: State) -> str:
    return {
        State.REVOKED: "Cancelled.",
        State.CANCELLING: "Cancelling: the work is being stopped.",
    }.get(state, "The task had already finished.")


def _retried(again: TaskRun, *, of: TaskRun) -> p.RetryOut:
    words = "The task is queued again."
    return p.RetryOut(
        task_id=again.pk, again_of=of.pk, message=words, check_status_url=status_url(again)
    )


def status_url(run: TaskRun) -> str:
    return reverse("api-v1:get_status", args=[run.pk])


def _count_by_state(rows: TaskRunQuerySet) -> dict[State, int]:
    newest = TaskRun.objects.filter(pk__in=rows.order_by("-id").values("pk")[:COUNT_MAX])
    return {
        State(state): n
        for state, n in newest.order_by().values_list("state").annotate(n=Count("pk"))
    }


def _visible_run(request: HttpRequest, task_id: UUID) -> TaskRun:
    rows = TaskRun.objects.visible_to(request.user).select_related("owner")
    return get_object_or_404(rows, pk=task_id)

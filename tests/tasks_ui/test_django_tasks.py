"""Django's tasks on tracked runs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.tasks import TaskResultStatus as Status
from django.tasks import default_task_backend
from django.tasks.exceptions import InvalidTask, TaskResultDoesNotExist, TaskResultMismatch
from django.test import Client, RequestFactory
from django.utils import timezone
from django.utils.functional import SimpleLazyObject
from django_celery_results.models import TaskResult as Archived

from tasks_ui import reconciler
from tasks_ui.backend import owned_by, owner_middleware
from tasks_ui.models import State, TaskCall, TaskRun
from tasks_ui.runs import calls
from tasks_ui.runs.calls import STATUS, ResultExpired
from tasks_ui.runs.services import run_again
from tasks_ui.runs.transitions import claim, transition
from tasks_ui.worker.work import Work
from tests.probe import functions
from tests.stack import Stack, wait_until


def test_a_task_is_written_with_the_callers_transaction(alice: User) -> None:
    with owned_by(alice):
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            functions.add.enqueue(1, 2)
            raise ZeroDivisionError
        assert not TaskRun.objects.exists()
        result = functions.add.enqueue(1, right=2)
    run = TaskRun.objects.get(pk=result.id)
    assert (run.owner, run.state, run.title) == (alice, State.PENDING, "Add")
    assert (result.status, result.args, result.kwargs) == (Status.READY, [1], {"right": 2})
    assert (result.attempts, result.errors, result.is_finished) == (0, [], False)


def test_every_state_has_a_status() -> None:
    assert set(STATUS) == set(State)


def test_a_task_without_an_owner_is_refused_with_words(alice: User) -> None:
    with pytest.raises(ImproperlyConfigured, match="owned_by"):
        functions.add.enqueue(1, 2)
    with owned_by(AnonymousUser()), pytest.raises(ImproperlyConfigured, match="owned_by"):
        functions.add.enqueue(1, 2)


def test_a_system_user_owns_what_nobody_else_does(alice: User, settings: Any) -> None:
    backend = {"BACKEND": "tasks_ui.backend.TrackedBackend"}
    settings.TASKS = {"default": {**backend, "OPTIONS": {"OWNER": "alice"}}}
    assert TaskRun.objects.get(pk=functions.add.enqueue(1, 2).id).owner == alice
    settings.TASKS = {"default": {**backend, "OPTIONS": {"OWNER": "nobody"}}}
    with pytest.raises(ImproperlyConfigured, match="'nobody'"):
        functions.add.enqueue(1, 2)


def test_what_a_request_enqueues_is_the_persons(alice: User, rf: RequestFactory) -> None:
    request = rf.get("/")
    request.user = alice
    answer = owner_middleware(lambda request: functions.add.enqueue(1, 2))(request)
    assert TaskRun.objects.get(pk=answer.id).owner == alice


async def test_the_event_loop_never_looks_at_a_requests_lazy_user(rf: RequestFactory) -> None:
    def load() -> None:
        raise AssertionError("The user was loaded in the event loop.")

    async def view(request: Any) -> str:
        answer: str = await sync_to_async(lambda: "fine")()
        return answer

    request = rf.get("/")
    request.user = SimpleLazyObject(load)  # type: ignore[assignment]
    assert await owner_middleware(view)(request) == "fine"


@pytest.mark.parametrize("wrong", [{"priority": 5}, {"queue_name": "elsewhere"}])
def test_what_the_backend_cannot_do_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidTask):
        functions.add.using(**wrong)


def test_arguments_have_to_be_json(alice: User) -> None:
    with owned_by(alice), pytest.raises(TypeError):
        functions.add.enqueue(object(), 2)
    assert not TaskRun.objects.exists()


def test_a_queue_that_celery_does_not_know_is_found_by_the_checks(settings: Any) -> None:
    assert default_task_backend.check() == []
    backend = "tasks_ui.backend.TrackedBackend"
    settings.TASKS = {"default": {"BACKEND": backend, "QUEUES": ["default", "elsewhere"]}}
    assert [error.id for error in default_task_backend.check()] == ["tasks_ui.E001"]


def test_a_task_for_later_is_not_let_in_before_its_time(
    alice: User, django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    due = timezone.now() + timedelta(hours=1)
    with owned_by(alice):
        result = functions.add.using(run_after=due).enqueue(1, 2)
    assert result.task.run_after == due
    run = TaskRun.objects.get(pk=result.id)
    reconciler.reconcile()
    run.refresh_from_db()
    assert run.rung_at is None
    assert claim(run.pk, attempt=0, worker="w") is None
    TaskRun.objects.filter(pk=run.pk).update(next_retry_at=timezone.now())
    reconciler.reconcile()
    run.refresh_from_db()
    assert run.rung_at is not None
    assert claim(run.pk, attempt=0, worker="w") is not None


def test_a_result_is_found_by_its_id_and_its_task_alone(alice: User) -> None:
    with owned_by(alice):
        result = functions.add.enqueue(1, 2)
    assert functions.add.get_result(result.id).id == result.id
    with pytest.raises(TaskResultMismatch):
        functions.answer.get_result(result.id)
    for unknown in ("nonsense", str(uuid4())):
        with pytest.raises(TaskResultDoesNotExist):
            default_task_backend.get_result(unknown)


def test_a_return_value_past_its_retention_is_not_none(alice: User) -> None:
    with owned_by(alice):
        result = functions.add.enqueue(1, 2)
    run = claim(result.id, attempt=0, worker="w")
    assert run is not None
    transition(run, State.SUCCESS, attempt=1)
    result.refresh()
    assert result.return_value is None
    Archived.objects.all().delete()
    result.refresh()
    with pytest.raises(ResultExpired):
        _ = result.return_value


def test_only_functions_under_task_are_found() -> None:
    assert calls.function_of("tests.probe.functions.add") is functions.add
    for path in ("tests.probe.functions.not_a_task", "os.system", "no.such.module", "nonsense"):
        with pytest.raises(InvalidTask):
            calls.function_of(path)


def test_the_dashboard_lists_it_with_its_path(client: Client, alice: User) -> None:
    with owned_by(alice):
        functions.count.using(run_after=timezone.now() + timedelta(days=1)).enqueue(3)
    client.force_login(alice)
    page = client.get("/").content.decode()
    assert "Count slowly" in page
    assert "tests.probe.functions.count" in page
    assert "Starts on" in page


def finished(result: Any, stack: Stack) -> Any:
    def is_finished() -> bool:
        result.refresh()
        return bool(result.is_finished)

    wait_until(is_finished, timeout_s=60, what="the end", details=stack.log_tails)
    return result


def test_a_task_runs_reports_and_returns(shared_stack: Stack, alice: User) -> None:
    with owned_by(alice):
        counted = functions.count.enqueue(40)
        awaited = functions.answer.enqueue()
        later = functions.add.using(run_after=timezone.now() + timedelta(seconds=3)).enqueue(20, 22)
    wait_until(lambda: 0 < counted.run.current < 40, timeout_s=60, what="progress in the row")
    counted.refresh()
    assert counted.status == Status.RUNNING
    assert finished(counted, shared_stack).return_value == {"steps": 40, "attempt": 1}
    assert counted.attempts == 1
    assert finished(awaited, shared_stack).return_value == "awaited"
    assert finished(later, shared_stack).return_value == 42
    assert later.started_at >= later.task.run_after


def test_a_failed_attempt_leaves_its_traceback(shared_stack: Stack, alice: User) -> None:
    with owned_by(alice):
        second = functions.fail_until.enqueue(2)
        never = functions.fail_until.enqueue(9)
    assert finished(second, shared_stack).return_value == 2
    assert [error.exception_class for error in second.errors] == [LookupError]
    assert "attempt 1 finds nothing" in second.errors[0].traceback
    assert finished(never, shared_stack).status == Status.FAILED
    assert [error.exception_class for error in never.errors] == [LookupError] * 2
    with pytest.raises(ValueError, match="failed"):
        _ = never.return_value
    again = run_again(never.run, by=alice)
    assert (again.call.args, again.again_of, again.max_attempts) == ([9], never.run, 2)


def test_a_cancelled_task_has_failed_and_says_why(shared_stack: Stack, alice: User) -> None:
    with owned_by(alice):
        result = functions.count.enqueue(2000)
    wait_until(lambda: result.run.current > 0, timeout_s=60, what="progress")
    assert result.cancel(by=alice).state == State.CANCELLING
    assert finished(result, shared_stack).status == Status.FAILED
    assert result.run.state == State.REVOKED
    assert [error.exception_class.__name__ for error in result.errors] == ["TaskRevokedError"]


def test_what_is_no_task_never_runs(shared_stack: Stack, alice: User) -> None:
    with owned_by(alice):
        forged = functions.add.using(run_after=timezone.now() + timedelta(seconds=2)).enqueue(1, 2)
        wrong = functions.return_an_object.enqueue()
        outer = functions.enqueue_another.enqueue()
    TaskCall.objects.filter(run_id=forged.id).update(
        path="tests.probe.functions.not_a_task", args=[]
    )
    run = TaskRun.objects.filter(pk=forged.id, state=State.FAILURE)
    wait_until(run.exists, timeout_s=60, what="the refusal", details=shared_stack.log_tails)
    assert run.get().error_code == "no_such_task"
    assert run.get().attempt == 1
    assert finished(wrong, shared_stack).status == Status.FAILED
    assert wrong.run.error_code == "bad_result"
    inner: Any = default_task_backend.get_result(finished(outer, shared_stack).return_value)
    assert finished(inner, shared_stack).return_value == 2
    assert inner.run.owner == alice


def test_counts_beyond_the_rows_integers_are_scaled(
    alice: User, queue_probe: Callable[..., TaskRun]
) -> None:
    run = claim(queue_probe().pk, attempt=0, worker="w")
    assert run is not None
    work = Work(run)
    work.report(30_000_000_000, 40_000_000_000, "bytes")
    work.store_progress()
    run.refresh_from_db()
    assert run.percent == 74  # rounded down, as always

"""A worker's database connection outlives the task, and is never passed on broken."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

import pytest
from celery import current_app
from celery.exceptions import SoftTimeLimitExceeded
from django.db import ProgrammingError, connections, transaction

from tasks_ui.models import State, TaskRun
from tasks_ui.runs import dispatch
from tasks_ui.worker.connections import close_unsound
from tests.stack import Stack, wait_until
from tests.tasks_ui.test_life_of_a_run import ended

pytestmark = pytest.mark.usefixtures("transactional_db")


def backend_pid() -> int:
    """Which connection this is, by PostgreSQL's number."""
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
    return int(pid)


def test_a_sound_connection_serves_the_next_task() -> None:
    before = backend_pid()
    close_unsound()
    assert backend_pid() == before


def test_a_connection_that_is_too_old_is_replaced() -> None:
    before = backend_pid()
    connections["default"].close_at = 0
    close_unsound()
    assert backend_pid() != before


def test_a_connection_that_had_an_error_is_replaced() -> None:
    before = backend_pid()
    with pytest.raises(ProgrammingError), connections["default"].cursor() as cursor:
        cursor.execute("SELECT * FROM no_such_table")
    close_unsound()
    assert backend_pid() != before


def test_a_transaction_that_a_task_left_open_does_not_reach_the_next() -> None:
    before = backend_pid()
    transaction.atomic().__enter__()
    TaskRun.objects.count()
    close_unsound()
    assert backend_pid() != before
    assert connections["default"].get_autocommit() and not connections["default"].in_atomic_block


def test_a_query_that_a_soft_time_limit_cut_short_does_not_reach_the_next_task() -> None:
    before = backend_pid()
    with pytest.raises(SoftTimeLimitExceeded):
        _interrupted_query()
    close_unsound()
    assert backend_pid() != before
    wait_until(lambda: not _is_busy(before), timeout_s=5, what="the end of the query's locks")


def test_a_run_past_its_soft_time_limit_fails_in_words_and_the_next_succeeds(
    shared_stack: Stack, queue_probe: Callable[..., TaskRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(dispatch, "send", _send_with_a_soft_limit)
        cut_short = queue_probe(manner="query", duration_s=60)
    cut_short = ended(cut_short, timeout_s=20)
    assert (cut_short.state, cut_short.error_code) == (State.FAILURE, "time_limit")
    after = [ended(queue_probe()) for _ in range(4)]
    assert {(run.state, run.attempt) for run in after} == {(State.SUCCESS, 1)}


def _is_busy(pid: int) -> bool:
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s", [pid])
        return cursor.fetchone() is not None


def _interrupted_query() -> None:
    def strike(*_: Any) -> None:
        raise SoftTimeLimitExceeded

    handler = signal.signal(signal.SIGALRM, strike)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        with connections["default"].cursor() as cursor:
            cursor.execute("SELECT pg_sleep(20)")
    finally:
        signal.signal(signal.SIGALRM, handler)


def _send_with_a_soft_limit(run_id: Any, *, kind: str, queue: str, attempt: int) -> bool:
    current_app.send_task(
        f"tests.{kind}",
        args=[str(run_id), attempt],
        task_id=str(run_id),
        queue=queue,
        soft_time_limit=1,
    )
    return True

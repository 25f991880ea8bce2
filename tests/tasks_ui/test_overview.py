"""The operators' overview: its figures match the rows, however they were counted."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from random import Random

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone

from tasks_ui.admin import charts
from tasks_ui.models import State, Tally, TaskRun, TimeSlot, Worker
from tasks_ui.reconciler import _KeepingCount
from tasks_ui.runs import trends
from tasks_ui.runs.tallies import FOLD_AFTER
from tasks_ui.runs.trends import RANGES, Range, Trend

PAGE = "/admin/tasks_ui/taskrun/overview/"
STATES = (State.SUCCESS, State.FAILURE, State.REVOKED)
Queue = Callable[..., TaskRun]


@pytest.fixture
def operator(db: None) -> User:
    user = User.objects.create_user("olga", is_staff=True)
    codes = ["view_taskrun", "operate_taskrun"]
    user.user_permissions.set(Permission.objects.filter(codename__in=codes))
    return user


def finished(
    owner: User, *, at: datetime, kind: str = "probe", ran_s: float = 3, **fields: object
) -> TaskRun:
    started_at = at - timedelta(seconds=ran_s)
    queued_at = started_at - timedelta(seconds=2)
    values = {"state": State.SUCCESS, "queue": "default", "title": "a task", "attempt": 1, **fields}
    return TaskRun(
        owner=owner,
        kind=kind,
        queued_at=queued_at,
        created_at=queued_at,
        started_at=started_at,
        finished_at=at,
        **values,
    )


def some_history(owner: User, *, count: int = 400) -> list[TaskRun]:
    """Runs that ended within the last eight days, more of them recently."""
    random, now = Random(7), timezone.now()
    return TaskRun.objects.bulk_create(
        finished(
            owner,
            at=now - timedelta(seconds=8 * 86_400 * random.random() ** 4),
            kind=random.choice(["probe", "probe_family"]),
            state=random.choice(STATES),
            ran_s=random.lognormvariate(1, 2),
            attempt=random.choice([1, 1, 1, 3]),
        )
        for _ in range(count)
    )


def by_hand(runs: list[TaskRun], trend: Trend) -> dict[datetime, Counter[str]]:
    found: dict[datetime, Counter[str]] = {at: Counter() for at in trend.times}
    for run in runs:
        assert run.finished_at
        if run.finished_at >= trend.times[0]:
            found[trend.range.slot_of(run.finished_at)][run.state] += 1
    return found


@pytest.mark.parametrize("chosen", RANGES.values(), ids=RANGES)
def test_each_run_is_counted_once_however_often_it_is_folded(alice: User, chosen: Range) -> None:
    runs = some_history(alice)
    for _ in range(2):
        trends.fold()
        trend = trends.read(chosen)
        expected = by_hand(runs, trend)
        assert {at: trend.states[at] for at in trend.times} == expected
        in_range = [run for run in runs if run.finished_at and run.finished_at >= trend.times[0]]
        assert trend.retries.total() == sum(run.attempt - 1 for run in in_range)
        assert not trend.is_behind
    assert sum(map(Counter.total, expected.values())) > 20


def test_what_was_counted_outlasts_the_runs(alice: User) -> None:
    some_history(alice)
    trends.fold()
    before = trends.read(RANGES["7d"])
    TaskRun.objects.filter(finished_at__lt=timezone.now() - FOLD_AFTER).delete()
    after = trends.read(RANGES["7d"])
    assert (after.kinds, after.runs) == (before.kinds, before.runs)


def test_a_run_that_has_just_finished_is_there_before_it_is_folded(alice: User) -> None:
    trends.fold()
    finished(alice, at=timezone.now(), state=State.FAILURE).save()
    assert trends.read(RANGES["1h"]).kinds["probe"] == {"FAILURE": 1}


def test_percentiles_are_within_five_percent(alice: User) -> None:
    runs = some_history(alice)
    trends.fold()
    trend = trends.read(RANGES["7d"])
    took = sorted(
        (run.finished_at - run.started_at).total_seconds()
        for run in runs
        if run.kind == "probe"
        and run.started_at
        and run.finished_at
        and run.finished_at >= trend.times[0]
    )
    for share in (0.5, 0.95, 0.99):
        exact = took[round(share * len(took) + 0.4999) - 1]
        said = trends.percentile(trend.runs["probe"], share)
        assert said == pytest.approx(max(exact, trends.LEAST_S), rel=0.05)
    assert trends.percentile(Counter(), 0.5) is None


def test_the_most_that_waited_is_kept_for_each_slot(alice: User, queue_probe: Queue) -> None:
    runs = [queue_probe() for _ in range(3)]
    trends.sample()
    TaskRun.objects.filter(pk=runs[0].pk).update(state=State.REVOKED)
    trends.sample()
    trend = trends.read(RANGES["7d"])
    assert list(trend.waiting["default"].values()) == [3]
    assert list(trend.waiting["reports"].values()) == [0]


def test_slots_that_left_their_range_are_deleted(db: None) -> None:
    old = timezone.now() - timedelta(days=7, hours=3)
    for slot_s in (60, 7200):
        TimeSlot.objects.create(slot_s=slot_s, at=old, name="waiting", label="default", value=1)
    recent = TimeSlot.objects.create(
        slot_s=7200, at=old + timedelta(hours=6), name="waiting", label="default", value=1
    )
    trends.fold()
    assert list(TimeSlot.objects.all()) == [recent]


def test_the_reconciler_samples_and_counts(alice: User) -> None:
    finished(alice, at=timezone.now() - timedelta(minutes=20)).save()
    _KeepingCount().after_sweep(time.monotonic())
    names = set(TimeSlot.objects.values_list("name", flat=True))
    assert names == {"finished", "wait", "run", "waiting"}


def test_a_reconciler_that_is_away_is_named(client: Client, operator: User) -> None:
    client.force_login(operator)
    trends.fold()
    assert b"No reconciler has counted" not in client.get(PAGE).content
    Tally.objects.filter(name=trends.MARK).update(at=timezone.now() - timedelta(hours=1))
    assert b"No reconciler has counted" in client.get(PAGE).content


def test_the_page_shows_failures_with_the_last_error_and_what_workers_do(
    client: Client, operator: User, queue_probe: Queue
) -> None:
    Worker.objects.create(hostname="w1", pid=1, queues=["default"])
    run = queue_probe(title="what w1 does")
    TaskRun.objects.filter(pk=run.pk).update(
        state=State.STARTED, worker="w1", lease_until=timezone.now() + timedelta(minutes=1)
    )
    now = timezone.now()
    for age, words in ((90, "an earlier error"), (30, "<b>the last</b> error"), (60, "another")):
        at = now - timedelta(seconds=age)
        finished(operator, at=at, state=State.FAILURE, error=words, error_code="error").save()
    client.force_login(operator)
    page = client.get(PAGE, {"range": "24h"}).content.decode()
    assert "3 of 3" in page and "&lt;b&gt;the last&lt;/b&gt; error" in page
    assert "an earlier error" not in page
    assert "what w1 does" in page
    assert "3 failed" in page  # in words, for those who can't see the chart
    assert client.get(PAGE, {"range": "a year"}).context["range"] == RANGES["1h"]


def test_the_page_takes_a_bounded_number_of_queries(
    client: Client,
    operator: User,
    django_assert_max_num_queries: Callable[..., AbstractContextManager[object]],
) -> None:
    now = timezone.now()
    TaskRun.objects.bulk_create(
        finished(operator, at=now, kind=f"kind {number}", state=State.FAILURE)
        for number in range(30)
    )
    client.force_login(operator)
    with django_assert_max_num_queries(18):
        assert client.get(PAGE).status_code == 200


def test_a_chart_leaves_out_what_is_not_known_and_shows_the_least_that_happened() -> None:
    now = timezone.now()
    times = [now - timedelta(minutes=2), now - timedelta(minutes=1), now]
    values = {times[0]: {"a": 900.0, "b": 1.0}, times[2]: {"a": 0.0}}
    chart = charts.stacked(times, values, names=["a", "b"], words=lambda at, v: "", height=100)
    assert [bar.at for bar in chart.bars] == [times[0], times[2]]
    assert [(part.name, part.y, part.height) for part in chart.bars[0].parts] == [
        ("a", 10.0, 90.0),
        ("b", 9.0, 1.0),
    ]
    assert chart.bars[1].parts == [] and chart.bars[1].is_open
    assert [charts.nice(value) for value in (0, 1, 1.2, 20, 21, 501)] == [1, 1, 2, 20, 50, 1000]


def test_throughput_by_kind_shows_the_busiest_kinds_and_adds_up(
    client: Client, operator: User
) -> None:
    now = timezone.now()
    TaskRun.objects.bulk_create(
        finished(operator, at=now, kind=f"kind {number}")
        for number in range(6)
        for _ in range(number + 1)
    )
    client.force_login(operator)
    page = client.get(PAGE, {"by": "kind"})
    legend = [(label, count) for _, label, count in page.context["legend"]]
    assert legend == [
        ("kind 5", 6),
        ("kind 4", 5),
        ("kind 3", 4),
        ("kind 2", 3),
        ("Other kinds", 3),
    ]
    drawn = sum(part.height for bar in page.context["throughput"].bars for part in bar.parts)
    assert drawn > 0
    assert b"6 kind 5, 5 kind 4, 4 kind 3, 3 kind 2, 3 of other kinds" in page.content


def test_failures_are_counted_by_their_error_code(client: Client, operator: User) -> None:
    now = timezone.now()
    codes = ["time_limit"] * 3 + ["worker_lost"] * 2 + ["a", "b"]
    TaskRun.objects.bulk_create(
        finished(
            operator,
            at=now - timedelta(seconds=number),
            state=State.FAILURE,
            error_code=code,
            error=f"failure {number}",
        )
        for number, code in enumerate(codes)
    )
    old = finished(operator, at=now - timedelta(hours=3), state=State.FAILURE, error_code="old")
    old.save()
    client.force_login(operator)
    (row,) = client.get(PAGE).context["failures"]
    counted = [(reason.code, reason.count, reason.last.error) for reason in row.reasons]
    assert counted == [
        ("time_limit", 3, "failure 0"),
        ("worker_lost", 2, "failure 3"),
        ("a", 1, "failure 5"),
    ]


def test_an_errors_text_is_only_for_those_who_may_read_it(client: Client, operator: User) -> None:
    finished(
        operator,
        at=timezone.now(),
        state=State.FAILURE,
        error_code="engine",
        error="a secret path",
    ).save()
    operator.user_permissions.remove(Permission.objects.get(codename="operate_taskrun"))
    client.force_login(operator)
    page = client.get(PAGE).content
    assert b"engine" in page and b"a secret path" not in page

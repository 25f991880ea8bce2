"""What ``make chaos`` runs: a long storm for each of SEEDS, the same with one safeguard after
another removed, which the oracle has to notice, and plain Celery for comparison."""

from __future__ import annotations

import contextlib
import os
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from django.contrib.auth.models import User
from django.db import connection
from django_celery_results.models import TaskResult

from assessments.requirements import Requirements
from assessments.services import create_assessment, start_analysis
from tasks_ui.models import State, TaskRun
from tests.chaos.harm import ended, patient, start_again
from tests.chaos.storm import TERRAFORM, Faults, Tally, table
from tests.chaos.test_storm import short_folder, storm_stack, weather
from tests.probe.models import Effect
from tests.stack import Process, Stack, wait_until
from tests.tasks_ui.conftest import alice, bob

if TYPE_CHECKING:
    from pytest_django import Settings

__all__ = ["alice", "bob", "storm_stack"]

SEEDS = [int(seed) for seed in os.environ.get("SEEDS", "1 2 3").split()]
RUNS = int(os.environ.get("STORM_RUNS", "300"))
ASSESSMENTS = int(os.environ.get("STORM_ASSESSMENTS", "20"))
MANY_ASSESSMENTS = int(os.environ.get("MANY_ASSESSMENTS", "1000"))
FAULTS = int(os.environ.get("STORM_FAULTS", "40"))
TAKEN_BACK_MAX_S = 45.0  # a lease of 6 s, with the database or the reconciler away
RECOVERY_MAX_S = 180.0  # a requeued run waits its turn behind what is queued

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(3600)]


@pytest.fixture(scope="module")
def tallies() -> Iterator[list[Tally]]:
    found: list[Tally] = []
    yield found
    if found:
        print("\n\n" + table(found))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_long_storm_loses_sticks_and_doubles_nothing(
    storm_stack: Stack, tmp_path: Path, tallies: list[Tally], seed: int
) -> None:
    tally = weather(
        storm_stack, tmp_path, seed=seed, runs=RUNS, assessments=ASSESSMENTS, faults=FAULTS
    )
    tallies.append(tally)
    print("\n" + table([tally]))
    assert tally.holds, table([tally])
    assert tally.accepted == RUNS + ASSESSMENTS
    assert max(tally.taken_back_s, default=0) < TAKEN_BACK_MAX_S
    assert max(tally.went_on_s, default=0) < RECOVERY_MAX_S


@pytest.mark.parametrize("cure", ["fence", "claim", "reconciler"])
def test_the_oracle_notices_when_a_cure_is_taken_out(
    storm_stack: Stack, tmp_path: Path, tallies: list[Tally], cure: str
) -> None:
    faults = (
        35 if cure == "fence" else 20
    )  # several workers have to outlive their lease in the middle of their work
    tally = weather(
        storm_stack,
        tmp_path,
        seed=SEEDS[0],
        runs=RUNS // 3,
        assessments=0,
        faults=faults,
        sabotage=cure,
    )
    tallies.append(tally)
    print("\n" + table([tally]))
    assert not tally.holds, table([tally])


def test_plain_celery_in_the_same_storm(storm_stack: Stack, tallies: list[Tally]) -> None:
    """It loses or duplicates some: the storm is one that a design has to withstand."""
    tally = _plain(storm_stack, seed=SEEDS[0], runs=RUNS, faults=FAULTS // 2)
    tallies.append(tally)
    print("\n" + table([tally]))
    assert not tally.holds, table([tally])


def test_ten_assessments_go_on_after_all_workers_were_killed(
    storm_stack: Stack, alice: User
) -> None:
    storm_stack.start()
    runs = [_queued(alice, str(number)) for number in range(10)]
    children = TaskRun.objects.filter(parent__in=runs)
    wait_until(
        lambda: children.filter(state=State.SUCCESS).count() >= 5,
        timeout_s=120,
        what="the first parts",
    )
    for worker in storm_stack.workers:
        worker.kill_parent_alone()
    start_again(*storm_stack.workers)
    before = children.filter(state=State.SUCCESS).count()
    moving = children.filter(state=State.SUCCESS)
    wait_until(
        lambda: moving.count() > before,
        timeout_s=30,
        what="the runs to move again",
        details=storm_stack.log_tails,
    )
    rows = TaskRun.objects.filter(pk__in=[run.pk for run in runs])
    wait_until(
        lambda: rows.filter(state=State.SUCCESS).count() == 10, timeout_s=600, what="ten successes"
    )
    assert not rows.filter(partial=True).exists()


def test_very_many_assessments_finish_in_bounded_memory_and_a_second_owner_waits_for_few(
    storm_stack: Stack, alice: User, bob: User, settings: Settings
) -> None:
    """One owner queues MANY_ASSESSMENTS, then another queues one. Memory is the resident set of
    each process with its children, every 2 s; processes share pages, so it is more than they really
    use. The total counts: the one scan server is a child of whichever worker started it."""
    settings.QUOTA_ASSESSMENTS = settings.QUOTA_WAITING_RUNS = 10 * MANY_ASSESSMENTS
    storm_stack.start()
    runs = [_queued(alice, f"network {number}") for number in range(MANY_ASSESSMENTS)]
    second = _queued(bob, "the second owner's")
    rows = TaskRun.objects.filter(pk__in=[run.pk for run in runs])
    memory: list[dict[str, float]] = []
    begun = time.monotonic()

    def is_done() -> bool:
        memory.append(
            {name: _megabytes(process) for name, process in storm_stack.processes.items()}
        )
        return not rows.active().exists()

    wait_until(is_done, timeout_s=6 * MANY_ASSESSMENTS + 300, what="the end of all", step_s=2)
    took_s = time.monotonic() - begun
    second.refresh_from_db()
    assert (second.state, second.partial) == (State.SUCCESS, False)
    assert rows.filter(state=State.SUCCESS, partial=False).count() == MANY_ASSESSMENTS
    assert second.started_at
    before = rows.filter(started_at__gte=second.queued_at, started_at__lt=second.started_at).count()
    peaks = {name: max(at[name] for at in memory) for name in storm_stack.processes}
    totals = [sum(at.values()) for at in memory]
    early, late = (
        max(totals[len(totals) // 10 : len(totals) // 3]),
        max(totals[-len(totals) // 3 :]),
    )
    print(
        f"\n{MANY_ASSESSMENTS} assessments in {took_s:.0f} s; {before} began before the second"
        " owner's"
    )
    print(f"MB of all processes: {early:.0f} in the first third, {late:.0f} in the last")
    print("MB at most: " + ", ".join(f"{name} {mb:.0f}" for name, mb in peaks.items()))
    assert before <= 20
    assert late < 1.2 * early, (early, late)


def _queued(owner: User, name: str) -> TaskRun:
    uploads = [("main.tf", TERRAFORM.encode())]
    return start_analysis(
        create_assessment(owner=owner, name=name, requirements=Requirements(), uploads=uploads),
        by=owner,
    )


def _megabytes(process: Process) -> float:
    total = 0
    for member in process.family():
        with contextlib.suppress(psutil.Error):
            total += member.memory_info().rss
    return total / 1e6


def test_a_frozen_scan_server_holds_up_no_assessment_for_long(
    storm_stack: Stack, alice: User
) -> None:
    with short_folder() as folder:
        for process in storm_stack.processes.values():
            process.env = {**process.env, "TMPDIR": str(folder)}
        storm_stack.start()
        _assessed_within(alice, 120)
        server = next(p for p in psutil.process_iter(["cmdline"]) if _is_scan_server(p, folder))
        server.suspend()
        _assessed_within(alice, 120)
        _assessed_within(alice, 60)
        storm_stack.stop()


def _is_scan_server(process: psutil.Process, folder: Path) -> bool:
    return any(str(folder) in argument for argument in process.info["cmdline"] or [])


def _assessed_within(owner: User, seconds: float) -> None:
    run = ended(_queued(owner, "network"), timeout_s=seconds)
    assert (run.state, run.partial) == (State.SUCCESS, False)


def _plain(stack: Stack, *, seed: int, runs: int, faults: int) -> Tally:
    """The storm over three workers of tests/chaos/plain.py, which know nothing about rows, claims
    or leases."""
    from tests.chaos.plain import app, work  # noqa: PLC0415  (a second Celery app)

    command = [
        "celery",
        "-A",
        "tests.chaos.plain",
        "worker",
        "--without-mingle",
        "--without-gossip",
        "-l",
        "INFO",
        "-c",
        "1",
    ]
    stack.processes = {
        f"worker{n}": Process(
            f"worker{n}",
            [*command, "-n", f"worker{n}@%h"],
            env=stack.env,
            log_path=stack["web"].log_path.with_name(f"plain{n}.log"),
        )
        for n in (1, 2, 3)
    }
    start_again(*stack.workers)
    begun = time.monotonic()
    tally, storm, accepted = Tally(f"plain Celery {seed}"), Faults(stack, seed=seed), []

    def queue() -> None:
        chance = random.Random(seed)
        for number in range(runs):
            for _ in range(60):
                try:
                    accepted.append(work.delay(chance.choice([0, 0.1, 0.5, 3])).id)
                    break
                except app.connection().connection_errors:  # refused, so not accepted
                    time.sleep(0.5)
            if number % 10 == 9:
                time.sleep(10 * faults * 2.75 / runs * chance.uniform(0.5, 1.5))

    caller = threading.Thread(target=queue)
    caller.start()
    storm.blow(faults, pause_s=(1.5, 4))
    caller.join(300)
    connection.close()
    _wait_until_quiet(storm, len(accepted))
    _judge_plain(tally, [str(task_id) for task_id in accepted])
    tally.faults, tally.took_s = storm.count, time.monotonic() - begun
    return tally


def _wait_until_quiet(storm: Faults, count: int) -> None:
    last, still_since = -1, time.monotonic()
    while time.monotonic() - still_since < 40:
        storm.heal()
        done = patient(lambda: TaskResult.objects.filter(status__in=["SUCCESS", "FAILURE"]).count())
        if done >= count:
            return
        if done != last:
            last, still_since = done, time.monotonic()
        time.sleep(0.5)


def _judge_plain(tally: Tally, accepted: list[str]) -> None:
    """Lost: neither an effect nor an end. Stuck: an effect or a start, and no end that is reported
    to anyone."""
    status = dict(TaskResult.objects.values_list("task_id", "status"))
    effects: dict[str, int] = {}
    for run_id in Effect.objects.values_list("run_id", flat=True):
        effects[str(run_id)] = effects.get(str(run_id), 0) + 1
    tally.accepted = len(accepted)
    for task_id in accepted:
        state, count = status.get(task_id), effects.get(task_id, 0)
        tally.succeeded += state == "SUCCESS" and count == 1
        tally.doubled += count > 1
        if state not in {"SUCCESS", "FAILURE"}:
            tally.stuck += bool(count or state)
            tally.lost += not (count or state)
        elif state == "FAILURE":
            tally.failed += 1
            tally.lost += count == 0
        elif count == 0:
            tally.wrong.append(f"{task_id}: SUCCESS without an effect")

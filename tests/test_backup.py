"""A backup of a busy system, restored into a new home, matches what was there."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from django.db import connection

from assessments.models import Blob, Version
from infra_mind import embedded, supervisor
from tasks_ui.models import FINAL, TaskRun
from tests.api_world import make_world
from tests.probe.runs import queue_noop, queue_probe
from tests.stack import Stack, wait_until

if TYPE_CHECKING:
    from django.contrib.auth.models import User

pytestmark = pytest.mark.slow

STILL = (  # nothing writes to them in the meantime
    "assessments_assessment",
    "assessments_assessmentrun",
    "assessments_agentreport",
    "assessments_finding",
    "assessments_report",
    "assessments_blob",
    "assessments_version",
    "assessments_versionfile",
    "auth_user",
)
TORN = (
    "select count(*) from tasks_ui_taskrun r where last_seq <>"
    " (select coalesce(max(seq), 0) from tasks_ui_taskevent e where e.task_id = r.id)"
)


def manage(*arguments: str, **env: str | None) -> subprocess.CompletedProcess[str]:
    """``manage.py`` with a modified environment; None removes a variable."""
    changed: dict[str, Any] = {**os.environ, **env}
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=supervisor.BASE_DIR,
        env={name: value for name, value in changed.items() if value is not None},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def restore(file: Path, home: Path) -> subprocess.CompletedProcess[str]:
    return manage(
        "restore", str(file), INFRA_MIND_HOME=str(home), DATABASE_URL=None, REDIS_URL=None
    )


@pytest.fixture
def ada(transactional_db: None, django_user_model: type[User]) -> User:
    return django_user_model.objects.create_user("ada", password="a password of ada")


@contextmanager
def load(owner: User) -> Iterator[None]:
    """Runs are created, and finish, for as long as the block lasts."""
    stop = threading.Event()

    def create() -> None:
        while not stop.is_set():
            queue_noop(owner=owner)
        connection.close()

    thread = threading.Thread(target=create)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def one(at: psycopg.Connection[Any], query: str) -> Any:
    row = at.execute(query).fetchone()
    return row and row[0]


def rows_of(table: str, at: psycopg.Connection[Any], *, where: str = "true") -> list[Any]:
    return at.execute(f"select md5(t::text) from {table} t where {where} order by 1").fetchall()  # noqa: S608


def test_a_backup_under_load_restores_every_run_and_every_file(
    shared_stack: Stack, ada: User, tmp_path: Path
) -> None:
    make_world(ada)
    content = bytes(range(256)) * 4000
    blob = Blob.objects.create(owner=ada, content=content, size=len(content))
    Version.objects.get().files.create(path="main.tf", blob=blob)
    done = [queue_noop(owner=ada) for _ in range(30)]
    finished = TaskRun.objects.filter(pk__in=[run.pk for run in done], state__in=FINAL)
    wait_until(lambda: finished.count() == len(done), timeout_s=60, what="the first runs")
    active = queue_probe(owner=ada, duration_s=30)
    file, home = tmp_path / "infra-mind.dump", tmp_path / "home"
    with load(ada):
        written = manage("backup", str(file), DATABASE_URL=shared_stack.env["DATABASE_URL"])
    assert written.returncode == 0, written.stderr
    assert file.stat().st_mode & 0o077 == 0
    assert restore(file, home).returncode == 0
    with (
        embedded.PostgresServer(home) as server,
        psycopg.connect(server.url) as restored,
        psycopg.connect(shared_stack.env["DATABASE_URL"]) as live,
    ):
        for table in STILL:
            assert rows_of(table, restored) == rows_of(table, live), table
        ids = ",".join(f"'{run.pk}'" for run in done)
        for table, key in (("tasks_ui_taskrun", "id"), ("tasks_ui_taskevent", "task_id")):
            rows = rows_of(table, live, where=f"{key} in ({ids})")
            assert len(rows) >= len(done)
            assert rows_of(table, restored, where=f"{key} in ({ids})") == rows
        assert one(restored, TORN) == 0, "a run and its events are of different moments"
        assert one(restored, "select count(*) from django_session") == 0
        state = one(restored, f"select state from tasks_ui_taskrun where id = '{active.pk}'")  # noqa: S608
        assert state not in FINAL
    again = restore(file, home)
    assert again.returncode == 1
    assert "overwrites nothing" in again.stderr
    assert "Traceback" not in again.stderr


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "can't be read"), (b"hello", "is not a backup"), (b"PGDMP", "failed")],
)
def test_a_bad_file_is_refused_with_words(
    tmp_path: Path, content: bytes | None, words: str
) -> None:
    file = tmp_path / "bad.dump"
    if content is not None:
        file.write_bytes(content)
    done = restore(file, tmp_path / "home")
    assert done.returncode == 1
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_backup_that_fails_leaves_no_file(tmp_path: Path) -> None:
    file = tmp_path / "infra-mind.dump"
    done = manage("backup", str(file), DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")
    assert done.returncode == 1
    assert "pg_dump failed" in done.stderr
    assert list(tmp_path.iterdir()) == []

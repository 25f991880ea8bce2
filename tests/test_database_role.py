"""The application's role in the database owns its tables and nothing else."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from django.db import connection, transaction
from django.db.utils import ProgrammingError

from infra_mind.embedded import FAST_POSTGRES_SETTINGS, PostgresServer


@pytest.mark.django_db
@pytest.mark.parametrize(
    "statement",
    [
        "copy (select 1) to program 'true'",
        "select pg_read_file('/etc/hostname')",
        "create role mallory superuser",
    ],
)
def test_the_application_is_no_superuser(statement: str) -> None:
    with (
        pytest.raises(ProgrammingError, match=r"permission denied|must be superuser"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)


def test_tables_of_the_first_release_become_the_applications(tmp_path: Path) -> None:
    """There the application was the superuser, and owned what it created."""
    server = PostgresServer(tmp_path / "home", settings=FAST_POSTGRES_SETTINGS)
    with server:
        with psycopg.connect(server.administrators_url("infra_mind"), autocommit=True) as before:
            before.execute("create table run (id bigserial primary key, name text)")
            before.execute("insert into run (name) values ('old')")
            before.execute("alter database infra_mind owner to infra_mind")
            before.execute("drop owned by infra_mind_app")
            before.execute("drop role infra_mind_app")
        server.stop()
        server.start()
        with psycopg.connect(server.url, autocommit=True) as now:
            now.execute("alter table run add column kind text")
            now.execute("insert into run (name) values ('new')")
            assert now.execute("select count(*) from run").fetchone() == (2,)

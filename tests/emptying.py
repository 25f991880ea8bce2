"""Empties the test database after a test that committed.

Django's flush truncates each of some sixty tables, which gives every one of them and its indexes a
new file, and creates the content types and permissions again: a second or two per test. Here only
tables that hold rows are emptied, and what migrations have filled stays, so that processes which
stay up between tests may keep the ids of content types in memory.
"""

from __future__ import annotations

from functools import cache

from django.apps import apps
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

KEPT = {"django_migrations", "django_content_type", "auth_permission"}
MANY = 20_000
"""From how many rows a table is truncated: deleting leaves dead rows behind, which benchmarks would
read over."""


def empty_tables() -> None:
    """Delete all rows and start the sequences of the emptied tables again.

    The locks wait for what other processes have begun, such as a worker's last transaction.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"LOCK TABLE {', '.join(_tables())} IN EXCLUSIVE MODE")
        filled = _filled(cursor)
        large = [table for table in filled if _is_large(cursor, table)]
        if (
            large
        ):  # first: a table with deleted rows that are still to be checked can't be truncated
            cursor.execute(f"TRUNCATE {', '.join(large)} CASCADE")
        for table in filled:
            cursor.execute(f"DELETE FROM {table}")  # noqa: S608
            for sequence in _sequences().get(table, []):
                cursor.execute("SELECT setval(%s, 1, false)", [sequence])


def _is_large(cursor: CursorWrapper, table: str) -> bool:
    cursor.execute(f"SELECT count(*) > {MANY} FROM (SELECT FROM {table} LIMIT {MANY} + 1)")  # noqa: S608
    return bool(cursor.fetchone()[0])


def _filled(cursor: CursorWrapper) -> list[str]:
    cursor.execute(
        " UNION ALL ".join(
            f"SELECT '{table}' WHERE EXISTS (SELECT FROM {table})"  # noqa: S608
            for table in _tables()
        )
    )
    return [name for (name,) in cursor.fetchall()]


@cache
def _tables() -> list[str]:
    """The quoted names of all tables of our models."""
    names = connection.introspection.django_table_names(only_existing=True, include_views=False)
    return [f'"{name}"' for name in sorted(set(names) - KEPT)]


@cache
def _sequences() -> dict[str, list[str]]:
    """The sequences of each table, by its quoted name."""
    found: dict[str, list[str]] = {}
    with connection.cursor() as cursor:
        for model in apps.get_models(include_auto_created=True):
            table = model._meta.db_table
            rows = connection.introspection.get_sequences(cursor, table)
            found[f'"{table}"'] = [row["name"] for row in rows]
    return found

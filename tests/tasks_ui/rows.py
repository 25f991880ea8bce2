"""Thousands of rows of finished runs, in one statement."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import connection

if TYPE_CHECKING:
    from django.contrib.auth.models import User

INSERT = """
INSERT INTO tasks_ui_taskrun (
    id, owner_id, kind, title, stage, queue, state, partial, attempt, max_attempts,
    weight, current, total, message, worker, rings, last_seq, created_at, queued_at, started_at,
    finished_at, error_code, error)
SELECT ('01900000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid,
    CASE WHEN n %% 10 < 8 THEN %(owner)s ELSE %(other)s END,
    CASE WHEN n %% 3 = 0 THEN 'probe' ELSE 'probe_family' END, 'task ' || n, '',
    CASE WHEN n %% 4 = 0 THEN 'reports' ELSE 'default' END,
    CASE WHEN n %% 20 = 0 THEN 'FAILURE' ELSE 'SUCCESS' END, false, 1, 4,
    0, 100, 100, '', '', 0, 3, at, at, at + interval '2 seconds',
    at + interval '4 seconds', '', ''
FROM generate_series(1, %(rows)s) AS n,
    LATERAL (SELECT now() - (n + 4) * interval '1 second') AS moment (at)
"""


def finished_rows(*, owner: User, rows: int, other: User | None = None) -> None:
    """Insert ``rows`` finished runs, a fifth of them owned by ``other`` if given."""
    values = {"owner": owner.pk, "other": (other or owner).pk, "rows": rows}
    with connection.cursor() as cursor:
        cursor.execute(INSERT, values)

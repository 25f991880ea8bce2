"""A change of a run, its event and its result in one statement.

Django writes one table per statement. These are the hot paths of every worker, so the ORM compiles
the change, guards and all, and PostgreSQL writes what follows from it in the same round trip:
``WITH moved AS (UPDATE ... RETURNING *), noted AS (INSERT ... SELECT ... FROM moved)``. If no row
was changed, no event is written.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from django.db import connection
from django.db.models import Expression
from django.db.models.sql.subqueries import InsertQuery, UpdateQuery
from psycopg import ClientCursor, Cursor

from tasks_ui.models import TaskEvent, TaskRun

if TYPE_CHECKING:
    from django.db.backends.utils import CursorWrapper
    from django.db.models import Field, QuerySet

type Sql = tuple[str, Sequence[Any]]
"""A piece of SQL and its parameters."""
NOTHING: Mapping[str, Any] = {}


class Parameter(Expression):
    """Stands for a value of a field that is known only when the statement is run."""

    def __init__(self, field: str) -> None:
        super().__init__(output_field=cast("Field[Any, Any]", TaskRun._meta.get_field(field)))

    def as_sql(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, tuple[Any, ...]]:
        return "%s", (self,)

    def bind(self, values: Mapping[str, Any]) -> Any:
        """Its value among ``values``, which are named like their fields, as the database takes
        it."""
        value = values[self.field.name]
        if hasattr(value, "prepare_database_save"):
            value = value.prepare_database_save(self.field)
        return self.field.get_db_prep_save(value, connection)


RUN_FIELDS = TaskRun._meta.concrete_fields
EVENT_COLUMNS = ("id", "task_id", "seq", "type", "data", "attempt", "created_at")
COLUMNS = ", ".join(
    [f'moved."{field.column}"' for field in RUN_FIELDS] + [f"noted.{c}" for c in EVENT_COLUMNS]
)
NOTE = f"""
INSERT INTO {TaskEvent._meta.db_table} (task_id, seq, type, data, attempt, created_at)
SELECT id, last_seq, %s, {{data}}, attempt, statement_timestamp() FROM moved
RETURNING {", ".join(EVENT_COLUMNS)}
"""  # noqa: S608  (names from the models, no values)
STATE_DATA: Sql = (
    """jsonb_build_object(
        'state', state,
        'attempt', attempt,
        'max_attempts', max_attempts,
        'current', CASE state WHEN 'SUCCESS' THEN total ELSE current END,
        'total', total,
        'message', message,
        'worker', worker,
        'next_retry_at', next_retry_at,
        'error_code', error_code,
        'error', error)""",
    (),
)
"""``transitions.state_data`` of the row as the statement leaves it; a test compares the two."""


def insert(run: TaskRun, *, type: str) -> TaskEvent:
    """Write a new run and its first event."""
    query = InsertQuery(TaskRun)
    query.insert_values(RUN_FIELDS, [run])
    ((sql, params),) = query.get_compiler(connection=connection).as_sql()
    (_, event) = _execute((sql, params), type=type, data=STATE_DATA)[0]
    run._state.adding, run._state.db = False, connection.alias
    return event


def update(
    change: Sql,
    values: Mapping[str, Any] = NOTHING,
    *,
    type: str,
    data: Sql = STATE_DATA,
    also: Sql | None = None,
) -> tuple[TaskRun, TaskEvent] | None:
    """Run a ``change`` of one run and append an event of ``type`` to its log. Returns both as they
    are now, or None if the guard no longer selects a run.

    ``values`` are those of the change's parameters. ``data`` is the event's data, an expression
    over the changed row; ``also`` is an INSERT ... SELECT ... FROM moved.
    """
    sql, params = change
    bound = [p.bind(values) if isinstance(p, Parameter) else p for p in params]
    rows = _execute((sql, bound), type=type, data=data, also=also)
    return rows[0] if rows else None


def change(runs: QuerySet[TaskRun], changes: Mapping[str, Any]) -> Sql:
    """The UPDATE of the one run that ``runs`` selects, for ``update``; it must raise ``last_seq``
    by one.

    Compiling it takes a third of a short task's time, so callers keep those that they need often:
    what differs from run to run is a ``Parameter``.
    """
    query = cast("UpdateQuery", runs.query.chain(UpdateQuery))
    query.add_update_values(dict(changes))
    sql, params = query.get_compiler(connection=connection).as_sql()
    return sql, params


def prepared(sql: str, params: Sequence[Any] | None = None) -> list[tuple[Any, ...]]:
    """Run a statement that PostgreSQL parses and plans once per connection, and return its rows.

    Most of the time of a short statement is its parsing and planning. Django binds parameters into
    the text, which is never the same twice; here the server binds them. Takes effect if
    ``prepare_threshold`` is set for the database.
    """
    connection.ensure_connection()
    raw = Cursor(connection.connection)
    wrap = connection.make_debug_cursor if connection.queries_logged else connection.make_cursor
    with wrap(cast("CursorWrapper", raw)) as cursor:
        cursor.execute(sql, params)
        return list(cursor.fetchall())


def literal(sql: Sql) -> str:
    """The statement with its parameters inlined, as partial indexes require."""
    connection.ensure_connection()
    return ClientCursor(connection.connection).mogrify(*sql)


def compiled(rows: QuerySet[Any, Any]) -> Sql:
    """The SELECT of ``rows``, for use inside a statement."""
    sql, params = rows.query.get_compiler(connection=connection).as_sql()
    return sql, params


def _execute(
    change: Sql, *, type: str, data: Sql, also: Sql | None = None
) -> list[tuple[TaskRun, TaskEvent]]:
    also_sql, also_params = (f", also AS ({also[0]})", also[1]) if also else ("", ())
    note = NOTE.format(data=data[0])
    sql = (
        f"WITH moved AS ({change[0]} RETURNING *), noted AS ({note}){also_sql}"  # noqa: S608
        f" SELECT {COLUMNS} FROM moved, noted"
    )
    rows = prepared(sql, [*change[1], type, *data[1], *also_params])
    return [_read(row) for row in rows]


def _read(row: tuple[Any, ...]) -> tuple[TaskRun, TaskEvent]:
    run_names = [field.attname for field in RUN_FIELDS]
    run = TaskRun.from_db(connection.alias, run_names, row[: len(run_names)])
    event = TaskEvent.from_db(connection.alias, EVENT_COLUMNS, row[len(run_names) :])
    event.data = json.loads(event.data)
    return run, event

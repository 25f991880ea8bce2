"""The admin's list of a million rows: ours, and django-celery-results' own with as many results."""

from __future__ import annotations

from functools import partial

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from tests.bench.measure import ms, percentile, timed
from tests.tasks_ui.rows import finished_rows

ROWS, TIMES = 1_000_000, 10
OURS, THEIRS = "/admin/tasks_ui/taskrun/", "/results/django_celery_results/taskresult/"
LISTS = {
    "newest": ("", ""),
    "failures": ("?state=FAILURE", "?status__exact=FAILURE"),
    "search": ("?q=task+77", "?q=task+77"),
}
INSERT = """
INSERT INTO django_celery_results_taskresult (
    task_id, periodic_task_name, task_name, task_args, task_kwargs, status, worker, content_type,
    content_encoding, result, date_created, date_started, date_done, traceback, meta)
SELECT gen_random_uuid(), NULL, CASE WHEN n %% 3 = 0 THEN 'probe' ELSE 'probe_family' END,
    '"(' || chr(39) || 'task ' || n || chr(39) || ',)"', '"{{}}"',
    CASE WHEN n %% 20 = 0 THEN 'FAILURE' ELSE 'SUCCESS' END, 'worker1@host',
    'application/json', 'utf-8', 'null', now() - n * interval '1 second', now(),
    now() - n * interval '1 second', NULL, '{{}}'
FROM generate_series(1, %s) AS n
"""


@pytest.mark.urls("tests.bench.peers.result_admin_urls")
@pytest.mark.timeout(1200)
def test_a_list_of_a_million_rows(client: Client, transactional_db: None, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(is_staff=True, is_superuser=True)
    client.force_login(User.objects.get(pk=alice.pk))
    finished_rows(owner=alice, rows=ROWS)
    with connection.cursor() as cursor:
        cursor.execute(INSERT.replace("{{}}", "{}"), [ROWS])
        cursor.execute("VACUUM ANALYZE tasks_ui_taskrun, django_celery_results_taskresult")
    for name, (ours, theirs) in LISTS.items():
        own, other = (median(client, path) for path in (OURS + ours, THEIRS + theirs))
        print(
            f"\nan admin list of {ROWS} rows, {name}: ours {ms(own)}; django-celery-results"
            f" {ms(other)}, {other / own:.1f} times"
        )
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE django_celery_results_taskresult")


def median(client: Client, path: str) -> float:
    get(client, path)
    return percentile(timed(partial(get, client, path), times=TIMES), 50)


def get(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200, answer.content[:500]

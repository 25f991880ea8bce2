"""django-tasks-db with its defaults; it has no retries and recovers nothing from lost workers."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tasks_db_settings")
import django
from django.apps import apps

if not apps.ready:
    django.setup()

import effects
from django.tasks import task


@task
def work(number, duration_s):
    effects.work("tasks_db", number, duration_s)


def enqueue(number, duration_s):
    work.enqueue(number, duration_s)

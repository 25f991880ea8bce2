"""The Celery application. Tasks live in each app's ``tasks.py``."""

from __future__ import annotations

import os
import warnings
from typing import Any

from celery import Celery
from celery.signals import beat_init, celeryd_init

from infra_mind import privacy
from tasks_ui.setup.celery import prepare_celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "infra_mind.settings")
# Celery would run Django's checks and ignore what they find. They import every page and the API,
# which a worker never serves: a quarter of its start.
os.environ.setdefault("CELERY_SKIP_CHECKS", "1")

app = Celery("infra_mind")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
prepare_celery(app)


@celeryd_init.connect
def prepare_worker(**kwargs: Any) -> None:
    # It is about pickled messages; ours are JSON, and engines get a user of their own.
    warnings.filterwarnings("ignore", message="You're running the worker with superuser privileges")
    privacy.forget_secrets()


@beat_init.connect
def prepare_beat(**kwargs: Any) -> None:
    privacy.keep_to_itself()
    privacy.forget_secrets()

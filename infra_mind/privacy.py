"""Keeps secrets inside our processes: passwords are removed from the environment, and no other
process of the same user may trace a process of ours, read its memory or its initial environment
(which ``/proc/PID/environ`` keeps forever).

Every process becomes undumpable when Django is set up. The long-lived ones that start no others of
ours (web, workers, reconciler, beat) also drop the passwords; ``manage.py up`` passes its
environment on.
"""

from __future__ import annotations

import ctypes
import os
import sys

from django.conf import settings

SECRETS = (
    "DATABASE_URL",
    "REDIS_URL",
    "CELERY_BROKER_URL",
    "SECRET_KEY",
    "SECRET_KEY_FALLBACKS",
    "SMTP_URL",
    "OIDC_CLIENT_SECRET",
    "METRICS_TOKEN",
)
PR_SET_DUMPABLE = 4  # linux/prctl.h


def keep_to_itself() -> None:
    """From now on only root may look into this process. Forked children inherit that, executed
    programs don't."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def forget_secrets() -> None:
    """Remove the passwords from the environment; the settings have read them already."""
    bool(settings.DATABASES)  # read, if nobody has yet
    for name in SECRETS:
        os.environ.pop(name, None)

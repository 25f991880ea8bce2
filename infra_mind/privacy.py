"""What a process of ours knows is its own: passwords leave its environment, and no other process of
the same user may read its memory or its first environment (``/proc/PID/environ`` keeps that for
good), or trace it.

Every process shuts the door when Django is set up. The long-lived ones that start no others of ours
(web, workers, reconciler, beat) also forget; ``manage.py up`` hands its environment on.
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
    """Only root may look into this process from now on. What it forks inherits that; what it
    executes does not."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def forget_secrets() -> None:
    """Take the passwords out of the environment; the settings hold what they read."""
    bool(settings.DATABASES)  # read, if nobody has yet
    for name in SECRETS:
        os.environ.pop(name, None)

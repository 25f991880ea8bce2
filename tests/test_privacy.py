"""What our own processes reveal: passwords leave their environment, and nobody can look in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
SAY = """
import ctypes, json, os
from django.conf import settings
names = ("DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL", "SECRET_KEY", "SECRET_KEY_FALLBACKS")
print(json.dumps({
    "left": [name for name in names if name in os.environ],
    "dumpable": ctypes.CDLL(None).prctl(3, 0, 0, 0, 0),
    "password": settings.DATABASES["default"]["PASSWORD"],
    "broker": settings.CELERY_BROKER_URL,
    "key": settings.SECRET_KEY,
    "earlier": settings.SECRET_KEY_FALLBACKS,
}))
"""
ENTRIES = {
    "web": "import infra_mind.asgi",
    "worker": """
from celery.signals import celeryd_init
from infra_mind.celery import app
app.loader.import_default_modules()
celeryd_init.send(sender="w", instance=None, conf=app.conf)
assert app.connection().as_uri(include_password=True).startswith("redis://:broker-canary@")
""",
    "beat": """
from celery.signals import beat_init
from infra_mind.celery import app
app.loader.import_default_modules()
beat_init.send(sender=None)
""",
    "reconciler": """
import os, django
os.environ["DJANGO_SETTINGS_MODULE"] = "infra_mind.settings"
django.setup()
from django.core.management import call_command
from tasks_ui.management.commands import reconcile
reconcile.reconcile_for_ever = lambda **kwargs: None
reconcile.reconcile = lambda **kwargs: {}
call_command("reconcile", "--forever")
""",
}


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES.keys())
def test_a_long_lived_process_has_its_passwords_but_not_in_its_environment(entry: str) -> None:
    env = {
        **os.environ,
        "DATABASE_URL": "postgresql://infra:db-canary@127.0.0.1:1/none",
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "CELERY_BROKER_URL": "redis://:broker-canary@127.0.0.1:1/0",
        "SECRET_KEY": "key-canary-" * 6,
        "SECRET_KEY_FALLBACKS": "old-canary,older-canary",
    }
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", entry + SAY],
        cwd=REPOSITORY,
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert said == {
        "left": [],
        "dumpable": 0,
        "password": "db-canary",
        "broker": "redis://:broker-canary@127.0.0.1:1/0",
        "key": "key-canary-" * 6,
        "earlier": ["old-canary", "older-canary"],
    }

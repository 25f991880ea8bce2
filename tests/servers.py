"""One embedded PostgreSQL and one Valkey for the whole test run, in a temporary home.

pytest imports this module first (``-p`` in pyproject.toml): it puts their addresses into the
environment before Django's settings are read. They start when the first test needs them, so a test
of plain Python waits for nothing. pytest processes that run at the same time don't collide: each
has its own home and ports.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import django.conf
import pytest

from infra_mind.embedded import FAST_POSTGRES_SETTINGS, PostgresServer, ValkeyServer

if django.conf.settings.configured:
    raise pytest.UsageError(
        "The settings were read too early. Unset DJANGO_SETTINGS_MODULE: the tests set it."
    )


@dataclass(frozen=True)
class Servers:
    """Running servers. A test may stop, kill, freeze and start them; the next test finds them
    running again."""

    home: Path
    postgres: PostgresServer
    valkey: ValkeyServer

    def restore(self) -> None:
        for server in (self.postgres, self.valkey):
            if server.running:
                server.thaw()
            server.start()


def _reserve() -> Servers:
    """Ports and passwords are chosen here, and set in the environment; nothing runs yet."""
    home = Path(tempfile.mkdtemp(prefix="infra-mind-test-"))
    reserved = Servers(
        home, PostgresServer(home, settings=FAST_POSTGRES_SETTINGS), ValkeyServer(home)
    )
    reserved.postgres.keep_place()
    reserved.valkey.keep_place()
    for name in ("CELERY_BROKER_URL", "PORT", "DEBUG", "HTTPS", "ALLOWED_HOSTS"):
        os.environ.pop(name, None)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # hundreds of processes start
    os.environ |= {
        "INFRA_MIND_HOME": str(home),
        "DATABASE_URL": reserved.postgres.url,
        "REDIS_URL": reserved.valkey.url,
        "SECRET_KEY": "for-tests-alone-" * 4,
        "EXTRA_APPS": "tests.probe",
        "TASKS_LEASE_S": "6",  # less than half of the default: tests wait for lost workers
        "TASKS_RETRY_BASE_S": "2",
        "FIXES_MAX_S": "2",  # tests of fixes set their own
        "DJANGO_SETTINGS_MODULE": "infra_mind.settings",
        "DJANGO_ALLOW_ASYNC_UNSAFE": "1",  # Playwright's own loop runs in the thread of the test
    }
    return reserved


_SERVERS = _reserve()


@pytest.fixture(scope="session")
def running_servers() -> Iterator[Servers]:
    """Both servers, running, for session fixtures. Tests take ``servers``."""
    _SERVERS.restore()
    yield _SERVERS
    _SERVERS.restore()  # the test database is dropped after this
    _SERVERS.postgres.stop()
    _SERVERS.valkey.stop()


@pytest.fixture
def servers(running_servers: Servers) -> Iterator[Servers]:
    """Both servers, to be harmed at will."""
    running_servers.restore()
    yield running_servers
    running_servers.restore()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(running_servers: Servers) -> None:
    """pytest-django's hook for what must exist before it creates the test database."""


def forget_servers() -> None:
    """At the end of the run."""
    _SERVERS.postgres.stop()
    _SERVERS.valkey.stop()
    shutil.rmtree(_SERVERS.home, ignore_errors=True)

"""Fixtures for all tests: real servers (tests/servers.py), real processes (tests/stack.py), a real browser
(tests/browser_fixtures.py)."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any

import pytest

from tests.servers import django_db_modify_db_settings, forget_servers, running_servers, servers  # isort: skip  (sets the environment)
import django

django.setup()  # test modules import models

from django.core.management import CommandError
from django.db import connection
from django.test import TransactionTestCase

from tests.browser_fixtures import browser, context, page
from tests.stack import Stack, _kept_stacks, shared_stack, stack

__all__ = [
    "_kept_stacks",
    "browser",
    "context",
    "django_db_modify_db_settings",
    "page",
    "running_servers",
    "servers",
    "shared_stack",
    "stack",
]


@pytest.fixture
def transactional_db(django_db_reset_sequences: None) -> None:
    """Rows that other processes see. Sequences start anew after each test, so that the content types, which flushing
    writes again, keep the ids that processes which stay up between tests have in memory."""


_test_case: Any = TransactionTestCase
_empty_tables = _test_case._fixture_teardown


def _empty_tables_patiently(self: TransactionTestCase) -> None:
    """Emptying the tables takes locks that a worker's last transaction may hold the other way round: try again."""
    for left in (4, 3, 2, 1, 0):
        try:
            _empty_tables(self)
            return
        except CommandError:
            if not left:
                raise
            connection.close()
            time.sleep(1)


_test_case._fixture_teardown = _empty_tables_patiently


def pytest_unconfigure(config: pytest.Config) -> None:
    forget_servers()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """A failed test shows how the logs of its processes end."""
    report: Any = yield
    used: Any = getattr(item, "funcargs", {})
    for value in used.values():
        if report.failed and isinstance(value, Stack):
            report.sections.append(("logs of the stack", value.log_tails()))
    return report

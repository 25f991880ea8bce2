"""Fixtures for all tests: real servers (tests/servers.py), real processes (tests/stack.py), a real
browser (tests/browser_fixtures.py)."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any

import django
import pytest

django.setup()  # test modules import models

from django.core.management import CommandError
from django.db import connection
from django.test import TransactionTestCase

from tests.browser_fixtures import browser, context, page
from tests.servers import django_db_modify_db_settings, forget_servers, running_servers, servers
from tests.stack import Stack, alone, kept, shared_stack, stack

__all__ = [
    "alone",
    "browser",
    "context",
    "django_db_modify_db_settings",
    "kept",
    "page",
    "running_servers",
    "servers",
    "shared_stack",
    "stack",
]


@pytest.fixture
def transactional_db(django_db_reset_sequences: None) -> None:
    """Rows that other processes see. Sequences restart after each test, so that the content types,
    which flushing recreates, keep the ids that processes which stay up between tests have in
    memory."""


_test_case: Any = TransactionTestCase
_empty_tables = _test_case._fixture_teardown


def _empty_tables_patiently(self: TransactionTestCase) -> None:
    """Emptying the tables takes locks that a worker's last transaction may hold in the opposite
    order: try again."""
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


PROCESSES = ("shared_stack", "harmed", "alone")  # fixtures, in the order in which their tests run


def processes_of(item: pytest.Item) -> str:
    """Which of PROCESSES the test asks for; an empty string if none.

    A test that only uses the browser counts as the first: Playwright's loop keeps running in its
    thread, in which no test may then call an async view.
    """
    fixtures: list[str] = getattr(item, "fixturenames", [])
    if "browser" in fixtures and "stack" not in fixtures and "alone" not in fixtures:
        return PROCESSES[0]
    return next((name for name in PROCESSES if name in fixtures), "")


def pytest_itemcollected(item: pytest.Item) -> None:
    """A test that commits uses ``transactional_db``, never django_db(transaction=True): that mark
    leaves the content types with new ids, and every process that stays up with stale ones.

    If the tests are spread over several pytest processes (make test), those that share a set of the
    application's processes, and those of a module, stay together."""
    if any(mark.kwargs.get("transaction") for mark in item.iter_markers("django_db")):
        raise pytest.UsageError(f"{item.nodeid}: use the fixture transactional_db instead.")
    item.add_marker(pytest.mark.xdist_group(processes_of(item) or item.location[0]))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """First the tests that need no process of the application, then those that share them, then
    those with their own: each set of processes starts once, and no worker of another test touches a
    row of this one.
    """
    items.sort(key=lambda item: ["", *PROCESSES].index(processes_of(item)))


def pytest_unconfigure(config: pytest.Config) -> None:
    forget_servers()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, Any, Any]:
    """A failed test shows the ends of its processes' logs."""
    report: Any = yield
    used: Any = getattr(item, "funcargs", {})
    for value in used.values():
        if report.failed and isinstance(value, Stack):
            report.sections.append(("logs of the stack", value.log_tails()))
    return report

"""Fixtures for all tests: real servers (tests/servers.py), real processes (tests/stack.py), a real
browser (tests/browser_fixtures.py)."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any

import django
import pytest

django.setup()  # test modules import models

from django.db import OperationalError, connection
from django.test import TransactionTestCase

from tests.browser_fixtures import browser, chromium, context, page
from tests.emptying import empty_tables
from tests.servers import django_db_modify_db_settings, forget_servers, running_servers, servers
from tests.stack import Kept, Stack, alone, kept, shared_stack, stack

__all__ = [
    "alone",
    "browser",
    "chromium",
    "context",
    "django_db_modify_db_settings",
    "kept",
    "page",
    "running_servers",
    "servers",
    "shared_stack",
    "stack",
]


def _empty_tables_patiently(self: TransactionTestCase) -> None:
    """Emptying the tables takes locks that a worker's last transaction may hold in the opposite
    order: try again."""
    for left in (4, 3, 2, 1, 0):
        try:
            empty_tables()
            return
        except OperationalError:
            connection.close()
            if not left:
                raise
            time.sleep(1)


_test_case: Any = TransactionTestCase
_test_case._fixture_teardown = _empty_tables_patiently


PROCESSES = ("harmed", "alone", "", "shared_stack", "browser")
"""Fixtures, in the order in which their tests run; an empty string stands for none of them."""


def processes_of(item: pytest.Item) -> str:
    """Which of PROCESSES the test uses; the last of them, as it can't be undone."""
    fixtures: list[str] = getattr(item, "fixturenames", [])
    return next((name for name in reversed(PROCESSES) if name and name in fixtures), "")


def pytest_itemcollected(item: pytest.Item) -> None:
    """If the tests are spread over several pytest processes (make test), those that harm a set of
    the application's processes stay together. So do those of a module that use the same processes:
    each pytest process starts the shared ones once, not for every module."""
    used = processes_of(item)
    group = used if used in ("harmed", "alone") else f"{item.location[0]} {used}".strip()
    item.add_marker(pytest.mark.xdist_group(group))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """First the tests that mostly wait, while others compute beside them. Last those in a browser:
    Playwright's loop keeps running in its thread, in which no test may then call an async view."""
    items.sort(key=lambda item: PROCESSES.index(processes_of(item)))


@pytest.fixture(autouse=True)
def no_other_process(request: pytest.FixtureRequest, kept: Kept) -> None:
    """No worker of an earlier test touches a row of a test that has none."""
    if not processes_of(request.node):
        kept.end()


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

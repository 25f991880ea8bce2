from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:  # Django is set up after the conftest files are read
    from django.contrib.auth.models import User

    from tasks_ui.models import TaskRun


@pytest.fixture
def alice(db: None) -> User:
    return _user("alice")


@pytest.fixture
def bob(db: None) -> User:
    return _user("bob")


@pytest.fixture
def queue_probe(alice: User) -> Callable[..., TaskRun]:
    """Queue a probe: ``queue_probe(duration_s=3, manner="poison")``; also takes ``kind``, ``owner``
    and fields of the run."""
    from tests.probe.runs import queue_probe

    def queue(*, owner: User = alice, **options: Any) -> TaskRun:
        return queue_probe(owner=owner, **options)

    return queue


def _user(name: str) -> User:
    from django.contrib.auth.models import User

    return User.objects.create_user(name, password=f"a password of {name}")

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:  # Django is set up after the conftest files are read
    from django.contrib.auth.models import User


@pytest.fixture
def alice(db: None) -> User:
    return _user("alice")


@pytest.fixture
def bob(db: None) -> User:
    return _user("bob")


def _user(name: str) -> User:
    from django.contrib.auth.models import User

    return User.objects.create_user(name, password=f"a password of {name}")

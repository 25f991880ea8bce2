"""Housekeeping: expired rows are deleted."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.utils import timezone

from tasks_ui.tasks import prune_tasks


@pytest.mark.django_db
def test_expired_sessions_are_cleared_and_others_stay() -> None:
    now = timezone.now()
    for key, expires_at in (("old", now - timedelta(days=1)), ("new", now + timedelta(days=1))):
        Session.objects.create(session_key=key, session_data="", expire_date=expires_at)
    prune_tasks()
    assert list(Session.objects.values_list("session_key", flat=True)) == ["new"]

"""What a view can rely on once somebody has signed in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails

if TYPE_CHECKING:
    from django.contrib.auth.models import User


class SignedInRequest(HttpRequest):
    """A request behind ``login_required``."""

    user: User
    htmx: HtmxDetails

"""``manage.py reconcile``, as one of the long-lived processes."""

from __future__ import annotations

from typing import Any

from infra_mind import privacy
from tasks_ui.management.commands import reconcile


class Command(reconcile.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        if options["forever"]:
            privacy.forget_secrets()
        super().handle(*args, **options)

"""``manage.py reconcile``, as one of the long-lived processes."""

from __future__ import annotations

from typing import Any

from infra_mind import health, privacy
from tasks_ui.management.commands import reconcile


class Command(reconcile.Command):
    requires_system_checks = ()  # `prepare` ran them; they import every page and ask Checkov

    def on_turn(self) -> None:
        health.turned("reconciler")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["forever"]:
            privacy.forget_secrets()
        super().handle(*args, **options)

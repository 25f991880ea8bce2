from __future__ import annotations

from django.apps import AppConfig


class InfraMindConfig(AppConfig):
    name = "infra_mind"
    verbose_name = "Infra Mind"

    def ready(self) -> None:
        from infra_mind import health, privacy, reporting

        privacy.keep_to_itself()
        health.watch_worker()
        reporting.set_up()

"""The administration: its names, and its models by what an operator looks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib.admin import AdminSite
from django.contrib.admin.apps import AdminConfig
from django.urls import reverse

if TYPE_CHECKING:
    from django.http import HttpRequest

SECTIONS = {
    "Tasks": ("tasks_ui", "django_celery_results"),
    "People": ("auth", "accounts", "account", "socialaccount"),
}
"""App labels by the heading under which the index lists their models."""


class SiteConfig(AdminConfig):
    """``django.contrib.admin`` with our site."""

    default_site = "infra_mind.admin_site.Site"


class Site(AdminSite):
    site_header = site_title = "Infra Mind administration"
    index_title = "Administration"
    enable_nav_sidebar = False  # wide tables need the room

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """One section per heading on the index: several apps hold what one operator sees as
        people."""
        apps = super().get_app_list(request, app_label)
        if app_label is not None:
            return apps
        by_label = {app["app_label"]: app for app in apps}
        sections = [
            _section(name, [by_label.pop(label) for label in labels if label in by_label])
            for name, labels in SECTIONS.items()
        ]
        return [section for section in sections if section["models"]] + list(by_label.values())


def _section(name: str, apps: list[dict[str, Any]]) -> dict[str, Any]:
    models = [model for app in apps for model in app["models"]]
    return {
        "name": name,
        "app_label": name.lower(),
        "app_url": reverse("admin:index"),
        "has_module_perms": True,
        "models": sorted(models, key=lambda model: str(model["name"])),
    }

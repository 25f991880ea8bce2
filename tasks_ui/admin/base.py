"""What the admin's pages of runs have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html

from tasks_ui.models import TaskRun

if TYPE_CHECKING:
    from django.contrib.admin.options import ModelAdmin

    TaskRunBase = ModelAdmin[TaskRun]
else:  # Django's classes take no parameters at run time
    TaskRunBase = admin.ModelAdmin

NONE = "\N{EN DASH}"


def run_link(run: TaskRun | None) -> str:
    if run is None:
        return NONE
    return format_html(
        '<a href="{}">{}</a>', reverse("admin:tasks_ui_taskrun_change", args=[run.pk]), run.title
    )


def as_uuid(text: str) -> str | None:
    try:
        return str(UUID(text.strip()))
    except ValueError:
        return None

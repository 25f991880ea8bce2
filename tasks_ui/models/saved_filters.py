"""Saved filters."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from tasks_ui.models.querysets import OwnedQuerySet


class SavedFilterQuerySet(OwnedQuerySet["SavedFilter"]):
    pass


class SavedFilter(models.Model):
    """The filters of a list, under a name that its owner chose. ``query`` is the query string."""

    MAX_PER_OWNER = 40
    MAX_QUERY_CHARS = 500

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, db_index=False, related_name="saved_filters"
    )
    path = models.CharField(max_length=100)
    name = models.CharField(max_length=60)
    query = models.CharField(max_length=MAX_QUERY_CHARS)

    objects = SavedFilterQuerySet.as_manager()

    class Meta:
        ordering = ("name",)
        constraints = [
            models.UniqueConstraint(fields=["owner", "path", "name"], name="one_filter_per_name"),
        ]

    def __str__(self) -> str:
        return self.name

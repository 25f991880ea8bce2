"""Everyone's API tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin
from django.utils import timezone

from tasks_ui.access.audit import Event, record
from tasks_ui.models import ApiToken

if TYPE_CHECKING:
    from django.contrib.admin.options import ModelAdmin
    from django.db.models import QuerySet
    from django.http import HttpRequest

    ApiTokenBase = ModelAdmin[ApiToken]
else:  # Django's classes take no parameters at run time
    ApiTokenBase = admin.ModelAdmin


@admin.register(ApiToken)
class ApiTokenAdmin(ApiTokenBase):
    """Who has which token. The keys themselves are not stored."""

    list_display = (
        "name",
        "owner",
        "prefix",
        "scope",
        "created_at",
        "expires_at",
        "last_used_at",
        "revoked_at",
    )
    list_filter = ("scope",)
    list_select_related = ("owner",)
    search_fields = ("name", "owner__username", "prefix")
    actions = ("revoke",)

    @admin.action(description="Revoke the selected tokens", permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> None:
        for token in queryset.filter(revoked_at=None).select_related("owner"):
            token.revoked_at = timezone.now()
            token.save(update_fields=["revoked_at"])
            record(Event.REVOKED, request=request, about=f"{token} of {token.owner}")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: ApiToken | None = None) -> list[str]:
        return [field.name for field in ApiToken._meta.fields if field.name != "name"]

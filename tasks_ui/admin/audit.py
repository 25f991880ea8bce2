"""The audit log, to be read: by who, what, when and from where."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from django.contrib import admin

from tasks_ui.models import AuditEntry

if TYPE_CHECKING:
    from django.contrib.admin.options import ModelAdmin
    from django.db.models import QuerySet
    from django.http import HttpRequest

    AuditBase = ModelAdmin[AuditEntry]
else:  # Django's classes take no parameters when the program runs
    AuditBase = admin.ModelAdmin


@admin.register(AuditEntry)
class AuditEntryAdmin(AuditBase):
    list_display = ("at", "who", "what", "about", "address")
    list_filter = ("event",)
    date_hierarchy = "at"
    search_fields = ("actor_name",)  # get_search_results looks them up
    search_help_text = "A whole user name or address"
    list_per_page = 50
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER

    @admin.display(description="Who", ordering="actor_name")
    def who(self, entry: AuditEntry) -> str:
        return entry.actor_name or "-"

    @admin.display(description="What", ordering="event")
    def what(self, entry: AuditEntry) -> str:
        return entry.get_event_display()

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[AuditEntry], search_term: str
    ) -> tuple[QuerySet[AuditEntry], bool]:
        """Whole values, which the indexes find."""
        term = search_term.strip()
        if not term:
            return queryset, False
        try:
            return queryset.filter(address=str(ip_address(term))), False
        except ValueError:
            return queryset.filter(actor_name=term), False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

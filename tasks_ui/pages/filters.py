"""Saved filters of lists."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect
from django.urls import Resolver404, resolve
from django.views.decorators.http import require_POST

from tasks_ui.access.sign_in import SignedInRequest
from tasks_ui.models import SavedFilter
from tasks_ui.pages.views import back

PLACES = ("before", "page")
"""Parts of an address that say how far one has read, and not what is listed."""


class SavedFilterForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = SavedFilter
        fields = ("path", "name", "query")

    def clean_path(self) -> str:
        path = str(self.cleaned_data["path"])
        try:
            resolve(path)
        except Resolver404:
            raise forms.ValidationError("There is no such list.") from None
        return path

    def clean_query(self) -> str:
        query = QueryDict(self.cleaned_data["query"], mutable=True)
        for place in PLACES:
            query.pop(place, None)
        return query.urlencode()[: SavedFilter.MAX_QUERY_CHARS]


@login_required
@require_POST
def save(request: SignedInRequest) -> HttpResponse:
    """Save a filter; it replaces an earlier one of the same name."""
    form = SavedFilterForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Not saved. Give the filter a name of at most 60 characters.")
        return back(request)
    kept = SavedFilter.objects.visible_to(request.user)
    if kept.count() >= SavedFilter.MAX_PER_OWNER:
        messages.error(
            request, f"Not saved. You have {SavedFilter.MAX_PER_OWNER} filters; delete one first."
        )
        return back(request)
    given = form.cleaned_data
    saved, _ = SavedFilter.objects.update_or_create(
        owner=request.user,
        path=given["path"],
        name=given["name"],
        defaults={"query": given["query"]},
    )
    return redirect(f"{saved.path}?{saved.query}")


@login_required
@require_POST
def delete(request: SignedInRequest, filter_id: int) -> HttpResponse:
    saved = get_object_or_404(SavedFilter.objects.visible_to(request.user), pk=filter_id)
    saved.delete()
    return back(request)

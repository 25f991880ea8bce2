"""The page of a person's price book: upload it, view it, recalculate costs."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from assessments.agents.price_book.reading import COLUMNS, MAX_ROWS, PriceBookError
from assessments.models import PriceBook
from assessments.pricing import (
    MAX_RECALCULATED,
    delete_price_book,
    outdated_runs,
    recalculate_outdated,
    rows_of,
    store_price_book,
)
from tasks_ui.access.sign_in import SignedInRequest

PER_PAGE = 100
EXAMPLES = (
    "instance_type,region,price\nm5.large,eu-west-1,0.081",
    "provider,service,discount_percent\naws,rds,18",
    "resource_type,price,unit\naws_msk_cluster,420,month",
)


class PriceBookForm(forms.Form):
    """A file, or its text. ``content`` and ``name`` are set once the form is valid."""

    file = forms.FileField(
        required=False,
        label="CSV or JSON file",
        help_text=f"At most 1 MB and {MAX_ROWS:,} rows",
        widget=forms.ClearableFileInput(attrs={"class": "in", "accept": ".csv,.json"}),
    )
    text = forms.CharField(
        required=False,
        label="Or its text",
        strip=False,
        max_length=1024 * 1024,
        widget=forms.Textarea(attrs={"class": "in mono", "rows": 8, "spellcheck": "false"}),
    )
    content = b""
    name = ""

    def clean(self) -> dict[str, Any]:
        uploaded, text = self.cleaned_data.get("file"), self.cleaned_data.get("text", "")
        if uploaded:
            self.content = uploaded.read(2 * 1024 * 1024)
            self.name = PurePath(uploaded.name).name
        elif text.strip():
            self.content, self.name = text.encode(), "Pasted text"
        else:
            raise forms.ValidationError("Choose a file, or paste its text.")
        return self.cleaned_data


@login_required
@require_http_methods(["GET", "POST"])
def price_book(request: SignedInRequest) -> HttpResponseBase:
    """The user's own price book; POST replaces it."""
    if request.method == "GET":
        return _page(request, PriceBookForm())
    form = PriceBookForm(request.POST, request.FILES)
    if not form.is_valid():
        return _page(request, form, status=422)
    try:
        book = store_price_book(request.user, name=form.name, content=form.content)
    except PriceBookError as error:
        return _page(request, form, problems=[str(each) for each in error.problems], status=422)
    messages.success(request, f"Saved {book.name}. It applies from the next run on.")
    return redirect("price_book")


@login_required
@require_GET
def download(request: SignedInRequest) -> HttpResponse:
    mine = PriceBook.objects.visible_to(request.user).exclude(content="")
    book = get_object_or_404(mine)
    kind = "json" if book.content.lstrip()[:1] in ("[", "{") else "csv"
    response = HttpResponse(book.content, content_type=f"text/{kind}; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="price-book.{kind}"'
    return response


@login_required
@require_POST
def delete(request: SignedInRequest) -> HttpResponseBase:
    if delete_price_book(request.user):
        messages.success(request, "Deleted your price book.")
    return redirect("price_book")


@login_required
@require_POST
def recalculate_all(request: SignedInRequest) -> HttpResponseBase:
    """Recalculate what is based on an earlier state of the price book, without a new scan."""
    book = get_object_or_404(PriceBook.objects.visible_to(request.user))
    started, why = recalculate_outdated(book, by=request.user)
    if started:
        count = len(started)
        messages.success(request, f"Started {count} {'run' if count == 1 else 'runs'}.")
    if why:
        messages.error(request, why)
    return redirect("price_book")


def _page(
    request: SignedInRequest,
    form: PriceBookForm,
    *,
    problems: list[str] | None = None,
    status: int = 200,
) -> HttpResponseBase:
    book = PriceBook.objects.visible_to(request.user).first()
    outdated = outdated_runs(book) if book else []
    context = {
        "form": form,
        "book": book if book and book.content else None,
        "page": Paginator(rows_of(book) if book else [], PER_PAGE).get_page(
            request.GET.get("page", "")
        ),
        "problems": problems or [],
        "outdated": outdated,
        "now": outdated[:MAX_RECALCULATED],
        "columns": COLUMNS,
        "examples": EXAMPLES,
    }
    return render(request, "assessments/price_book.html", context, status=status)

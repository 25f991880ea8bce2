"""The pages for 404 and 403.

Django's own ones first read the request's form, for a token that these pages don't need, and fail
if the form is malformed: then "not found" becomes a 500.
"""

from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """With the navigation, for someone who is signed in. Messages wait for the page they are meant
    for, which a missing icon is not."""
    context = {"is_known": _is_signed_in(request), "messages": ()}
    return render(request, "404.html", context, status=404)


def not_allowed(request: HttpRequest, exception: Exception) -> HttpResponse:
    return HttpResponse(
        "This is not allowed.", status=403, content_type="text/plain; charset=utf-8"
    )


def _is_signed_in(request: HttpRequest) -> bool:
    """False as well while the database is away."""
    try:
        return request.user.is_authenticated
    except (AttributeError, DatabaseError):
        return False

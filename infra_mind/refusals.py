"""The pages for what is not there, or not allowed.

Django's own read the form of the request first, for a token that these pages have no use for, and
fail where the form is malformed: then "not found" becomes a 500.
"""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return render(request, "404.html", status=404)


def not_allowed(request: HttpRequest, exception: Exception) -> HttpResponse:
    return HttpResponse(
        "This is not allowed.", status=403, content_type="text/plain; charset=utf-8"
    )

"""A person starts a task; from there on it is in their dashboard."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, JsonResponse
from django.views.decorators.http import require_POST

from letters.tasks import count_primes, deliver_letter

LIMIT_MAX = 10_000_000_000
TEXT_MAX = 10_000


@login_required
@require_POST
def count(request: HttpRequest) -> HttpResponse:
    limit = request.POST.get("limit", "")
    if not limit.isdecimal() or not 10 <= int(limit[:12]) <= LIMIT_MAX:
        return HttpResponseBadRequest(f"limit must be a number from 10 to {LIMIT_MAX}.")
    result = count_primes.enqueue(int(limit))
    return JsonResponse({"task_id": result.id}, status=202)


@login_required
@require_POST
def deliver(request: HttpRequest) -> HttpResponse:
    result = deliver_letter.enqueue(request.POST.get("text", "")[:TEXT_MAX])
    return JsonResponse({"task_id": result.id}, status=202)

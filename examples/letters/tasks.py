"""Two tasks: one that reports how far it is, and one that may fail and is tried again."""

from __future__ import annotations

import json
import urllib.request

from django.conf import settings
from django.tasks import task

BLOCK = 50_000
TIMEOUT_S = 5


@task(takes_context=True, title="Count primes")
def count_primes(context, limit: int) -> dict[str, int]:
    """How many primes are below ``limit``, by a sieve over blocks."""
    small = _primes_below(int(limit**0.5) + 1)
    found = 0
    for start in range(0, limit, BLOCK):
        end = min(start + BLOCK, limit)
        found += _count_in_block(start, end, small)
        context.report(end, limit, f"{found:,} primes so far")
    return {"primes": found}


@task(max_attempts=6)
def deliver_letter(text: str) -> int:
    """Post a letter to the project's webhook. An error raises, so it is tried again."""
    body = json.dumps({"text": text}).encode()
    request = urllib.request.Request(settings.WEBHOOK_URL, data=body)
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
        return answer.status


def _primes_below(limit: int) -> list[int]:
    sieve = bytearray([1]) * limit
    for number in range(2, int(limit**0.5) + 1):
        if sieve[number]:
            sieve[number * number :: number] = bytes(len(range(number * number, limit, number)))
    return [number for number in range(2, limit) if sieve[number]]


def _count_in_block(start: int, end: int, primes: list[int]) -> int:
    sieve = bytearray([1]) * (end - start)
    for prime in primes:
        first = max(prime * prime, -(-start // prime) * prime)
        sieve[first - start :: prime] = bytes(len(range(first, end, prime)))
    return sum(sieve) - sum(start <= number < end for number in (0, 1))

"""The queue M/M/c: Poisson arrivals, exponential service, c equal servers, one unbounded queue.

Formulas: A. K. Erlang, "Solution of some Problems in the Theory of Probabilities of Significance in
Automatic Telephone Exchanges", 1917; in today's notation D. Gross, J. F. Shortle, J. M. Thompson,
C. M. Harris, "Fundamentals of Queueing Theory", 4th edition, 2008, section 2.3 "Multiserver Queues
(M/M/c)". Everywhere a = lambda / mu is the offered load in erlangs, c the number of servers, and
the queue is stable only for a < c.
"""

from __future__ import annotations

import math

RECURRENCE_LIMIT = 20_000
"""Above this many servers the integral is used instead of the recurrence, so that time stays
bounded."""
STEPS = 4_000
SPREAD = 14.0


def erlang_b(servers: int, load: float) -> float:
    """Probability that all ``servers`` are busy in the loss system M/M/c/c at ``load`` erlangs.

    Recurrence 1/B(c) = 1 + (c/a) / B(c-1), B(0) = 1, which neither overflows nor cancels; beyond
    ``RECURRENCE_LIMIT`` Fortet's integral, 1/B = a * integral over t >= 0 of exp(-a t) (1 + t)^c dt
    (D. L. Jagerman, "Some Properties of the Erlang Loss Function", Bell System Technical Journal 53
    (3), 1974), by Simpson's rule around its peak. Raises ValueError for a negative load or number
    of servers.
    """
    if servers < 0 or load < 0:
        raise ValueError("servers and load must not be negative")
    if load == 0:
        return 1.0 if servers == 0 else 0.0
    if servers > RECURRENCE_LIMIT and servers > load:
        return math.exp(-_log_inverse_b(servers, load))
    blocking = 1.0
    for each in range(1, servers + 1):
        blocking = load * blocking / (each + load * blocking)
    return blocking


def erlang_c(servers: int, load: float) -> float:
    """Probability that a request must wait: C = B / (1 - rho (1 - B)), rho = a/c. 1 if the queue
    is not stable."""
    if load >= servers:
        return 1.0
    blocking = erlang_b(servers, load)
    rho = load / servers
    return blocking / (1 - rho * (1 - blocking))


def mean_wait(servers: int, load: float, service_time: float) -> float:
    """Mean time in the line, in the unit of ``service_time``: C / (c mu - lambda). Infinite if
    not stable."""
    if load >= servers:
        return math.inf
    return erlang_c(servers, load) * service_time / (servers - load)


def wait_percentile(servers: int, load: float, service_time: float, *, share: float) -> float:
    """The longest that ``share`` (0..1) of the requests wait, in the unit of ``service_time``.

    From P(W > t) = C exp(-(c mu - lambda) t): t = ln(C / (1 - share)) / (c mu - lambda), or 0 if
    C <= 1 - share.
    """
    if load >= servers:
        return math.inf
    waiting = erlang_c(servers, load)
    if waiting <= 1 - share:
        return 0.0
    return math.log(waiting / (1 - share)) * service_time / (servers - load)


def response_percentile(servers: int, load: float, service_time: float, *, share: float) -> float:
    """The longest that ``share`` of the requests take, waiting and being served, in the unit of
    ``service_time``.

    With d = c - a and t in service times: P(T > t) = exp(-t) [1 + C (1 - exp(-(d - 1) t)) / (d -
    1)], and exp(-t) (1 + C t) if d = 1 (Gross et al., section 2.3, the distribution of the time
    in the system). Solved by bisection.
    """
    if load >= servers:
        return math.inf
    waiting = erlang_c(servers, load)
    spare = servers - load
    low, high = 0.0, 1.0
    while _response_tail(high, waiting, spare) > 1 - share:
        high *= 2
    for _ in range(80):
        middle = (low + high) / 2
        if _response_tail(middle, waiting, spare) > 1 - share:
            low = middle
        else:
            high = middle
    return high * service_time


def _response_tail(time: float, waiting: float, spare: float) -> float:
    """P(T > time); all three terms of a mixture, written so that no exponent is positive."""
    if abs(spare - 1) < 1e-9:
        return math.exp(-time) * (1 + waiting * time)
    return math.exp(-time) + waiting * (math.exp(-time) - math.exp(-spare * time)) / (spare - 1)


def _log_inverse_b(servers: int, load: float) -> float:
    """ln(1/B) by Simpson's rule over ``SPREAD`` widths on both sides of the integrand's peak at t =
    c/a - 1."""
    peak = servers / load - 1
    width = math.sqrt(servers) / load
    low, high = max(0.0, peak - SPREAD * width), peak + SPREAD * width
    top = servers * math.log1p(peak) - load * peak
    step = (high - low) / STEPS
    total = 0.0
    for index in range(STEPS + 1):
        at = low + index * step
        weight = 1 if index in (0, STEPS) else 4 if index % 2 else 2
        total += weight * math.exp(servers * math.log1p(at) - load * at - top)
    return math.log(load) + top + math.log(total * step / 3)

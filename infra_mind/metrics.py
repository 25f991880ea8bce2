"""``/metrics``, for Prometheus: figures from the database, and counts of this web process.

Each web process reports its own sockets, requests and database pool, so each is a separate target;
a proxy's address is not one. ``METRICS_TOKEN`` grants Prometheus access; without it only programs
on this machine have access. No label contains user input.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import connection
from django.http import HttpResponse
from django.http.request import split_domain_port
from django.utils.crypto import constant_time_compare
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest
from prometheus_client import Counter as CounterMetric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.registry import Collector

from infra_mind import hosts
from tasks_ui.monitoring import health
from tasks_ui.monitoring.metrics import DatabaseCollector
from tasks_ui.runs import workers
from tasks_ui.runs.patience import DATABASE_ERRORS

if TYPE_CHECKING:
    from django.http import HttpRequest
    from prometheus_client.metrics_core import Metric

REQUESTS = CounterMetric(
    "infra_mind_requests", "Requests that this web process handled", ["method", "status"]
)
TEXT = "text/plain; charset=utf-8"
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


def metrics(request: HttpRequest) -> HttpResponse:
    """Everything, in Prometheus' text format."""
    if settings.METRICS_TOKEN:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not constant_time_compare(given, settings.METRICS_TOKEN):
            return _answer("Send METRICS_TOKEN as a bearer token.", status=401)
    elif not is_from_here(request):
        return _answer(
            "METRICS_TOKEN is not set, so only this machine may read metrics.", status=403
        )
    return _answer(generate_latest(REGISTRY), kind=CONTENT_TYPE_LATEST)


class ProbesMiddleware(health.ProbesMiddleware):
    """Serves ``/metrics`` like the other probes, and counts every response."""

    probes = {**health.PROBES, "/metrics": metrics}

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = super().__call__(request)
        method = request.method if request.method in METHODS else "other"
        REQUESTS.labels(method, f"{response.status_code // 100}xx").inc()
        return response


def is_from_here(request: HttpRequest) -> bool:
    """Whether the request comes from this machine and addresses it by a loopback name. A proxy here
    may forward other people's requests, and a foreign page's host name may resolve to this
    machine."""
    if {"HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_VIA"} & request.META.keys():
        return False
    name, _ = split_domain_port(request.META.get("HTTP_HOST", ""))
    try:
        is_near = ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False
    return is_near and hosts.is_loopback(name)


class MachineCollector(Collector):
    """The database pool and disks of this process, and the sandbox levels of workers."""

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        yield InfoMetricFamily(
            "infra_mind", "The release", {"version": settings.TASKS_SITE_VERSION}
        )
        yield from _disks()
        yield from _pool()
        yield from _sandboxes()


def _disks() -> Iterator[Metric]:
    free = GaugeMetricFamily("infra_mind_disk_free_bytes", "Left on a disk", labels=["disk"])
    size = GaugeMetricFamily("infra_mind_disk_size_bytes", "Size of a disk", labels=["disk"])
    for name, folder in zip(
        ("home", "code", "temporary"), settings.TASKS_DISK_FOLDERS, strict=True
    ):
        usage = shutil.disk_usage(folder)
        free.add_metric([name], usage.free)
        size.add_metric([name], usage.total)
    yield free
    yield size


def _pool() -> Iterator[Metric]:
    pool: Any = getattr(connection, "pool", None)
    if pool is None:
        return
    stats = pool.get_stats()
    size = GaugeMetricFamily(
        "infra_mind_pool_connections", "Of this process' database pool", labels=["state"]
    )
    size.add_metric(["idle"], stats.get("pool_available", 0))
    size.add_metric(["used"], stats.get("pool_size", 0) - stats.get("pool_available", 0))
    yield size
    yield GaugeMetricFamily(
        "infra_mind_pool_waiting",
        "Threads that wait for a database connection",
        stats.get("requests_waiting", 0),
    )
    yield CounterMetricFamily(
        "infra_mind_pool_errors",
        "Requests for a database connection that failed or took too long",
        stats.get("requests_errors", 0),
    )


def _sandboxes() -> Iterator[Metric]:
    levels = GaugeMetricFamily(
        "infra_mind_sandbox_workers", "Workers by the level of their sandbox", labels=["level"]
    )
    if not DATABASE.is_up:
        return  # asked a moment ago
    try:
        up = [worker for worker in workers.seen() if worker.is_up]
    except DATABASE_ERRORS:
        return
    found = Counter(worker.facts.get("Sandbox", "unknown") for worker in up)
    for level in ("isolated", "confined", "open", "unknown"):
        levels.add_metric([level], found[level])
    yield levels


def _answer(body: str | bytes, *, status: int = 200, kind: str = TEXT) -> HttpResponse:
    headers = {"Cache-Control": "no-store, private"}
    return HttpResponse(body, status=status, content_type=kind, headers=headers)


DATABASE = DatabaseCollector()
REGISTRY.register(DATABASE)
REGISTRY.register(MachineCollector())

"""What only this web process knows about its sockets, for ``/metrics``. Labels are our own close
codes: nothing that a client sends becomes one."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

SOCKETS = Gauge("tasks_sockets_open", "Open WebSockets of this web process")
CLOSES = Counter(
    "tasks_socket_closes",
    "WebSockets that ended, by the close code we sent; client: the client closed it",
    ["code"],
)
REPLAYED = Counter("tasks_events_replayed", "Events sent to sockets from the database, not live")
PUSH_LAG = Histogram(
    "tasks_push_lag_seconds",
    "From writing an event to sending it on one socket",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)

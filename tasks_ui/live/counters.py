"""What a web process alone knows of its sockets, for ``/metrics``. Labels are close codes of our
own: nothing that a client sends becomes one."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

SOCKETS = Gauge("tasks_sockets_open", "Open WebSockets of this web process")
CLOSES = Counter(
    "tasks_socket_closes",
    "WebSockets that ended, by the close code we sent; client: it went by itself",
    ["code"],
)
REPLAYED = Counter(
    "tasks_events_replayed", "Events that a socket was sent from the database, not live"
)
PUSH_LAG = Histogram(
    "tasks_push_lag_seconds",
    "From the write of an event to its sending on one socket",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)

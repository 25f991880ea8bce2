"""Real PostgreSQL and Valkey from wheels, for one person on one machine.

Both listen only on loopback, with random passwords, so that no path length matters (a Unix socket's
path is limited to about 107 bytes) and every client uses the same kind of URL. Everything lives in
one home folder, mode 0700:

    lock             held (flock) by the supervisor for as long as it lives
    run.json         where the running servers are, while the lock is held
    servers.json     ports and passwords, kept between runs
    secret_key       Django's key, kept between runs
    postgres/  valkey/  logs/

PostgreSQL refuses to run as root. Started by root, it runs as an unprivileged user that keeps one
capability, CAP_DAC_OVERRIDE, so that it can reach its files wherever the clone is, even under /root
(``setpriv`` of util-linux).
"""

from __future__ import annotations

from pathlib import Path

from infra_mind.embedded.errors import AlreadyRunningError, EmbeddedServerError
from infra_mind.embedded.home import (
    connection_urls,
    hold,
    local_secret_key,
    make_home,
    running_state,
    write_state,
)
from infra_mind.embedded.postgres import FAST_POSTGRES_SETTINGS, PostgresServer
from infra_mind.embedded.server import Server
from infra_mind.embedded.users import with_parent
from infra_mind.embedded.valkey import ValkeyServer

__all__ = [
    "FAST_POSTGRES_SETTINGS",
    "AlreadyRunningError",
    "EmbeddedServerError",
    "PostgresServer",
    "Server",
    "ValkeyServer",
    "connection_urls",
    "ensure_postgres",
    "ensure_valkey",
    "hold",
    "local_secret_key",
    "make_home",
    "running_state",
    "with_parent",
    "write_state",
]


def ensure_postgres(home: Path) -> str:
    """Start PostgreSQL in ``home`` and return its DATABASE_URL. It ends with the calling
    process."""
    return PostgresServer(home).start().url


def ensure_valkey(home: Path) -> str:
    """Start Valkey in ``home`` and return its REDIS_URL. It ends with the calling process."""
    return ValkeyServer(home).start().url

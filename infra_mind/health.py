"""Health of one container, asked from inside: ``python -m infra_mind.health PROCESS``.

The exit status is 0 or 1. Remote control is not used: it would need the broker and the other side's
cooperation.

==============  ==================================================================================
web             /health/serving answers 200, under any host name
flower          /healthcheck answers 200
worker          its consumer's loop beat lately. Celery beats from that loop, once in two seconds,
                only while the worker is connected to its broker; a worker that hangs, or has lost
                its broker, stops beating
reconciler      its loop turned lately, which it does once a second
beat            its loop turned lately, which it does at least every ten seconds
==============  ==================================================================================

Loops record their time as that of a file in the home folder, which is private to a container.
"""

from __future__ import annotations

import os
import sys
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

from celery.signals import heartbeat_sent

STALE_AFTER_S = 30.0
PAGES = {"web": (8000, "/health/serving"), "flower": (5555, "/healthcheck")}


def watch_worker() -> None:
    """In a worker process: record each heartbeat as the time of a file in the home folder."""
    heartbeat_sent.connect(_note_heartbeat, dispatch_uid="infra_mind.health")


def is_turning(home: Path, process: str, *, now: float) -> bool:
    """Whether the loop of ``process`` in this home turned recently. ``now`` in seconds since the
    epoch."""
    files = (home / "alive").glob(f"{process}*")
    return any(now - file.stat().st_mtime < STALE_AFTER_S for file in files)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def turned(process: str) -> None:
    """Called by a loop, each time it turns."""
    from django.conf import settings  # noqa: PLC0415  (start-up: probes of containers need no Django)

    with suppress(OSError):  # a full disk must not end the process
        file = settings.INFRA_MIND_HOME / "alive" / process.replace("/", "_")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()


def main(process: str) -> int:
    if process in PAGES:
        port, path = PAGES[process]
        port = int(os.environ.get("FLOWER_PORT" if process == "flower" else "PORT") or port)
        return 0 if answers(f"http://127.0.0.1:{port}{path}") else 1
    home = Path(os.environ.get("INFRA_MIND_HOME") or ".infra_mind")
    return 0 if is_turning(home, process, now=time.time()) else 1


def _note_heartbeat(sender: Any, **kwargs: Any) -> None:
    turned(f"worker {sender.eventer.hostname}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "web"))

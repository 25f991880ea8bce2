"""Health of one container, asked from inside: ``python -m infra_mind.health web|worker``, exit
status 0 or 1.

web: /health/serving answers 200, under any host name. worker: its consumer's loop beat within the
last 30 s. Celery beats from that loop, once in two seconds, only while the worker is connected to
its broker; a worker that hangs, or has lost its broker, stops beating. No remote control is
involved, which would need the broker and the other side's goodwill.
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


def watch_worker() -> None:
    """In a worker process: note each heartbeat as the time of a file in the home folder."""
    heartbeat_sent.connect(_note_heartbeat, dispatch_uid="infra_mind.health")


def worker_is_healthy(home: Path, *, now: float) -> bool:
    """Whether a worker of this home beat lately (a container holds one). ``now`` in seconds since
    the epoch."""
    return any(now - file.stat().st_mtime < STALE_AFTER_S for file in (home / "alive").glob("*"))


def web_is_healthy(port: int) -> bool:
    url = f"http://127.0.0.1:{port}/health/serving"
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def main(what: str) -> int:
    if what == "web":
        return 0 if web_is_healthy(int(os.environ.get("PORT") or 8000)) else 1
    return (
        0
        if worker_is_healthy(
            Path(os.environ.get("INFRA_MIND_HOME") or ".infra_mind"), now=time.time()
        )
        else 1
    )


def _note_heartbeat(sender: Any, **kwargs: Any) -> None:
    from django.conf import settings

    with suppress(OSError):  # a full disk must not end the worker
        file = settings.INFRA_MIND_HOME / "alive" / sender.eventer.hostname.replace("/", "_")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "web"))

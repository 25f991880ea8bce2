from __future__ import annotations

import os

from tests.tasks_ui.conftest import alice, queue_probe

__all__ = ["alice", "queue_probe"]

# They need .venv-peers, and take minutes: make bench-peers.
collect_ignore_glob = [] if os.environ.get("BENCH") == "peers" else ["test_*.py"]

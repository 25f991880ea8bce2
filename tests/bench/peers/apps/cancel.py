"""``python cancel.py MODULE COUNT``: start and cancel this many tasks of a peer, one after another.
Prints the seconds from each cancel to its confirmation."""

import json
import sys
import time
from importlib import import_module

peer, count = import_module(sys.argv[1]), int(sys.argv[2])


def wait_for(condition, handle):
    until = time.monotonic() + 30
    while not condition(handle):
        if time.monotonic() > until:
            raise SystemExit(f"{condition.__name__} did not come true within 30 s.")
        time.sleep(0.005)


seconds = []
for _ in range(count):
    handle = peer.enqueue_long()
    wait_for(peer.is_running, handle)
    time.sleep(0.3)
    started = time.perf_counter()
    peer.cancel(handle)
    wait_for(peer.is_cancelled, handle)
    seconds.append(time.perf_counter() - started)
print(json.dumps(seconds))

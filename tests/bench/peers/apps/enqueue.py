"""``python enqueue.py MODULE COUNT DURATION_S PAUSE_S``: queue this many tasks of a peer."""

import sys
import time
from importlib import import_module

import effects

name, count, duration_s, pause_s = sys.argv[1:]
peer = import_module(name)
peer.enqueue(0, 0.0)  # connects; not counted
time.sleep(2)
for number in range(1, int(count) + 1):
    effects.insert("queued", name, number)
    peer.enqueue(number, float(duration_s))
    time.sleep(float(pause_s))

"""``python -m tests.bench.pdf_process``: writes the pickled document on its standard input as PDF,
and prints what that took, as JSON.

A process of its own, because a new process counts its parent's size as its own most: that of the
test runner would be measured.
"""

from __future__ import annotations

import json
import pickle
import resource
import sys
import time
from copy import deepcopy

import django


def main() -> None:
    django.setup()
    from assessments.reports import WRITERS  # noqa: PLC0415  (needs Django)

    document = pickle.load(sys.stdin.buffer)  # noqa: S301  (of the test that starts this)
    WRITERS["pdf"](deepcopy(document))  # what is loaded once
    before, started = _mb(resource.RUSAGE_SELF), time.monotonic()
    content = WRITERS["pdf"](document)
    took, grown = time.monotonic() - started, _mb(resource.RUSAGE_SELF) - before
    apart = _mb(resource.RUSAGE_CHILDREN)
    print(json.dumps([took, len(content), apart, grown]))


def _mb(who: int) -> float:
    return resource.getrusage(who).ru_maxrss / 1024


if __name__ == "__main__":
    main()

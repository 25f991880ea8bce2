"""What a technical report of 1,000 findings takes as PDF: time, and the memory of the process that
typesets it."""

from __future__ import annotations

import json
import os
import resource
import time
from collections.abc import Callable
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from assessments.reports import WRITERS
from assessments.reports.pdf import MOST
from tests.assessments.rows import (
    assessed,
    document_of,
    sample_files,
    sample_requirements,
    uploaded,
)
from tests.assessments.test_technical_report import with_findings

if TYPE_CHECKING:
    from django.contrib.auth.models import User

MOST_MB, GROWTH_MB = 400, 60


def test_1000_findings_as_pdf_stay_below_400_mb_outside_the_worker(
    alice: User, size: Callable[[int, int], int]
) -> None:
    run = assessed(uploaded(alice, sample_files(), requirements=sample_requirements()))
    document = with_findings(document_of(run, kind="technical", format="pdf"), size(100, MOST))
    took, written, apart, grown = _in_a_process_of_its_own(lambda: _measured(document))
    print(
        f"\n{len(document['findings']):,} findings: {took:.1f} s, {written / 1e6:.1f} MB;"
        f" the largest process that ended: {apart:.0f} MB; this one grew by {grown:.0f} MB"
    )
    assert apart < MOST_MB
    assert grown < GROWTH_MB


def _measured(document: dict[str, Any]) -> list[float]:
    """Seconds, bytes, MB of the typesetter, MB that the process which waits for it grew by."""
    WRITERS["pdf"](deepcopy(document))  # what is loaded once
    before, started = _mb(resource.RUSAGE_SELF), time.monotonic()
    content = WRITERS["pdf"](document)
    took, grown = time.monotonic() - started, _mb(resource.RUSAGE_SELF) - before
    return [took, len(content), _mb(resource.RUSAGE_CHILDREN), grown]


def _in_a_process_of_its_own(measure: Callable[[], list[float]]) -> list[float]:
    """Which has no other children: those of earlier tests count for the process that ran them."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(writing, json.dumps(measure()).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as answer:
        found = answer.read()
    os.waitpid(pid, 0)
    return list(json.loads(found))


def _mb(who: int) -> float:
    return resource.getrusage(who).ru_maxrss / 1024

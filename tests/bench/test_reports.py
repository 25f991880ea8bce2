"""What a technical report of 1,000 findings takes as PDF: time, and the memory of the process that
typesets it."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from copy import deepcopy
from typing import TYPE_CHECKING

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
    WRITERS["pdf"](deepcopy(document))  # what is loaded once
    before, started = _mb(resource.RUSAGE_SELF), time.monotonic()
    content = WRITERS["pdf"](document)
    took, grown = time.monotonic() - started, _mb(resource.RUSAGE_SELF) - before
    apart = _mb(resource.RUSAGE_CHILDREN)
    print(
        f"\n{len(document['findings']):,} findings: {took:.1f} s, {len(content) / 1e6:.1f} MB;"
        f" the largest process that ended: {apart:.0f} MB; this one grew by {grown:.0f} MB"
    )
    assert apart < MOST_MB
    assert grown < GROWTH_MB


def _mb(who: int) -> float:
    return resource.getrusage(who).ru_maxrss / 1024

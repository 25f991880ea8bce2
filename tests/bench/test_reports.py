"""What a technical report of 1,000 findings takes as PDF: time, and the memory of the process that
typesets it."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

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
    measured = subprocess.run(
        [sys.executable, "-m", "tests.bench.pdf_process"],
        input=pickle.dumps(document),
        stdout=subprocess.PIPE,
        check=True,
    )
    took, written, apart, grown = json.loads(measured.stdout)
    print(
        f"\n{len(document['findings']):,} findings: {took:.1f} s, {written / 1e6:.1f} MB;"
        f" the typesetter's process: {apart:.0f} MB; the one that waits for it grew by"
        f" {grown:.0f} MB"
    )
    assert apart < MOST_MB
    assert grown < GROWTH_MB

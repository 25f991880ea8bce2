"""What the scan stage does if engines can't be confined, or if an engine fails."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from django.conf import LazySettings

from assessments.models import AssessmentRun, ScanShard
from assessments.requirements import Requirements
from assessments.scan.sandbox import ProcessLimits
from assessments.services import create_assessment
from assessments.stages import intake, scan
from tasks_ui.models import TaskRun
from tasks_ui.worker.work import TaskFailed, Work
from tests.assessments.scanning import PLAIN

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def new_run(owner: User) -> AssessmentRun:
    bucket = b'resource "aws_s3_bucket" "b" {\n}\n'
    assessment = create_assessment(
        owner=owner, name="a", requirements=Requirements(), uploads=[("main.tf", bucket)]
    )
    return assessment.runs.create(version=assessment.newest_version, number=1)


def test_a_server_that_cannot_shut_engines_in_ends_the_run_and_says_what_to_do(
    alice: User, settings: LazySettings
) -> None:
    settings.SCANNER_PYTHON = "/nowhere/bin/python"
    with pytest.raises(TaskFailed, match=r"can't sandbox the engines.*nowhere") as refused:
        intake.read_files(Work(TaskRun()), new_run(alice))
    assert refused.value.code == "open_sandbox"
    assert "ALLOW_OPEN_SANDBOX=1" in str(refused.value)


def test_an_engine_that_took_too_long_is_not_tried_again_on_the_same_files(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    hasty = replace(PLAIN, limits=ProcessLimits(wall_s=0.01))
    monkeypatch.setattr(scan, "sandbox", lambda: hasty)
    run = new_run(alice)
    work = Work(TaskRun())
    intake.read_files(work, run)
    assert work.effects
    work.effects()
    row = ScanShard.objects.get(run=run, engine="checkov", spec__framework="terraform")
    with pytest.raises(TaskFailed) as failed:  # any other exception is retried by the task layer
        scan.scan(work, row)
    assert failed.value.code == "engine_time_limit"

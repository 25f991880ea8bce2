"""What was not read is reported prominently: on the run, in the API, and in the exit status."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.test import Client

from assessments.attention import nothing_was_read, reasons_of
from assessments.models import AssessmentRun
from assessments.registration import complete_run
from assessments.services import queue_recommendations
from tasks_ui.models import State, TaskRun
from tasks_ui.runs.wording import view_state
from tests.assessments.rows import assessed, uploaded
from tests.assessments.test_analysis import analysed, terraform
from tests.client.test_analyze import OPEN_SSH
from tests.stack import Stack

if TYPE_CHECKING:
    from django.contrib.auth.models import User

BROKEN = 'resource "aws_s3_bucket" "logs" {\n  bucket = \n'


@pytest.mark.django_db
def test_a_file_that_could_not_be_read_is_a_reason_with_its_line(alice: User) -> None:
    run = assessed(uploaded(alice, {"good.tf": OPEN_SSH, "broken.tf": BROKEN}))
    (reason,) = run.attention
    assert reason["code"] in {"files_unread", "files_partly_read"}
    assert reason["count"] == 1
    assert reason["files"][0].startswith("broken.tf")
    assert "broken.tf" in reason["message"]


@pytest.mark.django_db
def test_a_file_of_a_kind_that_nothing_assesses_is_no_reason(alice: User) -> None:
    run = assessed(uploaded(alice, {"good.tf": OPEN_SSH, "readme.md": "# Read me"}))
    assert run.attention == []
    assert reasons_of(run) == []


@pytest.mark.django_db
def test_a_run_of_which_nothing_could_be_read_is_recognized(alice: User) -> None:
    run = assessed(uploaded(alice, {"a.bin": "\0", "broken.tf": BROKEN}))
    assert nothing_was_read(run)
    run = assessed(uploaded(alice, {"good.tf": OPEN_SSH, "notes.txt": "nothing"}, name="two"))
    assert not nothing_was_read(run)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "secret", ["", "AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYq8Zt5LmN0"]
)
def test_scripts_alone_are_searched_for_secrets_and_the_run_says_that_nothing_else_was_done(
    alice: User, secret: str
) -> None:
    run = assessed(uploaded(alice, {".env": f"A=1\n{secret}\n", "run.sh": "#!/bin/sh\necho hi\n"}))
    assert not nothing_was_read(run)
    assert [(reason["code"], reason["count"]) for reason in run.attention] == [("only_searched", 2)]
    assert run.findings.filter(file=".env").exists() == bool(secret)
    security = run.reports.get(agent="security")
    assert (security.status == "assessed") == bool(secret)
    if not secret:
        assert security.reason.startswith("2 files were only searched for secrets, and none was")


@pytest.mark.django_db
def test_a_run_is_complete_with_its_recommendations_and_says_when_they_are_missing(
    alice: User,
) -> None:
    run = assessed(uploaded(alice, {"good.tf": OPEN_SSH}))
    for state, codes in ((State.SUCCESS, []), (State.FAILURE, ["recommendations_failed"])):
        AssessmentRun.objects.filter(pk=run.pk).update(status="recommending", attention=[])
        task = queue_recommendations(run)
        TaskRun.objects.filter(pk=task.pk).update(state=state, error="The worker was lost.")
        complete_run(TaskRun.objects.get(pk=task.pk))
        run.refresh_from_db()
        assert run.status == "completed"
        assert [reason["code"] for reason in run.attention] == codes


def test_a_run_that_could_not_read_a_file_is_done_in_part_everywhere(
    shared_stack: Stack, alice: User, client: Client
) -> None:
    run = analysed(terraform(alice, OPEN_SSH + BROKEN), alice, expected=State.FAILURE)
    assert run.status == "failed"
    assert run.task is not None
    assert run.task.error_code == "nothing_read"
    assert "main.tf:" in run.task.error
    mixed = uploaded(alice, {"good.tf": OPEN_SSH, "broken.tf": BROKEN})
    run = analysed(mixed, alice)
    assert run.task is not None
    assert view_state(run.task) == "PARTIAL"
    client.force_login(alice)
    page = client.get(f"/assessments/{mixed.pk}/runs/1/").content.decode()
    assert "Needs attention" in page
    assert "broken.tf" in page
    answer = client.get(f"/api/v1/assessments/{mixed.pk}").json()
    assert answer["runs"][0]["needs_attention"][0]["files"][0].startswith("broken.tf")

"""The code browser: the files of a run, findings beside their lines, and no secret."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.urls import reverse

from assessments.models import AssessmentRun, MaskedSource
from assessments.scan.redact import MASK
from tests.assessments.planted import FILES, PLANTED
from tests.assessments.rows import assessed, uploaded
from tests.assessments.test_pages import signed_in

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.test import Client

BUCKET = 'resource "aws_s3_bucket" "logs" {\n  bucket = "<logs>"\n}\n'
PASSWORD = "Wq8!kLm2zRt5vNx9"
SECRET = f'resource "aws_db_instance" "db" {{\n  password = "{PASSWORD}"\n}}\n'
NOTE = f'# it was {PASSWORD} once\nvariable "a" {{}}\n'


@pytest.fixture
def client(alice: User) -> Client:
    return signed_in(alice)


def page(client: Client, run: AssessmentRun, **query: Any) -> Any:
    answer = client.get(reverse("run_code", args=[run.assessment_id, run.number]), query)
    assert answer.status_code == 200
    return answer


def test_a_file_is_shown_line_by_line_with_its_findings_and_masked(
    client: Client, alice: User, bob: User
) -> None:
    files = {"envs/main.tf": BUCKET, "db.tf": SECRET, "note.tf": NOTE, "photo.bin": "x"}
    run = assessed(uploaded(alice, files))
    answer = page(client, run, path="envs/main.tf", line="2")
    lines = answer.context["lines"]
    assert [line.number for line in lines] == [1, 2, 3, 4]
    assert [line.number for line in lines if line.is_hit] == [2]
    assert "&lt;logs&gt;" in lines[1].code
    named = {finding.file for line in lines for finding in line.notes}
    assert named == {"envs/main.tf"}
    for name in ("db.tf", "note.tf"):
        text = page(client, run, path=name).content.decode()
        assert PASSWORD not in text and MASK in text, name
    assert [name for name, _, _ in page(client, run).context["folders"]] == [".", "envs"]
    for unknown in ("photo.bin", "../../etc/passwd", "no.tf", "\0"):
        assert not page(client, run, path=unknown).context["is_shown"] or unknown == "\0"
    assert page(client, run, line="x", page="99").status_code == 200
    MaskedSource.objects.all().delete()
    assert "No source yet" in page(client, run, path="db.tf").content.decode()
    path = reverse("run_code", args=[run.assessment_id, run.number])
    assert signed_in(bob).get(path).status_code == 404


def test_no_planted_secret_is_in_any_file_that_is_shown(client: Client, alice: User) -> None:
    run = assessed(uploaded(alice, FILES))
    source = MaskedSource.objects.get(run=run)
    assert len(source.paths) > 5
    for path in source.paths:
        text = page(client, run, path=path).content.decode()
        assert not [secret for secret in PLANTED if secret in text], path
    stored = str(source.lines)
    assert not [secret for secret in PLANTED if secret in stored]


def test_a_finding_opens_at_its_line_with_four_around_it_and_the_rest_folded(
    client: Client, alice: User
) -> None:
    text = "# above\n" * 60 + SECRET + "# below\n" * 60
    run = assessed(uploaded(alice, {"db.tf": text}))
    finding = run.findings.filter(file="db.tf", line_start__gte=61, agent="security").first()
    assert finding and finding.evidence
    answer = client.get(reverse("finding", args=[finding.pk]))
    snippet, page = answer.context["snippet"], answer.content.decode()
    line = finding.evidence["line"]
    assert [number for number, _ in snippet.shown] == list(range(line - 4, line + 5))
    assert [number for number, _ in snippet.above] == list(range(line - 44, line - 4))
    assert [number for number, _ in snippet.below] == list(range(line + 5, line + 45))
    assert '<span class="hk">resource</span>' in page and '<span class="hc"># above</span>' in page
    assert page.count('class="hit"') == 1
    assert PASSWORD not in page and MASK in page
    MaskedSource.objects.all().delete()
    evidence = client.get(reverse("finding", args=[finding.pk])).context["snippet"]
    assert line in [number for number, _ in evidence.shown] and not evidence.above

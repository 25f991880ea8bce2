"""Muting: accepted with a reason, shown as muted, excluded from counts and recommendations, scores
unaffected."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client
from django.utils import timezone

from assessments.agents.problems import problem_key
from assessments.models import AssessmentRun, Finding, FindingMute
from assessments.muting import MuteError, mute_finding, severity_counts, unmute_finding
from tests.assessments.rows import assessed, document_of, uploaded

if TYPE_CHECKING:
    from django.contrib.auth.models import User

OPEN_GROUP = """\
resource "aws_security_group" "web" {
  name = "web"

  ingress {
    from_port   = 22
    to_port     = 22
    protocol    = "tcp"
    cidr_blocks = ["0.0.0.0/0"]
  }
}
"""


@pytest.fixture
def run(alice: User) -> AssessmentRun:
    return assessed(uploaded(alice, {"main.tf": OPEN_GROUP}))


def open_ssh(run: AssessmentRun) -> Finding:
    return run.findings.get(agent="security", rule="CKV_AWS_24")


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def post(client: Client, run: AssessmentRun, **body: Any) -> Any:
    return client.post(
        f"/api/v1/assessments/{run.assessment_id}/mutes", body, content_type="application/json"
    )


def test_a_muted_finding_leaves_counts_and_recommendations_and_not_the_score(
    run: AssessmentRun, alice: User
) -> None:
    before, score = severity_counts(run), run.reports.get(agent="security").score
    assert run.recommendations.filter(problem=problem_key("CKV_AWS_24", title="")).exists()
    mute_finding(open_ssh(run), by=alice, reason="Bastion, watched")
    after = assessed(run.assessment)
    assert severity_counts(run) == severity_counts(after) == before | {"high": before["high"] - 1}
    assert after.reports.get(agent="security").score == score
    assert not after.recommendations.filter(problem=problem_key("CKV_AWS_24", title="")).exists()
    assert after.summary["severities"] == severity_counts(after)


def test_the_report_shows_it_last_with_its_reason(run: AssessmentRun, alice: User) -> None:
    until = timezone.now() + timedelta(days=30)
    mute_finding(open_ssh(run), by=alice, reason="Bastion, watched", expires_at=until)
    last = document_of(run)["findings"][-1]
    assert last["rule"] == "CKV_AWS_24"
    assert last["muted"] == {"reason": "Bastion, watched", "expires_at": until.isoformat()}


def test_a_mute_ends_by_itself(run: AssessmentRun, alice: User) -> None:
    before = severity_counts(run)
    mute = mute_finding(
        open_ssh(run),
        by=alice,
        reason="Until Friday",
        expires_at=timezone.now() + timedelta(days=1),
    )
    assert severity_counts(run) != before
    FindingMute.objects.filter(pk=mute.pk).update(expires_at=timezone.now())
    assert severity_counts(run) == before


def test_unmuting_restores_it_and_muting_again_renews(run: AssessmentRun, alice: User) -> None:
    before, finding = severity_counts(run), open_ssh(run)
    first = mute_finding(finding, by=alice, reason="one")
    again = mute_finding(finding, by=alice, reason="two")
    assert first.pk == again.pk and FindingMute.objects.get().reason == "two"
    assert unmute_finding(run.assessment, fingerprint=finding.fingerprint)
    assert severity_counts(run) == before
    assert not unmute_finding(run.assessment, fingerprint=finding.fingerprint)


@pytest.mark.parametrize("reason", ["", "  ", "x" * 501, "a\0b", "a\u202eb"])
def test_a_mute_needs_a_reason_that_can_be_read(
    run: AssessmentRun, alice: User, reason: str
) -> None:
    with pytest.raises(MuteError, match="Give a reason"):
        mute_finding(open_ssh(run), by=alice, reason=reason)


def test_a_mute_of_the_past_is_refused(run: AssessmentRun, alice: User) -> None:
    with pytest.raises(MuteError, match="end date has passed"):
        mute_finding(
            open_ssh(run), by=alice, reason="x", expires_at=timezone.now() - timedelta(seconds=1)
        )


def test_the_api_mutes_lists_and_unmutes(run: AssessmentRun, alice: User) -> None:
    client, finding = signed_in(alice), open_ssh(run)
    base = f"/api/v1/assessments/{run.assessment_id}"
    answer = post(client, run, finding=str(finding.pk), reason="Bastion, watched")
    assert answer.status_code == 201, answer.content
    assert answer.json()["by"] == "alice" and answer.json()["in_force"]
    muted = client.get(f"{base}/findings?muted=true").json()
    assert [(f["rule"], f["is_muted"]) for f in muted["findings"]] == [("CKV_AWS_24", True)]
    rest = client.get(f"{base}/findings?muted=false").json()
    assert rest["total"] + 1 == client.get(f"{base}/findings").json()["total"]
    assert client.get(f"{base}/runs/1").json()["summary"]["muted"] == 1
    assert [m["fingerprint"] for m in client.get(f"{base}/mutes").json()["mutes"]] == [
        finding.fingerprint
    ]
    assert client.delete(f"{base}/mutes/{finding.fingerprint}").status_code == 204
    assert client.delete(f"{base}/mutes/{finding.fingerprint}").status_code == 404


def test_the_api_says_what_is_wrong_with_a_mute(run: AssessmentRun, alice: User) -> None:
    client, finding = signed_in(alice), str(open_ssh(run).pk)
    assert post(client, run, finding=finding, reason="").status_code == 422
    assert (
        post(
            client, run, finding=finding, reason="x", expires_at="2020-01-01T00:00:00Z"
        ).status_code
        == 422
    )
    assert (
        post(client, run, finding=finding, reason="x", expires_at="2099-01-01T00:00:00").status_code
        == 422
    )
    assert post(client, run, finding=str(run.pk), reason="x").status_code == 404


def test_bob_cannot_see_or_touch_alices_mutes(run: AssessmentRun, alice: User, bob: User) -> None:
    finding, client = open_ssh(run), signed_in(bob)
    mute_finding(finding, by=alice, reason="x")
    base = f"/api/v1/assessments/{run.assessment_id}/mutes"
    assert client.get(base).status_code == 404
    assert post(client, run, finding=str(finding.pk), reason="mine").status_code == 404
    assert client.delete(f"{base}/{finding.fingerprint}").status_code == 404
    assert FindingMute.objects.get().reason == "x"


def test_a_mute_holds_in_its_own_assessment_alone(run: AssessmentRun, alice: User) -> None:
    other = assessed(uploaded(alice, {"main.tf": OPEN_GROUP}))
    assert open_ssh(other).fingerprint == open_ssh(run).fingerprint
    before = severity_counts(other)
    mute_finding(open_ssh(run), by=alice, reason="x")
    assert severity_counts(other) == before

"""Two runs compared: what is new, fixed, reopened and still there, and which figures changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client

from assessments import muting, versions
from assessments.comparing import Comparison
from assessments.models import AgentReport, AssessmentRun, Finding
from assessments.requirements import Requirements
from assessments.versions import Change, Mode
from tasks_ui.models import ApiToken
from tests.assessments.rows import assessed, uploaded, written

if TYPE_CHECKING:
    from django.contrib.auth.models import User

OPEN = """resource "aws_security_group" "web" {
  name        = "web"
  description = "web"
  ingress {
    description = "ssh"
    from_port   = 22
    to_port     = 22
    protocol    = "tcp"
    cidr_blocks = ["0.0.0.0/0"]
  }
}
"""
CLOSED = OPEN.replace("0.0.0.0/0", "10.0.0.0/8")
SSH = "CKV_AWS_24"
MACHINE = """provider "aws" {
  region = "eu-central-1"
}
resource "aws_instance" "app" {
  ami           = "ami-1"
  instance_type = "m5.large"
}
"""


def next_run(run: AssessmentRun, owner: User, *, remove: Any = (), **files: str) -> AssessmentRun:
    """A run of a version in which some files differ from those of the run (``main`` is main.tf)."""
    uploads = [(f"{name}.tf", text.encode()) for name, text in files.items()]
    change = Change.of(uploads, mode=Mode.CHANGE, remove=remove)
    versions.add_version(run.assessment, change, by=owner)
    return assessed(run.assessment)


def rules(rows: Any) -> set[str]:
    return set(rows.values_list("rule", flat=True))


def test_findings_are_new_fixed_reopened_or_persisting(alice: User) -> None:
    first = assessed(uploaded(alice, {"main.tf": OPEN}))
    second = next_run(first, alice, main=CLOSED)
    third = next_run(second, alice, main=OPEN)
    closed, opened = Comparison(second, first), Comparison(third, second)
    assert SSH in rules(closed.fixed)
    assert SSH in rules(opened.reopened) and SSH not in rules(opened.new)
    assert third.findings.get(rule=SSH).since == "reopened"
    assert set(opened.reopened.values_list("since", flat=True)) == {"reopened"}
    client = Client()
    client.force_login(alice)
    listed = client.get(f"/assessments/{third.assessment_id}/runs/3/findings/?status=reopened")
    assert [each.rule for each in listed.context["page"]] == list(
        opened.reopened.values_list("rule", flat=True)
    )
    assert '<span class="tag">reopened</span>' in listed.content.decode()
    assert not closed.new.exists() and not closed.reopened.exists()
    for comparison in (closed, opened):
        now = comparison.run.findings.counted().count()
        parts = (comparison.new, comparison.reopened, comparison.persisting)
        assert sum(part.count() for part in parts) == now
        assert comparison.persisting.exists()
    backwards = Comparison(first, second)
    assert SSH in rules(backwards.new), "there is no run before both"


@pytest.mark.parametrize(
    "moved",
    [
        "# one more line\n" * 7 + OPEN,
        'variable "unrelated" {\n  type = string\n  default = "x"\n}\n' + OPEN,
        OPEN.replace('  name        = "web"\n', '  # why\n\n  name        = "web"\n'),
    ],
)
def test_fingerprints_survive_moved_lines(alice: User, moved: str) -> None:
    first = assessed(uploaded(alice, {"main.tf": OPEN}))
    muting.mute_finding(first.findings.get(rule=SSH), by=alice, reason="known")
    second = next_run(first, alice, main=moved)
    lines = [run.findings.get(rule=SSH).line_start for run in (first, second)]
    assert lines[0] != lines[1]
    comparison = Comparison(second, first)
    assert not comparison.new.exists() and not comparison.fixed.exists()
    assert second.findings.muted().filter(rule=SSH).exists()
    assert SSH not in rules(comparison.persisting), "a muted finding is in no list"


def test_what_was_not_looked_for_is_not_fixed(alice: User) -> None:
    first = assessed(uploaded(alice, {"main.tf": OPEN, "app.tf": MACHINE}))
    second = next_run(first, alice, main="resource {{{ broken\n")
    assert any(file["status"] != "read" for file in second.coverage)
    comparison = Comparison(second, first)
    assert SSH in rules(comparison.unchecked) and SSH not in rules(comparison.fixed)
    stored = second.summary["comparison"]
    assert stored["fixed"] == comparison.fixed.count()
    assert stored["unchecked"] == comparison.unchecked.count() > 0
    report = written(second, "markdown").decode()
    assert f"{stored['unchecked']} not checked again" in report
    third = next_run(second, alice, remove=["main.tf"], app=MACHINE)
    assert SSH in rules(Comparison(third, first).fixed), "its file is gone, and it with it"
    AgentReport.objects.filter(run=third, agent="security").update(status=AgentReport.FAILED)
    Finding.objects.filter(run=third, agent="security").delete()
    silent = Comparison(AssessmentRun.objects.get(pk=third.pk), first)
    assert not silent.fixed.filter(agent="security").exists()
    assert silent.unchecked.filter(agent="security").exists()


def test_figures_move_by_resource_and_in_sum(alice: User) -> None:
    first = assessed(
        uploaded(alice, {"main.tf": MACHINE}, requirements=Requirements(provider="aws"))
    )
    second = next_run(first, alice, main=MACHINE.replace("m5.large", "m5.xlarge"))
    moved = {each.measure.key: each for each in Comparison(second, first).measures}
    assert moved.keys() == {"cost", "energy", "carbon"}
    for each in moved.values():
        assert each.total.change and each.total.change > 0
        assert [row.resource for row in each.resources] == ["aws_instance.app"]
        assert each.resources[0].value.change == pytest.approx(each.total.change, abs=0.02)
    assert moved["cost"].unit == "USD a month"
    gone = Comparison(next_run(second, alice, main=OPEN), second)
    cost = next(each for each in gone.measures if each.measure.key == "cost")
    assert (cost.total.now, cost.total.change, cost.resources) == (None, None, [])
    assert gone.scores["security"].change is not None


def test_the_api_compares_any_two_runs_of_the_caller(alice: User, bob: User) -> None:
    first = assessed(uploaded(alice, {"main.tf": OPEN}))
    second = next_run(first, alice, main=CLOSED)
    other = assessed(uploaded(alice, {"main.tf": OPEN}, name="other"))
    of_bob = assessed(uploaded(bob, {"main.tf": OPEN}))
    headers = {"Authorization": f"Bearer {ApiToken.issue(owner=alice, name='test')[1]}"}

    def compared(run: AssessmentRun, before: AssessmentRun, more: str = "") -> Any:
        path = f"/api/v1/runs/{run.pk}/compare?with={before.pk}{more}"
        return Client().get(path, headers=headers)

    answer = compared(second, first).json()
    assert (answer["run"]["version"], answer["before"]["version"]) == (2, 1)
    fixed = answer["findings"]["fixed"]
    found = next(each for each in fixed["findings"] if each["rule"] == SSH)
    assert found["place"] == f"main.tf:{found['line']}" and found["severity"] == "high"
    assert {each["agent"] for each in answer["scores"]} >= {"security", "compliance"}
    short = compared(second, first, "&limit=1").json()["findings"]
    assert len(short["persisting"]["findings"]) == 1 < short["persisting"]["total"]
    assert short["fixed"]["total"] == fixed["total"]
    across = compared(other, first).json()["findings"]
    assert across["new"]["total"] == across["fixed"]["total"] == 0
    assert compared(of_bob, first).status_code == compared(first, of_bob).status_code == 404
    assert compared(second, first, "&limit=1001").status_code == 422

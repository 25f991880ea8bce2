"""What must hold for every upload: another environment hides nothing, a missing file makes nothing
pass, and a fix lowers no score. The uploads are generated; the engines are the real ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assessments.agents import AGENTS
from assessments.agents.types import AgentInput, AgentResult, ScopeAnswer
from assessments.scan.types import FileKind
from tests.assessments.environments import DATABASE
from tests.assessments.rows import scanned

Files = tuple[tuple[str, str], ...]
SLOW = settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
POD = """\
apiVersion: v1
kind: Pod
metadata:
  name: web
spec:
  containers: [{name: a, image: a}]
"""
FLAWS = ["public", "clear", "open", "bucket"]
SOUND = """\
module "db" {
  source         = "../../modules/db"
  name           = "staging"
  public         = false
  encrypted      = true
  instance_class = "db.t3.medium"
}
"""


def environment(flaws: frozenset[str]) -> str:
    """An environment with the requested flaws and none of the others."""
    cidr = "0.0.0.0/0" if "open" in flaws else "10.0.0.0/8"
    bucket = 'resource "aws_s3_bucket" "logs" {\n  bucket = "logs"\n}\n'
    return f"""\
module "db" {{
  source         = "../../modules/db"
  name           = "prod"
  public         = {str("public" in flaws).lower()}
  encrypted      = {str("clear" not in flaws).lower()}
  instance_class = "db.t3.large"
}}

resource "aws_security_group" "admin" {{
  description = "Administration"

  ingress {{
    description = "SSH"
    from_port   = 22
    to_port     = 22
    protocol    = "tcp"
    cidr_blocks = ["{cidr}"]
  }}
}}
{bucket if "bucket" in flaws else ""}"""


def upload(flaws: frozenset[str], *, beside: Mapping[str, str] | None = None) -> Files:
    files = {
        "modules/db/main.tf": DATABASE,
        "envs/prod/main.tf": environment(flaws),
        **(beside or {}),
    }
    return tuple(sorted(files.items()))


@cache
def answers(files: Files) -> dict[str, AgentResult]:
    scan = scanned(files)
    data = AgentInput(
        scopes=scan.scopes,
        checks=scan.checks,
        resources=scan.resources,
        coverage=scan.coverage,
        gaps=scan.gaps,
    )
    return {
        name: agent.run(data, lambda done, total, message: None) for name, agent in AGENTS.items()
    }


def findings(answer: AgentResult, scope: str) -> set[tuple[str, str, str, int]]:
    return {
        (each.rule, each.resource, each.file, each.line_start)
        for each in answer.findings
        if each.scope == scope
    }


def of_scope(answer: AgentResult, scope: str) -> AgentResult | ScopeAnswer:
    return next((each for each in answer.scopes if each.scope == scope), answer)


@SLOW
@given(flaws=st.frozensets(st.sampled_from(FLAWS)))
def test_a_second_sound_environment_removes_no_finding_and_raises_no_score(
    flaws: frozenset[str],
) -> None:
    alone = answers(upload(flaws))
    both = answers(upload(flaws, beside={"envs/staging/main.tf": SOUND}))
    for name, answer in alone.items():
        assert findings(answer, "envs/prod") <= findings(both[name], "envs/prod")
        assert of_scope(both[name], "envs/prod").score == answer.score


@SLOW
@given(flaws=st.frozensets(st.sampled_from(FLAWS)), fixed=st.sampled_from(FLAWS))
def test_fixing_one_flaw_lowers_no_score(flaws: frozenset[str], fixed: str) -> None:
    before, after = answers(upload(flaws | {fixed})), answers(upload(flaws - {fixed}))
    for name in ("security", "compliance", "reliability", "operations"):
        first, second = before[name].score, after[name].score
        if first is not None and second is not None:
            assert second >= first, (name, fixed)


@SLOW
@given(
    flaws=st.frozensets(st.sampled_from(FLAWS)),
    removed=st.sampled_from(["modules/db/main.tf", "envs/prod/main.tf", "k8s/web.yaml"]),
)
def test_removing_a_file_makes_no_requirement_pass_that_was_not_assessable(
    flaws: frozenset[str], removed: str
) -> None:
    whole = upload(flaws, beside={"k8s/web.yaml": POD})
    less = tuple((path, text) for path, text in whole if path != removed)
    before, after = results(whole), results(less)
    was = {before.get(key, "not listed").split(",")[0] for key in after if after[key] == "pass"}
    assert was <= {"pass", "fail", "partly covered"}


def test_requirements_that_pass_and_that_are_not_assessable_are_among_those_drawn() -> None:
    states = Counter(results(upload(frozenset(), beside={"k8s/web.yaml": POD})).values())
    assert states["pass"] > 5
    assert states["not assessable from code"] > 5


def results(files: Files) -> dict[tuple[str, ...], str]:
    """By scope, framework and requirement."""
    answer, scopes = answers(files)["compliance"], scanned(files).scopes
    parts: Sequence[AgentResult | ScopeAnswer] = answer.scopes or [answer]
    return {
        (scope.key, table.key, str(row[0])): str(row[table.columns.index("Result")])
        for scope, part in zip(scopes, parts, strict=True)
        for table in part.tables
        if "Result" in table.columns
        for row in table.rows
    }


def test_a_module_that_is_removed_is_a_gap_and_not_a_pass() -> None:
    files = tuple(each for each in upload(frozenset({"clear"})) if each[0] != "modules/db/main.tf")
    scan = scanned(files)
    assert [(gap.scope, gap.path, gap.line) for gap in scan.gaps] == [
        ("envs/prod", "envs/prod/main.tf", 2)
    ]
    assert scan.gaps[0].kind is FileKind.TERRAFORM
    for name, answer in answers(files).items():
        assert answer.score != 100, name
        assert any("modules/db" in gap for gap in answer.gaps), name

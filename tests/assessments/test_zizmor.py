"""zizmor on workflows: findings with severity and line, suppressions, and what it can't read."""

from __future__ import annotations

from functools import cache

from assessments.agents import AGENTS
from assessments.agents.types import AgentInput, Severity, SeverityOrigin
from assessments.scan.merge import ScanResult
from assessments.scan.types import CoverageStatus, FileKind, Outcome
from tests.assessments.scanning import coverage_of, files_of, scan

WORKFLOW = """\
on: pull_request_target
permissions: {}
jobs:
  build:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: echo "${{ github.event.pull_request.title }}"
      - run: echo "${{ github.event.pull_request.body }}" # zizmor: ignore[template-injection]
"""
FILES = {
    ".github/workflows/a.yml": WORKFLOW,
    ".github/workflows/b.yml": "on: push\njobs: [1, 2]\n",
    ".github/workflows/c.yml": WORKFLOW.replace("pull_request_target", "push"),
    ".github/zizmor.yml": "rules: {template-injection: {disable: true}}\n",
}


@cache
def result() -> ScanResult:
    return scan(files_of(**FILES), engines=["zizmor"])


def test_findings_have_zizmors_severity_and_the_line() -> None:
    (injection,) = [
        each
        for each in result().checks
        if (each.rule, each.outcome) == ("zizmor-template-injection", Outcome.FAILED)
        and each.file == ".github/workflows/a.yml"
    ]
    assert (injection.line_start, injection.engine_severity) == (8, "high")
    assert injection.resource == "jobs.build.steps[1].run"
    assert any(line.number == 8 for line in injection.evidence)
    assert injection.references[0].startswith("https://docs.zizmor.sh/")
    rules = {each.rule for each in result().checks}
    assert {"zizmor-unpinned-uses", "zizmor-dangerous-triggers", "zizmor-artipacked"} <= rules


def test_a_comment_suppresses_and_is_counted_and_a_file_of_settings_is_not_followed() -> None:
    suppressed = [each for each in result().checks if each.outcome is Outcome.SUPPRESSED]
    assert [(each.rule, each.line_start) for each in suppressed] == [
        ("zizmor-template-injection", 9)
    ] * 2
    assert coverage_of(result(), ".github/zizmor.yml").kind is FileKind.UNKNOWN


ACTION = """\
name: build
inputs: {title: {required: true}}
runs:
  using: composite
  steps:
    - run: echo "${{ inputs.title }}"
      shell: bash
"""


def test_a_composite_action_is_looked_at_like_a_workflow() -> None:
    told = scan(files_of(**{"build/action.yml": ACTION}))
    assert {each.engine for each in told.checks} == {"zizmor"}
    (injection,) = [each for each in told.checks if each.rule == "zizmor-template-injection"]
    assert (injection.file, injection.line_start) == ("build/action.yml", 6)
    assert coverage_of(told, "build/action.yml").status is CoverageStatus.READ


def test_a_workflow_that_zizmor_cannot_read_is_the_only_gap() -> None:
    gaps = [(gap.path, gap.status) for gap in result().gaps if gap.kind is not FileKind.UNKNOWN]
    assert gaps == [(".github/workflows/b.yml", CoverageStatus.PARTLY_READ)]
    assert {each.file for each in result().checks} == {
        ".github/workflows/a.yml",
        ".github/workflows/c.yml",
    }


def test_operations_lists_them_without_counting_silence_as_a_pass() -> None:
    data = AgentInput(scopes=result().scopes, checks=result().checks, coverage=result().coverage)
    answer = AGENTS["operations"].run(data, lambda done, total, message: None)
    assert answer.score is None
    found = {each.rule: each for each in answer.findings}
    assert found["zizmor-dangerous-triggers"].severity is Severity.HIGH
    assert found["zizmor-dangerous-triggers"].severity_origin is SeverityOrigin.ENGINE

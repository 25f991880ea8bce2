"""The security agent: severities with their origin, the score by hand, nothing counted twice."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from assessments.agents.check_findings import finding_of
from assessments.agents.crosswalk import severities
from assessments.agents.routing import Owner, owned, owner
from assessments.agents.security import run
from assessments.agents.types import AgentInput, AgentStatus, Severity, SeverityOrigin
from assessments.scan.types import CodeLine, CoverageStatus, FileKind, Outcome
from tests.assessments.checks import check, compose_service, given, passed, read, silent, sources_of

PUBLIC_DATABASE = check("CKV_AWS_17")
UNENCRYPTED_DATABASE = check("CKV_AWS_16")
OPEN_SSH = check("CKV_AWS_24", resource="aws_security_group.web", line=30)


def test_score_is_the_weighted_share_of_passed_checks_rounded_down() -> None:
    # failed: critical 10, high 6; passed: critical 10, high 6, high 6: 22 of 38.
    data = given(
        PUBLIC_DATABASE,
        OPEN_SSH,
        passed("CKV_AWS_17", resource="aws_db_instance.b"),
        passed("CKV_AWS_16"),
        passed("CKV_AWS_79", resource="aws_instance.web"),
    )
    result = run(data, silent)
    assert result.score == 57  # 100 * 22 / 38 = 57.89
    assert "100 x 22 / (22 + 16), rounded down" in result.score_formula


def test_severity_comes_from_the_crosswalk_then_the_engine_then_the_topic() -> None:
    data = given(
        PUBLIC_DATABASE,
        check("CL-0003", engine="compose-lint", resource="compose/web", severity="medium"),
        check("CKV_AWS_189", resource="aws_ebs_volume.data"),
    )
    found = {
        each.rule: (each.severity, each.severity_origin) for each in run(data, silent).findings
    }
    assert found == {
        "CKV_AWS_17": (Severity.CRITICAL, SeverityOrigin.CROSSWALK),
        "CL-0003": (Severity.MEDIUM, SeverityOrigin.ENGINE),
        "CKV_AWS_189": (Severity.LOW, SeverityOrigin.CATEGORY),
    }
    assert severities()["aws/rds_instance_no_public_access"] == Severity.CRITICAL


def test_an_engine_that_is_silent_is_never_read_as_low() -> None:
    unknown = check("CKV_AWS_99999")
    (finding,) = run(given(unknown), silent).findings
    assert (finding.severity, finding.severity_origin) == (Severity.MEDIUM, SeverityOrigin.CATEGORY)


def test_a_finding_states_the_problem_and_points_at_the_line() -> None:
    (finding,) = run(given(PUBLIC_DATABASE), silent).findings
    assert finding.title == "Database is publicly accessible"
    assert (finding.file, finding.line_start, finding.line_end) == ("infra/main.tf", 10, 12)
    assert finding.why and finding.remediation and finding.code_example
    assert finding.evidence[0].text == "publicly_accessible = true"
    assert any(each.startswith("CIS 7.0 (AWS)") for each in finding.frameworks)


def test_a_rule_without_words_of_our_own_is_told_as_a_demand_that_is_not_met() -> None:
    (finding,) = run(
        given(check("CKV_AWS_99999", title="Ensure that the door is locked")), silent
    ).findings
    assert finding.title == "Not met: the door is locked"


def test_findings_are_ranked_with_the_worst_first() -> None:
    result = run(given(check("CKV_AWS_189"), OPEN_SSH, PUBLIC_DATABASE), silent)
    assert [each.severity for each in result.findings] == [
        Severity.CRITICAL,
        Severity.HIGH,
        Severity.LOW,
    ]


def test_suppressed_checks_are_told_and_weigh_nothing() -> None:
    result = run(given(passed("CKV_AWS_16"), check("CKV_AWS_17", Outcome.SUPPRESSED)), silent)
    assert result.score == 100
    assert not result.findings
    assert {each.key: each.value for each in result.figures}["checks_suppressed"] == 1
    assert any(
        "accepted by the owner" in map(str, row) for table in result.tables for row in table.rows
    )


def test_without_checks_the_answer_is_not_assessed_and_names_what_to_add() -> None:
    result = run(given(), silent)
    assert result.status == AgentStatus.NOT_ASSESSED
    assert result.score is None and not result.figures and not result.findings
    assert "Terraform" in result.reason


def test_only_suppressed_checks_give_no_score() -> None:
    result = run(given(check("CKV_AWS_17", Outcome.SUPPRESSED)), silent)
    assert result.status == AgentStatus.ASSESSED
    assert result.score is None


def test_mending_one_finding_moves_only_its_own_numbers() -> None:
    before = run(given(PUBLIC_DATABASE, OPEN_SSH, passed("CKV_AWS_79")), silent)
    after = run(given(passed("CKV_AWS_17"), OPEN_SSH, passed("CKV_AWS_79")), silent)
    assert before.score is not None and after.score is not None
    assert after.score > before.score
    assert after.findings == [each for each in before.findings if each.rule != "CKV_AWS_17"]
    changed = {
        a.key for a, b in zip(after.figures, before.figures, strict=True) if a.value != b.value
    }
    assert changed == {"checks_passed", "checks_failed", "findings_critical"}


def test_the_order_of_the_input_changes_nothing() -> None:
    checks = [
        check(rule, outcome, resource=f"r.{number}", file=f"{number % 3}.tf", line=number)
        for number, (rule, outcome) in enumerate(
            (rule, outcome)
            for rule in ("CKV_AWS_17", "CKV_AWS_24", "CKV_AWS_189", "CKV_K8S_16")
            for outcome in Outcome
        )
    ]
    expected = run(given(*checks), silent).to_json()
    for seed in range(5):
        random.Random(seed).shuffle(checks)
        assert run(given(*checks), silent).to_json() == expected


def test_fingerprints_survive_moved_lines_and_a_renamed_folder_and_stay_unique() -> None:
    first = run(given(PUBLIC_DATABASE, OPEN_SSH), silent)
    moved = run(
        given(
            check("CKV_AWS_17", file="renamed/main.tf", line=99),
            check(
                "CKV_AWS_24", resource="aws_security_group.web", file="renamed/main.tf", line=120
            ),
        ),
        silent,
    )
    assert [each.fingerprint_key for each in first.findings] == [
        each.fingerprint_key for each in moved.findings
    ]
    twice = run(given(PUBLIC_DATABASE, check("CKV_AWS_17", file="other/main.tf")), silent)
    assert len({each.fingerprint_key for each in twice.findings}) == 2


def test_every_check_has_exactly_one_owner() -> None:
    rules = ("CKV_AWS_17", "CKV_AWS_18", "CKV_AWS_157", "CKV_K8S_8", "CKV_GHA_1")
    checks = [*(check(rule) for rule in rules), check("DL3009", engine="hadolint")]
    split = {by: {each.rule for each in owned(checks, by)} for by in Owner}
    assert split == {
        Owner.SECURITY: {"CKV_AWS_17"},
        Owner.RELIABILITY: {"CKV_AWS_157", "CKV_K8S_8"},
        Owner.OPERATIONS: {"CKV_AWS_18", "CKV_GHA_1", "DL3009"},
    }
    assert sum(len(rules) for rules in split.values()) == len(checks)
    assert all(owner(each) in Owner for each in checks)


def test_a_password_that_two_engines_flag_on_one_line_is_counted_once() -> None:
    by_secrets = check("CKV_SECRET_6", resource="compose.yaml", file="compose.yaml", line=7)
    by_compose = check(
        "CL-0020", engine="compose-lint", file="compose.yaml", line=7, severity="high"
    )
    assert [each.rule for each in run(given(by_secrets, by_compose), silent).findings] == [
        "CKV_SECRET_6"
    ]
    assert [each.rule for each in run(given(by_compose), silent).findings] == ["CL-0020"]


def test_what_a_linter_leaves_unsaid_is_no_pass_and_its_findings_weigh_nothing() -> None:
    failed = check(
        "CL-0003",
        engine="compose-lint",
        resource="compose/web",
        file="compose.yaml",
        severity="medium",
    )
    data = AgentInput(
        checks=[failed],
        resources=[compose_service("web")],
        coverage=[read("compose.yaml", FileKind.COMPOSE)],
    )
    result, fixed = run(data, silent), run(data.replace(checks=[]), silent)
    assert [each.rule for each in result.findings] == ["CL-0003"]
    assert result.score is None and fixed.score is None
    assert fixed.status == AgentStatus.ASSESSED and "no score" in fixed.summary
    beside = run(data.replace(checks=[failed, passed("CKV_AWS_17")]), silent)
    assert beside.score == 100
    assert "linters report 1 more problem" in beside.summary


@pytest.mark.parametrize(
    "status", [CoverageStatus.PARTLY_READ, CoverageStatus.FAILED, CoverageStatus.NOT_ASSESSED]
)
def test_silence_about_a_compose_file_that_was_not_read_whole_is_no_answer(
    status: CoverageStatus,
) -> None:
    data = AgentInput(coverage=[read("compose.yaml", FileKind.COMPOSE, status)])
    assert run(data, silent).status == AgentStatus.NOT_ASSESSED


def test_every_figure_table_and_score_names_its_source() -> None:
    result = run(given(PUBLIC_DATABASE, check("CKV_AWS_16", Outcome.SUPPRESSED)), silent)
    assert all(sources_of(result))
    assert result.score_formula
    assert all(len(table.units) == len(table.columns) for table in result.tables)


def test_progress_counts_every_check() -> None:
    told: list[tuple[int, int]] = []
    run(
        given(PUBLIC_DATABASE, OPEN_SSH, passed("CKV_AWS_79")),
        lambda done, total, _: told.append((done, total)),
    )
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_an_exception_of_the_progress_callback_passes_through() -> None:
    def cancelled(done: int, total: int, message: str) -> None:
        raise InterruptedError(message)

    with pytest.raises(InterruptedError):
        run(given(PUBLIC_DATABASE), cancelled)


def test_each_agent_runs_from_a_shell() -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "assessments.agents", "security"],
        input=given(PUBLIC_DATABASE).to_json().decode(),
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).resolve().parents[2],
        timeout=60,
    )
    assert json.loads(answer.stdout)["findings"][0]["rule"] == "CKV_AWS_17"
    assert answer.stderr.startswith("1/1 ")


def test_a_value_for_each_instance_is_not_shown_as_if_it_were_known() -> None:
    def actual(line: str) -> str:
        failed = check("CKV_AZURE_1").replace(
            evidence=[CodeLine(number=5, text=line)], line_start=5, line_end=5
        )
        return finding_of(failed, Severity.LOW, SeverityOrigin.CATEGORY).actual

    assert "not met" in actual("  public_access = each.value.public_access")
    assert actual("  public_access = true") == "public_access = true"

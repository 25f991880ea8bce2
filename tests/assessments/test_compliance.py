"""The compliance agent: pass, fail, and what code can't show."""

from __future__ import annotations

import random

from assessments.agents.compliance import Verdict, run
from assessments.agents.types import AgentResult, AgentStatus, Severity
from assessments.requirements import Framework
from assessments.scan.types import Outcome
from tests.assessments.checks import (
    check,
    compose_service,
    given,
    passed,
    resource,
    silent,
    sources_of,
)

PUBLIC_DATABASE = check("CKV_AWS_17")


def verdicts(result: AgentResult, key: str) -> dict[str, str]:
    (table,) = (each for each in result.tables if each.key == key)
    return {str(row[0]): str(row[2]) for row in table.rows}


def test_a_requirement_fails_when_one_of_its_checks_failed() -> None:
    result = run(given(PUBLIC_DATABASE, passed("CKV_AWS_17", resource="aws_db_instance.b")), silent)
    assert verdicts(result, "compliance_cis_aws")["3.2.3"] == Verdict.FAIL


def test_a_requirement_passes_only_when_its_checks_ran_and_all_passed() -> None:
    result = run(given(passed("CKV_AWS_17")), silent)
    told = verdicts(result, "compliance_cis_aws")
    assert told["3.2.3"] == Verdict.PASS
    assert result.score == 100
    assert [key for key, verdict in told.items() if verdict == Verdict.PASS] == ["3.2.3"]


def test_a_requirement_without_a_check_that_ran_is_not_assessable_from_code() -> None:
    told = verdicts(run(given(passed("CKV_AWS_17")), silent), "compliance_cis_aws")
    assert (
        told["2.5"] == Verdict.NOT_ASSESSABLE
    )  # multi-factor sign-in of the root user is not in any file
    assert told["3.2.1"] == Verdict.NOT_ASSESSABLE  # database encryption: no such check ran


def test_a_suppressed_check_decides_nothing() -> None:
    result = run(given(check("CKV_AWS_17", Outcome.SUPPRESSED)), silent)
    assert verdicts(result, "compliance_cis_aws")["3.2.3"] == Verdict.NOT_ASSESSABLE
    assert result.score is None
    (row,) = (row for row in result.tables[1].rows if row[0] == "3.2.3")
    assert row[5] == 1


def test_score_is_the_share_of_passed_among_those_that_code_answers() -> None:
    # CIS for AWS 7.0: 3.2.1 database encryption passes, 3.2.3 public database fails, the rest can't
    # be determined.
    result = run(given(passed("CKV_AWS_16"), PUBLIC_DATABASE), silent)
    assert result.score == 50
    assert result.score_formula.startswith(
        "100 x requirements passed / (passed + failed) = 100 x 1 / (1 + 1)"
    )


def test_without_a_chosen_framework_cis_is_assessed_for_the_providers_seen_and_said_so() -> None:
    result = run(
        given(PUBLIC_DATABASE, resources=[resource("azurerm_key_vault.a", provider="azure")]),
        silent,
    )
    assert {each.key for each in result.tables} == {
        "compliance_overview",
        "compliance_cis_aws",
        "compliance_cis_azure",
    }
    assert "No framework was chosen" in result.summary


def test_only_the_chosen_frameworks_are_assessed() -> None:
    result = run(given(PUBLIC_DATABASE, frameworks=[Framework.HIPAA, Framework.GDPR]), silent)
    assert [each.key for each in result.tables[1:]] == [
        "compliance_hipaa_aws",
        "compliance_gdpr_aws",
    ]


def test_a_framework_without_a_mapping_for_the_provider_is_named() -> None:
    pod = check("CKV_K8S_16", resource="Pod/default/a")
    alone = run(given(pod, frameworks=[Framework.NIST_800_53]), silent)
    assert alone.status == AgentStatus.NOT_ASSESSED
    assert "NIST SP 800-53 for Kubernetes" in alone.reason
    beside = run(given(pod, frameworks=[Framework.NIST_800_53, Framework.CIS]), silent)
    assert beside.status == AgentStatus.ASSESSED
    assert "No mapping exists for NIST SP 800-53 for Kubernetes" in beside.summary


def test_compose_files_alone_are_not_assessed() -> None:
    result = run(
        given(check("CL-0003", engine="compose-lint"), resources=[compose_service("web")]), silent
    )
    assert result.status == AgentStatus.NOT_ASSESSED
    assert result.score is None and not result.findings


def test_a_failed_requirement_is_a_finding_as_bad_as_its_worst_check_and_points_at_its_line() -> (
    None
):
    data = given(
        check("CKV_AWS_24", resource="aws_security_group.web", file="b.tf", line=3),  # high
        check("CKV_AWS_277", resource="aws_security_group.web", file="a.tf", line=40),  # critical
        frameworks=[Framework.CIS],
    )
    finding = next(each for each in run(data, silent).findings if each.rule == "cis:6.3")
    assert finding.severity == Severity.CRITICAL
    assert (finding.file, finding.line_start) == ("a.tf", 40)
    assert "CKV_AWS_24 at b.tf:3 (aws_security_group.web)" in finding.actual
    assert finding.evidence


def test_requirements_of_pci_dss_carry_the_standards_own_numbers() -> None:
    told = verdicts(
        run(given(PUBLIC_DATABASE, frameworks=[Framework.PCI_DSS]), silent),
        "compliance_pci_dss_aws",
    )
    assert told["1.3.1"] == Verdict.FAIL
    assert len(told) == 107


def test_mending_one_finding_turns_only_the_requirements_that_rested_on_it() -> None:
    other = check("CKV_AWS_24", resource="aws_security_group.web")
    before = verdicts(run(given(PUBLIC_DATABASE, other), silent), "compliance_cis_aws")
    after = verdicts(run(given(passed("CKV_AWS_17"), other), silent), "compliance_cis_aws")
    assert {key for key in before if before[key] != after[key]} == {"3.2.3"}


def test_the_order_of_the_input_changes_nothing() -> None:
    rules = ("CKV_AWS_17", "CKV_AWS_16", "CKV_AWS_24", "CKV_AWS_277", "CKV_K8S_16", "CKV_GCP_6")
    checks = [
        check(rule, outcome, line=n) for n, rule in enumerate(rules, start=1) for outcome in Outcome
    ]
    checks += [
        check("CKV_AWS_17", resource=f"aws_db_instance.replica[{n}]", line=1) for n in range(4)
    ]
    frameworks = [Framework.SOC2, Framework.CIS, Framework.ISO27001]
    expected = run(given(*checks, frameworks=frameworks), silent).to_json()
    for seed in range(5):
        random.Random(seed).shuffle(checks)
        assert run(given(*checks, frameworks=frameworks), silent).to_json() == expected


def test_every_figure_and_table_names_framework_edition_version_and_date() -> None:
    result = run(given(PUBLIC_DATABASE), silent)
    assert all("5.46.0" in each and "2026-11-23" in each for each in sources_of(result))
    assert all(len(row) == len(table.columns) for table in result.tables for row in table.rows)


def test_progress_counts_every_requirement() -> None:
    told: list[tuple[int, int]] = []
    run(
        given(PUBLIC_DATABASE, frameworks=[Framework.GDPR]),
        lambda done, total, _: told.append((done, total)),
    )
    assert told == [(1, 3), (2, 3), (3, 3)]

"""The operations agent: hygiene from checks and from the tags of declared resources."""

from __future__ import annotations

import random

from assessments.agents.operations import is_tagged, run
from assessments.agents.types import AgentStatus, Severity
from assessments.scan.types import CodeLine, FileKind, Outcome, Resource
from tests.assessments.checks import check, given, passed, resource, silent, sources_of

NO_ACCESS_LOG = check("CKV_AWS_18", resource="aws_s3_bucket.data")


def test_score_weighs_checks_and_tags_by_hand() -> None:
    # access log failed (medium 3), memory limit passed (medium 3), tags: one of two (low 1 each): 4
    # of 8.
    data = given(
        NO_ACCESS_LOG,
        passed("CKV_K8S_12", resource="Deployment/shop/cart"),
        resources=[
            resource("aws_s3_bucket.data", tags={"owner": "shop"}),
            resource("aws_instance.web"),
        ],
    )
    result = run(data, silent)
    assert result.score == 50
    assert "100 x 4 / (4 + 4)" in result.score_formula


def test_an_untagged_resource_is_a_finding_at_its_line() -> None:
    (finding,) = run(given(resources=[resource("aws_instance.web")]), silent).findings
    assert (finding.rule, finding.resource, finding.line_start) == (
        "im-ops-tags",
        "aws_instance.web",
        5,
    )
    assert finding.severity == Severity.LOW


def test_a_bucket_of_google_cloud_lacks_labels_and_not_tags() -> None:
    code = [CodeLine(number=1, text='resource "google_storage_bucket" "a" {')]
    bucket = resource("google_storage_bucket.a", provider="gcp").replace(code=code, line_end=1)
    (found,) = run(given(resources=[bucket]), silent).findings
    assert found.shown == "labels is not set"


def test_tags_by_default_in_the_provider_block_reach_every_resource_of_that_provider() -> None:
    provider = resource("provider.aws", default_tags=[{"tags": {"owner": "shop"}}]).replace(
        type="provider"
    )
    data = given(
        resources=[
            provider,
            resource("aws_instance.web"),
            resource("azurerm_key_vault.a", provider="azure"),
        ]
    )
    assert [each.resource for each in run(data, silent).findings] == ["azurerm_key_vault.a"]


def test_tags_that_the_code_leaves_open_are_neither_passed_nor_failed() -> None:
    assert is_tagged(resource("aws_instance.web", tags="${var.tags}")) is None
    assert is_tagged(resource("aws_instance.web", tags={})) is False
    assert is_tagged(resource("aws_instance.web", tags={"owner": "shop"})) is True
    assert is_tagged(resource("aws_iam_policy_attachment.a")) is None


def test_tags_of_an_expression_that_is_not_evaluated_are_open() -> None:
    def web(line: str) -> Resource:
        code = [CodeLine(number=1, text=line)]
        return resource("aws_instance.web", tags={}).replace(code=code)

    assert is_tagged(web('  tags = merge(var.all, map("Name", var.name))')) is None
    assert is_tagged(web("  tags = {}")) is False


def test_tags_of_cloudformation_resources_are_read() -> None:
    template = Resource(
        address="Data",
        type="AWS::S3::Bucket",
        name="Data",
        provider="aws",
        origin=FileKind.CLOUDFORMATION,
        file="template.yaml",
        line_start=3,
        line_end=9,
        exact=True,
        attributes={"Properties": {"Tags": [{"Key": "owner", "Value": "shop"}]}},
    )
    assert is_tagged(template) is True
    assert is_tagged(template.replace(attributes={"Properties": {}})) is False


def test_hadolint_is_listed_and_weighs_nothing_since_it_never_says_what_passed() -> None:
    style = check(
        "DL3009", engine="hadolint", file="Dockerfile", resource="Dockerfile", severity="info"
    )
    with_it, without = run(given(NO_ACCESS_LOG, style), silent), run(given(NO_ACCESS_LOG), silent)
    assert with_it.score == without.score == 0
    assert {each.rule for each in with_it.findings} == {"CKV_AWS_18", "DL3009"}
    assert {each.key: each.value for each in with_it.figures}["checks_listed"] == 1


def test_what_two_linters_say_of_one_dockerfile_is_told_once() -> None:
    by_checkov = check("CKV_DOCKER_7", file="Dockerfile", resource="Dockerfile.FROM")
    by_hadolint = check(
        "DL3007", engine="hadolint", file="Dockerfile", resource="Dockerfile", severity="medium"
    )
    assert [each.rule for each in run(given(by_checkov, by_hadolint), silent).findings] == [
        "CKV_DOCKER_7"
    ]


def test_suppressed_checks_are_told_and_weigh_nothing() -> None:
    result = run(given(passed("CKV_K8S_12"), check("CKV_AWS_18", Outcome.SUPPRESSED)), silent)
    assert result.score == 100
    assert result.tables[-1].key == "suppressed"


def test_without_anything_to_weigh_the_answer_is_not_assessed() -> None:
    result = run(given(check("CKV_AWS_17")), silent)
    assert result.status == AgentStatus.NOT_ASSESSED
    assert result.score is None and result.reason and not result.figures


def test_mending_one_finding_moves_only_its_own_numbers() -> None:
    before = run(given(NO_ACCESS_LOG, check("CKV_K8S_12"), passed("CKV_K8S_14")), silent)
    after = run(
        given(
            passed("CKV_AWS_18", resource="aws_s3_bucket.data"),
            check("CKV_K8S_12"),
            passed("CKV_K8S_14"),
        ),
        silent,
    )
    assert before.score is not None and after.score is not None and after.score > before.score
    assert after.findings == [each for each in before.findings if each.rule != "CKV_AWS_18"]
    changed = {
        a.key for a, b in zip(after.figures, before.figures, strict=True) if a.value != b.value
    }
    assert changed == {"checks_passed", "checks_failed", "findings_medium", "failed_logging"}


def test_the_order_of_the_input_changes_nothing() -> None:
    checks = [
        check(rule, outcome)
        for rule in ("CKV_AWS_18", "CKV_K8S_12", "CKV_GHA_7")
        for outcome in Outcome
    ]
    resources = [
        resource("aws_instance.web"),
        resource("aws_s3_bucket.data"),
        resource("aws_vpc.main", tags={"a": "b"}),
    ]
    expected = run(given(*checks, resources=resources), silent).to_json()
    for seed in range(5):
        random.Random(seed).shuffle(checks)
        random.Random(seed).shuffle(resources)
        assert run(given(*checks, resources=resources), silent).to_json() == expected


def test_every_figure_and_table_names_its_source() -> None:
    result = run(given(NO_ACCESS_LOG, check("CKV_K8S_12", Outcome.SUPPRESSED)), silent)
    assert all(sources_of(result))
    assert result.score_formula

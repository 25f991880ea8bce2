"""The operations agent: logging, monitoring, tags, image pinning, resource limits, CI and
hygiene."""

from __future__ import annotations

import re

from assessments.agents.applicability import saying
from assessments.agents.check_findings import REPORTED, finding_of, sorted_findings
from assessments.agents.check_report import (
    all_passed,
    also_listed,
    also_undecided,
    check_figures,
    count,
    is_linted,
    only_listed,
    severity_figures,
    suppressed_table,
    topic_table,
)
from assessments.agents.inventory import attributes_of, resource_type
from assessments.agents.resource_findings import finding_about
from assessments.agents.routing import Owner, Topic, owned, topic
from assessments.agents.scoring import Tally
from assessments.agents.severity import TOPIC_SEVERITY, SeverityTable
from assessments.agents.types import (
    ASSESSED_KINDS,
    Agent,
    AgentFinding,
    AgentInput,
    AgentResult,
    AgentStatus,
    Figure,
    Headline,
    OnProgress,
    Part,
    SeverityOrigin,
)
from assessments.agents.wording import counted
from assessments.scan.types import CheckResult, FileKind, Outcome, Resource

MISSING = (
    "No check of logging, monitoring, pinning or hygiene ran, and no resource that can be tagged is"
    " declared. Add Terraform, CloudFormation, ARM, Bicep, Kubernetes manifests, Compose files,"
    " Dockerfiles, playbooks or pipelines."
)
TAG_RULE = "im-ops-tags"
TAG_FIELDS = {
    "aws": ("tags", "tags_all", "tag"),
    "azure": ("tags",),
    "gcp": ("labels", "effective_labels"),
}
"""Where each provider's Terraform resources keep their tags; CloudFormation's Tags are read as
``tags``."""
_TAGGABLE = (
    "aws_instance aws_db_instance aws_rds_cluster aws_s3_bucket aws_lb aws_alb aws_elb aws_vpc"
    " aws_subnet aws_security_group aws_nat_gateway aws_eks_cluster aws_eks_node_group"
    " aws_ecs_cluster aws_ecs_service aws_lambda_function aws_dynamodb_table aws_sqs_queue"
    " aws_sns_topic aws_kms_key aws_ebs_volume aws_efs_file_system aws_elasticache_cluster"
    " aws_elasticache_replication_group aws_ecr_repository aws_cloudwatch_log_group"
    " aws_cloudfront_distribution aws_secretsmanager_secret aws_launch_template"
    " aws_redshift_cluster aws_opensearch_domain aws_msk_cluster aws_kinesis_stream aws_cloudtrail"
    " aws_eip azurerm_resource_group azurerm_storage_account azurerm_linux_virtual_machine"
    " azurerm_windows_virtual_machine azurerm_virtual_machine azurerm_kubernetes_cluster"
    " azurerm_container_registry azurerm_key_vault azurerm_mssql_server azurerm_mssql_database"
    " azurerm_postgresql_flexible_server azurerm_mysql_flexible_server azurerm_cosmosdb_account"
    " azurerm_redis_cache azurerm_linux_web_app azurerm_windows_web_app azurerm_service_plan"
    " azurerm_linux_function_app azurerm_virtual_network azurerm_network_security_group"
    " azurerm_managed_disk google_storage_bucket google_compute_instance google_compute_disk"
    " google_bigquery_dataset google_pubsub_topic google_redis_instance google_cloud_run_service"
    " google_cloud_run_v2_service google_secret_manager_secret"
)
TAGGABLE = frozenset(_TAGGABLE.split())
"""Resource types whose provider documents a tags (AWS, Azure) or labels (Google) argument in the
Terraform Registry (read 2025-03). A type that isn't listed is neither passed nor failed."""


def run(data: AgentInput, on_progress: OnProgress) -> AgentResult:
    """Score hygiene over the checks that operations owns and over the tags of declared resources.

    Score: 100 x passed weight / (passed + failed weight); a resource's tags weigh as one check of
    low severity. Nothing to weigh: NOT_ASSESSED.
    """
    every = saying(data.checks, data.resources)
    checks = owned(every, Owner.OPERATIONS)
    taggable = _taggable(data.resources)
    total = len(checks) + len(taggable)
    if not total and not is_linted(data):
        return AgentResult(status=AgentStatus.NOT_ASSESSED, reason=MISSING)
    table = SeverityTable(every)
    tally, topics, findings = Tally(), dict[Topic, Tally](), list[AgentFinding]()
    for done, check in enumerate(checks, start=1):
        severity, origin = table.of(check)
        for each in (tally, topics.setdefault(topic(check), Tally())):
            count(each, check, severity)
        if check.outcome in REPORTED:
            findings.append(finding_of(check, severity, origin))
        on_progress(done, total, f"Weighed {check.rule} of {check.file}")
    for done, (resource, tagged) in enumerate(taggable, start=len(checks) + 1):
        for each in (tally, topics.setdefault(Topic.TAGS, Tally())):
            each.add(TOPIC_SEVERITY[Topic.TAGS], passed=tagged)
        findings += [] if tagged else [_untagged(resource)]
        on_progress(done, total, f"Looked for tags on {resource.address}")
    suppressed = [each for each in checks if each.outcome == Outcome.SUPPRESSED]
    return _result(tally, topics, sorted_findings(findings), suppressed)


def is_tagged(resource: Resource) -> bool | None:
    """Whether the code gives ``resource`` a tag; None where it can't be determined (a
    reference) or isn't asked."""
    if resource_type(resource) not in TAGGABLE:
        return None
    attributes = attributes_of(resource)
    fields = TAG_FIELDS.get(resource.provider, ())
    values = [attributes[field] for field in fields if attributes.get(field)]
    if any(isinstance(each, dict | list) for each in values):
        return True
    is_open = any(_is_computed(resource, field) for field in fields)
    return None if values or is_open else False


def _is_computed(resource: Resource, field: str) -> bool:
    """Whether the source gives ``field`` an expression, whatever was made of it: a value that can't
    be worked out is none or empty."""
    if resource.origin != FileKind.TERRAFORM:
        return False
    computed = re.compile(rf"\s*{field}\s*=\s*(?!\{{\s*\}}|null\b)\S")
    return any(computed.match(line.text) for line in resource.code)


def _taggable(resources: list[Resource]) -> list[tuple[Resource, bool]]:
    defaults = {each.provider for each in resources if _gives_default_tags(each)}
    found = []
    for resource in sorted(resources, key=lambda each: (each.file, each.line_start, each.address)):
        tagged = is_tagged(resource)
        if tagged is not None:
            found.append((resource, tagged or resource.provider in defaults))
    return found


def _gives_default_tags(resource: Resource) -> bool:
    """A provider block with default_tags (AWS) or default_labels (Google) tags all its
    resources."""
    return resource.type == "provider" and bool(
        resource.attributes.get("default_tags") or resource.attributes.get("default_labels")
    )


def _untagged(resource: Resource) -> AgentFinding:
    words = "labels" if resource.provider == "gcp" else "tags"
    is_template = resource.origin == FileKind.CLOUDFORMATION
    return finding_about(
        resource,
        attribute=words,
        rule=TAG_RULE,
        title=f"Resource has no {words}",
        severity=TOPIC_SEVERITY[Topic.TAGS],
        origin=SeverityOrigin.CATEGORY,
        expected=f"{words.capitalize()} that name the owner, environment and cost center",
        actual=f"No {words} are declared here"
        + ("" if is_template else ", nor by default in a provider block"),
        why="Nobody can tell who owns it, what it is for, or which budget pays for it.",
        remediation=f"Set {words} for owner, environment and cost center, preferably "
        + ("for the whole stack." if is_template else "as defaults in the provider block."),
    )


def _result(
    tally: Tally,
    topics: dict[Topic, Tally],
    findings: list[AgentFinding],
    suppressed: list[CheckResult],
) -> AgentResult:
    topic_figures = [
        Figure(
            key=f"failed_{name.name.lower()}",
            label=f"Gaps in {name.value}",
            value=each.failed_count,
            unit="checks",
            source=(
                f"Failed checks of this topic, out of {each.failed_count + each.passed_count}"
                " that ran"
            ),
        )
        for name, each in sorted(topics.items(), key=lambda pair: pair[0].value)
    ]
    table = topic_table(topics, key="operations_topics", title="Hygiene by topic")
    return AgentResult(
        status=AgentStatus.ASSESSED,
        score=tally.score(),
        score_formula=tally.formula(),
        share=tally.share(),
        summary=_summary(tally, topics),
        figures=[*check_figures(tally), *severity_figures(findings), *topic_figures],
        tables=[table, *([suppressed_table(suppressed)] if suppressed else [])],
        findings=findings,
    )


def _summary(tally: Tally, topics: dict[Topic, Tally]) -> str:
    ran = tally.passed_count + tally.failed_count
    gaps = sorted(
        ((each.failed_count, name.value) for name, each in topics.items() if each.failed_count),
        reverse=True,
    )
    if not gaps:
        passed = f"{all_passed(tally, 'operations check')}{also_listed(tally)}."
        return passed if ran or tally.undecided else only_listed(tally)
    named = ", ".join(f"{name} ({number})" for number, name in gaps[:3])
    return (
        f"{tally.failed_count} of {counted(ran, 'operations check')} failed{also_listed(tally)}"
        f"{also_undecided(tally)}."
        f" Largest gaps: {named}."
    )


AGENT = Agent(
    name="operations",
    label="Operations",
    run=run,
    reads=frozenset(Part),
    looks_at=ASSESSED_KINDS,
    headline=Headline(summed=("checks_*", "findings_*", "failed_*")),
)

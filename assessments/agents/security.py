"""The security agent: failed and passed checks, ranked, with a score and what was suppressed."""

from __future__ import annotations

from assessments.agents.applicability import saying
from assessments.agents.check_findings import REPORTED, finding_of, sorted_findings
from assessments.agents.check_report import (
    NOTHING_FOUND,
    all_passed,
    also_listed,
    also_undecided,
    check_figures,
    count,
    is_linted,
    only_listed,
    own_rules_tables,
    severity_figures,
    suppressed_table,
    topic_table,
)
from assessments.agents.crosswalk import vintage
from assessments.agents.routing import Owner, Topic, owned, topic
from assessments.agents.scoring import Tally
from assessments.agents.severity import SeverityTable
from assessments.agents.types import (
    ASSESSED_KINDS,
    Agent,
    AgentFinding,
    AgentInput,
    AgentResult,
    AgentStatus,
    Headline,
    OnProgress,
    Part,
    SeverityOrigin,
    Table,
)
from assessments.agents.wording import counted
from assessments.scan.types import SEARCHED, CheckResult, Outcome

MISSING = (
    "No security check ran. Add Terraform, a Terraform plan, CloudFormation, ARM, Bicep, Kubernetes"
    " manifests, Compose files, Dockerfiles, Ansible playbooks or pipelines (GitHub Actions, GitLab"
    " CI, Azure Pipelines, CircleCI)."
)


def run(data: AgentInput, on_progress: OnProgress) -> AgentResult:
    """Rank the failed security checks and score the pillar (``scoring.Tally``).

    Without a check or a linter that ran the answer is NOT_ASSESSED.
    """
    every = saying(data.checks, data.resources)
    checks = owned(every, Owner.SECURITY)
    if not checks and not is_linted(data):
        return AgentResult(status=AgentStatus.NOT_ASSESSED, reason=_missing(data))
    table = SeverityTable(every)
    tally, topics, findings = Tally(), dict[Topic, Tally](), list[AgentFinding]()
    for done, check in enumerate(checks, start=1):
        severity, origin = table.of(check)
        for each in (tally, topics.setdefault(topic(check), Tally())):
            count(each, check, severity)
        if check.outcome in REPORTED:
            findings.append(finding_of(check, severity, origin))
        on_progress(done, len(checks), f"Weighed {check.rule} of {check.file}")
    return _result(
        tally,
        topics,
        sorted_findings(findings),
        [c for c in checks if c.outcome == Outcome.SUPPRESSED],
        own_rules_tables(data.own_rules, every),
    )


def _missing(data: AgentInput) -> str:
    searched = sum(SEARCHED in each.reason for each in data.coverage)
    if not searched:
        return MISSING
    found = f"{counted(searched, 'file')} {'was' if searched == 1 else 'were'} {SEARCHED}"
    return f"{found}, and none was found. {MISSING}"


def _result(
    tally: Tally,
    topics: dict[Topic, Tally],
    findings: list[AgentFinding],
    suppressed: list[CheckResult],
    own: list[Table],
) -> AgentResult:
    tables = [
        topic_table(topics, key="security_topics", title="Checks by topic"),
        _origins(findings),
    ]
    return AgentResult(
        status=AgentStatus.ASSESSED,
        score=tally.score(),
        score_formula=tally.formula(),
        share=tally.share(),
        summary=_summary(tally, findings),
        figures=[*check_figures(tally), *severity_figures(findings)],
        tables=[*tables, *own, *([suppressed_table(suppressed)] if suppressed else [])],
        findings=findings,
    )


def _origins(findings: list[AgentFinding]) -> Table:
    return Table(
        key="severity_origins",
        title="Where severities come from",
        columns=["Origin", "Findings"],
        units=["", "findings"],
        rows=[
            [origin.value, sum(1 for each in findings if each.severity_origin == origin)]
            for origin in (SeverityOrigin.CROSSWALK, SeverityOrigin.ENGINE, SeverityOrigin.CATEGORY)
        ]
        + [
            [origin.value.replace("_", " "), count]
            for origin in (SeverityOrigin.OWN_RULE, SeverityOrigin.FORMULA)
            if (count := sum(1 for each in findings if each.severity_origin == origin))
        ],
        source=(
            f"Findings of this report. Crosswalk: {vintage()}; engine: its own severity; category:"
            " default by topic; own rule: the metadata of a rule of this server; formula:"
            " info for what can't be determined"
        ),
    )


def _summary(tally: Tally, findings: list[AgentFinding]) -> str:
    total = tally.failed_count + tally.passed_count
    if len(findings) == tally.undecided:
        passed = f"{all_passed(tally, 'security check')}{_suppressed(tally)}."
        return passed if total or tally.suppressed or tally.undecided else NOTHING_FOUND
    if not total:
        return (
            only_listed(tally).removesuffix(".") + f"{also_undecided(tally)}{_suppressed(tally)}."
        )
    return (
        f"{tally.failed_count} of {counted(total, 'security check')} failed"
        f"{also_listed(tally)}{also_undecided(tally)}{_suppressed(tally)}."
    )


def _suppressed(tally: Tally) -> str:
    return (
        f"; {tally.suppressed} {'is' if tally.suppressed == 1 else 'are'} suppressed"
        if tally.suppressed
        else ""
    )


AGENT = Agent(
    name="security",
    label="Security",
    run=run,
    reads=frozenset(Part),
    looks_at=ASSESSED_KINDS,
    headline=Headline(summed=("checks_*", "findings_*")),
)

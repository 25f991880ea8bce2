"""The compliance agent: each requirement of the chosen frameworks passes, fails, is partly covered,
or can't be assessed from code.

A requirement maps a number of controls. A control was checked where a rule that tests it ran on a
resource that the rule looks at; it doesn't apply where rules test it and no such resource is
declared. A requirement fails if any check failed; it passes only if every control that applies was
checked and all checks passed. Controls that no rule tests may apply, so with one of them it is at
most partly covered. Where nothing was checked it is not assessable. Checks that the files suppress
decide nothing and are counted. Undecided ones decide nothing either, and a control with one of them
was not checked in full.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from assessments.agents.applicability import Applicability
from assessments.agents.check_findings import finding_of, sorted_findings
from assessments.agents.crosswalk import (
    FRAMEWORK_NAMES,
    PROVIDER_NAMES,
    FrameworkDocument,
    Requirement,
    documents,
    entries,
    rules_of_check,
    vintage,
)
from assessments.agents.severity import SeverityTable
from assessments.agents.types import (
    PRICED_KINDS,
    Agent,
    AgentFinding,
    AgentInput,
    AgentResult,
    AgentStatus,
    Figure,
    Headline,
    OnProgress,
    Part,
    Share,
    Table,
)
from assessments.agents.wording import capital, counted
from assessments.requirements import Framework
from assessments.scan.types import CheckResult, FileKind, Outcome

MAX_NAMED = 5
"""Failed checks named in one finding; the rest is counted."""
RESOURCE_PROVIDERS = ("aws", "azure", "gcp", "kubernetes")


class Verdict(StrEnum):
    PASS = "pass"  # noqa: S105 - a verdict, not a password
    FAIL = "fail"
    PARTLY_COVERED = "partly covered"
    NOT_ASSESSABLE = "not assessable from code"


@dataclass(slots=True)
class Assessed:
    """One requirement with the checks that bear on it. ``checked`` of its ``mapped`` controls were
    checked; ``inapplicable`` ones have no resource to look at."""

    document: FrameworkDocument
    requirement: Requirement
    passed: list[CheckResult] = field(default_factory=list)
    failed: list[CheckResult] = field(default_factory=list)
    suppressed: list[CheckResult] = field(default_factory=list)
    undecided: list[CheckResult] = field(default_factory=list)
    checked: int = 0
    inapplicable: int = 0

    @property
    def mapped(self) -> int:
        return self.requirement.mapped

    @property
    def verdict(self) -> Verdict:
        if self.failed:
            return Verdict.FAIL
        if not self.checked:
            return Verdict.NOT_ASSESSABLE
        is_whole = self.checked + self.inapplicable == self.mapped
        return Verdict.PASS if is_whole else Verdict.PARTLY_COVERED

    @property
    def told(self) -> str:
        """The verdict in words: ``partly covered, 3 of 5``."""
        if self.verdict is Verdict.PARTLY_COVERED:
            return f"{self.verdict.value}, {self.checked} of {self.mapped}"
        return self.verdict.value


def run(data: AgentInput, on_progress: OnProgress) -> AgentResult:
    """Assess every requirement of the chosen frameworks for the providers that the input shows.

    No framework chosen: the CIS Benchmarks of the providers seen. No provider seen, or no mapping
    of the chosen frameworks for them: NOT_ASSESSED with the reason.
    """
    providers = providers_seen(data)
    chosen = data.requirements.frameworks or [Framework.CIS]
    wanted = [
        each for each in documents() if each.framework in chosen and each.provider in providers
    ]
    if not wanted:
        return _not_assessed(providers, chosen)
    applicability = Applicability(data.resources, data.checks)
    by_rule = _checks_by_rule(each for each in data.checks if applicability.says_something(each))
    total = sum(len(document.requirements) for document in wanted)
    assessed: list[Assessed] = []
    for document in wanted:
        for requirement in document.requirements:
            assessed.append(assess(document, requirement, by_rule, applicability))
            on_progress(len(assessed), total, f"{document.title}: {requirement.id}")
    return _result(data, wanted, assessed)


def providers_seen(data: AgentInput) -> list[str]:
    """The providers for which a resource is declared or a crosswalked check ran, sorted."""
    declared = {each.provider for each in data.resources}
    tested = {
        check.split("/")[0]
        for each in data.checks
        if (e := entries().get(each.rule))
        for check in e.checks
    }
    return sorted((declared | tested).intersection(RESOURCE_PROVIDERS))


def assess(
    document: FrameworkDocument,
    requirement: Requirement,
    by_rule: dict[str, list[CheckResult]],
    applicability: Applicability,
) -> Assessed:
    """One requirement against the checks that ran, by the rule of the module's docstring."""
    result = Assessed(document, requirement)
    into = {
        Outcome.PASSED: result.passed,
        Outcome.FAILED: result.failed,
        Outcome.SUPPRESSED: result.suppressed,
        Outcome.UNDECIDED: result.undecided,
    }
    tested = {control: rules_of_check().get(control, ()) for control in requirement.checks}
    for rule in sorted({rule for rules in tested.values() for rule in rules}):
        for check in by_rule.get(rule, ()):
            into[check.outcome].append(check)
    ran = {check.rule for check in (*result.passed, *result.failed)}
    undecided = {check.rule for check in result.undecided}
    for rules in tested.values():
        if ran.intersection(rules) and not undecided.intersection(rules):
            result.checked += 1
        elif not any(rule in by_rule or applicability.applies(rule) for rule in rules):
            result.inapplicable += 1
    return result


def _checks_by_rule(checks: Iterable[CheckResult]) -> dict[str, list[CheckResult]]:
    found: dict[str, list[CheckResult]] = {}
    for check in sorted(
        checks, key=lambda each: (each.file, each.line_start, each.resource, each.outcome.value)
    ):
        found.setdefault(check.rule, []).append(check)
    return found


def _result(
    data: AgentInput, wanted: list[FrameworkDocument], assessed: list[Assessed]
) -> AgentResult:
    severities = SeverityTable(data.checks)
    failed = [each for each in assessed if each.verdict == Verdict.FAIL]
    passed = [each for each in assessed if each.verdict == Verdict.PASS]
    answered = len(failed) + len(passed)
    return AgentResult(
        status=AgentStatus.ASSESSED,
        score=100 * len(passed) // answered if answered else None,
        score_formula=_formula(len(passed), len(failed), len(assessed)),
        share=Share(good=len(passed), whole=answered, unit="requirements"),
        summary=_summary(data, wanted, assessed),
        figures=[
            figure for document in wanted for figure in _figures(document, _of(document, assessed))
        ],
        tables=[
            _overview(wanted, assessed),
            *(_table(each, _of(each, assessed)) for each in wanted),
        ],
        findings=sorted_findings(_finding(each, severities) for each in failed),
    )


def _of(document: FrameworkDocument, assessed: list[Assessed]) -> list[Assessed]:
    return [each for each in assessed if each.document is document]


def _formula(passed: int, failed: int, total: int) -> str:
    inputs = (
        f"100 x {passed} / ({passed} + {failed}), rounded down"
        if passed + failed
        else "no requirement passed or failed"
    )
    return (
        f"100 x requirements passed / (passed + failed) = {inputs}; {total - passed - failed} of"
        f" {total} requirements are partly covered or not assessable from code and are not counted"
    )


def _summary(data: AgentInput, wanted: list[FrameworkDocument], assessed: list[Assessed]) -> str:
    counts = {
        verdict: sum(1 for each in assessed if each.verdict == verdict) for verdict in Verdict
    }
    said = (
        f"{capital(counted(len(assessed), 'requirement'))} in"
        f" {counted(len(wanted), 'framework document')}: {counts[Verdict.PASS]} passed,"
        f" {counts[Verdict.FAIL]} failed, {counts[Verdict.PARTLY_COVERED]} partly covered,"
        f" {counts[Verdict.NOT_ASSESSABLE]} not assessable from code."
    )
    if not data.requirements.frameworks:
        return (
            f"{said} No framework was chosen, so the CIS Benchmarks of the providers seen were"
            " assessed."
        )
    covered = {(each.framework, each.provider) for each in wanted}
    gaps = [
        f"{FRAMEWORK_NAMES[framework]} for {PROVIDER_NAMES[provider]}"
        for framework in sorted(set(data.requirements.frameworks))
        for provider in providers_seen(data)
        if (framework.value, provider) not in covered
    ]
    return f"{said} No mapping exists for {', '.join(gaps)}." if gaps else said


def _figures(document: FrameworkDocument, assessed: list[Assessed]) -> list[Figure]:
    return [
        Figure(
            key=f"{document.framework}_{document.provider}_{verdict.name.lower()}",
            label=f"{document.label}: {verdict.value}",
            value=sum(1 for each in assessed if each.verdict == verdict),
            unit="requirements",
            source=_source(document),
        )
        for verdict in Verdict
    ]


def _overview(wanted: list[FrameworkDocument], assessed: list[Assessed]) -> Table:
    rows = []
    for document in wanted:
        verdicts = [each.verdict for each in _of(document, assessed)]
        rows.append(
            [document.label, *(verdicts.count(verdict) for verdict in Verdict), len(verdicts)]
        )
    return Table(
        key="compliance_overview",
        title="Frameworks",
        columns=["Framework", *(verdict.value.capitalize() for verdict in Verdict), "Requirements"],
        units=["", *("requirements" for _ in Verdict), "requirements"],
        rows=rows,
        source=(
            f"Verdict by requirement from the checks that ran; mapping: {vintage()} and the"
            " project's crosswalk"
        ),
    )


def _table(document: FrameworkDocument, assessed: list[Assessed]) -> Table:
    columns = [
        "Requirement",
        "Title",
        "Result",
        "Passed",
        "Failed",
        "Suppressed",
        "Undecided",
        "Controls checked",
        "Controls mapped",
        "Controls that don't apply",
    ]
    return Table(
        key=f"compliance_{document.framework}_{document.provider}",
        title=_name(document),
        columns=columns,
        units=["", "", "", *("checks" for _ in range(4)), *("controls" for _ in range(3))],
        rows=[
            [
                each.requirement.id,
                each.requirement.title,
                each.told,
                len(each.passed),
                len(each.failed),
                len(each.suppressed),
                len(each.undecided),
                each.checked,
                each.mapped,
                each.inapplicable,
            ]
            for each in assessed
        ],
        source=_source(document),
    )


def _finding(each: Assessed, severities: SeverityTable) -> AgentFinding:
    worst, *others = sorted(
        each.failed,
        key=lambda check: (-severities.of(check)[0], check.file, check.line_start, check.rule),
    )
    severity, origin = severities.of(worst)
    document, requirement = each.document, each.requirement
    return finding_of(worst, severity, origin).replace(
        rule=f"{document.framework}:{requirement.id}",
        title=f"{document.label} {requirement.id}: {requirement.title.rstrip('.')}",
        expected=requirement.title,
        actual=_named([worst, *others]),
        why=(
            f"{len(each.failed)} of {len(each.failed) + len(each.passed)} checks mapped to this"
            f" requirement failed. The checks cover {each.checked} of its"
            f" {counted(each.mapped, 'control')}."
        ),
        remediation=_remediation([worst, *others]),
        code_example="",
        references=[_source(document)],
        frameworks=[f"{document.label}: {requirement.id}"],
        fingerprint_key=f"{document.framework}|{document.provider}|{requirement.id}",
    )


def _named(failed: list[CheckResult]) -> str:
    named = [
        f"{each.rule} at {each.file}:{each.focus or each.line_start} ({each.resource})"
        for each in failed[:MAX_NAMED]
    ]
    more = [f"and {len(failed) - MAX_NAMED} more"] if len(failed) > MAX_NAMED else []
    return "Failed: " + "; ".join([*named, *more])


def _remediation(failed: list[CheckResult]) -> str:
    words = (f"{each.rule}: {entries()[each.rule].remediation}" for each in failed)
    return " ".join(list(dict.fromkeys(words))[:MAX_NAMED])


def _name(document: FrameworkDocument) -> str:
    return f"{document.title} ({PROVIDER_NAMES[document.provider]})"


def _source(document: FrameworkDocument) -> str:
    return f"{_name(document)}, as mapped by {vintage()}, through the project's crosswalk"


def _not_assessed(providers: list[str], chosen: list[Framework]) -> AgentResult:
    if not providers:
        reason = (
            "None of the checks that the frameworks map to ran. Add Terraform, CloudFormation, ARM,"
            " Bicep or Kubernetes files."
        )
    else:
        names = ", ".join(FRAMEWORK_NAMES[each] for each in sorted(set(chosen)))
        places = ", ".join(PROVIDER_NAMES[each] for each in providers)
        reason = f"There is no mapping of {names} for {places}. Choose another framework."
    return AgentResult(
        status=AgentStatus.NOT_ASSESSED, reason=reason, missing=["frameworks"] if providers else []
    )


AGENT = Agent(
    name="compliance",
    label="Compliance",
    run=run,
    reads=frozenset(Part),
    looks_at=PRICED_KINDS | {FileKind.KUBERNETES, FileKind.ARM, FileKind.BICEP},
    headline=Headline(summed=("*_pass", "*_fail", "*_partly_covered", "*_not_assessable")),
)

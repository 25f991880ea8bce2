"""Turns a failed or undecided check of the scan into a finding."""

from __future__ import annotations

import re
from collections.abc import Iterable
from heapq import nsmallest
from pathlib import PurePosixPath

from assessments.agents.crosswalk import entries, requirements_of_rule
from assessments.agents.examples import in_own_names
from assessments.agents.problems import NOT_MET, UNDECIDED
from assessments.agents.severity import SeverityTable
from assessments.agents.types import AgentFinding, Severity, SeverityOrigin
from assessments.rules import known_rules
from assessments.scan.focus import Focus, shown
from assessments.scan.installed import is_installed
from assessments.scan.types import CheckResult, Outcome

THEN = " If it is not met then: "
"""Between how to settle what can't be determined and how to fix it."""
REPORTED = (Outcome.FAILED, Outcome.UNDECIDED)
"""Outcomes of which there is a finding."""
_ENSURE = re.compile(r"^\s*(?:make sure|ensured?|ensures)\b\s*(?:that\b)?\s*", re.IGNORECASE)


def finding_of(check: CheckResult, severity: Severity, origin: SeverityOrigin) -> AgentFinding:
    """The finding of one failed check, or of one that can't be determined, which claims nothing and
    has no severity. This project's own wording takes precedence over the engine's."""
    entry = entries().get(check.rule)
    line = check.focus or check.line_start
    said = shown(check.evidence, Focus(line, check.missing))
    rule = known_rules().get(check.rule)
    finding = AgentFinding(
        rule=check.rule,
        title=rule.title if rule else problem_of(check.title),
        severity=severity,
        severity_origin=origin,
        resource=check.resource,
        resource_type=check.resource_type,
        file=check.file,
        line_start=check.focus or check.line_start,
        line_end=check.focus or check.line_end,
        expected=check.title,
        actual=_actual(said) or f"The {check.engine} rule {check.rule} failed here.",
        why=entry.why if entry else _whose(check),
        remediation=_where(check) + ((entry.remediation if entry else "") or check.remediation),
        code_example=in_own_names(
            entry.code_example if entry else "",
            resource=check.resource,
            resource_type=check.resource_type,
        ),
        references=_references(check),
        frameworks=list(requirements_of_rule(check.rule)),
        evidence=check.evidence,
        line=line,
        shown=said,
        fingerprint_key=f"{check.rule}|{PurePosixPath(check.file).name}|{_subject(check)}",
    )
    return _undecided(finding, check) if check.outcome is Outcome.UNDECIDED else finding


def _actual(said: str) -> str:
    """``said``, and that it decides nothing by itself if the value is another for each instance:
    the engine looks at a block once, and counts what it can't work out as not met."""
    if not _OF_EACH.search(said):
        return said
    return (
        f"{said}: a value for each instance, which the engine can't work out and counts as not met"
    )


_OF_EACH = re.compile(r"=\s*.*\beach\.(?:value|key)\b")


def _undecided(finding: AgentFinding, check: CheckResult) -> AgentFinding:
    """The same rule, resource and fingerprint: it is this finding that another version decides."""
    said = f"{check.missing} = {check.open}" if check.missing else finding.shown
    return finding.replace(
        title=f"{UNDECIDED}{finding.title.removeprefix(NOT_MET)}",
        severity=Severity.INFO,
        severity_origin=SeverityOrigin.FORMULA,
        actual=f"{said}; what {check.open} is can't be worked out from the upload",
        shown=said,
        remediation=f"{_give(check)}{THEN}{finding.remediation}".removesuffix(THEN),
    )


def _give(check: CheckResult) -> str:
    """How the upload can say what is open. One sentence, the same for all that are alike."""
    if not check.file.endswith((".tf", ".tofu", ".tf.json")):
        return "Add a parameter file with the value, or a default."
    return (
        "Add the value: in a variables file such as terraform.tfvars, in the code that calls the"
        " module, or as a plan."
    )


def _whose(check: CheckResult) -> str:
    return f"A custom rule of this server, {check.own_rule}." if check.own_rule else ""


_COPY = (
    "This file is a copy of a module, made by 'terraform init'. Change the arguments of the module"
    " call, its version, or the module's own repository. "
)


def _where(check: CheckResult) -> str:
    return _COPY if is_installed(check.file) else ""


def _subject(check: CheckResult) -> str:
    """The resource, by a name that stays when its folder gets another one: a file that is itself
    the resource is known by its own name."""
    return PurePosixPath(check.file).name if check.resource == check.file else check.resource


def problem_of(title: str) -> str:
    """An engine's demand as a statement of what is wrong: ``Ensure X is set`` becomes ``Not met: X
    is set``. What it says beyond its first sentence is told as what is expected."""
    title = title.split(". ")[0].removesuffix(".")
    demand = _ENSURE.sub("", title)
    return title if demand == title or not demand else f"{NOT_MET}{demand}"


def sorted_findings(findings: Iterable[AgentFinding]) -> list[AgentFinding]:
    """Worst first, then by file and line; equal keys are distinguished by a running number."""
    ordered = sorted(
        findings,
        key=lambda each: (-each.severity, each.file, each.line_start, each.rule, each.resource),
    )
    seen: dict[str, int] = {}
    result = []
    for each in ordered:
        count = seen[each.fingerprint_key] = seen.get(each.fingerprint_key, 0) + 1
        if count > 1:
            each = each.replace(fingerprint_key=f"{each.fingerprint_key}|{count}")
        result.append(each)
    return result


def worst_findings(
    failed: Iterable[CheckResult], *, of: Iterable[CheckResult], at_most: int = 5
) -> list[AgentFinding]:
    """The worst of the ``failed`` among all checks ``of`` a scan, or of a part of one. What fails
    in several scopes at once is in the list once."""
    table = SeverityTable(of)
    once = {(each.rule, each.file, each.line_start, each.resource): each for each in failed}
    worst = nsmallest(at_most, once.items(), key=lambda item: (-table.of(item[1])[0], *item[0][1:]))
    return [finding_of(check, *table.of(check)) for _, check in worst]


def _references(check: CheckResult) -> list[str]:
    entry = entries().get(check.rule)
    equal = [f"Prowler check {name}" for name in entry.checks] if entry else []
    return [*([check.guideline] if check.guideline else []), *check.references, *equal]

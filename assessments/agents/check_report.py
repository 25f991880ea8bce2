"""What check-based agents have in common: counts, figures and tables, each with its source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from assessments.agents.crosswalk import vintage
from assessments.agents.routing import Topic
from assessments.agents.scoring import SILENT_ENGINES, Tally
from assessments.agents.types import AgentFinding, AgentInput, Figure, Severity, Table
from assessments.agents.wording import capital, counted
from assessments.scan.types import CheckResult, CoverageStatus, FileKind, Outcome, OwnRule


def count(tally: Tally, check: CheckResult, severity: Severity) -> None:
    """Add one check's outcome to ``tally``."""
    if check.engine in SILENT_ENGINES:
        tally.listed += 1
    elif check.outcome == Outcome.SUPPRESSED:
        tally.suppressed += 1
    elif check.outcome == Outcome.UNDECIDED:
        tally.undecided += 1
    else:
        tally.add(severity, passed=check.outcome == Outcome.PASSED)


def own_rules_tables(rules: Iterable[OwnRule], checks: Iterable[CheckResult]) -> list[Table]:
    """The server's own rules that looked at something, with what they found, whichever agent counts
    it. The run's page lists the others, too."""
    ran = Counter((each.rule, each.outcome) for each in checks if each.own_rule)
    rows: list[list[Any]] = [
        [
            rule.rule,
            rule.title,
            rule.severity or "by topic",
            *(ran[rule.rule, outcome] for outcome in (Outcome.FAILED, Outcome.PASSED)),
            rule.file,
        ]
        for rule in rules
        if ran[rule.rule, Outcome.FAILED] or ran[rule.rule, Outcome.PASSED]
    ]
    if not rows:
        return []
    table = Table(
        key="own_rules",
        title="Custom rules of this server",
        columns=["Rule", "What it asks", "Severity", "Failed", "Passed", "File"],
        units=["", "", "", "checks", "checks", ""],
        rows=rows,
        source="Checkov policies of this server's operator, as used by the scan",
    )
    return [table]


def is_linted(data: AgentInput) -> bool:
    """Whether a linter that only reports what is wrong read a whole file: silence is then an
    answer, and no score."""
    return any(
        each.kind is FileKind.COMPOSE and each.status is CoverageStatus.READ
        for each in data.coverage
    )


def counted_source(tally: Tally) -> str:
    """The source of a count of checks."""
    decided = tally.passed_count + tally.failed_count
    total = decided + tally.suppressed + tally.undecided + tally.listed
    return (
        f"Counted over {counted(total, 'check')} run on the uploaded files, each with its file and"
        " line"
    )


def severity_figures(findings: list[AgentFinding]) -> list[Figure]:
    """One figure per severity, worst first."""
    return [
        Figure(
            key=f"findings_{level.name.lower()}",
            label=f"{level.name.capitalize()} findings",
            value=sum(1 for each in findings if each.severity == level),
            unit="findings",
            source=(
                f"Findings of this report by severity. Severities: {vintage()}; else the engine's;"
                " else by topic"
            ),
        )
        for level in sorted(Severity, reverse=True)
    ]


NOTHING_FOUND = (
    "The linters that ran found nothing; they don't report what passed, so there is no score."
)


def all_passed(tally: Tally, noun: str) -> str:
    """The start of the summary where no check failed."""
    ran = tally.passed_count + tally.failed_count
    if not ran and tally.undecided:
        return f"{capital(counted(tally.undecided, noun))} can't be determined"
    if ran == 1:
        return f"The one {noun} that ran passed{also_undecided(tally)}"
    return (
        f"All {ran:,} {noun}s that ran passed{also_undecided(tally)}" if ran else f"No {noun} ran"
    )


def also_listed(tally: Tally) -> str:
    """What the linters report in addition to the checks that are scored."""
    return f", and linters report {counted(tally.listed, 'more problem')}" if tally.listed else ""


def only_listed(tally: Tally) -> str:
    """The summary where only linters ran, which don't report what passed."""
    return f"Linters report {counted(tally.listed, 'problem')}." if tally.listed else NOTHING_FOUND


def also_undecided(tally: Tally) -> str:
    """The checks that are neither passed nor failed, for the end of a summary."""
    return f"; {tally.undecided} can't be determined" if tally.undecided else ""


def topic_table(topics: dict[Topic, Tally], *, key: str, title: str) -> Table:
    """Passed, failed, suppressed and undecided checks by topic, with the score of each."""
    return Table(
        key=key,
        title=title,
        columns=["Topic", "Passed", "Failed", "Suppressed", "Undecided", "Score"],
        units=["", "checks", "checks", "checks", "checks", "of 100"],
        rows=[
            [
                name.value,
                each.passed_count,
                each.failed_count,
                each.suppressed,
                each.undecided,
                each.score(),
            ]
            for name, each in sorted(topics.items(), key=lambda pair: pair[0].value)
        ],
        source=(
            "Counted over the checks that ran; score by the formula of the pillar, within the topic"
        ),
    )


def suppressed_table(checks: list[CheckResult]) -> Table:
    """What the uploaded files themselves suppress, with the reason they give."""
    return Table(
        key="suppressed",
        title="Suppressed in the files",
        columns=["Rule", "Resource", "File", "Line", "Reason given"],
        units=["", "", "", "", ""],
        rows=[
            [each.rule, each.resource, each.file, each.line_start, each.suppression]
            for each in checks
        ],
        source=(
            "Suppression comments and settings in the uploaded files, at the file and line of"
            " each row"
        ),
    )


def check_figures(tally: Tally) -> list[Figure]:
    """How many checks passed, failed, were suppressed and can't be determined."""
    counts = {
        "passed": tally.passed_count,
        "failed": tally.failed_count,
        "suppressed": tally.suppressed,
        "undecided": tally.undecided,
        "listed and not scored": tally.listed,
    }
    return [
        Figure(
            key=f"checks_{word.split()[0]}",
            label=f"Checks {word}",
            value=value,
            unit="checks",
            source=counted_source(tally),
        )
        for word, value in counts.items()
    ]

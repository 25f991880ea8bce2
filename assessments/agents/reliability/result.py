"""The reliability agent's answer: its score, figures and table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from assessments.agents.reliability.availability import (
    MINUTES_PER_MONTH,
    downtime_minutes,
    percent_words,
)
from assessments.agents.reliability.controls import CONTROLS
from assessments.agents.reliability.objectives import (
    DR_SOURCE,
    in_words,
    required_strategy,
    strategy_words,
)
from assessments.agents.reliability.path import Availability, Rated, Tier
from assessments.agents.scoring import Tally
from assessments.agents.types import (
    AZURE_TEMPLATES,
    AgentFinding,
    AgentResult,
    AgentStatus,
    Figure,
    Table,
)
from assessments.agents.wording import capital, counted
from assessments.requirements import Requirements

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from assessments.agents.request_path import RequestPath
    from assessments.scan.types import Resource

MAX_PLACES = 20
"""Places of evidence shown for one path."""


def not_assessed(resources: Iterable[Resource]) -> AgentResult:
    is_azure = any(each.origin in AZURE_TEMPLATES for each in resources)
    found = (
        "Resources of ARM templates and Bicep files are not read for their reliability"
        if is_azure
        else "No resource that runs something was found"
    )
    return AgentResult(
        status=AgentStatus.NOT_ASSESSED,
        reason=f"{found}, and no uptime target or recovery objective is given.",
        missing=["uptime_target_percent", "rto_minutes", "rpo_minutes"],
    )


def result_of(
    wanted: Requirements,
    shown: Availability,
    findings: list[AgentFinding],
    tally: Tally,
    *,
    scored: bool,
) -> AgentResult:
    score = tally.score() if scored else None
    return AgentResult(
        status=AgentStatus.ASSESSED,
        missing=[
            name
            for name in ("uptime_target_percent", "rto_minutes", "rpo_minutes")
            if getattr(wanted, name) is None
        ],
        score=score,
        score_formula=_score_formula(tally, scored=score is not None),
        share=tally.share() if scored else None,
        summary=_summary(shown, findings, wanted),
        figures=list(_figures(shown, wanted, tally)),
        tables=list(_tables(shown)),
        findings=sorted(
            findings, key=lambda each: (-each.severity, each.file, each.resource, each.rule)
        ),
    )


def _score_formula(tally: Tally, *, scored: bool) -> str:
    if not scored:
        return "No score: the code shows no resource that a reliability control reads."
    return f"{tally.formula()}. Controls that the code doesn't show either way are not counted."


def _summary(shown: Availability, findings: list[AgentFinding], wanted: Requirements) -> str:
    parts = [capital(f"{counted(len(findings), 'weakness', plural='weaknesses')} found.")]
    if shown.worst:
        parts.append(
            f"{'The least available request path' if len(shown.paths) > 1 else 'The request path'}"
            f" ({shown.worst.path.in_words()}) has"
            f" {percent_words(shown.worst.availability)} by SLA."
        )
    elif shown.paths:
        parts.append(f"A request takes {shown.paths[0].in_words()}; no SLA is published for it.")
    elif shown.apart:
        parts.append(NO_PATH)
    if wanted.uptime_target_percent is not None and not shown.worst:
        parts.append("So the uptime target was not checked.")
    return " ".join(parts)


NO_PATH = (
    "The code doesn't show the path of a request: no reference leads from a load balancer, an"
    " API, an ingress, a function URL or a published port to what serves it. Availability is given"
    " by tier and not multiplied."
)


def _figures(shown: Availability, wanted: Requirements, tally: Tally) -> Iterator[Figure]:
    if wanted.uptime_target_percent is not None:
        allowed = downtime_minutes(wanted.uptime_target_percent / 100)
        yield Figure(
            key="allowed_downtime",
            label="Downtime the target allows",
            value=round(allowed, 1),
            unit="minutes a month",
            source=(
                f"(1 - {wanted.uptime_target_percent:g} %) x {MINUTES_PER_MONTH} minutes (730 hours"
                " a month)"
            ),
        )
    if shown.worst:
        yield from _path_figures(shown.worst)
    needed = required_strategy(wanted.rto_minutes, wanted.rpo_minutes)
    if needed is not None:
        yield Figure(
            key="needed_recovery_strategy",
            label="Recovery strategy the objectives need",
            value=strategy_words(needed),
            source=f"{DR_SOURCE}; {in_words(wanted)}",
        )
    if tally.passed_count + tally.failed_count:
        source = (
            f"{len(CONTROLS)} controls of the table in assessments/agents/reliability/controls.py,"
            " and objectives"
        )
        yield Figure(
            key="controls_held", label="Controls that hold", value=tally.passed_count, source=source
        )
        yield Figure(
            key="controls_failed",
            label="Failed controls",
            value=tally.failed_count,
            source=source,
        )


def _path_figures(worst: Rated) -> Iterator[Figure]:
    composite = worst.availability
    product = " x ".join(f"{tier.availability * 100:.4g} %" for tier in worst.tiers)
    source = (
        f"{worst.path.in_words()}: {product}{_left_out(worst)}; published service level agreements"
        f" as of {worst.tiers[0].sla.as_of}, which are refund thresholds, not measurements"
    )
    yield Figure(
        key="composite_availability",
        label="Availability of the request path by SLA",
        value=round(composite * 100, 4),
        unit="%",
        source=source,
    )
    yield Figure(
        key="composite_downtime",
        label="Downtime at that availability",
        value=round(downtime_minutes(composite), 1),
        unit="minutes a month",
        source=f"(1 - {composite * 100:.4f} %) x {MINUTES_PER_MONTH} minutes",
    )


def _left_out(rated: Rated) -> str:
    """Resources that the request needs and that have no published figure: the product is then an
    upper bound."""
    if not rated.without:
        return ""
    names = ", ".join(each.address for each in rated.without[:5])
    more = len(rated.without) - 5
    return f" (at most: no figure for {names}{f' and {more} more' if more > 0 else ''})"


def _tables(shown: Availability) -> Iterator[Table]:
    if shown.worst:
        yield _tiers_table(
            shown.worst.tiers,
            key="request_path",
            title="Availability of the request path by tier",
            note=f"The path is {shown.worst.path.in_words()}{_left_out(shown.worst)}.",
        )
    if shown.paths:
        yield _paths_table(shown)
    if shown.apart:
        yield _tiers_table(
            shown.apart,
            key="tiers_apart",
            title="Availability of tiers that are on no request path",
            note="Each by itself; they are not multiplied, as no reference connects them.",
        )


def _tiers_table(tiers: Sequence[Tier], *, key: str, title: str, note: str) -> Table:
    return Table(
        key=key,
        title=title,
        columns=["tier", "resource", "availability", "how", "source"],
        units=["", "", "%", "", ""],
        rows=[
            [
                tier.name,
                tier.resource.address,
                round(tier.availability * 100, 4),
                tier.formula,
                tier.sla.url,
            ]
            for tier in tiers
        ],
        source=(
            f"{note} Published service level agreements as of {tiers[0].sla.as_of}: refund"
            " thresholds, not measurements."
        ),
    )


def _paths_table(shown: Availability) -> Table:
    rated = {each.path.in_words(): each for each in shown.rated}
    return Table(
        key="request_paths",
        title="The path of a request, as the references in the code show it",
        columns=["path", "availability", "no figure for", "evidence"],
        units=["", "%", "", ""],
        rows=[_path_row(path, rated.get(path.in_words())) for path in shown.paths],
        source=(
            "References between the resources of this scope: listeners and target groups, services,"
            " selectors, origins, integrations, security groups, environment. Evidence is the file"
            " and line of each."
        ),
    )


def _path_row(path: RequestPath, rated: Rated | None) -> list[Any]:
    places = list(dict.fromkeys(hop.place for hop in path.hops))
    without = ", ".join(each.address for each in rated.without) if rated else "any of them"
    availability = round(rated.availability * 100, 4) if rated else None
    return [path.in_words(), availability, without, ", ".join(places[:MAX_PLACES])]

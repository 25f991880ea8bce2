"""The reliability agent's answer: its score, figures and table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assessments.agents.reliability.availability import MINUTES_PER_MONTH, downtime_minutes, serial
from assessments.agents.reliability.controls import CONTROLS
from assessments.agents.reliability.objectives import (
    DR_SOURCE,
    in_words,
    required_strategy,
    strategy_words,
)
from assessments.agents.reliability.path import Tier
from assessments.agents.scoring import Tally
from assessments.agents.types import AgentFinding, AgentResult, AgentStatus, Figure, Table
from assessments.agents.wording import capital, counted
from assessments.requirements import Requirements

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def not_assessed() -> AgentResult:
    return AgentResult(
        status=AgentStatus.NOT_ASSESSED,
        reason=(
            "No resource that runs something was found, and no uptime target or recovery objective"
            " is given."
        ),
        missing=["uptime_target_percent", "rto_minutes", "rpo_minutes"],
    )


def result_of(
    wanted: Requirements,
    tiers: list[Tier],
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
        summary=_summary(tiers, findings, wanted),
        figures=list(_figures(tiers, wanted, tally)),
        tables=[_path_table(tiers)] if tiers else [],
        findings=sorted(
            findings, key=lambda each: (-each.severity, each.file, each.resource, each.rule)
        ),
    )


def _score_formula(tally: Tally, *, scored: bool) -> str:
    if not scored:
        return "No score: the code shows no resource that a reliability control reads."
    return f"{tally.formula()}. Controls that the code doesn't answer count on neither side."


def _summary(tiers: list[Tier], findings: list[AgentFinding], wanted: Requirements) -> str:
    parts = [capital(f"{counted(len(findings), 'weakness', plural='weaknesses')} found.")]
    if tiers:
        composite = serial(tier.availability for tier in tiers) * 100
        parts.append(
            f"The request path of {counted(len(tiers), 'tier')} is promised {composite:.4f} %."
        )
    if wanted.uptime_target_percent is not None and not tiers:
        parts.append(
            "Availability of the path is not assessed: the code shows no tier with a published"
            " figure."
        )
    return " ".join(parts)


def _figures(tiers: list[Tier], wanted: Requirements, tally: Tally) -> Iterator[Figure]:
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
    if tiers:
        yield from _path_figures(tiers)
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
            label="Controls that don't hold",
            value=tally.failed_count,
            source=source,
        )


def _path_figures(tiers: Iterable[Tier]) -> Iterator[Figure]:
    listed = list(tiers)
    composite = serial(tier.availability for tier in listed)
    product = " x ".join(f"{tier.availability * 100:.4g} %" for tier in listed)
    source = (
        f"serial product of the visible tiers: {product}; published service level agreements as of "
        f"{listed[0].sla.as_of}, which are refund thresholds, not measurements"
    )
    yield Figure(
        key="composite_availability",
        label="Promised availability of the request path",
        value=round(composite * 100, 4),
        unit="%",
        source=source,
    )
    yield Figure(
        key="composite_downtime",
        label="Downtime within that promise",
        value=round(downtime_minutes(composite), 1),
        unit="minutes a month",
        source=f"(1 - {composite * 100:.4f} %) x {MINUTES_PER_MONTH} minutes",
    )


def _path_table(tiers: list[Tier]) -> Table:
    return Table(
        key="request_path",
        title="Availability by tier",
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
            f"Published service level agreements as of {tiers[0].sla.as_of}: refund thresholds, not"
            " measurements. Of several resources of one kind the weakest counts; tiers without a"
            " published figure are left out."
        ),
    )

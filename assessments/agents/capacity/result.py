"""The capacity agent's answer: its score, figures and table."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from assessments.agents.capacity.load_model import MODEL, TARGET_WITHOUT_LATENCY, Outcome, Station
from assessments.agents.capacity.network import SECONDS_PER_MONTH, network_ceiling
from assessments.agents.capacity.tier import Tier
from assessments.agents.instance_types import shapes_source
from assessments.agents.inventory import Inventory
from assessments.agents.types import AgentFinding, AgentResult, AgentStatus, Figure, Table
from assessments.agents.wording import capital, counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from assessments.requirements import Requirements


def not_assessed(wanted: Requirements) -> AgentResult:
    missing = [
        name for name in ("rps_now", "rps_peak", "service_time_ms") if getattr(wanted, name) is None
    ]
    if wanted.rps_now is not None or wanted.rps_peak is not None:
        missing = ["service_time_ms"]
    return AgentResult(
        status=AgentStatus.NOT_ASSESSED,
        reason=(
            "Capacity needs a request rate (now or at peak) and the mean service time of a request."
        ),
        missing=missing,
    )


def result_of(
    station: Station,
    tier: Tier,
    outcomes: list[Outcome],
    findings: list[AgentFinding],
    wanted: Requirements,
    inventory: Inventory,
) -> AgentResult:
    score, formula = _score(tier, outcomes)
    optional = (
        "rps_now",
        "rps_peak",
        "growth_12m_percent",
        "latency_p95_target_ms",
        "concurrency_per_replica",
    )
    missing = [name for name in optional if getattr(wanted, name) is None]
    return AgentResult(
        status=AgentStatus.ASSESSED,
        missing=[*missing, *(["replicas"] if tier.replicas is None else [])],
        score=score,
        score_formula=formula,
        summary=_summary(tier, outcomes),
        figures=[*_figures(station, tier, outcomes), *_network_figures(inventory, wanted)],
        tables=[_table(station, tier, outcomes)],
        findings=sorted(findings, key=lambda each: (-each.severity, each.rule, each.resource)),
    )


def _score(tier: Tier, outcomes: list[Outcome]) -> tuple[int | None, str]:
    if tier.replicas is None:
        return None, f"No score: {tier.source}."
    shares = [min(1.0, tier.replicas / each.needed) if each.needed else 0.0 for each in outcomes]
    terms = " + ".join(
        f"min(1, {tier.replicas}/{each.needed})" if each.needed else "0 (target can't be met)"
        for each in outcomes
    )
    formula = f"100 x mean over {', '.join(each.moment.label.lower() for each in outcomes)} of "
    formula += (
        f"min(1, replicas / replicas needed) = 100 x ({terms}) / {len(outcomes)}, rounded down"
    )
    return math.floor(100 * sum(shares) / len(shares)), formula


def _summary(tier: Tier, outcomes: list[Outcome]) -> str:
    worst = max(outcomes, key=lambda each: each.load)
    if worst.needed is None:
        return "No number of replicas meets the latency target: the service time alone is longer."
    if tier.replicas is None:
        return f"{capital(_replicas_needed(worst))} {_when(worst)}; how many run isn't known."
    runs = f"{tier.in_words(tier.replicas)} {'runs' if tier.replicas == 1 else 'run'}"
    needed = f"{worst.needed} {'is' if worst.needed == 1 else 'are'}"
    if tier.replicas >= worst.needed:
        return f"{capital(runs)}, enough: {needed} needed {_when(worst)}."
    return f"{capital(runs)}, too few: {needed} needed {_when(worst)}."


def _when(outcome: Outcome) -> str:
    label = outcome.moment.label
    return (
        "at the highest load of the next 12 months"
        if outcome.moment.key == "in_12_months"
        else label.lower()
    )


def _replicas_needed(outcome: Outcome) -> str:
    return (
        f"{counted(outcome.needed or 0, 'replica')} {'is' if outcome.needed == 1 else 'are'} needed"
    )


def _figures(station: Station, tier: Tier, outcomes: list[Outcome]) -> Iterator[Figure]:
    if tier.replicas is not None:
        yield Figure(
            key="replicas",
            label=f"Replicas of {tier.name}",
            value=tier.replicas,
            source=tier.source,
        )
        yield Figure(
            key="bottleneck",
            label="Bottleneck",
            value=tier.name,
            source=f"{tier.source}; fewest replicas",
        )
    for each in outcomes:
        inputs = (
            f"{MODEL}; lambda = {each.moment.rate:g}/s ({each.moment.source}), S ="
            f" {station.service_s * 1000:g} ms, c = {tier.replicas or 'needed'} x"
            f" {station.concurrency} ({station.concurrency_source})"
        )
        yield from _moment_figures(each, inputs, station)


def _moment_figures(each: Outcome, inputs: str, station: Station) -> Iterator[Figure]:
    name, label = each.moment.key, each.moment.label
    if each.needed is not None:
        goal = (
            f"p95 <= {station.target_s * 1000:g} ms" if station.target_s else TARGET_WITHOUT_LATENCY
        )
        source = f"fewest replicas with {goal}; {inputs}"
        yield Figure(
            key=f"needed_{name}",
            label=f"Replicas needed: {label}",
            value=each.needed,
            source=source,
        )
    if each.utilisation is not None:
        value = round(100 * each.utilisation, 1)
        source = f"rho = lambda S / c; {inputs}"
        yield Figure(
            key=f"utilisation_{name}",
            label=f"Utilization: {label}",
            value=value,
            unit="%",
            source=source,
        )
    if each.waiting is not None:
        value = round(100 * each.waiting, 2)
        source = f"Erlang C; {inputs}"
        yield Figure(
            key=f"waiting_{name}",
            label=f"Requests that wait: {label}",
            value=value,
            unit="%",
            source=source,
        )
    times = (
        ("mean_wait", "Mean wait", each.mean_wait_s),
        ("wait_p95", "p95 wait", each.wait_p95_s),
    )
    for key, words, value_s in (*times, ("response_p95", "p95 response", each.response_p95_s)):
        if value_s is not None and math.isfinite(value_s):
            value = round(value_s * 1000, 2)
            yield Figure(
                key=f"{key}_{name}",
                label=f"{words}: {label}",
                value=value,
                unit="ms",
                source=inputs,
            )


def _network_figures(inventory: Inventory, wanted: Requirements) -> Iterator[Figure]:
    ceiling = network_ceiling(inventory, wanted)
    if ceiling is None:
        return
    machines, gbps, needed = ceiling
    source = f"{machines.count} x {machines.instance_type}, baseline; {shapes_source()}"
    yield Figure(
        key="network_ceiling",
        label="Sustained network",
        value=round(gbps, 3),
        unit="Gbit/s",
        source=source,
    )
    formula = f"{wanted.egress_gb_month:g} GB x 8 / {SECONDS_PER_MONTH} s x peak / mean rate"
    yield Figure(
        key="network_peak",
        label="Egress at peak",
        value=round(needed, 4),
        unit="Gbit/s",
        source=formula,
    )


def _table(station: Station, tier: Tier, outcomes: list[Outcome]) -> Table:
    return Table(
        key="queue",
        title="The queue at each moment",
        columns=[
            "moment",
            "rate",
            "offered load",
            "needed",
            "utilization",
            "waiting",
            "p95 wait",
            "p95 response",
        ],
        units=["", "requests/s", "erlangs", "replicas", "%", "%", "ms", "ms"],
        rows=[
            [
                each.moment.label,
                each.moment.rate,
                round(each.load, 3),
                each.needed,
                _percent(each.utilisation),
                _percent(each.waiting),
                _milliseconds(each.wait_p95_s),
                _milliseconds(each.response_p95_s),
            ]
            for each in outcomes
        ],
        source=(
            f"{MODEL}; S = {station.service_s * 1000:g} ms, {tier.replicas or 'unknown'} replicas"
            f" of {tier.name} ({tier.source}) x {station.concurrency}"
            f" ({station.concurrency_source}). Empty: unknown, or the queue grows without bound."
        ),
    )


def _percent(value: float | None) -> float | None:
    return None if value is None else round(100 * value, 2)


def _milliseconds(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else round(1000 * value, 2)

"""The capacity agent: is there enough of the serving tier now, at peak, and in twelve months? By
Erlang C."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from assessments.agents.capacity.erlang import (
    erlang_c,
    mean_wait,
    response_percentile,
    wait_percentile,
)
from assessments.agents.instance_types import Shape, shape_of, shapes_source
from assessments.agents.inventory import SERVING_KINDS, Inventory, Machines, read_inventory
from assessments.agents.types import (
    Agent,
    AgentFinding,
    AgentInput,
    AgentResult,
    AgentStatus,
    Figure,
    Headline,
    OnProgress,
    Part,
    Severity,
    SeverityOrigin,
    Table,
)
from assessments.agents.wording import capital, counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from assessments.requirements import Requirements
    from assessments.scan.types import Resource

SHARE = 0.95
SECONDS_PER_MONTH = 730 * 3600
MODEL = (
    "M/M/c (Erlang C; Gross, Shortle, Thompson, Harris, Fundamentals of Queueing Theory, 4th ed.,"
    " 2008, section 2.3): Poisson arrivals, exponential service times"
)
TARGET_WITHOUT_LATENCY = "at most 5 % of the requests wait (the 95th percentile of the wait is 0)"


@dataclass(frozen=True, slots=True)
class Tier:
    """What serves the requests. ``replicas`` is None where neither code nor requirements tell."""

    name: str
    replicas: int | None
    source: str
    resource: Resource | None = None


@dataclass(frozen=True, slots=True)
class Moment:
    """One load to be met. ``rate`` is in requests a second; ``source`` tells where it comes
    from."""

    key: str
    label: str
    rate: float
    source: str


@dataclass(frozen=True, slots=True)
class Station:
    """The queue's fixed part: seconds of service, requests served at once by one replica, the
    target in seconds."""

    service_s: float
    concurrency: int
    target_s: float | None
    concurrency_source: str

    def load(self, moment: Moment) -> float:
        """Offered load in erlangs: a = lambda S."""
        return moment.rate * self.service_s


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one moment comes out. ``needed`` is in replicas; None where no number of them meets the
    target."""

    moment: Moment
    load: float
    needed: int | None
    utilisation: float | None
    waiting: float | None
    mean_wait_s: float | None
    wait_p95_s: float | None
    response_p95_s: float | None


def run(data: AgentInput, on_progress: OnProgress) -> AgentResult:
    """Assess capacity from rates, service time and replicas.

    Score: 100 x the mean, over the moments that are known, of min(1, replicas / replicas needed).
    Without a rate or a service time the answer is NOT_ASSESSED; without replicas it is the number
    needed, and no score.
    """
    wanted = data.requirements
    moments = moments_of(wanted)
    if not moments or wanted.service_time_ms is None:
        return _not_assessed(wanted)
    inventory = read_inventory(data.resources)
    tier = serving_tier(inventory, wanted)
    station = _station(wanted)
    outcomes = []
    for done, moment in enumerate(moments, start=1):
        outcomes.append(solve(station, moment, tier.replicas))
        on_progress(done, len(moments) + 1, f"Solved the queue for {moment.label.lower()}")
    findings = [
        *_queue_findings(station, tier, outcomes),
        *_network_findings(inventory, wanted, tier),
    ]
    on_progress(len(moments) + 1, len(moments) + 1, "Compared network ceilings")
    return _result(station, tier, outcomes, findings, wanted, inventory)


def moments_of(wanted: Requirements) -> list[Moment]:
    """Now, at peak, and the highest known rate in twelve months; each only where its inputs are
    given."""
    found = []
    if wanted.rps_now is not None:
        found.append(Moment("now", "Now", wanted.rps_now, "requirements, rps_now"))
    if wanted.rps_peak is not None:
        found.append(Moment("peak", "At peak", wanted.rps_peak, "requirements, rps_peak"))
    if found and wanted.growth_12m_percent is not None:
        base = max(found, key=lambda each: each.rate)
        factor = 1 + wanted.growth_12m_percent / 100
        if factor > 0:
            source = (
                f"{base.rate:g} x (1 + {wanted.growth_12m_percent:g} %), requirements,"
                " growth_12m_percent"
            )
            found.append(Moment("in_12_months", "Highest in 12 months", base.rate * factor, source))
    return found


def serving_tier(inventory: Inventory, wanted: Requirements) -> Tier:
    """What answers requests: the workload that the outside reaches, else the instance group, else
    the only workload, else single instances behind a load balancer.

    Where several could be meant the one with the fewest replicas is taken, being the bottleneck.
    The questionnaire's ``replicas`` counts where the code is silent.
    """
    workloads = [
        each for each in inventory.workloads if each.kind in SERVING_KINDS and each.replicas
    ]
    exposed = [_declared(each.resource, each.replicas) for each in workloads if each.exposed]
    groups = [
        _declared(m.resource, m.count)
        for m in inventory.machines
        if m.service in ("ecs", "asg") and m.count
    ]
    only = (
        [_declared(each.resource, each.replicas) for each in workloads]
        if len(workloads) == 1
        else []
    )
    for tiers in (exposed, groups, only):
        if tiers:
            return min(tiers, key=lambda tier: (tier.replicas or 0, tier.name))
    single = [each for each in inventory.machines if each.service in ("ec2", "gce", "azure_vm")]
    if single and (inventory.load_balancers or wanted.replicas is None):
        first = single[0].resource
        return Tier(
            "instances",
            len(single),
            f"{first.file}:{first.line_start}, {counted(len(single), 'instance')}",
            first,
        )
    if wanted.replicas is not None:
        return Tier("the serving tier", wanted.replicas, "requirements, replicas")
    return Tier(
        "the serving tier",
        None,
        "neither the code nor the requirements name the number of replicas",
    )


def solve(station: Station, moment: Moment, replicas: int | None) -> Outcome:
    """The queue at one moment: what is needed, and how the replicas that are there do."""
    load = station.load(moment)
    needed = replicas_needed(station, load)
    if replicas is None:
        return Outcome(moment, load, needed, None, None, None, None, None)
    servers = replicas * station.concurrency
    return Outcome(
        moment,
        load,
        needed,
        load / servers,
        erlang_c(servers, load),
        mean_wait(servers, load, station.service_s),
        wait_percentile(servers, load, station.service_s, share=SHARE),
        response_percentile(servers, load, station.service_s, share=SHARE),
    )


def replicas_needed(station: Station, load: float) -> int | None:
    """The least replicas that meet the target at ``load`` erlangs, by doubling and bisection (the
    response time falls with every server). None where the service time's own 95th percentile, S ln
    20, is above the target already."""
    if station.target_s is not None and station.target_s <= station.service_s * math.log(
        1 / (1 - SHARE)
    ):
        return None
    low = int(load // station.concurrency)  # at most a stable queue's edge: not enough
    high = low + 1
    while not _enough(station, load, high):
        low, high = high, high + max(1, high - int(load // station.concurrency)) * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _enough(station, load, middle) else (middle, high)
    return high


def _enough(station: Station, load: float, replicas: int) -> bool:
    servers = replicas * station.concurrency
    if servers <= load:
        return False
    if station.target_s is None:
        return erlang_c(servers, load) <= 1 - SHARE
    return response_percentile(servers, load, station.service_s, share=SHARE) <= station.target_s


def _declared(resource: Resource, replicas: int | None) -> Tier:
    return Tier(resource.address, replicas, f"{resource.file}:{resource.line_start}", resource)


def _station(wanted: Requirements) -> Station:
    given = wanted.concurrency_per_replica
    source = (
        "requirements, concurrency_per_replica"
        if given
        else "assumed: one request at a time per replica"
    )
    target = wanted.latency_p95_target_ms
    return Station(
        (wanted.service_time_ms or 0) / 1000, given or 1, target / 1000 if target else None, source
    )


def _not_assessed(wanted: Requirements) -> AgentResult:
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


# --- findings ----------------------------------------------------------------------------------


def _queue_findings(
    station: Station, tier: Tier, outcomes: list[Outcome]
) -> Iterator[AgentFinding]:
    if all(each.needed is None for each in outcomes):
        yield _unreachable(station, tier)
    if tier.replicas is None:
        return
    for outcome in outcomes:
        if outcome.needed is not None and tier.replicas < outcome.needed:
            yield _short(station, tier, outcome)


def _short(station: Station, tier: Tier, outcome: Outcome) -> AgentFinding:
    """Too few replicas for one moment. Overload is critical now, high later; a missed target
    medium, later low."""
    overloaded = outcome.utilisation is not None and outcome.utilisation >= 1
    soon = outcome.moment.key != "in_12_months"
    severity = {
        (True, True): Severity.CRITICAL,
        (True, False): Severity.HIGH,
        (False, True): Severity.MEDIUM,
    }
    goal = (
        f"p95 of at most {station.target_s * 1000:g} ms"
        if station.target_s
        else TARGET_WITHOUT_LATENCY
    )
    actual = counted(tier.replicas or 0, "replica")
    if overloaded:
        actual += (
            f", utilisation {100 * (outcome.utilisation or 0):.0f} %: the queue grows without end"
        )
    else:
        actual += f", p95 response {1000 * (outcome.response_p95_s or 0):.0f} ms"
    return _finding(
        f"im-cap-short-{outcome.moment.key.replace('_', '-')}",
        f"Too few replicas: {outcome.moment.label.lower()}",
        severity.get((overloaded, soon), Severity.LOW),
        tier,
        expected=(
            f"{counted(outcome.needed or 0, 'replica')} for {outcome.moment.rate:g} requests a"
            f" second ({goal})"
        ),
        actual=actual,
        why=(
            f"Offered load {outcome.load:.2f} erlangs (rate x service time) against "
            f"{(tier.replicas or 0) * station.concurrency} servers. Model: {MODEL}."
        ),
        remediation=f"Run {outcome.needed} replicas of {tier.name}, or shorten the service time.",
    )


def _unreachable(station: Station, tier: Tier) -> AgentFinding:
    least = station.service_s * math.log(1 / (1 - SHARE)) * 1000
    return _finding(
        "im-cap-target-unreachable",
        "No number of replicas meets the latency target",
        Severity.HIGH,
        tier,
        expected=f"p95 of at most {(station.target_s or 0) * 1000:g} ms",
        actual=f"the service time alone has a p95 of {least:.0f} ms",
        why=(
            "With exponential service times the 95th percentile of the service alone is S ln 20 ="
            " 3.0 S: waiting comes on top, and more replicas shorten only the waiting."
        ),
        remediation="Shorten the service time, cache the answer, or relax the target.",
    )


def _network_findings(
    inventory: Inventory, wanted: Requirements, tier: Tier
) -> Iterator[AgentFinding]:
    ceiling = _network(inventory, wanted)
    if ceiling is None:
        return
    machines, gbps, needed = ceiling
    if needed > gbps:
        resource = machines.resource
        yield _finding(
            "im-cap-network-ceiling",
            "Traffic at peak is above what the instances sustain",
            Severity.HIGH,
            Tier(resource.address, machines.count, "", resource),
            expected=(
                f"at most {gbps:g} Gbit/s ({machines.count} x {machines.instance_type}, baseline)"
            ),
            actual=f"{needed:.3f} Gbit/s of egress at peak",
            why="Above its baseline an instance uses up credits and is then throttled.",
            remediation=(
                "Use a larger type or more instances, or put a content delivery network in front."
            ),
        )


def _network(inventory: Inventory, wanted: Requirements) -> tuple[Machines, float, float] | None:
    """The weakest group's sustained Gbit/s in sum, and the egress at peak in Gbit/s: GB a month x 8
    / seconds a month, times peak / mean rate."""
    if wanted.egress_gb_month is None:
        return None
    known = [
        (each, shape.network_gbps * each.count)
        for each in inventory.machines
        if each.count and (shape := _shape(each)) and shape.network_gbps
    ]
    if not known:
        return None
    machines, gbps = min(known, key=lambda pair: (pair[1], pair[0].resource.address))
    swing = (
        max(1.0, wanted.rps_peak / wanted.rps_now) if wanted.rps_peak and wanted.rps_now else 1.0
    )
    return machines, gbps, wanted.egress_gb_month * 8 / SECONDS_PER_MONTH * swing


def _shape(machines: Machines) -> Shape | None:
    return shape_of(machines.instance_type)


def _finding(
    rule: str,
    title: str,
    severity: Severity,
    tier: Tier,
    *,
    expected: str,
    actual: str,
    why: str,
    remediation: str,
) -> AgentFinding:
    resource = tier.resource
    return AgentFinding(
        rule=rule,
        title=title,
        severity=severity,
        severity_origin=SeverityOrigin.FORMULA,
        resource=resource.address if resource else "",
        resource_type=resource.type if resource else "",
        file=resource.file if resource else "",
        line_start=resource.line_start if resource else 0,
        line_end=resource.line_end if resource else 0,
        expected=expected,
        actual=actual,
        why=why,
        remediation=remediation,
        fingerprint_key=f"{rule}|{tier.name}",
    )


# --- result ------------------------------------------------------------------------------------


def _result(
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
        f"min(1, {tier.replicas}/{each.needed})" if each.needed else "0 (target out of reach)"
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
        return "The latency target can't be met by replicas: the service time alone takes longer."
    if tier.replicas is None:
        return f"{capital(_replicas_needed(worst))} {_when(worst)}; how many run is not known."
    what = counted(tier.replicas, "instance" if tier.name == "instances" else "replica")
    what += "" if tier.name == "instances" else f" of {tier.name}"
    runs = f"{what} {'runs' if tier.replicas == 1 else 'run'}"
    if tier.replicas >= worst.needed:
        return f"{capital(runs)}, enough: {worst.needed} are needed {_when(worst)}."
    return f"{capital(runs)}, too few: {worst.needed} are needed {_when(worst)}."


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
        source = f"least replicas with {goal}; {inputs}"
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
            label=f"Utilisation: {label}",
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
    ceiling = _network(inventory, wanted)
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
            "utilisation",
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
            f" ({station.concurrency_source}). Empty: unknown, or the queue grows without end."
        ),
    )


def _percent(value: float | None) -> float | None:
    return None if value is None else round(100 * value, 2)


def _milliseconds(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else round(1000 * value, 2)


AGENT = Agent(
    name="capacity",
    label="Capacity",
    run=run,
    reads=frozenset({Part.RESOURCES}),
    headline=Headline(worst=("*",), is_worst=True),
)

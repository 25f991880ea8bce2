"""One answer for the run from an agent's answers about several scopes.

Cost, energy and carbon are sums over the scopes; scores are over the checks of all of them;
availability and capacity are those of the worst scope, which is named. An agent did not assess the
run only where it assessed no scope.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from assessments.agents.types import (
    AgentFinding,
    AgentResult,
    AgentStatus,
    Figure,
    ScopeAnswer,
    Table,
)
from assessments.agents.wording import counted

if TYPE_CHECKING:
    from assessments.agents.types import Agent, Headline
    from assessments.scan.types import Scope

MAX_NAMED = 3
"""Scopes named in a summary; the rest is counted."""

Answers = list[tuple["Scope", AgentResult]]


def run_level(
    agent: Agent,
    scopes: Sequence[Scope],
    results: Sequence[AgentResult],
    *,
    gapless: Sequence[AgentResult],
) -> AgentResult:
    """The headline of ``results``, one for each of ``scopes``, with all their findings.

    ``gapless`` are the same results before their gaps were added: what they say is quoted, as the
    run's gaps are counted once.
    """
    every = list(zip(scopes, results, strict=True))
    answers = [(s, result) for s, result in every if result.status == AgentStatus.ASSESSED]
    shared = AgentResult(
        status=AgentStatus.ASSESSED if answers else AgentStatus.NOT_ASSESSED,
        missing=list(dict.fromkeys(name for _, each in every for name in each.missing)),
        scopes=[_scope_answer(scope, result) for scope, result in every],
    )
    if not answers:
        return shared.replace(
            reason=_reasons(scopes, [each.reason for each in gapless]),
            figures=_summed(agent.headline, every),
            tables=_joined(every),
        )
    worst = _worst(agent.headline, answers)
    said = {scope.key: each.summary for scope, each in zip(scopes, gapless, strict=True)}
    score, formula = _score(agent.headline, answers, every, worst)
    return shared.replace(
        score=score,
        score_formula=formula,
        summary=_summary(
            agent.headline,
            answers,
            worst=(worst[0].label, said[worst[0].key]) if worst else None,
            is_least=_is_partial(agent.headline, every),
        ),
        figures=[*_summed(agent.headline, every), *_worst_figures(agent.headline, worst)],
        tables=[_by_scope(agent.headline, every), *_joined(every)],
        findings=_findings(answers),
    )


def _reasons(scopes: Sequence[Scope], reasons: Sequence[str]) -> str:
    """Why no scope is assessed. Reasons that differ say of which scopes they are true: in one
    there is nothing to price, in another there is, but no price."""
    of: dict[str, list[Scope]] = {}
    for scope, reason in zip(scopes, reasons, strict=True):
        if reason:
            of.setdefault(reason, []).append(scope)
    if len(of) < 2:
        return next(iter(of), "")
    ranked = sorted(of.items(), key=lambda each: -len(each[1]))
    said = [f"{_of_which(named)}: {reason}" for reason, named in ranked[:MAX_NAMED]]
    if len(ranked) > MAX_NAMED:
        left = sum(len(named) for _, named in ranked[MAX_NAMED:])
        said.append(f"{counted(left, 'more scope')}: each says why.")
    return " ".join(said)


def _of_which(scopes: Sequence[Scope]) -> str:
    return scopes[0].label if len(scopes) == 1 else counted(len(scopes), "scope")


def _scope_answer(scope: Scope, result: AgentResult) -> ScopeAnswer:
    fields = (name for name in ScopeAnswer.__struct_fields__ if name != "scope")
    return ScopeAnswer(scope=scope.key, **{name: getattr(result, name) for name in fields})


def _findings(answers: Answers) -> list[AgentFinding]:
    """Worst first, largest saving first; otherwise in the order of the scopes and of their own
    answers."""
    every = [finding for _, result in answers for finding in result.findings]
    return sorted(every, key=lambda each: (-each.severity, -(each.monthly_saving_usd or 0)))


def _worst(headline: Headline, answers: Answers) -> tuple[Scope, AgentResult] | None:
    """The scope with the lowest figure ``worst_by``, or score; None where no scope has one."""

    def value(result: AgentResult) -> float | None:
        if not headline.worst_by:
            return result.score
        found = (each.value for each in result.figures if each.key == headline.worst_by)
        return next((float(each) for each in found), None)

    ranked = [
        (found, place) for place, (_, r) in enumerate(answers) if (found := value(r)) is not None
    ]
    return answers[min(ranked)[1]] if ranked else None


def _score(
    headline: Headline,
    answers: Answers,
    every: Answers,
    worst: tuple[Scope, AgentResult] | None,
) -> tuple[int | None, str]:
    if headline.is_worst:
        if worst is None or worst[1].score is None:
            return None, "No scope has a score."
        scope, result = worst
        of = "" if len(answers) == 1 else f"The lowest of {_over(answers)}, "
        return result.score, f"{of}{scope.label}: {result.score_formula}"
    withheld = [(scope.label, r.score_formula) for scope, r in every if not r.share]
    withheld = [(label, formula) for label, formula in withheld if formula]
    if withheld and _is_partial(headline, every):
        return None, " ".join(f"{label}: {formula}" for label, formula in withheld[:MAX_NAMED])
    shares = [result.share for _, result in answers if result.share and result.share.whole]
    if not shares:
        return None, "No scope has a score."
    good, whole = (math.fsum(getattr(each, name) for each in shares) for name in ("good", "whole"))
    score = math.floor(round(100 * good / whole, 6))
    return score, (
        f"100 x sum / sum over {counted(len(shares), 'scope')} = 100 x {good:g} / {whole:g}"
        f" ({shares[0].unit}), rounded down; the terms are in the formula of each scope"
    )


def _summed(headline: Headline, answers: Answers) -> list[Figure]:
    """Sums of the figures that add up, exact to the decimals that they show."""
    found: dict[str, list[tuple[Scope, Figure]]] = {}
    for scope, result in answers:
        for figure in result.figures:
            if any(fnmatchcase(figure.key, pattern) for pattern in headline.summed):
                found.setdefault(figure.key, []).append((scope, figure))
    return [_sum(figures) for figures in found.values()]


def _sum(figures: list[tuple[Scope, Figure]]) -> Figure:
    first = figures[0][1]
    if len(figures) == 1:
        return first.replace(source=f"{figures[0][0].label}: {first.source}")
    terms = " + ".join(f"{figure.value} ({scope.label})" for scope, figure in figures)
    total = sum((Decimal(str(figure.value)) for _, figure in figures), Decimal(0))
    is_count = all(isinstance(figure.value, int) for _, figure in figures)
    return first.replace(
        value=int(total) if is_count else float(total), source=f"Sum over scopes: {terms}"
    )


def _worst_figures(headline: Headline, worst: tuple[Scope, AgentResult] | None) -> list[Figure]:
    if worst is None:
        return []
    scope, result = worst
    return [
        each.replace(
            label=f"{each.label} ({scope.label})",
            source=f"The worst scope, {scope.label}: {each.source}",
        )
        for each in result.figures
        if any(fnmatchcase(each.key, pattern) for pattern in headline.worst)
    ]


def _summary(
    headline: Headline, answers: Answers, *, worst: tuple[str, str] | None, is_least: bool
) -> str:
    """``worst`` is the label of the worst scope, and its summary. Only scopes that the agent
    assessed are in ``answers``: where it is one, it is named and not counted."""
    if worst is not None and (headline.is_worst or headline.worst_by):
        label, summary = worst
        if len(answers) == 1:
            return f"{label}: {summary}"
        return f"Worst of {_over(answers)}: {label}. {summary}"
    ranked = sorted(
        ((_leading(headline, result), scope.label) for scope, result in answers),
        key=lambda pair: -pair[0],
    )
    total = sum((value for value, _ in ranked), Decimal(0))
    named = [f"{_shown(value)} in {label}" for value, label in ranked[:MAX_NAMED]]
    more = [f"the rest in {len(ranked) - MAX_NAMED} more"] if len(ranked) > MAX_NAMED else []
    unit = _leading_unit(headline, answers)
    unit = "finding" if total == 1 and unit == "findings" else unit
    least = "At least " if is_least else ""
    amount = f"{least}{_shown(total)} {unit}"
    if len(ranked) == 1:
        return f"{amount} in {ranked[0][1]}."
    return f"{amount} in {_over(answers)}: {', '.join([*named, *more])}."


def _is_partial(headline: Headline, answers: Answers) -> bool:
    figures = (figure for _, result in answers for figure in result.figures)
    return any(each.key == headline.left_out and each.value for each in figures)


def _shown(value: Decimal) -> str:
    return f"{value:,.0f}" if value == value.to_integral_value() else f"{value:,.2f}"


def _over(answers: Answers) -> str:
    return counted(len(answers), "scope")


def _leading(headline: Headline, result: AgentResult) -> Decimal:
    if not headline.leading:
        return Decimal(len(result.findings))
    found = (Decimal(str(e.value)) for e in result.figures if e.key == headline.leading)
    return next(found, Decimal(0))


def _leading_unit(headline: Headline, answers: Answers) -> str:
    figures = (figure for _, result in answers for figure in result.figures)
    units = (each.unit for each in figures if each.key == headline.leading)
    return next(units, "findings")


def _by_scope(headline: Headline, every: Answers) -> Table:
    unit = _leading_unit(headline, every)
    led = bool(headline.leading)
    return Table(
        key="by_scope",
        title="By scope",
        columns=["Scope", "Result", "Score", "Findings", *([unit] if led else []), "Summary"],
        units=["", "", "of 100", "findings", *([unit] if led else []), ""],
        rows=[
            [
                scope.label,
                "assessed" if result.status == AgentStatus.ASSESSED else "not assessed",
                result.score,
                len(result.findings),
                *([_leading_cell(headline, result)] if led else []),
                result.summary or result.reason,
            ]
            for scope, result in every
        ],
        source="Each scope assessed by itself, from its own files",
    )


def _joined(answers: Answers) -> list[Table]:
    """The scopes' own tables, those of one kind as one, with the scope in the first column."""
    found: dict[tuple[str, tuple[str, ...]], list[tuple[Scope, Table]]] = {}
    for scope, result in answers:
        for table in result.tables:
            found.setdefault((table.key, tuple(table.columns)), []).append((scope, table))
    return [_with_scopes(tables) for tables in found.values()]


def _with_scopes(tables: list[tuple[Scope, Table]]) -> Table:
    first = tables[0][1]
    return first.replace(
        columns=["scope", *first.columns],
        units=["", *first.units],
        rows=[[scope.label, *row] for scope, table in tables for row in table.rows],
        source="; ".join(dict.fromkeys(table.source for _, table in tables)),
    )


def _leading_cell(headline: Headline, result: AgentResult) -> float | None:
    assessed = result.status == AgentStatus.ASSESSED
    return float(_leading(headline, result)) if assessed else None

"""One agent over every scope of an upload: an input for each, and one answer from theirs.

Scopes are independent: declarations in one don't affect the answer about another.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from assessments.agents.gaps import with_gaps
from assessments.agents.headline import run_level
from assessments.agents.scope_inputs import identities, inputs_of, scopes_of
from assessments.agents.scope_requirements import Stated, stated_for
from assessments.agents.types import Agent, AgentInput, AgentResult, OnProgress

if TYPE_CHECKING:
    from assessments.scan.types import Scope


def by_scope(agent: Agent) -> Agent:
    """``agent``, whose own ``run`` assesses one scope, over all scopes of its input.

    With one scope, or none named, the answer is that of the scope. With several it has one
    ``ScopeAnswer`` each, all their findings, and a headline (``headline.run_level``).
    """

    def run(data: AgentInput, on_progress: OnProgress) -> AgentResult:
        return _run(agent, data, on_progress)

    return replace(agent, run=run)


def _run(agent: Agent, data: AgentInput, on_progress: OnProgress) -> AgentResult:
    scopes = scopes_of(data)
    if not scopes:
        answer = agent.run(data, on_progress)
        return with_gaps(agent, answer, data.gaps or data.coverage, data.resources)
    names, stated = identities(scopes, data), stated_for(scopes, data)
    inputs = inputs_of(scopes, data, {key: each.requirements for key, each in stated.items()})
    sizes = [_units(each) for each in inputs]
    answers: list[AgentResult] = []
    gapless: list[AgentResult] = []
    for place, (scope, each) in enumerate(zip(scopes, inputs, strict=True)):
        part = _Progress(
            on_progress,
            before=sum(sizes[:place]),
            size=sizes[place],
            total=sum(sizes),
            label=scope.label if len(scopes) > 1 else "",
        )
        result = agent.run(each, part.report if len(scopes) > 1 else on_progress)
        told = _told(scope, result, names[scope.key], stated[scope.key])
        answers.append(with_gaps(agent, told, each.coverage, each.resources))
        gapless.append(told)
        part.finish()
    if len(scopes) == 1:
        return answers[0]
    headline = run_level(agent, scopes, answers, gapless=gapless)
    return with_gaps(agent, headline, data.gaps or data.coverage, data.resources)


def _units(data: AgentInput) -> int:
    """What a scope counts in the progress of an agent: its checks and resources, and itself."""
    return len(data.checks) + len(data.resources) + 1


class _Progress:
    """An agent's progress within one scope as progress over all of them."""

    def __init__(
        self, on_progress: OnProgress, *, before: int, size: int, total: int, label: str
    ) -> None:
        self._on_progress, self._before, self._size = on_progress, before, size
        self._total, self._label = total, label

    def report(self, done: int, total: int, message: str) -> None:
        reached = self._before + max(1, self._size * done // max(1, total))
        self._on_progress(reached, self._total, f"{self._label}: {message}")

    def finish(self) -> None:
        if self._label:
            done = self._before + self._size
            self._on_progress(done, self._total, f"Assessed {self._label}")


def _told(scope: Scope, result: AgentResult, identity: str, stated: Stated) -> AgentResult:
    """The answer with its scope on every finding and in their fingerprints, and with what the
    requirements leave open about the scope."""
    findings = [
        each.replace(
            scope=scope.key,
            fingerprint_key=f"{identity}|{each.fingerprint_key}"
            if identity
            else each.fingerprint_key,
        )
        for each in result.findings
    ]
    return stated.explained(result.replace(findings=findings))

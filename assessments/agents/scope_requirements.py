"""Which scope the stated requirements describe.

Frameworks, provider and regions hold for every scope. Traffic, replicas, budget and targets
describe one deployment (``DEPLOYMENT_FIELDS``): where there are several, ``Requirements.scope``
names it, and without that name they describe none.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from assessments.agents.scope_inputs import identities
from assessments.agents.types import AgentStatus
from assessments.requirements import DEPLOYMENT_FIELDS, Requirements
from assessments.scan.types import ScopeKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from assessments.agents.types import AgentInput, AgentResult
    from assessments.scan.types import Scope

NAME_A_SCOPE = "These requirements describe one deployment; name its scope."


@dataclass(frozen=True, slots=True)
class Stated:
    """The requirements as they hold for one scope. ``withheld`` are the fields that were given and
    describe another scope, or one that nobody named; ``words`` say which of the two."""

    requirements: Requirements
    withheld: frozenset[str] = frozenset()
    unnamed: bool = False
    words: str = ""

    def explained(self, result: AgentResult) -> AgentResult:
        """The answer, with ``missing`` asking for the scope instead of for fields that were given.
        Nothing more is asked where the requirements describe another scope."""
        held_back = self.withheld.intersection(result.missing)
        if not self.withheld or not held_back:
            return result
        missing = [name for name in result.missing if name not in DEPLOYMENT_FIELDS]
        if self.unnamed:
            missing = ["scope", *(name for name in result.missing if name not in held_back)]
        if result.status == AgentStatus.NOT_ASSESSED:
            return result.replace(missing=missing, reason=self.words)
        return result.replace(missing=missing, summary=f"{result.summary} {self.words}".strip())


def stated_for(scopes: Sequence[Scope], data: AgentInput) -> dict[str, Stated]:
    """By key, the requirements that hold for each scope."""
    wanted = data.requirements
    described = _described(scopes, data)
    given = frozenset(each for each in DEPLOYMENT_FIELDS if getattr(wanted, each) is not None)
    if described is None and wanted.scope:
        words = f"The requirements name the scope {wanted.scope}, which these files don't contain."
    elif described is None:
        words = NAME_A_SCOPE
    else:
        words = f"The requirements describe {described.label} only."
    general = wanted.model_copy(update=dict.fromkeys(given))
    other = Stated(general, given, unnamed=described is None, words=words)
    names = identities(scopes, data)
    return {
        scope.key: _with_own_usage(
            Stated(wanted) if scope is described else other,
            ("", scope.key, scope.label, names[scope.key]),
        )
        for scope in scopes
    }


def _with_own_usage(stated: Stated, names: tuple[str, ...]) -> Stated:
    """Without the use of other scopes' resources."""
    own = [each for each in stated.requirements.usage if each.scope in names]
    return replace(stated, requirements=stated.requirements.model_copy(update={"usage": own}))


def _described(scopes: Sequence[Scope], data: AgentInput) -> Scope | None:
    """The scope that the requirements describe: the one that they name, else the only one that can
    be deployed. A repository's Dockerfiles and workflows can't."""
    name = data.requirements.scope
    names = identities(scopes, data)
    if name:
        named = [each for each in scopes if name in (each.key, names[each.key], each.label)]
        return named[0] if named else None
    deployable = [each for each in scopes if each.kind is not ScopeKind.REPOSITORY] or [*scopes]
    return deployable[0] if len(deployable) == 1 else None

"""The agents: plain Python. Each turns the scan's output and the requirements into an answer with
sources, scope by scope."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assessments.agents import compliance, operations, security
from assessments.agents.by_scope import by_scope
from assessments.agents.capacity import agent as capacity
from assessments.agents.cost import agent as cost
from assessments.agents.reliability import agent as reliability
from assessments.agents.sustainability import agent as sustainability

if TYPE_CHECKING:
    from assessments.agents.types import Agent

AGENTS: dict[str, Agent] = {
    each.name: by_scope(each)
    for each in (
        security.AGENT,
        compliance.AGENT,
        cost.AGENT,
        reliability.AGENT,
        capacity.AGENT,
        operations.AGENT,
        sustainability.AGENT,
    )
}
"""Every agent by name, in the order in which they are shown."""

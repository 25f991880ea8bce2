"""An upload with hundreds of scopes: agents split their input once, not once per scope."""

from __future__ import annotations

import time

from assessments.agents.scope_inputs import inputs_of
from assessments.agents.types import AgentInput
from assessments.requirements import Requirements
from assessments.scan.types import Scope, ScopeKind
from tests.assessments.checks import check


def test_hundreds_of_scopes_cost_no_more_than_their_checks() -> None:
    """Going through all checks again for each scope took about twenty seconds here."""
    keys = [f"stacks/{n}" for n in range(400)]
    scopes = [Scope(key=key, kind=ScopeKind.TERRAFORM, label=key) for key in keys]
    checks = [check("CKV_AWS_17").replace(scope=key) for key in keys for _ in range(250)]
    data = AgentInput(scopes=scopes, checks=checks)
    started = time.process_time()
    inputs = inputs_of(scopes, data, dict.fromkeys(keys, Requirements()))
    assert time.process_time() - started < 2
    assert [len(each.checks) for each in inputs] == [250] * 400
    assert {each.scope for each in inputs[7].checks} == {keys[7]}

"""What a CloudFormation scope's own parameter file says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from assessments.scan.stacks import given_parameters

if TYPE_CHECKING:
    from assessments.scan.engines.one_run import EngineRun
    from assessments.scan.shards import ShardScope


def parameters_of(run: EngineRun, scope: ShardScope) -> dict[str, Any]:
    """Parameter values by name; empty where the scope has no parameter file."""
    for item in run.classified:
        if item.file.path == scope.parameters and item.documents:
            return given_parameters(item.documents[0].value)
    return {}

"""The parameter values of a CloudFormation or ARM scope, from its parameter file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from assessments.scan.azure import given_values
from assessments.scan.stacks import given_parameters
from assessments.scan.types import FileKind

if TYPE_CHECKING:
    from assessments.scan.engines.one_run import EngineRun
    from assessments.scan.shards import ShardScope


def parameters_of(run: EngineRun, scope: ShardScope) -> dict[str, Any]:
    """Parameter values by name; empty if the scope has no parameter file."""
    for item in run.classified:
        if item.file.path == scope.parameters and item.documents:
            read = given_values if item.kind is FileKind.ARM else given_parameters
            return read(item.documents[0].value)
    return {}

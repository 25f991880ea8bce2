"""Our own readers: resources from plans, CloudFormation, Kubernetes and Compose documents."""

from __future__ import annotations

from assessments.scan.compose_merge import extended_services, merged_services
from assessments.scan.engines.one_run import EngineRun
from assessments.scan.engines.stack import parameters_of
from assessments.scan.readers import read_resources
from assessments.scan.sandbox import (
    ScanCancelled,
)
from assessments.scan.scope_kinds.compose import is_override
from assessments.scan.types import (
    FileKind,
    Resource,
    ShardOutput,
)

READER_VERSION = "1"


def read(run: EngineRun) -> ShardOutput:
    """Each scope's resources, from its own files."""
    items = {item.file.path: item for item in run.classified}
    found: list[Resource] = []
    total = sum(len(scope.paths) for scope in run.shard.scopes)
    done = 0
    for scope in run.shard.scopes:
        given = parameters_of(run, scope)
        own: list[Resource] = []
        for path in sorted(scope.paths, key=lambda path: (is_override(path), path)):
            if run.should_stop():
                raise ScanCancelled("The scan was cancelled.")
            run.progress(done, total, path)
            own += read_resources(items[path], given=given)
            done += 1
        if scope.paths and items[scope.paths[0]].kind is FileKind.COMPOSE:
            own = merged_services(extended_services(own))
        found += (resource.replace(scope=scope.key) for resource in own)
    return ShardOutput(engine="resources", engine_version=READER_VERSION, resources=found)

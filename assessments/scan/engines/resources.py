"""Our own readers: resources from plans, CloudFormation, Kubernetes and Compose documents."""

from __future__ import annotations

from assessments.scan.engines.one_run import EngineRun
from assessments.scan.readers import read_resources
from assessments.scan.sandbox import (
    ScanCancelled,
)
from assessments.scan.types import (
    Resource,
    ShardOutput,
)

READER_VERSION = "1"


def read(run: EngineRun) -> ShardOutput:
    found: list[Resource] = []
    for done, item in enumerate(run.classified):
        if run.should_stop():
            raise ScanCancelled("The scan was cancelled.")
        run.progress(done, len(run.classified), item.file.path)
        found += read_resources(item)
    return ShardOutput(engine="resources", engine_version=READER_VERSION, resources=found)

"""The intake stage: classify every file and cut the files into shards."""

from __future__ import annotations

from collections import Counter
from typing import Any

from assessments import kinds
from assessments.models import (
    AssessmentRun,
    ScanShard,
    VersionFile,
)
from assessments.scan.classify import Classified, classify
from assessments.scan.shards import Shard, shards_of
from assessments.scan.types import FileKind
from assessments.stages.stage import child, confinement, inputs
from tasks_ui.models import TaskRun
from tasks_ui.worker.work import Work


def make_intake(run: AssessmentRun) -> list[TaskRun]:
    if run.completes:
        return []
    return [child(kinds.INTAKE, "Read files", weight=10, subject=run)]


def read_files(work: Work, run: AssessmentRun) -> dict[str, Any]:
    """Classify each file and cut the files into shards. Units of work are files. A worker that
    can't shut the engines in ends the run here."""
    confinement()
    files = inputs(run)
    read: list[Classified] = []
    for number, file in enumerate(files, start=1):
        read.append(classify(file))
        work.report(number, len(files), file.path)
    shards = shards_of(read)
    work.save_with_result(lambda: store_intake(run, read, shards))
    return {"files": len(read), "shards": len(shards)}


def store_intake(run: AssessmentRun, read: list[Classified], shards: list[Shard]) -> None:
    kind_of = {item.file.path: item.kind for item in read}
    rows = list(VersionFile.objects.filter(version=run.version_id).only("path", "kind"))
    told = [row for row in rows if row.kind != kind_of[row.path]]
    for row in told:
        row.kind = kind_of[row.path]
    VersionFile.objects.bulk_update(told, ["kind"], batch_size=500)
    ScanShard.objects.bulk_create(
        ScanShard(
            run=run,
            engine=s.engine,
            label=s.label[:200],
            weight=s.weight,
            spec=s.to_builtins(),
        )
        for s in shards
    )


def intake_facts(run: AssessmentRun) -> dict[str, Any]:
    files = VersionFile.objects.filter(version=run.version_id)
    counts = Counter(files.values_list("kind", flat=True))
    return {"files": sum(counts.values()), "not_assessed": counts[FileKind.UNKNOWN.value]}

"""tfparse: Terraform resources with their variables, counts and modules evaluated."""

from __future__ import annotations

import posixpath
from typing import Any

from assessments.scan.engines.one_run import EngineRun, all_partly, ask_scanner, one_line
from assessments.scan.readers import provider_of
from assessments.scan.sandbox import (
    ScanFailed,
    ScanTimeout,
)
from assessments.scan.terraform_text import with_bounded_counts, with_single_counts
from assessments.scan.types import (
    CoverageStatus,
    FileCoverage,
    FileKind,
    Reference,
    Resource,
    ShardOutput,
)

TFPARSE_WALL_S = 30.0


def tfparse(run: EngineRun) -> ShardOutput:
    """Resources from source. Counts too costly to work out are taken as 1, and that is said."""
    request = {"engine": "tfparse", "roots": run.shard.roots, "var_files": _var_files(run)}
    coverage: list[FileCoverage] = []
    try:
        answer = ask_scanner(run, request, rewrite=with_bounded_counts, wall_s=TFPARSE_WALL_S)
    except (ScanTimeout, ScanFailed):
        try:
            answer = ask_scanner(run, request, rewrite=with_single_counts, wall_s=TFPARSE_WALL_S)
        except (ScanTimeout, ScanFailed) as error:
            return ShardOutput(
                engine="tfparse",
                engine_version="",
                coverage=all_partly(run, f"Its resources could not be read: {error}"),
            )
        coverage = all_partly(
            run, "Its counts take too long to work out; each block is taken once."
        )
    known = {file.path for file in run.files}
    return ShardOutput(
        engine="tfparse",
        engine_version=str(answer["version"]),
        resources=[_tf_resource(block) for block in answer["resources"] if block["file"] in known],
        coverage=[*coverage, *_tf_errors(answer["errors"], known)],
    )


def _var_files(run: EngineRun) -> dict[str, list[str]]:
    """Variable files that Terraform itself would load in each root: terraform.tfvars and
    *.auto.tfvars."""
    found: dict[str, list[str]] = {}
    for item in run.classified:
        folder, name = posixpath.split(item.file.path)
        loaded = name.startswith("terraform.tfvars") or ".auto.tfvars" in name
        if item.kind is FileKind.TERRAFORM_VARS and loaded:
            found.setdefault(folder or ".", []).append(name)
    return found


def _tf_resource(block: dict[str, Any]) -> Resource:
    kind = str(block["type"])
    address = str(block["address"])
    provider = (
        provider_of(address.removeprefix("provider.")) if kind == "provider" else provider_of(kind)
    )
    return Resource(
        address=address[:400],
        type=kind,
        name=address.rsplit(".", 1)[-1].split("[", 1)[0],
        provider=provider,
        origin=FileKind.TERRAFORM,
        file=str(block["file"]),
        line_start=max(1, int(block["line_start"])),
        line_end=max(1, int(block["line_end"])),
        exact=False,
        attributes=block["attributes"],
        references=[
            Reference(to=str(each["to"])[:400], at=str(each["at"]), line=max(1, int(each["line"])))
            for each in block["references"]
        ],
    )


def _tf_errors(errors: list[dict[str, Any]], known: set[str]) -> list[FileCoverage]:
    return [
        FileCoverage(
            path=error["file"],
            kind=FileKind.TERRAFORM,
            status=CoverageStatus.FAILED,
            reason=one_line(f"This is not valid HCL: {error['message']}"),
            line=error["line"],
        )
        for error in errors
        if error["file"] in known
    ]

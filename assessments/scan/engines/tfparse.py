"""tfparse: Terraform resources with their variables, counts and modules evaluated."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from assessments.scan.engines.one_run import EngineRun, ask_scanner, joined, one_line, unread
from assessments.scan.engines.terraform_root import followed, local_sources
from assessments.scan.hcl_counts import (
    ANY,
    Edits,
    bounded,
    edited,
    joined_edits,
    single,
    with_one_of_the_unknown,
)
from assessments.scan.hcl_random import renamed, restored
from assessments.scan.plan_references import without_indexes
from assessments.scan.readers import provider_of
from assessments.scan.sandbox import EngineCrashed, ScanFailed, ScanTimeout
from assessments.scan.terraform_references import References, Sources
from assessments.scan.types import (
    CoverageStatus,
    FileCoverage,
    FileKind,
    Resource,
    ShardOutput,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from assessments.scan.shards import ShardScope
    from assessments.scan.terraform import Root

TFPARSE_WALL_S = 30.0
MAX_RESOURCES = 20_000
"""Total instances that are listed individually; a root with more has each block once."""


def tfparse(run: EngineRun) -> ShardOutput:
    """Resources from source, scope by scope. Scopes with counts that must be changed first are
    parsed separately, as they may share files with others."""
    roots = {scope.key: followed(run, scope) for scope in run.shard.scopes}
    is_changed = {key: bool(bounded(root) or root.installed) for key, root in roots.items()}
    plain = [scope for scope in run.shard.scopes if not is_changed[scope.key]]
    changed = [scope for scope in run.shard.scopes if is_changed[scope.key]]
    outputs = [
        _with_unknown(run, scope, roots[scope.key], answer)
        for scope, answer in zip(plain, _ask(run, plain, {}) if plain else (), strict=True)
    ]
    for scope in changed:
        root = roots[scope.key]
        edits = single(root) if root.total > MAX_RESOURCES else bounded(root)
        (answer,) = _ask(run, [scope], joined_edits(edits, local_sources(root)))
        outputs.append(_with_unknown(run, scope, root, answer))
    return joined(outputs)


def _ask(
    run: EngineRun, scopes: Sequence[ShardScope], edits: Edits
) -> list[dict[str, Any] | EngineCrashed]:
    part = run.of_scopes(scopes)
    request = {"engine": "tfparse", "parts": [_part(scope) for scope in scopes]}
    changed = replace(part, files=edited(part.files, edits))
    stable = replace(changed, files=[renamed(file) for file in changed.files])
    try:
        answers = ask_scanner(stable, request, wall_s=TFPARSE_WALL_S)
    except (ScanTimeout, ScanFailed) as error:
        return [EngineCrashed(str(error), is_of_a_file=False)]
    answers = [each if isinstance(each, EngineCrashed) else restored(each) for each in answers]
    sources = Sources(changed.files)
    for answer in answers:
        if not isinstance(answer, EngineCrashed):
            _add_references(answer, sources)
    return answers


def _add_references(answer: dict[str, Any], sources: Sources) -> None:
    blocks = [
        (str(each["path"]), str(each["file"]), int(each["line_start"])) for each in answer["blocks"]
    ]
    references = References(blocks, sources=sources)
    for block in answer["resources"]:
        place = str(block["address"]), str(block["file"]), int(block["line_start"])
        block["references"] = references.of(*place)


def _with_unknown(
    run: EngineRun, scope: ShardScope, root: Root, answer: dict[str, Any] | EngineCrashed
) -> ShardOutput:
    """tfparse leaves out what it can't count: then one instance stands for the unknown number. If
    it gave no answer, one instance stands for every count."""
    if isinstance(answer, EngineCrashed):
        edits = single(root)
        together = joined_edits(edits, local_sources(root))
        again = _ask(run, [scope], together)[0] if edits else answer
        output = _existing(_output(run, scope, again), root)
        reason = "Its counts take too long to evaluate; each block is counted once."
        said = [] if isinstance(again, EngineCrashed) else unread(run, reason, scope=scope)
        return output.replace(coverage=[*said, *output.coverage])
    output = _existing(_output(run, scope, answer), root)
    edits = with_one_of_the_unknown(root)
    if edits and any(not root.resources[each].count_known for each in _left_out(root, output)):
        (again,) = _ask(run, [scope], joined_edits(edits, local_sources(root)))
        if not isinstance(again, EngineCrashed):
            output = _existing(_output(run, scope, again), root)
    return output.replace(coverage=[*output.coverage, *_gaps(scope, root, output)])


def _existing(output: ShardOutput, root: Root) -> ShardOutput:
    """Without what has a count of 0: tfparse makes one of it if the 0 is text, as is usual in older
    code."""
    absent = {
        address
        for address, facts in root.resources.items()
        if facts.count_known and not facts.total
    }
    resources = [each for each in output.resources if without_indexes(each.address) not in absent]
    return output.replace(resources=resources)


def _left_out(root: Root, output: ShardOutput) -> list[str]:
    found = {without_indexes(resource.address) for resource in output.resources}
    return [
        address for address, facts in root.resources.items() if facts.total and address not in found
    ]


def _gaps(scope: ShardScope, root: Root, output: ShardOutput) -> Iterator[FileCoverage]:
    """For blocks that yielded no resource although they should have."""
    broken = {gap.path for gap in output.coverage}
    for address in _left_out(root, output):
        facts = root.resources[address]
        if facts.path not in broken:
            yield FileCoverage(
                scope=scope.key,
                path=facts.path,
                kind=FileKind.TERRAFORM,
                status=CoverageStatus.PARTLY_READ,
                reason=f"How many of {address[:200]} there are can't be determined from the upload."
                " Upload a plan as JSON.",
                line=facts.line,
            )


def _part(scope: ShardScope) -> dict[str, Any]:
    return {
        "files": scope.paths,
        "units": scope.units,
        "root": scope.root,
        "var_files": scope.var_files,
    }


def _output(
    run: EngineRun, scope: ShardScope, answer: dict[str, Any] | EngineCrashed
) -> ShardOutput:
    if isinstance(answer, EngineCrashed):
        return _no_answer(run, scope, f"Its resources could not be read: {answer}")
    known = set(scope.paths)
    resources = [_tf_resource(block) for block in answer["resources"] if block["file"] in known]
    return ShardOutput(
        engine="tfparse",
        engine_version=str(answer["version"]),
        resources=[resource.replace(scope=scope.key) for resource in resources],
        coverage=[gap.replace(scope=scope.key) for gap in _tf_errors(answer["errors"], known)],
    )


def _no_answer(run: EngineRun, scope: ShardScope, reason: str) -> ShardOutput:
    gaps = unread(run, reason, scope=scope)
    return ShardOutput(engine="tfparse", engine_version="", coverage=gaps)


def _tf_resource(block: dict[str, Any]) -> Resource:
    kind = str(block["type"])
    address = str(block["address"]).replace(f'["{ANY}"]', "")
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
        references=block["references"],
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

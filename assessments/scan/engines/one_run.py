"""What every engine shares: its run, the confined process it answers from, and the shaping of what
it says."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assessments.scan.classify import Classified
from assessments.scan.intake import InputFile
from assessments.scan.redact import Redactor
from assessments.scan.sandbox import (
    SCANNER,
    EngineCrashed,
    Job,
    Register,
    Sandbox,
    ScanFailed,
    job_folder,
    run_confined,
)
from assessments.scan.types import (
    CodeLine,
    CoverageStatus,
    FileCoverage,
    FileKind,
)
from assessments.scan.warm import NoServer, run_warm

if TYPE_CHECKING:
    from assessments.scan.shards import Shard


OnProgress = Callable[[int, int, str], None]


MAX_EVIDENCE_LINES = 40


MAX_CHECKS = 100_000


BIN = Path(sys.prefix) / "bin"


@dataclass(frozen=True, kw_only=True)
class EngineRun:
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


def all_partly(run: EngineRun, reason: str) -> list[FileCoverage]:
    return [
        FileCoverage(
            path=item.file.path, kind=item.kind, status=CoverageStatus.PARTLY_READ, reason=reason
        )
        for item in run.classified
        if item.kind is not FileKind.TERRAFORM_VARS
    ]


def arguments(run: EngineRun) -> list[str]:
    return [f"./{file.path}" for file in run.files]


def lines_of(run: EngineRun) -> dict[str, list[str]]:
    return {file.path: file.content.decode(errors="replace").splitlines() for file in run.files}


def one_line(text: str) -> str:
    return " ".join(text.split())[:240]


def ask_scanner(
    run: EngineRun,
    request: dict[str, Any],
    *,
    rewrite: Callable[[str], str] | None = None,
    wall_s: float | None = None,
) -> dict[str, Any]:
    """One job in the scanner's environment: the warm way if there is one, else a process of its
    own."""
    files = [_rewritten(file, rewrite) for file in run.files]
    sandbox = run.sandbox if wall_s is None else _with_wall(run.sandbox, wall_s)
    with job_folder(files, sandbox=sandbox) as job:
        reader = Answer(run)
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
                reader = Answer(run)
        return _plain(run, request, job=job, sandbox=sandbox, reader=reader)


def _plain(
    run: EngineRun, request: dict[str, Any], *, job: Job, sandbox: Sandbox, reader: Answer
) -> dict[str, Any]:
    (job.folder / "home" / "job.json").write_text(json.dumps(request))
    run_confined(
        [
            str(sandbox.scanner_python),
            "-I",
            str(SCANNER / "jobs.py"),
            str(job.folder / "home" / "job.json"),
        ],
        job=job,
        sandbox=sandbox,
        on_line=reader.feed,
        should_stop=run.should_stop,
        register=run.register,
    )
    return reader.result()


class Answer:
    """Reads the scanner's lines. They come from a process that read a hostile upload, so they are
    checked."""

    def __init__(self, run: EngineRun) -> None:
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
            self.run.progress(
                int(progress["done"]), int(progress["total"]), str(progress["message"])
            )
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


def run_program(run: EngineRun, argv: list[str]) -> bytes:
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


def json_object(output: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(output)
    except ValueError as error:
        raise ScanFailed("The engine's answer can't be read.") from error
    return answer if isinstance(answer, dict) else {}


def evidence(lines: list[str], start: int, end: int) -> list[CodeLine]:
    last = min(end, start + MAX_EVIDENCE_LINES - 1, len(lines))
    return [CodeLine(number=number, text=lines[number - 1]) for number in range(start, last + 1)]


def _rewritten(file: InputFile, rewrite: Callable[[str], str] | None) -> InputFile:
    if rewrite is None or not file.path.endswith(".tf"):
        return file
    return InputFile.of(file.path, rewrite(file.content.decode()).encode())


def _with_wall(sandbox: Sandbox, wall_s: float) -> Sandbox:
    return replace(
        sandbox, limits=replace(sandbox.limits, wall_s=min(wall_s, sandbox.limits.wall_s))
    )

"""What every engine shares: its run, the confined process it gets results from, and the shaping of
its output."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assessments.scan.classify import Classified
from assessments.scan.focus import AROUND, window
from assessments.scan.intake import InputFile
from assessments.scan.redact import Redactor
from assessments.scan.sandbox import (
    SCANNER,
    EngineCrashed,
    EngineKilled,
    Job,
    Register,
    Sandbox,
    ScanFailed,
    ScanTimeout,
    job_folder,
    run_confined,
)
from assessments.scan.tofu import shown, uploaded
from assessments.scan.types import (
    CodeLine,
    CoverageStatus,
    FileCoverage,
    FileKind,
    ShardOutput,
)
from assessments.scan.warm import NoServer, run_warm

if TYPE_CHECKING:
    from assessments.scan.shards import Shard, ShardScope


OnProgress = Callable[[int, int, str], None]


MAX_CODE_LINES = 200
"""Lines of a resource's declaration that are kept."""
MAX_BLOCK_LINES = 2_000
"""Lines of a block that are searched for the one that decided."""


MAX_CHECKS = 100_000


BIN = Path(sys.prefix) / "bin"


@dataclass(frozen=True, kw_only=True)
class EngineRun:
    """What every engine needs for one run."""

    shard: Shard
    files: list[InputFile]
    classified: list[Classified]
    sandbox: Sandbox
    on_progress: OnProgress
    should_stop: Callable[[], bool]
    register: Register | None
    redactor: Redactor

    @property
    def paths(self) -> list[str]:
        return [file.path for file in self.files]

    def of_paths(self, paths: Iterable[str]) -> EngineRun:
        """The same run over some of its files."""
        wanted = set(paths)
        classified = [item for item in self.classified if item.file.path in wanted]
        return replace(
            self,
            shard=self.shard.replace(
                paths=[item.file.path for item in classified],
                units=sum(item.units for item in classified),
            ),
            classified=classified,
            files=[item.file for item in classified],
        )

    def of_scopes(self, scopes: Sequence[ShardScope]) -> EngineRun:
        """The same run over some of its scopes, or parts of them."""
        extra = {scope.parameters for scope in scopes} - {""}
        run = self.of_paths({path for scope in scopes for path in scope.paths} | extra)
        return replace(run, shard=run.shard.replace(scopes=list(scopes)))

    def progress(self, done: int, total: int, message: str) -> None:
        self.on_progress(done, total, self.redactor.message(message)[:200])


def joined(outputs: Iterable[ShardOutput]) -> ShardOutput:
    """Combines several outputs of one engine."""
    every = list(outputs)
    return ShardOutput(
        engine=every[0].engine,
        engine_version=max(output.engine_version for output in every),
        checks=[check for output in every for check in output.checks],
        resources=[resource for output in every for resource in output.resources],
        own_rules=next((output.own_rules for output in every if output.own_rules), []),
        coverage=[gap for output in every for gap in output.coverage],
    )


def unread(run: EngineRun, reason: str, *, scope: ShardScope | None = None) -> list[FileCoverage]:
    """Gaps for all files of the run, or of one of its scopes."""
    return [
        FileCoverage(
            scope=scope.key if scope else "",
            path=item.file.path,
            kind=item.kind,
            status=CoverageStatus.PARTLY_READ,
            reason=reason,
        )
        for item in run.classified
        if item.kind is not FileKind.TERRAFORM_VARS
        and (scope is None or item.file.path in scope.paths)
    ]


def arguments(run: EngineRun) -> list[str]:
    return [f"./{file.path}" for file in run.files]


def lines_of(run: EngineRun, paths: Collection[str] | None = None) -> dict[str, list[str]]:
    """The lines of the run's files, or of those in ``paths``."""
    return {
        file.path: file.content.decode(errors="replace").splitlines()
        for file in run.files
        if paths is None or file.path in paths
    }


def one_line(text: str) -> str:
    return " ".join(text.split())[:240]


def ask_scanner(
    run: EngineRun,
    request: dict[str, Any],
    *,
    wall_s: float | None = None,
) -> list[dict[str, Any] | EngineCrashed]:
    """An answer, or a crash, for each of the request's parts.

    The wall limit applies to each part. One that takes longer, or ends the process, is not retried:
    it is a crash, and the parts after it continue in another job. Past MAX_LOST_PARTS the rest is
    not started. With a single part, raises ScanTimeout or ScanFailed.
    """
    parts = request["parts"]
    answers: list[dict[str, Any] | EngineCrashed] = []
    lost = 0
    sandbox = run.sandbox if wall_s is None else _with_wall(run.sandbox, wall_s)
    while len(answers) < len(parts):
        rest = parts[len(answers) :]
        seen = {path for part in rest for path in part["files"]}
        reader = Answer(run, len(rest))
        try:
            again_if_killed(
                _ask,
                run,
                {**request, "parts": [_part_shown(part) for part in rest]},
                files=[_as_shown(file) for file in run.files if file.path in seen],
                sandbox=sandbox,
                reader=reader,
            )
            answers += reader.results()
        except (ScanTimeout, ScanFailed) as error:
            if len(parts) == 1:
                raise
            before = reader.before_the_end()
            answers += before
            if before and isinstance(error, ScanTimeout):
                continue  # The part had only the time left by those before it.
            lost += 1
            answers.append(EngineCrashed(str(error), is_of_a_file=False))
            if lost == MAX_LOST_PARTS:
                reason = "Other scopes took too long, so its turn never came."
                answers += [EngineCrashed(reason, is_of_a_file=False)] * (len(parts) - len(answers))
    return answers


MAX_LOST_PARTS = 3


def again_if_killed[**P, R](call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call once more if the engine was killed: not by its input, as far as can be known. Raises
    EngineKilled the second time."""
    try:
        return call(*args, **kwargs)
    except EngineKilled:
        return call(*args, **kwargs)


def _ask(
    run: EngineRun,
    request: dict[str, Any],
    *,
    files: list[InputFile],
    sandbox: Sandbox,
    reader: Answer,
) -> None:
    """One job in the scanner's environment: in the warm server if there is one, otherwise in a
    process of its own."""
    reader.forget()
    with job_folder(files, sandbox=sandbox) as job:
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
                return
            except NoServer:
                reader.forget()
        _plain(run, request, job=job, sandbox=sandbox, reader=reader)


def _plain(
    run: EngineRun, request: dict[str, Any], *, job: Job, sandbox: Sandbox, reader: Answer
) -> None:
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


def ask_once(run: EngineRun, request: dict[str, Any]) -> dict[str, Any]:
    """A single-part job that sees all of the run's files. Raises EngineCrashed."""
    part = {"files": run.paths, "units": run.shard.units}
    (answer,) = ask_scanner(run, {**request, "parts": [part]})
    if isinstance(answer, EngineCrashed):
        raise answer
    return answer


class Answer:
    """Reads the scanner's lines. They come from a process that has read a hostile upload, so they
    are checked."""

    def __init__(self, run: EngineRun, parts: int) -> None:
        self.run = run
        self.parts: list[dict[str, Any] | EngineCrashed | None] = [None] * parts

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
        part = message.get("part")
        if not isinstance(part, int) or not 0 <= part < len(self.parts):
            return
        if isinstance(message.get("result"), dict):
            self.parts[part] = _as_uploaded(message["result"])
        if isinstance(message.get("crashed"), str):
            self.parts[part] = EngineCrashed(f"The engine stopped with {message['crashed'][:80]}.")

    def forget(self) -> None:
        self.parts = [None] * len(self.parts)

    def before_the_end(self) -> list[dict[str, Any] | EngineCrashed]:
        """The answers of the parts before the one in which the job ended."""
        answered = takewhile(lambda part: part is not None, self.parts[:-1])
        return [part for part in answered if part is not None]

    def results(self) -> list[dict[str, Any] | EngineCrashed]:
        if any(part is None for part in self.parts):
            raise ScanFailed("The engine ended without an answer.")
        return [part for part in self.parts if part is not None]


def _as_shown(file: InputFile) -> InputFile:
    path = shown(file.path)
    return file if path == file.path else InputFile.of(path, file.content)


def _part_shown(part: dict[str, Any]) -> dict[str, Any]:
    return {**part, "files": [shown(path) for path in part["files"]]}


def _as_uploaded(value: Any) -> Any:
    """Maps the engine's file names back to the uploaded ones: those under ``file``, and everything
    in ``errors`` that is a name."""
    for key, rows in value.items():
        for row in rows if isinstance(rows, list) else ():
            if isinstance(row, dict) and isinstance(row.get("file"), str):
                row["file"] = uploaded(row["file"])
        if key == "errors" and isinstance(rows, list):
            value[key] = [uploaded(row) if isinstance(row, str) else row for row in rows]
    return value


def run_program(run: EngineRun, argv: list[str]) -> bytes:
    """Standard output of a program in our own environment. Raises ScanFailed, ScanTimeout,
    ScanCancelled."""
    return again_if_killed(_run_program, run, argv)


def _run_program(run: EngineRun, argv: list[str]) -> bytes:
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


def code_lines(lines: list[str], start: int, end: int) -> list[CodeLine]:
    """The lines from ``start`` to ``end``, 1-based and inclusive, as far as the file has them."""
    last = min(end, start + MAX_BLOCK_LINES - 1, len(lines))
    return [CodeLine(number=number, text=lines[number - 1]) for number in range(start, last + 1)]


def evidence(lines: list[str], line: int) -> list[CodeLine]:
    """One line of a file with a few around it."""
    return window(code_lines(lines, max(1, line - AROUND), line + AROUND), line)


def _with_wall(sandbox: Sandbox, wall_s: float) -> Sandbox:
    return replace(
        sandbox, limits=replace(sandbox.limits, wall_s=min(wall_s, sandbox.limits.wall_s))
    )

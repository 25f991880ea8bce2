"""From files to a review: upload, run, follow, compare."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from infra_mind_client.api import Client
from infra_mind_client.bars import Bars
from infra_mind_client.errors import CannotAssessError
from infra_mind_client.files import Source, Upload
from infra_mind_client.git import GitError
from infra_mind_client.review import (
    Finding,
    Review,
    Unread,
    figures_of,
    not_assessed_of,
    scores_of,
    sort,
    unread_of,
)
from infra_mind_client.wording import said

NAMED = 20
"""Files that standard error names; the review names all."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """``assessment`` is the name or id of an existing one; without it, a new one named ``name`` is
    created. ``base`` is a run's number, a git ref or a folder."""

    path: Path
    name: str = ""
    assessment: str = ""
    base: str = ""
    requirements: dict[str, Any] | None = None
    ignored_rules: frozenset[str] = frozenset()
    baseline: frozenset[str] = frozenset()


@dataclass(frozen=True)
class _Run:
    """A finished run, with its findings."""

    assessment_id: str
    detail: dict[str, Any]
    findings: list[Finding]

    @property
    def by_fingerprint(self) -> dict[str, Finding]:
        return {each.fingerprint: each for each in self.findings}


@dataclass
class _Base:
    label: str = ""
    number: int | None = None
    upload: Upload = field(default_factory=Upload)


class Assessor:
    def __init__(self, client: Client, wanted: Wanted, *, console: Console) -> None:
        self._client = client
        self._wanted = wanted
        self._console = console
        self._name = (wanted.name or wanted.assessment or wanted.path.resolve().name)[:120]

    def review(self) -> Review:
        """Raises CannotAssessError, ApiError, UnreachableError."""
        source = Source.of(self._wanted.path)
        upload = source.read()
        self._say(upload)
        base = self._base(source)
        target, before = self._wanted.assessment, None
        if base and base.number is None and base.upload.files:
            before = self._run(base.upload, target=target, title=f"{self._name}, {base.label}")
            target = before.assessment_id
        run = self._run(upload, target=target, title=self._name)
        if base and base.number is not None:
            before = self._read(run.assessment_id, base.number)
        return self._written(run, before, base, upload)

    def _base(self, source: Source) -> _Base | None:
        """What to compare with: a run's number, otherwise a commit, otherwise a folder."""
        wanted = self._wanted.base
        if not wanted:
            return None
        if wanted.isdecimal():
            if not self._wanted.assessment:
                raise CannotAssessError(
                    "To compare with a run, name its assessment with --assessment."
                )
            return _Base(f"run {wanted}", number=int(wanted))
        if source.repository and (commit := source.repository.resolve(wanted)):
            fork = source.repository.fork_point(commit)
            try:
                return _Base(f"{wanted} ({fork[:10]})", upload=source.read_commit(fork))
            except GitError as error:
                raise CannotAssessError(f"{wanted} can't be read: {error}") from error
        if Path(wanted).is_dir():
            return _Base(wanted, upload=Source.of(Path(wanted)).read())
        raise CannotAssessError(
            f"There is no run, commit or folder {wanted}. In a pipeline, fetch the history first"
            " (fetch-depth: 0, or GIT_DEPTH: 0)."
        )

    def _run(self, upload: Upload, *, target: str, title: str) -> _Run:
        queued = self._queue(upload, target)
        with self._cancelled_on_interrupt(queued["task_id"]):
            with Bars(self._console, title=title) as bars:
                for frame in self._client.follow(queued["task_id"]):
                    bars.show(frame)
            ended = self._client.status(queued["task_id"])
            if ended["state"] != "SUCCESS":
                raise CannotAssessError(
                    f"{title} was not assessed: {ended.get('error') or ended['status']}"
                )
            return self._read(queued["assessment_id"], ended["result"]["run"])

    def _queue(self, upload: Upload, target: str) -> dict[str, Any]:
        stated = self._wanted.requirements
        if target:
            return self._client.analyze_upload(target, files=upload.files, requirements=stated)
        made = self._client.create_assessment(
            name=self._name, files=upload.files, requirements=stated
        )
        return self._client.analyze(made["id"])

    @contextmanager
    def _cancelled_on_interrupt(self, task_id: str) -> Iterator[None]:
        try:
            yield
        except KeyboardInterrupt:
            self._client.cancel(task_id)
            self._console.print("Cancelled.")
            raise

    def _read(self, assessment_id: str, number: int) -> _Run:
        detail = self._client.completed_run(assessment_id, number)
        if detail["status"] != "completed":
            raise CannotAssessError(f"Run {number} is {detail['status']}: nothing to compare with.")
        rows = self._client.findings(assessment_id, run=number)
        url = self._client.url
        found = [Finding.of(row, url=url, accepted=self._accepted(row)) for row in rows]
        return _Run(assessment_id, detail, found)

    def _accepted(self, row: dict[str, Any]) -> str:
        if row.get("is_muted"):
            return "muted on the server"
        if row["fingerprint"] in self._wanted.baseline:
            return "in the baseline"
        return "rule is ignored" if row["rule"] in self._wanted.ignored_rules else ""

    def _written(
        self, run: _Run, before: _Run | None, base: _Base | None, upload: Upload
    ) -> Review:
        known = before.by_fingerprint if before else {}
        counted = [each for each in run.findings if not each.accepted]
        fixed, unchecked = self._gone(run, before) if before else ([], [])
        number = run.detail["number"]
        stayed = [Unread(path=path, reason=why) for path, why in upload.unread.items()]
        return Review(
            assessment=self._name,
            assessment_id=run.assessment_id,
            run=number,
            url=f"{self._client.url}/assessments/{run.assessment_id}/runs/{number}/",
            base=base.label if base else "",
            new=sort(each for each in counted if each.fingerprint not in known),
            persisting=sort(each for each in counted if each.fingerprint in known),
            fixed=sort(fixed),
            unchecked=sort(unchecked),
            accepted=sort(each for each in run.findings if each.accepted),
            scores=scores_of(run.detail, before.detail if before else None),
            figures=figures_of(run.detail, before.detail if before else None),
            unread=[*stayed, *unread_of(run.detail)],
            not_assessed=not_assessed_of(run.detail),
            scopes={each["key"]: each["label"] for each in run.detail["scopes"]},
        )

    def _gone(self, run: _Run, before: _Run) -> tuple[list[Finding], list[Finding]]:
        """Findings of the base that are not in the run: fixed ones, and those that were not looked
        for. The server decides which."""
        now = run.by_fingerprint
        gone = [each for each in before.findings if each.fingerprint not in now]
        gone = [each for each in gone if not each.accepted]
        unchecked = self._client.unchecked(run.detail["id"], before=before.detail["id"])
        if unchecked is None:
            return [], gone
        fixed = [each for each in gone if each.fingerprint not in unchecked]
        return fixed, [each for each in gone if each.fingerprint in unchecked]

    def _say(self, upload: Upload) -> None:
        for note in upload.notes:
            self._console.print(said(note))
        for path, why in list(upload.unread.items())[:NAMED]:
            self._console.print(said(f"{path} was left out: it is {why}."))
        if len(upload.unread) > NAMED:
            self._console.print(f"and {len(upload.unread) - NAMED} more files were left out")

"""What ``infra-mind analyze`` does: read the options' files, assess, apply the gates, write."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from infra_mind_client import baseline, gates
from infra_mind_client.api import Client
from infra_mind_client.assess import Assessor, Wanted
from infra_mind_client.errors import CannotAssessError
from infra_mind_client.formats import FORMATS, WRITERS
from infra_mind_client.formats.text import write_text
from infra_mind_client.review import Review
from infra_mind_client.wording import said


@dataclass(frozen=True, kw_only=True)
class Options:
    """As on the command line."""

    path: Path
    assessment: str | None = None
    name: str | None = None
    base: str | None = None
    fail_on: str | None = None
    new_only: bool = False
    max_increase: float | None = None
    budget: float | None = None
    baseline: Path | None = None
    write_baseline: Path | None = None
    ignore_rule: tuple[str, ...] = ()
    requirements: Path | None = None
    format: str = "text"
    output: tuple[str, ...] = ()
    limit: int = 100


def analyze_path(client: Client, options: Options, *, console: Console) -> int:
    """Returns the exit status. Raises CannotAssessError, ApiError, UnreachableError."""
    outputs = [_output(each) for each in options.output]
    review = Assessor(client, _wanted(options), console=console).review()
    asked = gates.Wanted(
        fail_on=options.fail_on,
        new_only=options.new_only,
        max_increase=options.max_increase,
        budget=options.budget,
    )
    review.gates = gates.apply(asked, review)
    for format, file in outputs:
        _write(client, review, format, file, options)
    if options.write_baseline:
        baseline.write(options.write_baseline, [*review.findings, *review.accepted])
    if options.format == "text":
        write_text(review, sys.stdout, limit=options.limit)
    else:
        sys.stdout.buffer.write(_written(client, review, options.format))
    sys.stdout.flush()
    _say(review, console, options)
    return review.exit_status


def _wanted(options: Options) -> Wanted:
    return Wanted(
        path=options.path,
        name=options.name or "",
        assessment=options.assessment or "",
        base=options.base or "",
        requirements=_requirements(options.requirements),
        ignored_rules=frozenset(options.ignore_rule),
        baseline=frozenset(baseline.read(options.baseline) if options.baseline else ()),
    )


def _requirements(path: Path | None) -> dict[str, Any] | None:
    if path is None:
        return None
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise CannotAssessError(f"{path} can't be read: {error}") from error
    if not isinstance(found, dict):
        raise CannotAssessError(f"{path} is not a JSON object.")
    return found


def _output(text: str) -> tuple[str, Path]:
    format, _, file = text.partition("=")
    if format not in FORMATS or not file:
        raise CannotAssessError(
            f"--output {text}: write it as FORMAT=FILE, with one of {', '.join(FORMATS)}."
        )
    return format, Path(file)


def _write(client: Client, review: Review, format: str, file: Path, options: Options) -> None:
    try:
        if format == "text":
            with file.open("w") as opened:
                write_text(review, opened, limit=options.limit)
        else:
            file.write_bytes(_written(client, review, format))
    except OSError as error:
        raise CannotAssessError(f"{file} can't be written: {error.strerror}") from error


def _written(client: Client, review: Review, format: str) -> bytes:
    if format == "sarif":
        content = client.report(
            review.assessment_id, kind="technical", format="sarif", run=review.run
        )
        return content.rstrip(b"\n") + b"\n"
    return WRITERS[format](review).encode(errors="replace")


def _say(review: Review, console: Console, options: Options) -> None:
    """Why the exit status is not 0, on standard error, whatever the format."""
    console.print(said(review.url))
    if options.format == "text":
        return
    for gate in review.gates:
        if not gate.passed:
            console.print(said(gate.message))
    for each in review.unread:
        console.print(said(f"Not read in full: {each.place}: {each.reason}"), soft_wrap=True)

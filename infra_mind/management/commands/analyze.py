"""``manage.py analyze PATH``: assess local files, live in the terminal, with an exit status for a
pipeline."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from assessments.agents.types import Severity
from assessments.requirements import Requirements
from infra_mind import embedded, local_files
from infra_mind.bars import Bars
from infra_mind.client import ApiError, Client, UnreachableError
from infra_mind.settings import env
from tasks_ui.models import ApiToken
from tasks_ui.runs.patience import DATABASE_ERRORS

FINE, FOUND, NOT_ASSESSED, INTERRUPTED = 0, 1, 2, 130
FORMATS = ("text", "json", "sarif", "markdown")
LEVELS = [level.name.lower() for level in sorted(Severity, reverse=True)]
SHOWN = 50
TOKEN_LIFETIME = timedelta(hours=2)  # above the time limit of any task


class Command(BaseCommand):
    help = (
        "Assess a file or a folder and show the work live. Exit status: 0 fine, 1 findings at or"
        " above --fail-on, 2 could not be assessed, or not wholly. The result goes to standard"
        " output, all else to standard error."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", type=Path, help="a file, an archive, or a folder")
        parser.add_argument(
            "--requirements", type=Path, metavar="FILE", help="the workload's requirements, as JSON"
        )
        parser.add_argument("--name", help="of the assessment; without it, the name of PATH")
        parser.add_argument(
            "--fail-on", choices=LEVELS, help="exit with 1 for a finding of this severity or graver"
        )
        parser.add_argument("--format", choices=FORMATS, default="text")
        parser.add_argument(
            "--server", metavar="URL", help="another Infra Mind than the one that runs here"
        )
        parser.add_argument(
            "--token", help="an API token; INFRA_MIND_TOKEN in the environment keeps it from ps"
        )
        parser.add_argument(
            "--user", help="whose assessment it is, without --server; else the first superuser's"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        console = Console(stderr=True)
        try:
            with _connected(options) as client:
                status = _assess(client, options, console=console)
        except (ApiError, UnreachableError, local_files.NothingToSendError) as error:
            raise CommandError(str(error), returncode=NOT_ASSESSED) from error
        except DATABASE_ERRORS as error:
            raise CommandError(
                f"The database can't be reached: {error}", returncode=NOT_ASSESSED
            ) from error
        sys.stdout.flush()
        if status:
            raise SystemExit(status)


def _assess(client: Client, options: dict[str, Any], *, console: Console) -> int:
    """Upload, run, follow, tell. Returns the exit status."""
    path: Path = options["path"]
    found = local_files.read(path)
    for name, why in found.skipped.items():
        console.print(Text(f"{name} is left out: it is {why}."))
    name = (options["name"] or path.resolve().name)[:120]
    requirements = _requirements(options["requirements"])
    assessment = client.create_assessment(name=name, files=found.files, requirements=requirements)
    task_id = client.analyze(assessment["id"])["task_id"]
    try:
        with Bars(console, title=name) as bars:
            for frame in client.follow(task_id):
                bars.show(frame)
    except KeyboardInterrupt:
        client.cancel(task_id)
        console.print("Cancelled.")
        return INTERRUPTED
    ended = client.status(task_id)
    if ended["state"] != "SUCCESS":
        console.print(Text(f"Not assessed: {ended.get('error') or ended['status']}"))
        return NOT_ASSESSED
    return _tell(client, assessment["id"], options, summary=ended["result"], console=console)


def _tell(
    client: Client, assessment_id: str, options: dict[str, Any], *, summary: Any, console: Console
) -> int:
    run = client.completed_run(assessment_id, summary["run"])
    found = [each for each in client.findings(assessment_id) if not each.get("is_muted")]
    if options["format"] == "text":
        _print_text(found, run)
    else:
        report = client.report(assessment_id, kind="technical", format=options["format"])
        sys.stdout.buffer.write(report.rstrip(b"\n") + b"\n")
    console.print(Text(f"{client.url}/assessments/{assessment_id}/"))
    for reason in run["needs_attention"]:
        console.print(Text(f"Needs attention: {reason['message']}"))
        for place in reason["files"]:
            console.print(Text(f"  {place}"))
        if reason["count"] > len(reason["files"]) > 0:
            console.print(f"  and {reason['count'] - len(reason['files'])} more")
    at_least = options["fail_on"]
    if at_least and any(LEVELS.index(each["severity"]) <= LEVELS.index(at_least) for each in found):
        return FOUND
    return NOT_ASSESSED if run["needs_attention"] else FINE


def _print_text(found: list[dict[str, Any]], run: dict[str, Any]) -> None:
    out = Console(file=sys.stdout, highlight=False)
    labels = {scope["key"]: scope["label"] for scope in run["scopes"]}
    several = ["scope"] if len(labels) > 1 else []
    table = Table("severity", "where", *several, "what", box=None, pad_edge=False)
    for each in found[:SHOWN]:
        line = f":{each['line_start']}" if each["line_start"] else ""
        scope = [labels.get(each["scope"], each["scope"])] if several else []
        cells = (each["severity"], f"{each['file']}{line}", *scope, each["title"])
        table.add_row(*map(Text, cells))
    if found:
        out.print(table)
    if len(found) > SHOWN:
        out.print(f"and {len(found) - SHOWN} more")
    counts = Counter(each["severity"] for each in found)
    words = ", ".join(f"{counts[level]} {level}" for level in LEVELS if counts[level])
    out.print(f"\n{len(found)} findings{': ' + words if words else ''}")
    for agent in run["agents"]:
        score = (
            f"{agent['score']} of 100"
            if agent["score"] is not None
            else agent["reason"] or agent["summary"] or agent["status"]
        )
        out.print(Text(f"{agent['agent']:>15}  {score}"))


def _requirements(path: Path | None) -> dict[str, Any] | None:
    if path is None:
        return None
    try:
        stated = Requirements.model_validate_json(path.read_bytes())
    except OSError as error:
        raise CommandError(
            f"{path} can't be read: {error.strerror}.", returncode=NOT_ASSESSED
        ) from error
    except ValidationError as error:
        words = "; ".join(
            f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()[:10]
        )
        raise CommandError(
            f"{path} states no valid requirements. {words}", returncode=NOT_ASSESSED
        ) from error
    return json.loads(stated.model_dump_json(exclude_defaults=True))  # type: ignore[no-any-return]


@contextmanager
def _connected(options: dict[str, Any]) -> Iterator[Client]:
    """A client of --server, or of what runs in this home, with a token that ends with the
    command."""
    token = options["token"] or env("INFRA_MIND_TOKEN")
    if options["server"]:
        if not token:
            raise CommandError(
                "--server needs --token, or INFRA_MIND_TOKEN.", returncode=NOT_ASSESSED
            )
        with Client(options["server"], token=token) as client:
            yield client
        return
    url = embedded.running_state(settings.INFRA_MIND_HOME).get("url")
    if not url:
        words = (
            "Infra Mind is not running here. Start it with: make run. Or name another: --server URL"
            " --token T"
        )
        raise CommandError(words, returncode=NOT_ASSESSED)
    row, key = ApiToken.issue(
        owner=_owner(options["user"]),
        name="manage.py analyze",
        expires_at=timezone.now() + TOKEN_LIFETIME,
    )
    try:
        with Client(url, token=key) as client:
            yield client
    finally:
        row.delete()


def _owner(username: str | None) -> Any:
    users = get_user_model()._default_manager.filter(is_active=True)
    chosen = users.filter(username=username) if username else users.filter(is_superuser=True)
    user = chosen.order_by("pk").first()
    if user is None:
        words = (
            f"There is no active user {username!r}."
            if username
            else "There is no superuser. Name a --user."
        )
        raise CommandError(words, returncode=NOT_ASSESSED)
    return user

"""compose-lint: Compose files."""

from __future__ import annotations

import posixpath
import re
from typing import Any

from assessments.scan.engines.one_run import (
    MAX_CHECKS,
    EngineRun,
    arguments,
    evidence,
    json_object,
    lines_of,
    one_line,
    run_program,
)
from assessments.scan.intake import InputFile
from assessments.scan.secrets.names import Holds, holds
from assessments.scan.types import (
    CheckResult,
    CoverageStatus,
    FileCoverage,
    FileKind,
    Outcome,
    ShardOutput,
)

LACKS = frozenset({"CL-0003", "CL-0006", "CL-0007", "CL-0026"})
"""Rules about what a service does not set."""
IMAGES = frozenset({"CL-0004", "CL-0019"})
_CREDENTIAL = re.compile(r"credential-shaped env key '([^']+)'")
"""The rule judges by parts of a name: SECRET_PROVIDER is not a secret."""
_OPEN_IMAGE = re.compile(r"^Image '[^']*(?:\$\{[^}']*\}|\$\w+)'")
"""An image whose tag or digest may be in a variable that the file does not set."""


def compose_lint(run: EngineRun) -> ShardOutput:
    """One process for the shard: a Compose file's own ``include`` and overrides are found beside
    it. A settings file is never among its files (``classify``), and it has no suppression
    comments."""
    run.progress(0, len(run.files), run.files[0].path)
    answer = json_object(
        run_program(run, ["compose-lint", "--format", "json", "--", *arguments(run)])
    )
    by_path = {file.path: file for file in run.files}
    findings = [
        (finding, by_path.get(posixpath.normpath(str(finding["file"]))))
        for finding in answer.get("findings", [])
    ]
    lines = lines_of(run)
    parts = _parts(run)
    findings = [each for each in findings if not _is_open(each[0], each[1], parts)]
    return ShardOutput(
        engine="compose-lint",
        engine_version=str(answer.get("tool", {}).get("version", "")),
        checks=[
            _compose_check(finding, file, lines[file.path]) for finding, file in findings if file
        ][:MAX_CHECKS],
        coverage=[
            FileCoverage(
                path=path,
                kind=FileKind.COMPOSE,
                status=CoverageStatus.PARTLY_READ,
                reason=one_line(f"compose-lint: {error.get('message', '')}"),
            )
            for error in answer.get("errors", [])
            if (path := posixpath.normpath(str(error.get("file", "")))) in by_path
        ],
    )


def _parts(run: EngineRun) -> set[tuple[str, str]]:
    """File and name of the services that can't run as they stand: they add to a service of another
    file, and what they lack may be there."""
    services = [
        (item.file.path, name, service)
        for item in run.classified
        for document in item.documents
        for name, service in _mapping(document.value.get("services")).items()
    ]
    return {
        (path, str(name))
        for path, name, service in services
        if not {"image", "build", "extends"} & _mapping(service).keys()
    }


def _mapping(value: Any) -> dict[Any, Any]:
    return value if isinstance(value, dict) else {}


def _is_open(finding: dict[str, Any], file: InputFile | None, parts: set[tuple[str, str]]) -> bool:
    """Whether the file alone does not show what the finding claims."""
    rule = str(finding["rule_id"])
    if rule in LACKS:
        return file is not None and (file.path, str(finding["service"])) in parts
    if named := _CREDENTIAL.search(str(finding["message"])) if rule == "CL-0020" else None:
        return holds(named[1]) is Holds.NOTHING
    return rule in IMAGES and _OPEN_IMAGE.match(str(finding["message"])) is not None


def _compose_check(finding: dict[str, Any], file: InputFile, lines: list[str]) -> CheckResult:
    line = max(1, int(finding.get("line") or 1))
    return CheckResult(
        engine="compose-lint",
        rule=str(finding["rule_id"]),
        title=str(finding["message"])[:300],
        outcome=Outcome.FAILED,
        resource=f"compose/{finding['service']}"[:400],
        resource_type="compose_service",
        file=file.path,
        line_start=line,
        line_end=line,
        engine_severity=str(finding["severity"]),
        remediation=str(finding.get("fix") or "")[:2000],
        references=[str(reference) for reference in finding.get("references", [])][:10],
        focus=line,
        evidence=evidence(lines, line),
    )

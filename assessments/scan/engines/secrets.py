"""Secrets in every text file: detect-secrets for known token formats, our rules for the rest."""

from __future__ import annotations

import re
from typing import Any

from assessments.scan.engines.one_run import MAX_CHECKS, EngineRun, ask_scanner
from assessments.scan.redact import MASK
from assessments.scan.sandbox import EngineCrashed, ScanCancelled
from assessments.scan.secrets.grammar import Grammar, grammar_of
from assessments.scan.secrets.rules import DETECT_SECRETS, RULES
from assessments.scan.secrets.search import Secret, secrets_in
from assessments.scan.secrets.texts import searched_text
from assessments.scan.secrets.values import is_placeholder
from assessments.scan.types import CheckResult, CodeLine, Outcome, ShardOutput

MAX_LINE_CHARS = 300


def secrets(run: EngineRun) -> ShardOutput:
    """Every secret of the shard's files, once, at its line. A file without any is not a pass."""
    texts = {file.path: searched_text(file) for file in run.files}
    wanted = [path for path, text in texts.items() if grammar_of(path, text) is not Grammar.PROSE]
    answer = _recognize(run, wanted)
    known = _recognized(answer)
    checks: list[CheckResult] = []
    for path, text in texts.items():
        if run.should_stop():
            raise ScanCancelled("The scan was cancelled.")
        lines = text.split("\n")
        found = secrets_in(path, text, known=known.get(path, []))
        checks += [_check(path, secret, lines) for secret in found]
    return ShardOutput(
        engine="secrets", engine_version=str(answer["version"]), checks=checks[:MAX_CHECKS]
    )


def _recognize(run: EngineRun, paths: list[str]) -> dict[str, Any]:
    part = {"files": paths, "units": run.shard.units}
    (answer,) = ask_scanner(run, {"engine": "secrets", "parts": [part]})
    if isinstance(answer, EngineCrashed):
        raise answer
    return answer


def _recognized(answer: dict[str, Any]) -> dict[str, list[Secret]]:
    """detect-secrets' findings, by file. Its values come from a process that read the upload."""
    found: dict[str, list[Secret]] = {}
    for each in answer["found"][:MAX_CHECKS]:
        rule, value, line = DETECT_SECRETS.get(str(each["type"])), str(each["value"]), each["line"]
        if rule is not None and not is_placeholder(value):
            secret = Secret(
                rule=rule, what=RULES[rule].title, value=value, line=int(line), last_line=int(line)
            )
            found.setdefault(str(each["file"]), []).append(secret)
    return found


def _check(path: str, secret: Secret, lines: list[str]) -> CheckResult:
    rule = RULES[secret.rule]
    suppression = _suppression(secret, lines)
    return CheckResult(
        engine="secrets",
        rule=rule.id,
        title=secret.what,
        outcome=Outcome.FAILED if suppression is None else Outcome.SUPPRESSED,
        resource=path,
        resource_type="secrets",
        file=path,
        line_start=secret.line,
        line_end=secret.last_line,
        focus=secret.line,
        engine_severity=rule.severity,
        evidence=_evidence(secret, lines),
        suppression=suppression or "",
    )


def _evidence(secret: Secret, lines: list[str]) -> list[CodeLine]:
    """The first line of the secret, with the secret removed. The text around it stays readable."""
    first = secret.value.split("\n")[0]
    text = lines[secret.line - 1].rstrip("\r").replace(first, MASK)
    if len(text) > MAX_LINE_CHARS:
        at = max(0, text.find(MASK) - MAX_LINE_CHARS // 2)
        text = text[at : at + MAX_LINE_CHARS]
    return [CodeLine(number=secret.line, text=text)]


def _suppression(secret: Secret, lines: list[str]) -> str | None:
    """The reason given for leaving the secret, in a comment on its line or an adjacent one."""
    around = lines[max(0, secret.line - 2) : secret.last_line + 1]
    for line in around:
        match = _SKIP.search(line[:5_000])
        if match and match["rule"] == secret.rule:
            return match["reason"].strip() or "No reason is given."
    own = lines[secret.line - 1][:5_000]
    return "pragma: allowlist secret" if _ALLOWED.search(own) else None


_SKIP = re.compile(
    r"(?:checkov|bridgecrew|cortex):\s?skip=(?P<rule>[\w-]+):?(?P<reason>[^\n]{0,200})"
)
_ALLOWED = re.compile(r"pragma: ?(?:allow|white)list[ -]secret|gitleaks:allow", re.IGNORECASE)

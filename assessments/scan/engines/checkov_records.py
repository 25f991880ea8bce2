"""Converts a Checkov record into a check."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from assessments.rules import known_rules
from assessments.scan.engines.one_run import EngineRun, code_lines
from assessments.scan.focus import Focus, focus_of, window
from assessments.scan.types import CheckResult, CodeLine, Outcome, OwnRule

PIPELINES = {
    "github_actions",
    "gitlab_ci",
    "azure_pipelines",
    "circleci_pipelines",
    "ansible",
}
INSTRUCTIONS = {"CKV_DOCKER_2": "HEALTHCHECK", "CKV_DOCKER_3": "USER"}
"""What a Dockerfile lacks that fails these rules."""
AZURE = frozenset({"arm", "bicep"})
OTHER_CONFIGS = frozenset(
    {
        "appsettings",
        "authsettings",
        "authsettingsv2",
        "azurestorageaccounts",
        "backup",
        "connectionstrings",
        "logs",
        "metadata",
        "pushsettings",
        "slotconfignames",
    }
)
"""Configurations of a web app that are not its ``web`` (Azure Resource Manager's reference,
Microsoft.Web/sites/config)."""
_NAME = re.compile(r"""^\s*["']?name["']?\s*:\s*["'](?:[^"']*/)?(?P<name>[\w./-]+)['")\]]""")
_FROM = re.compile(r"\s*FROM\s", re.IGNORECASE)
OUTCOMES = {"PASSED": Outcome.PASSED, "FAILED": Outcome.FAILED, "SKIPPED": Outcome.SUPPRESSED}


def checkov_check(record: dict[str, Any], framework: str, file: list[str]) -> CheckResult:
    start = max(1, int(record["line_start"]))
    end = max(start, int(record["line_end"]))
    check = _result(record, framework, start=start, end=end)
    if check.outcome not in (Outcome.FAILED, Outcome.UNDECIDED):
        return check
    lines = code_lines(file, start, end)
    known = known_rules().get(check.rule)
    attribute = known.attribute if known else ""
    focus = focus_of(lines, record["keys"], attribute=attribute, end=end)
    if framework in AZURE:
        focus = _in_azures_words(lines, record["keys"], attribute, end)
    if check.rule in INSTRUCTIONS:
        focus = _last_stage(file, INSTRUCTIONS[check.rule])
        lines = code_lines(file, 1, max(1, len(file)))
    return check.replace(
        focus=focus.line if focus and focus.line != start else None,
        missing=focus.missing if focus else "",
        evidence=window(lines, focus.line if focus else start),
    )


def is_other_config(record: Mapping[str, Any], file: list[str]) -> bool:
    """Whether a web app's configuration of another name (``logs``, ``appsettings``) was checked for
    what belongs into the one that is called ``web``."""
    if "/sites/config" not in str(record["resource"]).lower():
        return False
    start, end = max(1, int(record["line_start"])), int(record["line_end"])
    named = (_NAME.search(line) for line in file[start - 1 : end])
    name = next((match["name"] for match in named if match), "web")
    return name.rpartition("/")[2].lower() in OTHER_CONFIGS


def _in_azures_words(
    lines: list[CodeLine], keys: list[str], attribute: str, end: int
) -> Focus | None:
    """The table has Terraform's names: ``public_network_access_enabled`` is Azure's
    ``publicNetworkAccess``. What a template lacks is not said in another language."""
    names = attribute.split("|") if attribute else []
    names += [each.removesuffix("_enabled") for each in names]
    focus = focus_of(lines, keys, attribute="|".join(dict.fromkeys(names)), end=end)
    if focus is None or "_" not in focus.missing:
        return focus
    return focus_of(lines, keys, end=end)


def _last_stage(file: list[str], missing: str) -> Focus | None:
    """Where a Dockerfile's last stage begins, which lacks an instruction."""
    starts = [number for number, line in enumerate(file, 1) if _FROM.match(line)]
    return Focus(starts[-1], missing) if starts else None


def as_own(check: CheckResult, own: Mapping[str, OwnRule]) -> CheckResult:
    """With the rule's own metadata, if it is one of the server's own rules."""
    rule = own.get(check.rule)
    if rule is None:
        return check
    return check.replace(
        title=rule.title,
        engine_severity=rule.severity or None,
        guideline=rule.guideline,
        own_rule=rule.file,
        category=rule.category,
    )


def _result(record: dict[str, Any], framework: str, *, start: int, end: int) -> CheckResult:
    file = str(record["file"])
    resource, resource_type = resource_of(str(record["resource"]), framework, file=file)
    outcome = OUTCOMES[record["outcome"]]
    expression = str(record.get("open", ""))[:200] if outcome is Outcome.FAILED else ""
    return CheckResult(
        engine="checkov",
        rule=str(record["rule"]),
        title=str(record["title"])[:300],
        outcome=Outcome.UNDECIDED if expression else outcome,
        open=expression,
        resource=resource[:400],
        resource_type=resource_type,
        file=file,
        line_start=start,
        line_end=end,
        suppression=str(record["suppression"])[:300],
    )


def resource_of(name: str, framework: str, *, file: str) -> tuple[str, str]:
    """Address and type, in the resource model's form, from Checkov's own name:
    ``module.m.aws_instance.i``, ``Deployment.shop.cart``, ``AWS::S3::Bucket.Images``."""
    name = name.lstrip("/")
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
    if framework in {"arm", "bicep"}:
        kind, _, _ = name.partition(".")
        provider, _, rest = name.partition("/")
        # Microsoft.Storage/storageAccounts.logs: the type itself contains a dot.
        kind = f"{provider}/{rest.partition('.')[0]}" if rest else kind
        return name, kind
    if framework in PIPELINES:
        return name or file, framework
    # Checkov names a Dockerfile by its instruction.
    return file, framework


def own_rules_of(run: EngineRun, answer: dict[str, Any]) -> list[OwnRule]:
    """The server's rules, and whether the scanner has loaded each."""
    if not isinstance(answer.get("own_rules"), list):
        return []
    loaded = set(answer["own_rules"])
    return [
        each.about.replace(is_loaded=each.about.rule in loaded) for each in run.sandbox.own_rules
    ]

"""A server's own rules: Checkov's custom policies as YAML (checkov.io, "YAML Custom Policies"), one
rule per file. Python rules are refused: they would be code running alongside every upload.

The files are the operator's. They are read here and passed as text to the scanner, which loads
them inside the sandbox.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from assessments.scan.types import Message, OwnRule

SUFFIXES = (".yaml", ".yml")
PASSED_OVER = (".md", ".txt")
MAX_RULES = 200
MAX_BYTES = 64 * 1024
MAX_ALL_BYTES = 2 * 1024 * 1024
MAX_PROBLEMS = 20
SEVERITIES = ("critical", "high", "medium", "low", "info")
CATEGORIES = (
    "GENERAL_SECURITY",
    "LOGGING",
    "ENCRYPTION",
    "NETWORKING",
    "IAM",
    "BACKUP_AND_RECOVERY",
    "CONVENTION",
    "SECRETS",
    "KUBERNETES",
    "APPLICATION_SECURITY",
    "SUPPLY_CHAIN",
)
_ID = re.compile(r"[A-Z][A-Z0-9]*(?:[_-][A-Z0-9]+)+")
_TEXT = re.compile(r"[^\x00-\x1f\x7f]{1,300}")
_LINK = re.compile(r"https?://[^\s\x00-\x1f]{1,500}")
OTHERS_PREFIXES = ("CKV_", "CKV2_", "IM-", "CL-")


class OwnRulesError(Exception):
    """The folder can't be used; ``problems`` each name their file."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems[:MAX_PROBLEMS]
        super().__init__(" ".join(self.problems))


class RuleText(Message, frozen=True, kw_only=True):
    """A rule and the text of its file."""

    about: OwnRule
    text: str


def read_rules(folder: Path) -> list[RuleText]:
    """The rules of the folder and the folders below it, by file name. Raises OwnRulesError."""
    if not folder.is_dir():
        raise OwnRulesError([f"{folder} is not a folder."])
    problems: list[str] = []
    rules: list[RuleText] = []
    size = 0
    for path in sorted(_files(folder)):
        name = path.relative_to(folder).as_posix()
        try:
            text = _text(path)
            size += len(text)
            rules.append(RuleText(about=_rule(_parsed(text), name=name), text=text))
        except (OSError, ValueError) as error:
            problems.append(f"{name}: {error}.")
    problems += _together(rules, size)
    if problems:
        raise OwnRulesError(problems)
    return rules


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.is_file() and not hidden and path.suffix.lower() not in PASSED_OVER:
            yield path


def _text(path: Path) -> str:
    if path.suffix.lower() not in SUFFIXES:
        what = "Python rules are not run" if path.suffix == ".py" else "it is not YAML"
        raise ValueError(f"{what}; a rule is a .yaml file")
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"it is larger than {MAX_BYTES:,} bytes")
    return path.read_text(encoding="utf-8")


def _parsed(text: str) -> dict[str, Any]:
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark else ""
        raise ValueError(f"it is not YAML{where}") from None
    except RecursionError:
        raise ValueError("it is too deep") from None
    if not isinstance(found, dict):
        raise ValueError("it must be a mapping with metadata and definition")
    return found


def _rule(found: dict[str, Any], *, name: str) -> OwnRule:
    metadata = found.get("metadata")
    if not isinstance(metadata, dict):
        raise ValueError("metadata is missing")
    if not isinstance(found.get("definition"), dict | list) or not found["definition"]:
        raise ValueError("definition is missing")
    severity = str(metadata.get("severity", "")).lower()
    if severity and severity not in SEVERITIES:
        raise ValueError(f"metadata.severity must be one of {', '.join(SEVERITIES)}")
    category = str(metadata.get("category", "GENERAL_SECURITY")).upper()
    if category not in CATEGORIES:
        raise ValueError(f"metadata.category must be one of {', '.join(CATEGORIES)}")
    guideline = str(metadata.get("guideline") or "")
    if guideline and not _LINK.fullmatch(guideline):
        raise ValueError("metadata.guideline must be a link")
    return OwnRule(
        rule=_id(metadata.get("id")),
        title=_title(metadata.get("name")),
        severity=severity,
        category=category,
        guideline=guideline,
        file=name,
    )


def _id(value: object) -> str:
    text = str(value or "")
    if len(text) > 60 or not _ID.fullmatch(text):
        raise ValueError("metadata.id must be capitals, digits and _, such as ACME_S3_1")
    if text.startswith(OTHERS_PREFIXES) and "_CUSTOM_" not in text:
        raise ValueError(f"metadata.id {text} looks like an engine's own; begin it with your name")
    return text


def _title(value: object) -> str:
    text = str(value or "").strip()
    if not _TEXT.fullmatch(text):
        raise ValueError("metadata.name must be one line of at most 300 characters")
    return text


def _together(rules: list[RuleText], size: int) -> Iterator[str]:
    if len(rules) > MAX_RULES:
        yield f"There are more than {MAX_RULES} rules."
    if size > MAX_ALL_BYTES:
        yield f"The rules are larger than {MAX_ALL_BYTES:,} bytes together."
    seen: dict[str, str] = {}
    for each in rules:
        if first := seen.get(each.about.rule):
            yield f"{each.about.file}: metadata.id {each.about.rule} is also that of {first}."
        seen.setdefault(each.about.rule, each.about.file)

"""What a scan gives and what an agent reads: plain, typed, JSON both ways. No Django here."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict


class FileKind(StrEnum):
    TERRAFORM = "terraform"
    TERRAFORM_VARS = "terraform_vars"
    TERRAFORM_PLAN = "terraform_plan"
    CLOUDFORMATION = "cloudformation"
    KUBERNETES = "kubernetes"
    COMPOSE = "compose"
    DOCKERFILE = "dockerfile"
    GITHUB_ACTIONS = "github_actions"
    UNKNOWN = "unknown"


class CoverageStatus(StrEnum):
    READ = "read"
    PARTLY_READ = "partly_read"
    FAILED = "failed"
    NOT_ASSESSED = "not_assessed"


class Outcome(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    SUPPRESSED = "suppressed"


class Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FileCoverage(Message):
    """How far one uploaded file was read.

    ``reason`` says, in words for the user, why it was not read whole; ``line`` where that began,
    1-based.
    """

    path: str
    kind: FileKind
    status: CoverageStatus
    reason: str = ""
    line: int | None = None


class CodeLine(Message):
    """One line of evidence, already redacted. ``number`` is 1-based in the uploaded file."""

    number: int
    text: str


class CheckResult(Message):
    """One rule of one engine against one resource.

    ``line_start`` and ``line_end`` are 1-based and inclusive, of the uploaded file ``file`` (a path
    as uploaded). ``focus`` is the one line among them that decided, where the engine names the
    attribute. ``engine_severity`` is only what the engine itself said ("critical" ... "info"), None
    where it is silent. ``evidence`` holds at most 40 redacted lines, kept for failed checks only.
    """

    engine: str
    rule: str
    title: str
    outcome: Outcome
    resource: str
    resource_type: str = ""
    file: str
    line_start: int
    line_end: int
    focus: int | None = None
    engine_severity: str | None = None
    guideline: str = ""
    remediation: str = ""
    references: list[str] = []
    evidence: list[CodeLine] = []
    suppression: str = ""


class Resource(Message):
    """One entry of the resource model, whatever kind of file declared it.

    ``address`` is unique within an assessment (``aws_db_instance.orders``,
    ``Deployment/default/cart``, ``compose/web``). ``exact`` is true when counts and values come
    from a plan or a literal manifest, false when they are estimated from source. ``attributes`` is
    the declared configuration, redacted, JSON types only.
    """

    address: str
    type: str
    name: str
    provider: str
    origin: FileKind
    file: str
    line_start: int
    line_end: int
    exact: bool
    attributes: dict[str, Any] = {}


class ShardOutput(Message):
    """What one engine found in one shard. Lists are sorted, so that the same input gives equal
    output."""

    engine: str
    engine_version: str
    checks: list[CheckResult] = []
    resources: list[Resource] = []
    coverage: list[FileCoverage] = []

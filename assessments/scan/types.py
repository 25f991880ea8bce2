"""What a scan produces and an agent reads: plain, typed, JSON both ways. No Django here."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Self

import msgspec
from pydantic import BaseModel


class FileKind(StrEnum):
    TERRAFORM = "terraform"
    TERRAFORM_VARS = "terraform_vars"
    TERRAFORM_PLAN = "terraform_plan"
    CLOUDFORMATION = "cloudformation"
    KUBERNETES = "kubernetes"
    COMPOSE = "compose"
    DOCKERFILE = "dockerfile"
    GITHUB_ACTIONS = "github_actions"
    GITLAB_CI = "gitlab_ci"
    AZURE_PIPELINES = "azure_pipelines"
    CIRCLECI = "circleci"
    ANSIBLE = "ansible"
    ARM = "arm"
    BICEP = "bicep"
    UNKNOWN = "unknown"


SEARCHED = "only searched for secrets"
"""Part of the reason for each file that needs nothing more than that."""


UNSUPPORTED = "Unsupported file type."
"""Start of the reason for files about which there is nothing else to say."""


class CoverageStatus(StrEnum):
    READ = "read"
    PARTLY_READ = "partly_read"
    FAILED = "failed"
    NOT_ASSESSED = "not_assessed"


class Outcome(StrEnum):
    """UNDECIDED: the engine reports a failure, but the value that decides is not in the upload."""

    PASSED = "passed"
    FAILED = "failed"
    SUPPRESSED = "suppressed"
    UNDECIDED = "undecided"


class Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A typed, immutable value that is JSON both ways.

    msgspec rather than Pydantic: a scan of thousands of files is hundreds of thousands of these.
    Types are checked when JSON is read, not when a value is built.
    """

    def to_json(self) -> bytes:
        return _encoder.encode(self)

    def to_builtins(self, *, exclude: frozenset[str] = frozenset()) -> dict[str, Any]:
        """The fields as JSON types, without ``exclude``."""
        return {
            name: msgspec.to_builtins(getattr(self, name), enc_hook=_encode_other)
            for name in self.__struct_fields__
            if name not in exclude
        }

    def replace(self, **changes: Any) -> Self:
        return msgspec.structs.replace(self, **changes)

    @classmethod
    def from_json(cls, text: bytes | str) -> Self:
        """Raises msgspec.ValidationError, which names the place."""
        return msgspec.json.decode(text, type=cls, dec_hook=_decode_other)

    @classmethod
    def from_builtins(cls, value: Any) -> Self:
        """Raises msgspec.ValidationError, which names the place."""
        return msgspec.convert(value, cls, dec_hook=_decode_other)


def _encode_other(value: Any) -> Any:
    """The one foreign type in messages: a person's requirements, validated by a form."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_defaults=True)
    raise NotImplementedError(f"{type(value).__name__} is not part of a message.")


def _decode_other(wanted: type[Any], value: Any) -> Any:
    if issubclass(wanted, BaseModel):
        return wanted.model_validate(value)
    raise NotImplementedError(f"{wanted.__name__} is not part of a message.")


_encoder = msgspec.json.Encoder(enc_hook=_encode_other)


class ScopeKind(StrEnum):
    """What a scope is recognized by."""

    TERRAFORM = "terraform"
    TERRAFORM_PLAN = "terraform_plan"
    CLOUDFORMATION = "cloudformation"
    KUBERNETES = "kubernetes"
    COMPOSE = "compose"
    ARM = "arm"
    BICEP = "bicep"
    REPOSITORY = "repository"


class Scope(Message, frozen=True, kw_only=True, omit_defaults=True):
    """One deployable unit of an upload; everything an agent reports is about a scope.

    ``key`` is the unit's path, with its variable file if there are several
    (``envs/prod``, ``infra:prod.tfvars``), unique within the upload and stable between runs.
    ``label`` is what people read. ``paths`` are the uploaded files it is built from, sorted; files
    may belong to several scopes (a module that two roots call).
    """

    key: str
    kind: ScopeKind
    label: str
    paths: list[str] = []


class FileCoverage(Message, frozen=True, kw_only=True, omit_defaults=True):
    """How far one uploaded file was read.

    ``reason`` explains to the user why it was not read in full; ``line`` is where that began,
    1-based. ``scope`` is the key of the scope that lacks something because of it; empty if it
    applies to the file in every scope.
    """

    scope: str = ""
    path: str
    kind: FileKind
    status: CoverageStatus
    reason: str = ""
    line: int | None = None


class CodeLine(Message, frozen=True, kw_only=True, omit_defaults=True):
    """One line of evidence, already redacted. ``number`` is 1-based in the uploaded file."""

    number: int
    text: str


class CheckResult(Message, frozen=True, kw_only=True, omit_defaults=True):
    """One rule of one engine against one resource of one scope (``scope``: its key).

    ``line_start`` and ``line_end`` are 1-based and inclusive, in the uploaded file ``file`` (a path
    as uploaded). ``focus`` is the one line among them that decided, if the attribute is known;
    ``missing`` names what that line, or the whole block, should contain but doesn't.
    ``engine_severity`` is only what the engine itself reported ("critical" ... "info"), None if it
    reported none. ``evidence`` holds a few redacted lines, kept for failed and undecided checks
    only. ``open`` is the expression (``each.value.public``) that leaves a check undecided.
    ``own_rule`` is the file of one of the server's own rules, and ``category`` the category that it
    names.
    """

    scope: str = ""
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
    missing: str = ""
    engine_severity: str | None = None
    guideline: str = ""
    remediation: str = ""
    references: list[str] = []
    evidence: list[CodeLine] = []
    suppression: str = ""
    own_rule: str = ""
    category: str = ""
    open: str = ""


class OwnRule(Message, frozen=True, kw_only=True, omit_defaults=True):
    """A rule that the server's operator wrote. ``file`` is its path below the folder of rules;
    ``severity`` is empty if it names none. ``is_loaded`` is false if the engine could not load it:
    it was not run."""

    rule: str
    title: str
    severity: str = ""
    category: str = ""
    guideline: str = ""
    file: str
    is_loaded: bool = True


class Reference(Message, frozen=True, kw_only=True, omit_defaults=True):
    """A resource's declaration names another resource of its scope.

    ``to`` is the other's address, without an index if all instances may be meant; ``at`` is the
    attribute in which it occurs (``default_action.target_group_arn``), and ``line`` its line,
    1-based, in the resource's file.
    """

    to: str
    at: str = ""
    line: int


class Resource(Message, frozen=True, kw_only=True, omit_defaults=True):
    """One entry of the resource model, whatever kind of file declared it.

    ``address`` is unique within its scope (``aws_db_instance.orders``,
    ``Deployment/default/cart``, ``compose/web``); ``scope`` is the scope's key. ``exact`` is true
    when counts and values come from a plan or a literal manifest, false when they are estimated
    from source. ``attributes`` is the declared configuration, redacted, JSON types only.
    ``references`` are those of Terraform, whose evaluated attributes no longer show them; other
    kinds keep theirs in ``attributes``.

    ``count_known`` is false if the upload doesn't determine ``count`` or ``for_each``: there
    is then "at least 1" of it. ``region`` is where it will be (``eu-west-1``), by its own
    attributes or by the provider it uses; empty if unknown. ``provider_alias`` names
    that provider unless it is the default one (``aws.west``). ``uncertain`` explains why
    it may not exist at all (a Condition that can't be decided). ``open_blocks`` names its nested
    blocks that are missing from ``attributes`` because the upload does not say how many there are
    (a ``dynamic`` block over an unknown value). ``code`` holds the first redacted lines of its
    declaration.
    """

    scope: str = ""
    address: str
    type: str
    name: str
    provider: str
    origin: FileKind
    file: str
    line_start: int
    line_end: int
    exact: bool
    count_known: bool = True
    region: str = ""
    provider_alias: str = ""
    uncertain: str = ""
    open_blocks: list[str] = []
    attributes: dict[str, Any] = {}
    references: list[Reference] = []
    code: list[CodeLine] = []


class ShardOutput(Message, frozen=True, kw_only=True, omit_defaults=True):
    """What one engine found in one shard. Lists are sorted, so that the same input gives equal
    output."""

    engine: str
    engine_version: str
    checks: list[CheckResult] = []
    resources: list[Resource] = []
    coverage: list[FileCoverage] = []
    own_rules: list[OwnRule] = []

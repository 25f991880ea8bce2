"""Which agent is responsible for a check, and what the check is about: decided only here.

A failed check becomes a finding of exactly one agent, so that nothing is counted twice:

- **reliability**: the rules that its own controls answer from the resources
  (``RELIABILITY_RULES``): zones, backups, deletion protection, cache failover, point-in-time
  recovery, probes;
- **operations**: logging, monitoring, resource limits, image pinning, continuous integration, and
  hygiene: naming, upgrades, recovery settings beyond reliability's controls, validity of templates,
  all of Hadolint's style rules;
- **security**: everything else.

The compliance agent reads all checks, whoever owns them: it counts requirements, not checks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum
from functools import cache

from assessments.agents.datasets import load
from assessments.scan.types import CheckResult, Outcome


class Owner(StrEnum):
    SECURITY = "security"
    OPERATIONS = "operations"
    RELIABILITY = "reliability"


class Topic(StrEnum):
    """What a check is about. The first ones are security's, the others operations' and
    reliability's."""

    SECRETS = "secrets"
    IDENTITY = "identity and access"
    NETWORK = "network exposure"
    ENCRYPTION = "encryption"
    CUSTOMER_KEYS = "customer-managed keys"
    APPLICATION = "application protection"
    WORKLOAD = "container and workload hardening"
    SUPPLY_CHAIN = "supply chain"
    GENERAL = "general security"
    LOGGING = "logging"
    MONITORING = "monitoring"
    LIMITS = "resource limits"
    IMAGES = "image pinning"
    CI = "continuous integration"
    TAGS = "tags"
    RECOVERY = "recovery settings"
    HYGIENE = "hygiene"
    AVAILABILITY = "availability"


OPERATIONS_TOPICS = (
    Topic.LOGGING,
    Topic.MONITORING,
    Topic.LIMITS,
    Topic.IMAGES,
    Topic.CI,
    Topic.TAGS,
    Topic.RECOVERY,
    Topic.HYGIENE,
)

_RELIABILITY = (
    "CKV_AWS_28 CKV_AWS_133 CKV_AWS_139 CKV_AWS_150 CKV_AWS_157 CKV_AWS_293 CKV2_AWS_50 CKV_GCP_14"
    " CKV_K8S_8 CKV_K8S_9"
)
RELIABILITY_RULES = frozenset(_RELIABILITY.split())
"""Rules that ask what a control of the reliability agent asks of the same resource."""

_TOPIC_RULES: dict[Topic, str] = {
    Topic.LIMITS: "CKV_K8S_10 CKV_K8S_11 CKV_K8S_12 CKV_K8S_13 CKV_AWS_115 CL-0026",
    Topic.IMAGES: (
        "CKV_K8S_14 CKV_K8S_15 CKV_K8S_43 CKV_AWS_51 CKV_DOCKER_7 CL-0004 CL-0019 DL3006 DL3007"
        " DL3026"
    ),
    Topic.MONITORING: (
        "CKV_AWS_50 CKV_AWS_65 CKV_AWS_73 CKV_AWS_118 CKV_AWS_124 CKV_AWS_126 CKV_AWS_252"
        " CKV_AWS_284 CKV_AWS_312 CKV_AWS_319 CKV_AWS_353 CKV2_AWS_62 CKV_AZURE_4 CKV_GCP_8"
        " CKV_GCP_105"
    ),
    Topic.LOGGING: "CKV_AWS_37 CKV_AWS_252 CKV_AWS_316 CKV_GCP_1 CKV_GCP_61 CL-0014",
    Topic.TAGS: "CKV_AWS_153 CKV_GCP_21 CKV2_AWS_60 CKV_AWS_313 CKV_AWS_362",
    Topic.RECOVERY: (
        "CKV_AWS_21 CKV_AWS_116 CKV_AWS_138 CKV_AWS_144 CKV_AWS_152 CKV_AWS_172 CKV_AWS_217"
        " CKV_AWS_233 CKV_AWS_237 CKV_AWS_261 CKV_AWS_310 CKV_AWS_318 CKV_AWS_326 CKV_AWS_344"
        " CKV2_AWS_15 CKV2_AWS_16 CKV2_AWS_58 CKV2_AWS_59 CKV_AZURE_110 CKV_AZURE_111 CKV_AZURE_165"
        " CKV_AZURE_170 CKV_AZURE_175 CKV_AZURE_180 CKV_AZURE_182 CKV_AZURE_188 CKV_AZURE_196"
        " CKV_AZURE_208 CKV_AZURE_209 CKV_AZURE_211 CKV_AZURE_212 CKV_AZURE_213 CKV_AZURE_214"
        " CKV2_AZURE_38 CKV_GCP_9 CKV_GCP_78 CKV_GCP_82 CKV_GCP_119 CKV_GCP_120 CKV_GCP_121"
        " CKV_GCP_122 CKV_DOCKER_2"
    ),
    Topic.HYGIENE: (
        "CKV_AWS_23 CKV_AWS_66 CKV_AWS_120 CKV_AWS_135 CKV_AWS_141 CKV_AWS_207 CKV_AWS_208"
        " CKV_AWS_216 CKV_AWS_222 CKV_AWS_225 CKV_AWS_226 CKV_AWS_300 CKV_AWS_315 CKV_AWS_320"
        " CKV_AWS_322 CKV_AWS_323 CKV_AWS_332 CKV_AWS_340 CKV2_AWS_5 CKV2_AWS_14 CKV2_AWS_19"
        " CKV2_AWS_23 CKV2_AWS_61 CKV_AZURE_18 CKV_AZURE_67 CKV_AZURE_88 CKV_AZURE_103"
        " CKV_AZURE_114 CKV_AZURE_150 CKV_AZURE_167 CKV_AZURE_168 CKV_AZURE_171 CKV_AZURE_172"
        " CKV_AZURE_183 CKV_AZURE_226 CKV_AZURE_232 CKV_GCP_10 CKV_GCP_23 CKV_GCP_70 CKV_GCP_74"
        " CKV_GCP_79 CKV_GCP_123 CKV_K8S_21 CKV_DOCKER_4 CKV_DOCKER_5 CKV_DOCKER_9"
    ),
    Topic.SECRETS: "CKV_AWS_384 CL-0020 CL-0021",
    Topic.IDENTITY: "CKV_AWS_333",
    Topic.NETWORK: (
        "CKV_AWS_20 CKV_AWS_24 CKV_AWS_25 CKV_AWS_53 CKV_AWS_54 CKV_AWS_55 CKV_AWS_56 CKV_AWS_57"
        " CKV_AWS_70 CKV2_AWS_6 CKV2_AWS_12 CKV_AWS_333 CL-0005"
    ),
    Topic.ENCRYPTION: "CKV_AWS_19 CKV_AZURE_112 CKV_AWS_253 CKV_AWS_255",
    Topic.CUSTOMER_KEYS: (
        "CKV_AWS_35 CKV_AWS_119 CKV_AWS_136 CKV_AWS_142 CKV_AWS_145 CKV_AWS_149 CKV_AWS_158"
        " CKV_AWS_166 CKV_AWS_173 CKV_AWS_182 CKV_AWS_184 CKV_AWS_185 CKV_AWS_187 CKV_AWS_189"
        " CKV_AWS_191 CKV_AWS_209 CKV_AWS_212 CKV_AWS_241 CKV_AWS_247 CKV_AWS_254 CKV_AWS_256"
        " CKV_AWS_327 CKV_AWS_337 CKV_AWS_347 CKV_AWS_354 CKV2_AWS_73 CKV_AZURE_93 CKV_AZURE_100"
        " CKV_AZURE_117 CKV_AZURE_201 CKV2_AZURE_1 CKV2_AZURE_15 CKV2_AZURE_16 CKV2_AZURE_17"
        " CKV2_AZURE_22 CKV_GCP_37 CKV_GCP_38 CKV_GCP_80 CKV_GCP_81 CKV_GCP_83 CKV_GCP_84"
        " CKV_GCP_85 CKV_GCP_91 CKV_GCP_93"
    ),
    Topic.GENERAL: "CKV_AZURE_224",
}
"""Rules whose topic differs from what their engine's category suggests."""

_CATEGORY_TOPICS = {
    "SECRETS": Topic.SECRETS,
    "IAM": Topic.IDENTITY,
    "NETWORKING": Topic.NETWORK,
    "ENCRYPTION": Topic.ENCRYPTION,
    "APPLICATION_SECURITY": Topic.APPLICATION,
    "KUBERNETES": Topic.WORKLOAD,
    "SUPPLY_CHAIN": Topic.SUPPLY_CHAIN,
    "LOGGING": Topic.LOGGING,
    "BACKUP_AND_RECOVERY": Topic.RECOVERY,
    "CONVENTION": Topic.HYGIENE,
}
"""Checkov's own category (``checkov_rules.json``) to a topic; GENERAL_SECURITY and AI_AND_ML fall
to GENERAL."""

_HADOLINT_SECURITY = frozenset({"DL3002", "DL3004", "DL3044"})
"""Root as the last user, sudo, variables that may carry secrets: the rest of Hadolint is build
hygiene."""

_SAME_IN_FILES = {
    "zizmor-excessive-permissions": "CKV2_GHA_1",
    "DL3000": "CKV_DOCKER_10",
    "DL3002": "CKV_DOCKER_8",
    "DL3007": "CKV_DOCKER_7",
    "DL3020": "CKV_DOCKER_4",
    "DL3024": "CKV_DOCKER_11",
    "DL3027": "CKV_DOCKER_9",
    "DL4000": "CKV_DOCKER_6",
}
"""A linter's rule to Checkov's that says the same of a Dockerfile or a workflow."""

_SECRETS_RULES = ("CKV_SECRET_", "IM-SECRET-")
MAX_LINES = 2_000
_A_SECRET = "a secret"  # noqa: S105
_CREDENTIALS_TEXT = (
    "CL-0020 CL-0021 CKV_AWS_41 CKV_AWS_45 CKV_AWS_46 CKV_AWS_384 CKV_AZURE_45"
    " CKV_AZURE_131 CKV_AZURE_239 CKV_BCW_1 CKV_LIN_1 CKV_NCP_22 CKV_OCI_1 CKV_OPENSTACK_1"
    " CKV_OPENSTACK_4 CKV_PAN_1 CKV_YC_24"
)
_CREDENTIALS = frozenset(_CREDENTIALS_TEXT.split())
"""Rules of other engines for credentials that are written out: left out where the secrets scan
flags a line of theirs."""


def owner(check: CheckResult) -> Owner:
    """The one agent whose findings and score ``check`` belongs to."""
    if check.rule in RELIABILITY_RULES:
        return Owner.RELIABILITY
    return Owner.OPERATIONS if topic(check) in OPERATIONS_TOPICS else Owner.SECURITY


def topic(check: CheckResult) -> Topic:
    """What ``check`` is about: by its rule, else by its engine, else by its engine's category."""
    if found := _topics().get(check.rule):
        return found
    if check.own_rule:
        return _CATEGORY_TOPICS.get(check.category, Topic.GENERAL)
    if check.engine in ("hadolint", "cfn-lint", "kubernetes-validate"):
        return Topic.WORKLOAD if check.rule in _HADOLINT_SECURITY else Topic.HYGIENE
    return _by_prefix(check.rule)


def owned(checks: Iterable[CheckResult], by: Owner) -> list[CheckResult]:
    """The checks that ``by`` answers for, without doubles between engines, in an order that the
    input can't change."""
    every = list(checks)
    failed = [check for check in every if check.outcome == Outcome.FAILED]
    said = {(check.rule, check.file) for check in failed}
    said |= {
        (_A_SECRET, f"{each.file}:{number}")
        for each in every
        if each.rule.startswith(_SECRETS_RULES) and each.outcome != Outcome.PASSED
        for number in range(each.line_start, each.line_end + 1)
    }
    mine = (check for check in every if owner(check) == by)
    return sorted((check for check in mine if not _is_double(check, said)), key=_order)


def _is_double(check: CheckResult, said: set[tuple[str, str]]) -> bool:
    if check.rule in _CREDENTIALS and check.outcome == Outcome.FAILED:
        lines = range(check.line_start, min(check.line_end, check.line_start + MAX_LINES) + 1)
        return any((_A_SECRET, f"{check.file}:{number}") in said for number in lines)
    twin = _SAME_IN_FILES.get(check.rule)
    return twin is not None and (twin, check.file) in said


def _order(check: CheckResult) -> tuple[str, int, str, str, str, int, bytes]:
    return (
        check.file,
        check.line_start,
        check.rule,
        check.resource,
        check.outcome.value,
        check.line_end,
        check.to_json(),
    )


def _by_prefix(rule: str) -> Topic:
    if rule.startswith(_SECRETS_RULES):
        return Topic.SECRETS
    if re.match(
        r"CKV2?_(GHA|GIT|ADO|GLB|BCW|GITLABCI|AZUREPIPELINES|CIRCLECIPIPELINES)_|zizmor-", rule
    ):
        return Topic.CI
    if re.match(r"CKV2?_(K8S|DOCKER)_|CL-", rule):
        return Topic.WORKLOAD
    return Topic.GENERAL


@cache
def _topics() -> dict[str, Topic]:
    found: dict[str, Topic] = {}
    for category, rules in load("checkov_rules.json")["categories"].items():
        for rule in rules:
            by_prefix = _by_prefix(rule)
            found[rule] = (
                _CATEGORY_TOPICS.get(category, Topic.GENERAL)
                if by_prefix == Topic.GENERAL
                else by_prefix
            )
            if category == "CONVENTION":
                found[rule] = Topic.HYGIENE
    for topic_, rules in _TOPIC_RULES.items():
        found |= dict.fromkeys(rules.split(), topic_)
    return found

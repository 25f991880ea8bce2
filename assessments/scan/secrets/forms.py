"""Secrets that are recognized by their form alone, wherever they occur.

detect-secrets, in the scanner's environment, covers the older services. These are formats that it
lacks, as documented by their issuers, and those that redaction must know without asking an engine.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from assessments.scan.secrets.rules import AWS_KEY, CONNECTION, PRIVATE_KEY, TOKEN
from assessments.scan.secrets.values import DOCUMENTED, is_literal, is_placeholder

MAX_KEY_BODY = 20_000


@dataclass(frozen=True, slots=True)
class Formed:
    """A secret at ``start`` to ``end`` of a text. ``what`` names the kind of token, for people."""

    rule: str
    what: str
    start: int
    end: int


class _Format:
    """A token's format. A text that contains none of ``hints`` (literal parts of the token,
    separated by blanks) has no such token: looking for those is a hundred times faster."""

    def __init__(self, what: str, hints: str, pattern: str) -> None:
        self.what = what
        self.hints = hints.split()
        self.pattern = re.compile(rf"(?<![A-Za-z0-9_])(?:{pattern})")


def formed_in(text: str) -> Iterator[Formed]:
    """Every secret in ``text`` that is recognizable by its form, in no order; some may overlap."""
    for match in _PRIVATE_KEY.finditer(text) if "PRIVATE KEY" in text else ():
        if _is_key_body(match["body"]):
            yield Formed(PRIVATE_KEY, "Private key", match.start(), match.end())
    for name, form in _FORMATS.items():
        if any(hint in text for hint in form.hints):
            for match in form.pattern.finditer(text):
                if match[0] not in DOCUMENTED and not _is_made_up(match[0]):
                    yield Formed(_RULES.get(name, TOKEN), form.what, *match.span())
    yield from _connections(text)


def _connections(text: str) -> Iterator[Formed]:
    for match in _URL.finditer(text) if "://" in text and "@" in text else ():
        if is_literal(match["password"]) and not _is_name_of(match["password"], match["user"]):
            yield Formed(CONNECTION, "Password in a URL", *match.span("password"))
    for match in _CONNECTION_STRING.finditer(text) if ";" in text and "=" in text else ():
        if is_literal(match["password"]):
            yield Formed(CONNECTION, "Password in a connection string", *match.span("password"))


def _is_key_body(body: str) -> bool:
    """A header that a program merely looks for, or ellipses in documentation, have no key after
    them."""
    return len(re.findall(r"[A-Za-z0-9+/=]", body)) >= 64 and "..." not in body


def _is_made_up(token: str) -> bool:
    return is_placeholder(token) or len(set(token[4:])) < 6


def _is_name_of(password: str, user: str) -> bool:
    """``username:password`` in a URL that merely explains the format."""
    return (user.lower().strip("<>"), password.lower()) in {
        ("user", "pass"),
        ("user", "password"),
        ("username", "password"),
        ("login", "password"),
        ("usr", "pwd"),
        ("user", "pwd"),
        ("name", "password"),
    }


_PRIVATE_KEY = re.compile(
    r"-----BEGIN (?:[A-Z0-9]{1,20} ){0,4}PRIVATE KEY(?: BLOCK)?-----"
    rf"(?P<body>[^-]{{0,{MAX_KEY_BODY}}}+)(?:-----END [A-Z0-9 ]{{0,60}}-----)?"
)
_FORMATS = {
    "aws": _Format("AWS access key ID", "AKIA ASIA", r"(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])"),
    "github": _Format("GitHub token", "ghp_ gho_ ghu_ ghs_ ghr_", r"gh[pousr]_[A-Za-z0-9]{36,255}"),
    "github_fine": _Format(
        "GitHub token",
        "github_pat_",
        r"github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}",
    ),
    "gitlab": _Format(
        "GitLab token",
        "glpat- gldt- glrt- glcbt- glptt- glagent- gloas- glsoat-",
        r"gl(?:pat|dt|rt|cbt|ptt|agent|oas|soat)-[\w-]{20,64}",
    ),
    "google": _Format("Google API key", "AIza", r"AIza[\w-]{35}(?![\w-])"),
    "google_oauth": _Format("Google OAuth client secret", "GOCSPX-", r"GOCSPX-[\w-]{28}"),
    "slack": _Format("Slack token", "xox", r"xox[abeoprs]-[A-Za-z0-9-]{20,255}"),
    "slack_hook": _Format(
        "Slack webhook",
        "hooks.slack.com",
        r"https://hooks\.slack\.com/services/T[A-Z0-9]{7,}/B[A-Z0-9]{7,}/[A-Za-z0-9]{20,}",
    ),
    "stripe": _Format("Stripe key", "k_live_ k_test_", r"[sr]k_(?:live|test)_[A-Za-z0-9]{16,255}"),
    "sendgrid": _Format("SendGrid key", "SG.", r"SG\.[\w-]{20,24}\.[\w-]{39,50}"),
    "npm": _Format("npm token", "npm_", r"npm_[A-Za-z0-9]{36}"),
    "pypi": _Format("PyPI token", "pypi-", r"pypi-AgE[\w-]{50,1000}"),
    "docker": _Format("Docker token", "dckr_", r"dckr_(?:pat|oat)_[\w-]{27,40}"),
    "digitalocean": _Format("DigitalOcean token", "_v1_", r"do[oprs]_v1_[a-f0-9]{64}"),
    "terraform": _Format(
        "Terraform Cloud token",
        ".atlasv1.",
        r"[A-Za-z0-9]{14}\.atlasv1\.[\w-]{60,70}",
    ),
    "vault": _Format("Vault token", "hvs. hvb. hvr.", r"hv[sbr]\.[\w-]{24,300}"),
    "databricks": _Format("Databricks token", "dapi", r"dapi[a-f0-9]{32}(?:-\d)?"),
    "anthropic": _Format("Anthropic key", "sk-ant-", r"sk-ant-(?:api|admin)\d{2}-[\w-]{80,120}"),
    "openai": _Format(
        "OpenAI key",
        "sk-",
        r"sk-(?:(?:proj|"
        r"svcacct|admin)-[\w-]{40,200}|[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20})",
    ),
    "huggingface": _Format("Hugging Face token", "hf_", r"hf_[A-Za-z]{34}(?![A-Za-z])"),
    "newrelic": _Format("New Relic key", "NRAK-", r"NRAK-[A-Z0-9]{27}"),
    "grafana": _Format(
        "Grafana token",
        "glsa_ glc_",
        r"glsa_[A-Za-z0-9]{32}_[a-f0-9]{8}|glc_[A-Za-z0-9+/]{32,400}",
    ),
    "shopify": _Format(
        "Shopify token",
        "shpat_ shpca_ shppa_ shpss_",
        r"shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}",
    ),
    "azure_ad": _Format(
        "Azure client secret",
        "Q~",
        r"[A-Za-z0-9_~.]{3}\dQ~[A-Za-z0-9_~.-]{31,34}",
    ),
    "azure_storage": _Format(
        "Azure storage account key",
        "AccountKey=",
        r"(?<=AccountKey=)[A-Za-z0-9+/]{86}==",
    ),
    "azure_sas": _Format(
        "Azure shared access key",
        "SharedAccessKey=",
        r"(?<=SharedAccessKey=)[A-Za-z0-9+/]{42,44}={0,2}",
    ),
    "age": _Format(
        "age identity",
        "AGE-SECRET-KEY-",
        r"AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}",
    ),
    "telegram": _Format("Telegram bot token", ":AA", r"\d{8,10}:AA[\w-]{33}(?![\w-])"),
    "jwt": _Format(
        "JSON Web Token",
        "eyJ",
        r"eyJ[\w-]{10,2000}\.eyJ[\w-]{10,4000}\.[\w-]{20,1000}",
    ),
    "cloudflare": _Format("Cloudflare origin key", "v1.0-", r"v1\.0-[a-f0-9]{24}-[a-f0-9]{146}"),
}
"""Sources: each issuer's documentation of its token format."""
_RULES = {
    "aws": AWS_KEY,
    "azure_storage": "CKV_SECRET_3",
    "jwt": "CKV_SECRET_9",
    "npm": "CKV_SECRET_12",
    "slack": "CKV_SECRET_14",
    "slack_hook": "CKV_SECRET_14",
    "stripe": "CKV_SECRET_17",
}
_URL = re.compile(
    r"(?<![\w.+-])[A-Za-z][\w.+-]{1,30}://(?P<user>[^\s:/@\"'<>]{0,100}+):"
    r"(?P<password>[^\s/@\"'<>]{1,200}+)@"
)
_CONNECTION_STRING = re.compile(
    r"(?:server|data source|host|address|addr|user id|uid|accountendpoint|endpoint)\s{0,3}="
    r"[^;\n]{0,300};(?:[^\n;]{0,200};){0,12}?\s{0,3}(?:password|pwd)\s{0,3}=\s{0,3}"
    r"(?P<password>[^;\"'\s]{3,200})",
    re.IGNORECASE,
)

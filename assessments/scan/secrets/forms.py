"""Secrets that are known by their form alone, wherever they stand.

detect-secrets, in the scanner's environment, knows the older services. These are formats that it
lacks, as their issuers document them, and those that redaction must know without asking an engine.
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
    """A secret at ``start`` to ``end`` of a text. ``what`` names the kind of token, for people.
    ``host`` is where a URL's credentials lead."""

    rule: str
    what: str
    start: int
    end: int
    host: str = ""


def formed_in(text: str) -> Iterator[Formed]:
    """Every secret in ``text`` that its form gives away, in no order; some may overlap."""
    for match in _PRIVATE_KEY.finditer(text):
        if _is_key_body(match["body"]):
            yield Formed(PRIVATE_KEY, "Private key", match.start(), match.end())
    for match in _TOKENS.finditer(text):
        name = match.lastgroup or ""
        if match[0] not in DOCUMENTED and not _is_made_up(match[name]):
            rule = _RULES.get(name, TOKEN)
            yield Formed(rule, _NAMES[name], match.start(name), match.end(name))
    for match in _URL.finditer(text):
        if is_literal(match["password"]) and not _is_name_of(match["password"], match["user"]):
            yield Formed(
                CONNECTION, "Password in a URL", *match.span("password"), host=match["host"]
            )
    for match in _CONNECTION_STRING.finditer(text):
        if is_literal(match["password"]):
            yield Formed(CONNECTION, "Password in a connection string", *match.span("password"))


def _is_key_body(body: str) -> bool:
    """A header that a program looks for, or a documentation's dots, has no key after it."""
    return len(re.findall(r"[A-Za-z0-9+/=]", body)) >= 64 and "..." not in body


def _is_made_up(token: str) -> bool:
    return is_placeholder(token) or len(set(token[4:])) < 6


def _is_name_of(password: str, user: str) -> bool:
    """``username:password`` in a URL that explains what a URL looks like."""
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
_FORMATS: dict[str, tuple[str, str]] = {
    "aws": ("AWS access key ID", r"(?:AKIA|ASIA)[A-Z2-7]{16}(?![A-Za-z0-9])"),
    "github": ("GitHub token", r"gh[pousr]_[A-Za-z0-9]{36,255}"),
    "github_fine": ("GitHub token", r"github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}"),
    "gitlab": ("GitLab token", r"gl(?:pat|dt|rt|cbt|ptt|agent|oas|soat)-[\w-]{20,64}"),
    "google": ("Google API key", r"AIza[\w-]{35}(?![\w-])"),
    "google_oauth": ("Google OAuth client secret", r"GOCSPX-[\w-]{28}"),
    "slack": ("Slack token", r"xox[abeoprs]-[A-Za-z0-9-]{20,255}"),
    "slack_hook": (
        "Slack webhook",
        r"https://hooks\.slack\.com/services/T[A-Z0-9]{7,}/B[A-Z0-9]{7,}/[A-Za-z0-9]{20,}",
    ),
    "stripe": ("Stripe key", r"[sr]k_(?:live|test)_[A-Za-z0-9]{16,255}"),
    "sendgrid": ("SendGrid key", r"SG\.[\w-]{20,24}\.[\w-]{39,50}"),
    "npm": ("npm token", r"npm_[A-Za-z0-9]{36}"),
    "pypi": ("PyPI token", r"pypi-AgE[\w-]{50,1000}"),
    "docker": ("Docker token", r"dckr_(?:pat|oat)_[\w-]{27,40}"),
    "digitalocean": ("DigitalOcean token", r"do[oprs]_v1_[a-f0-9]{64}"),
    "terraform": ("Terraform Cloud token", r"[A-Za-z0-9]{14}\.atlasv1\.[\w-]{60,70}"),
    "vault": ("Vault token", r"hv[sbr]\.[\w-]{24,300}"),
    "databricks": ("Databricks token", r"dapi[a-f0-9]{32}(?:-\d)?"),
    "anthropic": ("Anthropic key", r"sk-ant-(?:api|admin)\d{2}-[\w-]{80,120}"),
    "openai": (
        "OpenAI key",
        r"sk-(?:(?:proj|svcacct|admin)-[\w-]{40,200}|"
        r"[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20})",
    ),
    "huggingface": ("Hugging Face token", r"hf_[A-Za-z]{34}(?![A-Za-z])"),
    "newrelic": ("New Relic key", r"NRAK-[A-Z0-9]{27}"),
    "grafana": (
        "Grafana token",
        r"glsa_[A-Za-z0-9]{32}_[a-f0-9]{8}|glc_[A-Za-z0-9+/]{32,400}={0,2}",
    ),
    "shopify": ("Shopify token", r"shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}"),
    "azure_ad": ("Azure client secret", r"[A-Za-z0-9_~.]{3}\dQ~[A-Za-z0-9_~.-]{31,34}"),
    "azure_storage": ("Azure storage account key", r"(?<=AccountKey=)[A-Za-z0-9+/]{86}=="),
    "azure_sas": ("Azure shared access key", r"(?<=SharedAccessKey=)[A-Za-z0-9+/]{42,44}={0,2}"),
    "age": ("age identity", r"AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}"),
    "telegram": ("Telegram bot token", r"\d{8,10}:AA[\w-]{33}(?![\w-])"),
    "jwt": ("JSON Web Token", r"eyJ[\w-]{10,2000}\.eyJ[\w-]{10,4000}\.[\w-]{20,1000}"),
    "cloudflare": ("Cloudflare origin key", r"v1\.0-[a-f0-9]{24}-[a-f0-9]{146}"),
}
"""Name, words for people, and pattern. Sources: each issuer's documentation of its token format."""
_RULES = {
    "aws": AWS_KEY,
    "azure_storage": "CKV_SECRET_3",
    "jwt": "CKV_SECRET_9",
    "npm": "CKV_SECRET_12",
    "slack": "CKV_SECRET_14",
    "slack_hook": "CKV_SECRET_14",
    "stripe": "CKV_SECRET_17",
}
_NAMES = {name: words for name, (words, _) in _FORMATS.items()}
_TOKENS = re.compile(
    r"(?<![A-Za-z0-9_])(?:"
    + "|".join(f"(?P<{name}>{pattern})" for name, (_, pattern) in _FORMATS.items())
    + ")"
)
_URL = re.compile(
    r"(?<![\w.+-])[A-Za-z][\w.+-]{1,30}://(?P<user>[^\s:/@\"'<>]{0,100}+):"
    r"(?P<password>[^\s/@\"'<>]{1,200}+)@(?P<host>[\w.-]{0,200})"
)
_CONNECTION_STRING = re.compile(
    r"(?:server|data source|host|address|addr|user id|uid|accountendpoint|endpoint)\s{0,3}="
    r"[^;\n]{0,300};(?:[^\n;]{0,200};){0,12}?\s{0,3}(?:password|pwd)\s{0,3}=\s{0,3}"
    r"(?P<password>[^;\"'\s]{3,200})",
    re.IGNORECASE,
)

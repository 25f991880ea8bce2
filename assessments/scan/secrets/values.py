"""What a value looks like: a literal or a reference, a placeholder, a token, an ordinary word."""

from __future__ import annotations

import math
import re

MAX_VALUE_CHARS = 4_000
MIN_PASSWORD_CHARS = 3
MIN_TOKEN_CHARS = 16
MIN_TOKEN_BITS = 3.0
"""Shannon entropy per character. Words and identifiers of that length are below it, keys above."""


def is_literal(value: str, *, is_quoted: bool = True) -> bool:
    """Whether ``value`` is a literal: no reference, call, path, placeholder or setting. Unquoted
    text may also be a call or an expression."""
    value = value.strip()
    if not MIN_PASSWORD_CHARS <= len(value) <= MAX_VALUE_CHARS:
        return False
    return is_maskable(value, is_quoted=is_quoted) and not _PATH.match(value)


def is_maskable(value: str, *, is_quoted: bool = True) -> bool:
    """Whether ``value`` could be a secret at all: whatever is shown of a file has these masked,
    even if they are too short or too odd for a finding."""
    if not value or _REFERENCE.search(value) or _SETTING.match(value) or is_placeholder(value):
        return False
    return is_quoted or not _EXPRESSION.match(value)


def is_reference(value: str) -> bool:
    """Whether ``value`` names where the secret is, or is built from such names."""
    return _REFERENCE.search(value) is not None


def is_placeholder(value: str) -> bool:
    """Whether ``value`` only shows where a secret goes: ``<your password>``, ``xxxx``,
    ``example``. ``changeme`` doesn't count: it is a password that people leave in place."""
    if value in DOCUMENTED:
        return True
    if len(set(value.strip("\"'"))) < 3 and len(value) > 3 and not value.isdigit():
        return True
    return bool(_PLACEHOLDER.search(value))


def is_token(value: str) -> bool:
    """Whether ``value`` was generated: long, mixed, without blanks, and not a name or path."""
    if len(value) < MIN_TOKEN_CHARS or not _TOKEN_CHARS.fullmatch(value) or _NAME.fullmatch(value):
        return False
    return bool(re.search(r"\d", value)) and entropy(value) >= MIN_TOKEN_BITS


def is_strong(value: str) -> bool:
    """Whether ``value`` can only be a password or token: required in source code, which is full of
    examples and labels."""
    kinds = sum(bool(kind.search(value)) for kind in _KINDS)
    long_enough = len(value) >= 10 and not re.search(r"\s", value)
    return long_enough and (kinds >= 4 or (kinds >= 3 and is_token(value)))


def is_word(value: str) -> bool:
    """Whether ``value`` consists of ordinary words: ``inherit``, ``db-credentials``."""
    return _WORDS.fullmatch(value) is not None


def is_distinct(value: str) -> bool:
    """Whether ``value`` can be masked everywhere: ``postgres`` as a password must not blank out
    the image's name."""
    if len(value) < 6 or not is_maskable(value):
        return False
    return sum(bool(kind.search(value)) for kind in _KINDS) >= 2 or len(value) >= 16


def entropy(value: str) -> float:
    counts = [value.count(char) for char in set(value)]
    return -sum(n / len(value) * math.log2(n / len(value)) for n in counts)


DOCUMENTED = frozenset(
    {
        "AKIAIOSFODNN7EXAMPLE",
        "AKIAI44QH8DHBEXAMPLE",
        "ASIAIOSFODNN7EXAMPLE",
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY",
    }
)
"""Keys that AWS's documentation uses; they give access to nothing."""
_REFERENCE = re.compile(
    r"^\(\(.*\)\)$|\$\{|\$\(|\{\{|\}\}|<%|%\(|#\{|@\{|"  # templates
    r"^\$\w|^%\w+%$|^@\w+@$|^__\w+__$|^`|"
    r"^(?:var|local|data|module|each|self|path|count|random_\w+|aws_\w+|azurerm_\w+|google_\w+|"
    r"kubernetes_\w+|vault_\w+|process\.env|os\.environ|env|secrets|parameters|settings|config)[.\[]|"
    r"^!(?:Ref|Sub|GetAtt|ImportValue|FindInMap|Join|reference|vault|secret)\b|"
    r"^\[.*\]$|^\{\{resolve:|"
    r"^(?:arn|vault|ssm|secretsmanager|op|ref\+\w+|gcpkms|sops|file|projects|sm|awskms|azurekeyvault|env):|"
    r"^@Microsoft\.KeyVault|^ENC\[|^projects/|^\(known after apply\)$|^\(sensitive",
    re.IGNORECASE,
)
_EXPRESSION = re.compile(r"[A-Za-z_][\w.]{0,80}\(|[\[{]|[&*]\w+$|<<|![A-Z][A-Za-z]+(?:\s|$)")
_SETTING = re.compile(
    r"^(?:true|false|null|nil|none|undefined|required|optional|enabled|disabled|yes|no|on|off|auto|"
    r"string|str|text|bool|boolean|int|integer|number|object|any|binary|varchar.*|bytes|"
    r"secure_?string|file|inherit|write|read|default|generated?|random|empty|unset|n/?a|prompt|ask|"
    r"[|>][-+]?\d?|[\W_]+)$",
    re.IGNORECASE,
)
_PATH = re.compile(
    r"^(?:[~.]{0,2}/|[A-Za-z]:\\|https?://)[^\s@]*$|^[\w./-]+\.(?:pem|key|crt|txt|ya?ml|json|env|conf|enc|gpg|sh|py)$"
)
_PLACEHOLDER = re.compile(
    r"^(?:(?:my|the|this is|a|some)[-_ ])?(?:client[-_ ]|api[-_ ]|app[-_ ])?secret"
    r"(?:[-_ ](?:data|value|key|string))?$|^dummy|"
    r"^<[^>]*>?$|<[A-Za-z][\w .-]*>|^\[[^\]]*\]$|^gen-[a-z-]+$|^x{3}$|"
    r"\*{3,}|x{4,}|\.{3}|_{4,}|-{4,}|^\?+$|"
    r"(?:^|[^a-z])(?:your|insert|enter|put|replace|fill|todo|fixme|tbd|placeholder|redacted|masked|"
    r"hidden|dummy|sample|examples?|some[-_ ]?(?:secret|password|token))(?:$|[^a-z])|"
    r"^(?:your|example)|(?:example|placeholder|redacted|here)$|replace[-_ ]?me|"
    r"(?-i:^[A-Z][A-Z0-9]*_[A-Z0-9_]*$)",
    re.IGNORECASE,
)
_TOKEN_CHARS = re.compile(r"[\w+/=.~:-]+")
_NAME = re.compile(r"(?:[A-Za-z]+\d{0,3}|v?\d{1,4})(?:[-_./: ](?:[A-Za-z]+\d{0,3}|v?\d{1,4}))*")
_WORDS = re.compile(r"[A-Za-z]{1,30}(?:[-_./: ][A-Za-z]{1,30}){0,20}")
_KINDS = (
    re.compile(r"[a-z]"),
    re.compile(r"[A-Z]"),
    re.compile(r"\d"),
    re.compile(r"[^A-Za-z0-9._/-]"),
)

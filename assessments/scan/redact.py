"""Keeping secrets out of everything that is stored or shown.

A secret's place is known by its key (``password = ...``), by its form (a private key, an AWS key,
credentials in a URL), or by an engine that flags its line. Once known, its value is masked wherever
it appears.
"""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any

from assessments.scan.types import CheckResult, CodeLine, Resource

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from assessments.scan.documents import Document
    from assessments.scan.intake import InputFile

MASK = "[redacted]"
MAX_LITERALS = 2_000
MAX_ATTRIBUTE_BYTES = 32_000
MAX_LINE_CHARS = 300
MAX_SEEN = 5_000

_WORD = (
    r"pass(?:word|wd|phrase|wort)?|pwd|secret|token|api[_.-]?key|access[_.-]?key|private[_.-]?key|account[_.-]?key|"
    r"storage[_.-]?key|shared[_.-]?key|credentials?|connection[_.-]?string|conn[_.-]?str|client[_.-]?secret|"
    r"auth(?:orization)?[_.-]?(?:key|string|value)?|webhook|signing[_.-]?key|encryption[_.-]?key|master[_.-]?key|dsn"
)
# Keys that speak of a secret without holding one: its name, where it lies, how long it lives,
# whether it is used.
_ABOUT = (
    r"(?:name|names|ref|refs|arn|arns|id|ids|policy|ttl|length|mode|type|tokens|file|files|path|paths|enabled|required|"
    r"version|rotation|expiration|expiry|lifetime|provider|providers|store|manager|class|engine|method|methods|reset|"
    r"days|seconds|minutes|hours|endpoint|issuer|audience|scope|scopes|mount|mounts|volume|accesstype|tokenmount)$"
)
_SECRET_KEY = re.compile(rf"(?:^|[^a-z]|[a-z])(?:{_WORD})", re.IGNORECASE)
_ABOUT_KEY = re.compile(_ABOUT, re.IGNORECASE)
_NOT_A_SECRET = re.compile(
    r"""^(?:|true|false|null|none|required|optional|enabled|disabled|yes|no|-?\d{1,4}|[\[{|>&*].*|"""
    r"""(?:var|local|data|module|each|random_\w+|aws_\w+|azurerm_\w+|google_\w+)\..*|\$\{\{?[^}]*\}?\}|\$\w+|"""
    r"""!(?:Ref|Sub|GetAtt|ImportValue)\b.*|arn:.*|\{\{resolve:.*)$""",
    re.IGNORECASE,
)
_ASSIGNMENT = re.compile(
    r"""(?<![\w.])(?<!\w-)(?P<key>[A-Za-z_][\w.-]{0,80})(?P<op>["']?\s{0,40}(?::=|=>|[:=])\s{0,40})"""
    r"""(?P<value>"(?:[^"\\]|\\.){0,4000}"|'[^']{0,4000}'|[^\s"',;#}\]]{1,4000})"""
)
_ENV_PAIR = re.compile(
    r"""\bname["']?\s{0,9}[:=]\s{0,9}["']?(?P<key>[\w.-]{1,80})["']?[\s,-]{0,99}+["']?value["']?\s{0,9}[:=]\s{0,9}"""
    r"""(?P<value>"(?:[^"\\\n]|\\.){1,4000}"|'[^'\n]{1,4000}'|[^\s"',;#}\]]{1,4000})""",
    re.IGNORECASE,
)
_PEM = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----([^-]{0,20000}+)")
_FORMS = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----[^-]{0,20000}+(?:-----END [A-Z0-9 ]{0,40}-----)?|"
    r"\b(?:AKIA|ASIA|AGPA|AIDA|AROA|ANPA)[A-Z0-9]{16}\b|"
    r"\bgh[pousr]_[A-Za-z0-9]{20,255}|\bgithub_pat_[A-Za-z0-9_]{20,255}|\bglpat-[\w-]{20,}|"
    r"\bxox[abprs]-[A-Za-z0-9-]{10,}|\b(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{10,}|\bAIza[\w-]{35}|"
    r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{4,}|\bSG\.[\w-]{16,}\.[\w-]{16,}|"
    r"(?<=AccountKey=)[^;\s\"']+|(?<=SharedAccessSignature=)[^;\s\"']+|(?<=Password=)[^;\s\"']+|(?<=Pwd=)[^;\s\"']+|"
    r"(?<=://)[^\s:/@\"']{0,200}+:[^\s@\"']{1,200}+(?=@)|"
    r"(?<=[Bb]earer )[\w.~+/-]{12,}=*",
)
_TOKEN = re.compile(r"(?<![\w:@./+-])[A-Za-z0-9+/_-]{24,200}={0,2}(?![\w.:/-])")


class Redactor:
    """Masks the secrets of one upload. Build one with ``of``; it is plain data and holds the values
    only in memory."""

    def __init__(self, literals: Iterable[str]) -> None:
        strong = sorted(
            {value for value in literals if _is_distinct(value)},
            key=lambda value: (-len(value), value),
        )
        kept = strong[:MAX_LITERALS]
        self._literals = re.compile("|".join(map(re.escape, kept))) if kept else None
        # The same lines are evidence of many checks.
        self._seen: dict[str, str] = {}

    @classmethod
    def of(cls, files: Iterable[InputFile], *, documents: Iterable[Document] = ()) -> Redactor:
        found: set[str] = set()
        for file in files:
            found.update(_literals_in(file.content.decode(errors="replace")))
        for document in documents:
            found.update(_kubernetes_secret_values(document.value))
        return cls(found)

    def text(self, text: str) -> str:
        """One line (or message) with every known or recognisable secret masked."""
        if text not in self._seen:
            if len(self._seen) > MAX_SEEN:
                self._seen.clear()
            self._seen[text] = self._masked(text)
        return self._seen[text]

    def _masked(self, text: str) -> str:
        text = _mask_assignments(_FORMS.sub(MASK, text))
        if self._literals is not None:
            text = self._literals.sub(MASK, text)
        return _TOKEN.sub(lambda match: MASK if _looks_random(match[0]) else match[0], text)

    def value(self, value: Any, *, key: str = "") -> Any:
        """A JSON value with secrets masked, by key and by form."""
        if isinstance(value, dict):
            return self._mapping(value)
        if isinstance(value, list):
            return [self.value(item, key=key) for item in value]
        if not isinstance(value, str):
            return value
        if _holds_secret(key) and not _NOT_A_SECRET.match(value):
            return MASK
        return self.text(value)

    def _mapping(self, value: dict[str, Any]) -> dict[str, Any]:
        pair = {str(name).lower() for name in value}
        if {"name", "value"} <= pair and len(pair) <= 4:
            name = str(next(item for key, item in value.items() if key.lower() == "name"))
            return {
                key: self.value(item, key=name if key.lower() == "value" else "")
                for key, item in value.items()
            }
        if value.get("kind") == "Secret":
            masked = {
                k: dict.fromkeys(v, MASK)
                for k in ("data", "stringData")
                if isinstance(v := value.get(k), dict)
            }
            value = {**value, **masked}
            metadata = value.get("metadata")
            if isinstance(metadata, dict):
                # kubectl keeps a copy of the whole object, data and all, in an annotation.
                value["metadata"] = {k: v for k, v in metadata.items() if k != "annotations"}
        return {key: self.value(item, key=str(key)) for key, item in value.items()}

    def check(self, check: CheckResult) -> CheckResult:
        return check.replace(
            title=self.text(check.title),
            remediation=self.text(check.remediation),
            suppression=self.text(check.suppression)[:MAX_LINE_CHARS],
            evidence=[self.line(line) for line in check.evidence],
        )

    def line(self, line: CodeLine) -> CodeLine:
        # Masked before it is cut: a cut secret would be no longer recognised.
        return CodeLine(number=line.number, text=self.text(line.text[:8_000])[:MAX_LINE_CHARS])

    def resource(self, resource: Resource) -> Resource:
        return resource.replace(
            attributes=bounded(self.value(resource.attributes)),
            code=[self.line(line) for line in resource.code],
        )


def bounded(attributes: dict[str, Any], *, limit: int = MAX_ATTRIBUTE_BYTES) -> dict[str, Any]:
    """``attributes`` in at most ``limit`` bytes of JSON: long texts and lists are cut first, then
    whole keys."""
    if len(json.dumps(attributes)) <= limit:
        return attributes
    cut = _cut(attributes, text=400, items=40)
    kept: dict[str, Any] = {}
    size = 2
    for key in sorted(cut, key=lambda name: (len(json.dumps(cut[name])), name)):
        size += len(json.dumps({key: cut[key]})) + 2
        if size > limit:
            break
        kept[key] = cut[key]
    return {key: kept[key] for key in attributes if key in kept}


def line_values(line: str) -> Iterator[str]:
    """The values on a line that an engine flagged as holding a secret."""
    for match in _ASSIGNMENT.finditer(line):
        yield match["value"].strip("\"'")
    yield from re.findall(r"[^\s\"'=:,;]{8,}", line)


def mask_line(text: str) -> str:
    """A flagged line with all of its value masked: what stands before the first ``=`` or ``:``
    stays."""
    ends = [place for sign in "=:" if (place := text.find(sign, 0, 100)) > 0]
    return f"{text[: min(ends) + 1]} {MASK}" if ends else MASK


def _cut(value: Any, *, text: int, items: int) -> Any:
    if isinstance(value, dict):
        return {
            key: _cut(item, text=text, items=items)
            for key, item in list(value.items())[: items * 2]
        }
    if isinstance(value, list):
        return [_cut(item, text=text, items=items) for item in value[:items]]
    return value[:text] if isinstance(value, str) else value


def _holds_secret(key: str) -> bool:
    return bool(_SECRET_KEY.search(key)) and not _ABOUT_KEY.search(key)


def _mask_assignments(text: str) -> str:
    def mask(match: re.Match[str]) -> str:
        value = match["value"].strip("\"'")
        if not _holds_secret(match["key"]) or _NOT_A_SECRET.match(value) or value == MASK:
            return match[0]
        quote = match["value"][0] if match["value"][0] in "\"'" else ""
        return f"{match['key']}{match['op']}{quote}{MASK}{quote}"

    return _ASSIGNMENT.sub(mask, text)


def _literals_in(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if len(line) > 20_000:
            line = line[:20_000]
        yield from (match[0] for match in _FORMS.finditer(line))
        for match in _ASSIGNMENT.finditer(line):
            value = match["value"].strip("\"'")
            if _holds_secret(match["key"]) and not _NOT_A_SECRET.match(value):
                yield value
    for match in _ENV_PAIR.finditer(text):
        value = match["value"].strip("\"'")
        if _holds_secret(match["key"]) and not _NOT_A_SECRET.match(value):
            yield value
    for match in _PEM.finditer(text):
        yield from (line.strip(" \t\"',\\n") for line in match[1].splitlines())


def _kubernetes_secret_values(value: Any) -> Iterator[str]:
    if not isinstance(value, dict) or value.get("kind") != "Secret":
        return
    for block in (value.get("data"), value.get("stringData")):
        if isinstance(block, dict):
            for item in block.values():
                yield from (line.strip() for line in str(item).splitlines())


def _is_distinct(value: str) -> bool:
    """Whether ``value`` can be masked everywhere: ``postgres`` as a password must not blank the
    image's name."""
    if len(value) < 6 or _NOT_A_SECRET.match(value):
        return False
    kinds = sum(
        bool(re.search(kind, value)) for kind in (r"[a-z]", r"[A-Z]", r"\d", r"[^A-Za-z0-9._/-]")
    )
    return kinds >= 2 or len(value) >= 16


def _looks_random(token: str) -> bool:
    """High Shannon entropy over mixed characters. 4.2 bits lie above English and identifiers, below
    base64 of keys."""
    if not (re.search(r"\d", token) and re.search(r"[a-z]", token) and re.search(r"[A-Z]", token)):
        return False
    counts = [token.count(char) for char in set(token)]
    return -sum(n / len(token) * math.log2(n / len(token)) for n in counts) > 4.2

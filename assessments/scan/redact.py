"""Keeping secrets out of everything that is stored or shown.

A secret is located by its name (``password = ...``), by its form (a private key, an AWS key,
credentials in a URL), or by an engine that flags its line. Once known, its value is masked wherever
it appears. Words that are not secret stay: a message must be readable.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from assessments.scan.azure import secure_defaults
from assessments.scan.secrets.forms import formed_in
from assessments.scan.secrets.grammar import grammar_of
from assessments.scan.secrets.named import ASSIGNMENT, named_in, unquoted
from assessments.scan.secrets.names import Holds, holds
from assessments.scan.secrets.search import decoded
from assessments.scan.secrets.texts import searched_text
from assessments.scan.secrets.values import (
    is_distinct,
    is_maskable,
    is_reference,
    is_word,
)
from assessments.scan.types import CheckResult, CodeLine, Resource

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from assessments.scan.documents import Document
    from assessments.scan.intake import InputFile

MASK = "[redacted]"
MAX_LITERALS = 2_000
MAX_WEAK = 200
MIN_WEAK_CHARS = 4
MAX_ATTRIBUTE_BYTES = 32_000
MAX_LINE_CHARS = 300
MAX_SEEN = 5_000

_ALSO = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----[^-]{0,20000}+(?:-----END [A-Z0-9 ]{0,40}-----)?|"
    r"\b(?:AKIA|ASIA|AGPA|AIDA|AROA|ANPA)[A-Z0-9]{16}\b|"
    r"\bgh[pousr]_[A-Za-z0-9]{20,255}|\bgithub_pat_[A-Za-z0-9_]{20,255}|\bglpat-[\w-]{20,}|"
    r"\bxox[abprs]-[A-Za-z0-9-]{10,}|\b(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{10,}|\bAIza[\w-]{35}|"
    r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{4,}|\bSG\.[\w-]{16,}\.[\w-]{16,}|"
    r"(?<=AccountKey=)[^;\s\"']+|(?<=SharedAccessSignature=)[^;\s\"']+|(?<=Password=)[^;\s\"']+|(?<=Pwd=)[^;\s\"']+|"
    r"(?<=://)[^\s:/@\"']{0,200}+:[^\s@\"']{1,200}+(?=@)|"
    r"(?<=[Bb]earer )[\w.~+/-]{12,}=*",
)
"""Forms that are too loose for a finding but are still never shown."""
_HINTS = (
    "PRIVATE AKIA ASIA AGPA AIDA AROA ANPA ghp_ gho_ ghu_ ghs_ ghr_ github_pat_ glpat- xox"
    " k_live_ k_test_ AIza eyJ SG. AccountKey= SharedAccessSignature= Password= Pwd= :// earer"
)
_ALSO_HINTS = tuple(_HINTS.split())
"""Parts of those forms: a text without any of them is skipped quickly."""
_TOKEN = re.compile(r"(?<![\w:@./+-])[A-Za-z0-9+/_-]{24,200}={0,2}(?![\w.:/-])")


class Redactor:
    """Masks the secrets of one upload. Build one with ``of``; it is plain data and keeps the values
    only in memory.

    ``literals`` are masked wherever they occur, if they are distinct enough not to be a word;
    ``pairs`` are names with their values, masked where they occur together; ``words`` are values
    that occur nowhere else in the upload, and are masked as whole words.
    """

    def __init__(
        self,
        literals: Iterable[str],
        *,
        pairs: Iterable[tuple[str, str]] = (),
        words: Iterable[str] = (),
    ) -> None:
        strong = sorted(
            {value for value in literals if is_distinct(value)},
            key=lambda value: (-len(value), value),
        )
        kept = [re.escape(value) for value in strong[:MAX_LITERALS]]
        kept += [rf"(?<!\w){re.escape(word)}(?!\w)" for word in sorted(words)]
        self._literals = re.compile("|".join(kept)) if kept else None
        self._pairs = frozenset((name.lower(), value) for name, value in pairs)
        # The same lines are evidence for many checks.
        self._seen: dict[str, str] = {}

    @classmethod
    def of(cls, files: Iterable[InputFile], *, documents: Iterable[Document] = ()) -> Redactor:
        texts = [(file.path, searched_text(file)) for file in files]
        pairs = [pair for path, text in texts for pair in sorted(set(_pairs_in(path, text)))]
        found = {value for _, value, _ in pairs}
        for _, text in texts:
            found.update(_formed_literals(text))
        for path, text in texts:
            found.update(secure_defaults(path, text))
        for document in documents:
            found.update(_kubernetes_secret_values(document.value))
        return cls(
            found,
            pairs=((name, value) for name, value, _ in pairs),
            words=_only_secret(pairs, texts),
        )

    def text(self, text: str) -> str:
        """A line of a file with every known or recognizable secret masked, and anything assigned
        to a secret's name."""
        return self._once(text, "code")

    def message(self, text: str) -> str:
        """A message from an engine or from us: what it quotes from the upload is masked, and no
        other word."""
        return self._once(text, "message")

    def _once(self, text: str, kind: str) -> str:
        key = f"{kind}:{text}"
        if key not in self._seen:
            if len(self._seen) > MAX_SEEN:
                self._seen.clear()
            self._seen[key] = self._masked(text, is_code=kind == "code")
        return self._seen[key]

    def _masked(self, text: str, *, is_code: bool) -> str:
        text = _mask_forms(text)
        text = ASSIGNMENT.sub(lambda match: self._assignment(match, is_code=is_code), text)
        if self._literals is not None:
            text = self._literals.sub(MASK, text)
        return _TOKEN.sub(lambda match: MASK if _looks_random(match[0]) else match[0], text)

    def _assignment(self, match: re.Match[str], *, is_code: bool) -> str:
        value = unquoted(match["value"])
        quoted = value != match["value"]
        if (match["key"].lower(), value) in self._pairs:
            masked = True
        else:
            masked = is_code and _is_secret(match["key"], value, is_quoted=quoted)
        if not masked or value == MASK:
            return match[0]
        quote = match["value"][0] if quoted else ""
        return f"{match['key']}{match['op']}{quote}{MASK}{quote}"

    def value(self, value: Any, *, key: str = "") -> Any:
        """A JSON value with secrets masked, by key and by form."""
        if isinstance(value, dict):
            return self._mapping(value)
        if isinstance(value, list):
            return [self.value(item, key=key) for item in value]
        if not isinstance(value, str):
            return value
        return MASK if _is_secret(key, value) else self.text(value)

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
            title=self.message(check.title),
            remediation=self.message(check.remediation),
            suppression=self.message(check.suppression)[:MAX_LINE_CHARS],
            open=self.message(check.open),
            evidence=[self.line(line) for line in check.evidence],
        )

    def line(self, line: CodeLine) -> CodeLine:
        # Masked before it is cut: a cut secret would no longer be recognized.
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


def mask_line(text: str) -> str:
    """A flagged line with its entire value masked: what comes before the first ``=`` or ``:``
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


def _is_secret(name: str, value: str, *, is_quoted: bool = True) -> bool:
    kind = holds(name)
    if kind is Holds.NOTHING or not is_maskable(value, is_quoted=is_quoted):
        return False
    return kind is Holds.PASSWORD or not is_word(value)


def _mask_forms(text: str) -> str:
    spans = sorted((each.start, each.end) for each in formed_in(text))
    for start, end in reversed(spans):
        text = f"{text[:start]}{MASK}{text[end:]}" if MASK not in text[start:end] else text
    if not any(hint in text for hint in _ALSO_HINTS):
        return text
    return _ALSO.sub(lambda match: match[0] if is_reference(match[0]) else MASK, text)


def _pairs_in(path: str, text: str) -> Iterator[tuple[str, str, int]]:
    """Names with their values, and where those occur."""
    for named in named_in(text, grammar_of(path, text)):
        if named.place == "manifest" or _is_secret(
            named.name, named.value, is_quoted=named.is_quoted
        ):
            yield named.name, named.value, named.start


def _formed_literals(text: str) -> Iterator[str]:
    for formed in formed_in(text):
        value = text[formed.start : formed.end]
        yield from (line.strip(" \t\"',\\n\r") for line in value.replace("\\n", "\n").splitlines())
    for line in text.splitlines():
        if any(hint in line for hint in _ALSO_HINTS):
            yield from (match[0] for match in _ALSO.finditer(line))


def _only_secret(
    pairs: Iterable[tuple[str, str, int]], texts: Iterable[tuple[str, str]]
) -> set[str]:
    """Values that are just a word, but occur nowhere in the upload except as a secret."""
    uses = Counter(
        value
        for _, value, _ in pairs
        if len(value) >= MIN_WEAK_CHARS and not is_distinct(value) and is_maskable(value)
    )
    weak = [value for value, _ in uses.most_common(MAX_WEAK)]
    if not weak:
        return set()
    whole = re.compile("|".join(re.escape(v) for v in sorted(weak, key=len, reverse=True)))
    seen = Counter(match[0] for _, text in texts for match in whole.finditer(text))
    return {value for value in weak if seen[value] <= uses[value]}


def _kubernetes_secret_values(value: Any) -> Iterator[str]:
    if not isinstance(value, dict) or value.get("kind") != "Secret":
        return
    for block in (value.get("data"), value.get("stringData")):
        if isinstance(block, dict):
            for item in block.values():
                yield from (line.strip() for line in str(item).splitlines())
                yield from decoded(str(item)).splitlines()


def _looks_random(token: str) -> bool:
    """High Shannon entropy over mixed characters. 4.2 bits is above English and identifiers, and
    below base64-encoded keys."""
    if not (re.search(r"\d", token) and re.search(r"[a-z]", token) and re.search(r"[A-Z]", token)):
        return False
    counts = [token.count(char) for char in set(token)]
    return -sum(n / len(token) * math.log2(n / len(token)) for n in counts) > 4.2

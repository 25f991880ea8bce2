"""All secrets of one file, each once, with the rule that describes it best."""

from __future__ import annotations

import base64
import binascii
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from assessments.scan.secrets.forms import Formed, formed_in
from assessments.scan.secrets.grammar import Grammar, grammar_of, is_strict
from assessments.scan.secrets.named import Named, named_in
from assessments.scan.secrets.names import Holds, holds
from assessments.scan.secrets.rules import (
    ATTRIBUTE,
    AWS_KEY,
    CONNECTION,
    KEY,
    MANIFEST,
    PRIVATE_KEY,
    RULES,
    VARIABLE,
)
from assessments.scan.secrets.values import (
    MAX_VALUE_CHARS,
    is_literal,
    is_placeholder,
    is_strong,
    is_token,
    is_word,
)

MAX_FOUND = 1_000
PAIR_LINES = 6
"""An AWS key's id and its secret are at most this far apart, and are one secret."""


@dataclass(frozen=True, slots=True)
class Secret:
    """``value`` on ``line`` (1-based) to ``last_line`` of a file. ``what`` describes it for people;
    it contains nothing of the value."""

    rule: str
    what: str
    value: str
    line: int
    last_line: int
    start: int = 0
    end: int = 0


def secrets_in(path: str, text: str, *, known: Iterable[Secret] = ()) -> list[Secret]:
    """The secrets of a file, in line order. ``known`` are those that an engine found there.

    If two rules match the same value, or parts of one, the more precise rule keeps it.
    """
    places = _Places(text)
    grammar = grammar_of(path, text)
    declares = grammar is Grammar.HCL or _TEMPLATE.search(text) is not None
    found = [*known, *(places.formed(each) for each in formed_in(text) if _counts(each, grammar))]
    if grammar is not Grammar.PROSE:
        strict = is_strict(path, grammar)
        for named in named_in(text, grammar):
            found += _judged(named, places, grammar, strict=strict, declares=declares)
    return _each_once(found)[:MAX_FOUND]


class _Places:
    """Offsets as line numbers."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]

    def line(self, offset: int) -> int:
        return bisect_right(self._starts, offset)

    def formed(self, found: Formed) -> Secret:
        return self.secret(found.rule, found.what, found.start, found.end)

    def secret(self, rule: str, what: str, start: int, end: int) -> Secret:
        return Secret(
            rule=rule,
            what=what,
            value=self._text[start:end],
            line=self.line(start),
            last_line=self.line(max(start, end - 1)),
            start=start,
            end=end,
        )


def _counts(found: Formed, grammar: Grammar) -> bool:
    """A URL with a password, in prose or code, is mostly an explanation or points to this
    machine."""
    return found.rule != CONNECTION or grammar not in {Grammar.PROSE, Grammar.CODE}


def _judged(
    named: Named, places: _Places, grammar: Grammar, *, strict: bool, declares: bool
) -> Iterator[Secret]:
    """The secret that a name has as its value, if it is one."""
    value = named.value
    end = named.start + len(value)
    if named.place == "manifest":
        if _is_manifest_secret(named):
            yield places.secret(
                MANIFEST, f"Value of a Kubernetes Secret: {named.name[:80]}", named.start, end
            )
        return
    if not is_literal(value, is_quoted=named.is_quoted) or value.startswith("-----BEGIN"):
        return
    kind = holds(named.name)
    if kind is Holds.TOKEN or strict:
        wanted = is_strong(value) if strict else is_token(value)
        if not wanted:
            return
    elif _is_label(named, grammar):
        return
    rule = _rule_of(named, kind, declares=declares)
    words = {KEY: "Key or token"}.get(rule, "Password")
    if _AWS_SECRET.fullmatch(value) and kind is Holds.TOKEN and _AWS_NAME.search(named.name):
        rule, words = AWS_KEY, "AWS secret access key"
    yield places.secret(rule, f"{words} in plain text: {named.name[:80]}", named.start, end)


def _rule_of(named: Named, kind: Holds, *, declares: bool) -> str:
    if kind is Holds.TOKEN:
        return KEY
    return ATTRIBUTE if declares and not named.place else VARIABLE


def _is_label(named: Named, grammar: Grammar) -> bool:
    """``password: Password`` names a field; a text with blanks explains one."""
    is_name = named.value.lower() == named.name.lower()
    if grammar is Grammar.HCL and not named.place:
        return is_name and named.name != "password"
    return is_name or bool(re.search(r"\s", named.value))


def _is_manifest_secret(named: Named) -> bool:
    value = named.value.strip()
    if _OPEN_KEY.search(named.name) or not is_literal(value):
        return False
    plain = decoded(value) or value
    if len(plain) < 3 or is_placeholder(plain) or not is_literal(plain):
        return False
    return bool(holds(named.name)) or not is_word(plain)


def decoded(value: str) -> str:
    """The text that ``value`` is the base64 of, or nothing."""
    if not re.fullmatch(r"[A-Za-z0-9+/\s]{4,}={0,2}", value) or len(value) > MAX_VALUE_CHARS:
        return ""
    try:
        text = base64.b64decode(value, validate=True).decode()
    except (binascii.Error, ValueError):
        return ""
    return text.strip() if text.strip().isprintable() else ""


def _each_once(found: list[Secret]) -> list[Secret]:
    kept: list[Secret] = []
    for each in sorted(found, key=lambda s: (RULES[s.rule].rank, -len(s.value), s.line, s.start)):
        if not any(_is_same(each, other) for other in kept if other.line <= each.last_line):
            kept.append(each)
    return _pairs_joined(sorted(kept, key=lambda s: (s.line, s.start, s.rule)))


def _is_same(one: Secret, other: Secret) -> bool:
    if one.last_line < other.line or other.last_line < one.line:
        return False
    if other.rule == PRIVATE_KEY and other.last_line > other.line:
        return True
    if one.end and other.end:
        return one.start < other.end and other.start < one.end
    return one.value in other.value or other.value in one.value


def _pairs_joined(found: list[Secret]) -> list[Secret]:
    """An AWS key's id alone opens nothing: with the secret beside it, both are one finding."""
    result: list[Secret] = []
    for each in found:
        last = result[-1] if result else None
        is_pair = (
            last is not None
            and each.rule == last.rule == AWS_KEY
            and each.line - last.last_line <= PAIR_LINES
            and bool(_AWS_ID.match(each.value)) != bool(_AWS_ID.match(last.value))
        )
        if is_pair and last is not None:
            result[-1] = replace(
                last, what="AWS access key", last_line=max(each.last_line, last.last_line)
            )
        else:
            result.append(each)
    return result


_TEMPLATE = re.compile(
    r"AWSTemplateFormatVersion|^Resources:|\"Resources\"\s*:|deployment(?:Template|Parameters)\.json|"
    r'"ParameterKey"|ParameterKey:|"(?:planned_values|terraform_version)"\s*:',
    re.MULTILINE,
)
"""Markers of files that declare resources or their parameters: CloudFormation, ARM, Terraform plans
and states."""
_AWS_ID = re.compile(r"(?:AKIA|ASIA)[A-Z0-9]{16}$")
_AWS_SECRET = re.compile(r"[A-Za-z0-9/+]{40}")
_AWS_NAME = re.compile(r"secret|aws|access", re.IGNORECASE)
_OPEN_KEY = re.compile(
    r"(?:name|user|host|port|database|db|\.crt|namespace|endpoint|region|bucket|email|type|usr|login|server|"
    r"client_?id|address|url|uri|version|schema|zone|path)$",
    re.IGNORECASE,
)
"""Entries of a Secret that are not secret: a URL with a password in it is found by its form."""

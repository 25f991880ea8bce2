"""The review as a comment on a merge request, in Markdown (CommonMark with GitHub's tables). What
comes from files is text and nothing else in it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from infra_mind_client.review import Change, Finding, Review, count_words
from infra_mind_client.wording import counted, plain

SHOWN = 25
MAX_CHARS = 60_000
"""GitHub takes 65,536 characters a comment."""
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~&!$@])")
_AT_START = re.compile(r"^([-+=]|\d+(?=[.)]))")
_MARKS = {True: "✅", False: "❌", None: "⚠️"}


def marker(assessment: str) -> str:
    """An invisible first line, by which a later run finds the comment that it replaces."""
    return f"<!-- infra-mind: {re.sub(r'[^\w. /-]|--', '-', assessment)} -->"


def as_markdown(review: Review) -> str:
    for shown in (SHOWN, 10, 3, 0):
        text = "\n\n".join(_parts(review, shown)) + "\n"
        if len(text) <= MAX_CHARS:
            break
    return text


def _parts(review: Review, shown: int) -> Iterator[str]:
    yield marker(review.assessment)
    against = f" against {escape(review.base)}" if review.base else ""
    yield f"### Infra Mind: {escape(review.assessment)}{against}"
    yield _summary(review)
    if review.gates:
        yield "\n".join(f"- {_MARKS[gate.passed]} {escape(gate.message)}" for gate in review.gates)
    if review.unread:
        rows = [f"- `{_code(each.place)}`: {escape(each.reason)}" for each in review.unread[:shown]]
        yield f"**Not read in full: {len(review.unread)}**"
        yield "\n".join([*rows, *_more(len(review.unread), shown, review.url)])
    if review.not_assessed:
        yield f"**Not assessed: {sum(len(each.paths) for each in review.not_assessed)}**"
        yield "\n".join(
            f"- `{_code(each.places)}`: {escape(each.reason)}"
            for each in review.not_assessed[:shown]
        )
    if review.new:
        yield f"**{'New' if review.base else 'Findings'}: {len(review.new)}**"
        yield from _findings(review.new, shown, review)
    if review.fixed:
        yield f"**Fixed: {len(review.fixed)}**"
        yield from _findings(review.fixed, shown, review)
    if review.unchecked:
        yield f"**Gone, but not checked: {len(review.unchecked)}**"
        yield from _findings(review.unchecked, shown, review)
    if changes := [*_changes(review.figures), *_changes(review.scores)]:
        yield _table(["", "before" if review.base else "", "now", "change"], changes, review)
    yield f"[Run {review.run}]({review.url})"


def _summary(review: Review) -> str:
    if not review.base:
        words = count_words(review.findings)
        said = f"{counted(len(review.findings), 'finding')}{': ' + words if words else ''}."
    else:
        said = (
            f"{len(review.new)} new{_in_brackets(review.new)},"
            f" {len(review.fixed)} fixed{_in_brackets(review.fixed)},"
            f" {len(review.persisting)} unchanged."
        )
    return f"{said} {len(review.accepted)} accepted." if review.accepted else said


def _in_brackets(findings: Sequence[Finding]) -> str:
    words = count_words(findings)
    return f" ({words})" if words else ""


def _findings(findings: Sequence[Finding], shown: int, review: Review) -> Iterator[str]:
    rows = [
        [each.severity, f"`{_code(each.place)}`", _title(each), f"`{_code(each.rule)}`"]
        for each in findings[:shown]
    ]
    if rows:
        yield _table(["severity", "where", "what", "rule"], rows, review)
    if more := _more(len(findings), shown, review.url):
        yield more[0]


def _title(finding: Finding) -> str:
    about = f"<br>{escape(finding.resource)}" if finding.resource else ""
    return f"[{escape(finding.title)}]({finding.url}){about}"


def _changes(changes: Sequence[Change]) -> Iterator[list[str]]:
    for each in changes:
        if each.now is None and each.before is None:
            continue
        yield [
            f"{escape(each.label)}{f' ({escape(each.note)})' if each.note else ''}",
            _number(each.before, each.unit),
            _number(each.now, each.unit),
            _difference(each.difference),
        ]


def _difference(change: float | None) -> str:
    if change is None:
        return ""
    return f"{change:+,.2f}".rstrip("0").rstrip(".") if change else "±0"


def _number(value: float | None, unit: str) -> str:
    if value is None:
        return "not assessed"
    words = f"{value:,.2f}" if unit.startswith("USD") else f"{value:,.2f}".rstrip("0").rstrip(".")
    return f"{words} {escape(unit)}".strip()


def _table(columns: list[str], rows: Sequence[list[str]], review: Review) -> str:
    alone = set() if review.base else {"", "change"}
    kept = [n for n, name in enumerate(columns) if name not in alone or not n]
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line[n] for n in kept)} |" for line in lines)


def _more(total: int, shown: int, url: str) -> list[str]:
    return [f"… and {total - shown} more: {url}"] if total > shown else []


def escape(text: str) -> str:
    """One line of text that Markdown shows as it is (CommonMark 0.31, section 2.4, "Backslash
    escapes"), and that mentions nobody."""
    line = _SPECIAL.sub(r"\\\1", plain(text))
    return _AT_START.sub(lambda m: f"\\{m[0]}" if m[0] in "-+=" else f"{m[0]}\\", line)


def _code(text: str) -> str:
    """Within backticks nothing is markup but a backtick, and in a table the bar."""
    line = "".join(c if c.isprintable() and c != "`" else "\N{REPLACEMENT CHARACTER}" for c in text)
    return line.replace("|", "\\|")

"""The review as text, for people and for logs. What is left out is counted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO

from rich.console import Console

from infra_mind_client.review import Change, Finding, NotAssessed, Review, Unread, count_words
from infra_mind_client.wording import counted, plain, said

PLACE_WIDTH = 60
"""Columns up to which places line up. No line is broken, so that each can be found and followed."""
STYLES = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "cyan", "info": "dim"}


def write_text(review: Review, file: IO[str], *, limit: int) -> None:
    """At most ``limit`` findings of each kind; 0 is all."""
    is_terminal = file.isatty()
    out = Console(file=file, highlight=False, force_terminal=is_terminal, soft_wrap=True)
    if review.base:
        out.print(said(f"Compared with {review.base}"))
    _findings(out, "New" if review.base else "", review.new, review, limit)
    _findings(out, "Fixed", review.fixed, review, limit)
    _findings(out, "Gone, but not checked", review.unchecked, review, limit)
    _counts(out, review)
    _changes(out, [*review.figures, *review.scores])
    _unread(out, review.unread)
    _not_assessed(out, review.not_assessed)
    for gate in review.gates:
        word = {True: "Passed", False: "Failed", None: "Not known"}[gate.passed]
        out.print(said(f"{word}: {gate.message}", style="" if gate.passed else "bold"))


def _findings(
    out: Console, title: str, findings: Sequence[Finding], review: Review, limit: int
) -> None:
    if not findings:
        return
    if title:
        out.print(said(f"\n{title}", style="bold"))
    shown = findings[: limit or None]
    rules = max(len(each.rule) for each in shown)
    places = min(PLACE_WIDTH, max(len(each.place) for each in shown))
    for each in shown:
        line = said(plain(f"{each.severity:8}"), style=STYLES[each.severity])
        line.append(plain(f"  {each.rule:{rules}}  {each.place:{places}}  {_what(each, review)}"))
        out.print(line, soft_wrap=True)
    if limit and len(findings) > limit:
        words = f"and {len(findings) - limit} more; --limit 0 shows all: {review.url}"
        out.print(said(words))


def _what(finding: Finding, review: Review) -> str:
    named = finding.resource not in {"", finding.file}
    about = f" ({finding.resource})" if named else ""
    scope = review.scopes.get(finding.scope, finding.scope)
    return f"{finding.title}{about}{f' in {scope}' if len(review.scopes) > 1 and scope else ''}"


def _counts(out: Console, review: Review) -> None:
    words = count_words(review.findings)
    line = f"\n{counted(len(review.findings), 'finding')}{': ' + words if words else ''}"
    if review.base:
        line += f"; {len(review.new)} new, {len(review.fixed)} fixed"
    if review.accepted:
        line += f"; {len(review.accepted)} accepted and not counted"
    out.print(said(line))


def _changes(out: Console, changes: Sequence[Change]) -> None:
    for each in changes:
        out.print(said(f"{each.label:>20}  {_value(each)}"))


def _value(change: Change) -> str:
    if change.now is None:
        return change.note or "not assessed"
    words = f"{change.now:,.2f}".rstrip("0").rstrip(".") if change.now % 1 else f"{change.now:,.0f}"
    value = f"{words} {change.unit}"
    if change.difference is not None:
        value += f" ({change.difference:+,.2f})" if change.difference else " (±0)"
    return f"{value}, {change.note}" if change.note else value


def _unread(out: Console, unread: Sequence[Unread]) -> None:
    if not unread:
        return
    out.print(said(f"\nNot read in full: {len(unread)}", style="bold"))
    for each in unread:
        out.print(said(plain(f"  {each.place}: {each.reason}")), soft_wrap=True)


def _not_assessed(out: Console, rows: Sequence[NotAssessed]) -> None:
    if not rows:
        return
    out.print(said(f"\nNot assessed: {sum(len(each.paths) for each in rows)}", style="bold"))
    for each in rows:
        out.print(said(plain(f"  {each.places}: {each.reason}")), soft_wrap=True)

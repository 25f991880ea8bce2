"""The review as text, for people and for logs. What is left out is counted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO

from rich.console import Console
from rich.table import Table

from infra_mind_client.review import Change, Finding, Review, Unread, count_words
from infra_mind_client.wording import plain, said

WIDTH = 160
"""Of lines in a log, where no terminal says how wide it is."""
STYLES = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "cyan", "info": "dim"}


def write_text(review: Review, file: IO[str], *, limit: int) -> None:
    """At most ``limit`` findings of each kind; 0 is all."""
    is_terminal = file.isatty()
    out = Console(
        file=file, highlight=False, force_terminal=is_terminal, width=None if is_terminal else WIDTH
    )
    if review.base:
        out.print(said(f"Compared with {review.base}"))
    _findings(out, "New" if review.base else "", review.new, review, limit)
    _findings(out, "Fixed", review.fixed, review, limit)
    _findings(out, "Gone, but not looked for", review.unchecked, review, limit)
    _counts(out, review)
    _changes(out, [*review.figures, *review.scores])
    _unread(out, review.unread)
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
    several = ["scope"] if len(review.scopes) > 1 else []
    table = Table("severity", "rule", "where", *several, "what", box=None, pad_edge=False)
    for column in table.columns:
        column.overflow = "fold"
    for each in findings[: limit or None]:
        scope = [said(review.scopes.get(each.scope, each.scope))] if several else []
        cells = (said(plain(each.rule)), said(plain(each.place)), *scope, said(plain(_what(each))))
        table.add_row(said(each.severity, style=STYLES[each.severity]), *cells)
    out.print(table)
    if limit and len(findings) > limit:
        words = f"and {len(findings) - limit} more; --limit 0 shows all: {review.url}"
        out.print(said(words))


def _what(finding: Finding) -> str:
    return f"{finding.title} ({finding.resource})" if finding.resource else finding.title


def _counts(out: Console, review: Review) -> None:
    words = count_words(review.findings)
    line = f"\n{len(review.findings)} findings{': ' + words if words else ''}"
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
    out.print(said(f"\nNot read whole: {len(unread)}", style="bold"))
    for each in unread:
        out.print(said(plain(f"  {each.place}: {each.reason}")), soft_wrap=True)

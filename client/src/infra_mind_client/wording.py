"""Text from people's files, made safe to print."""

from __future__ import annotations

from rich.text import Text


def plain(words: str) -> str:
    """One line without control characters or characters that can't be encoded."""
    return "".join(letter if letter.isprintable() else " " for letter in words)


def counted(number: int, noun: str) -> str:
    """``1 finding``, ``0 findings``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def said(words: str, *, style: str = "") -> Text:
    return Text("\n".join(map(plain, words.split("\n"))), style=style)

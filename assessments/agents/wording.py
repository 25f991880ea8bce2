"""Counts in sentences."""

from __future__ import annotations

from collections.abc import Sequence


def counted(number: int, noun: str, *, plural: str = "") -> str:
    """``1 replica``, ``3 replicas``, ``no replica``."""
    if number == 0:
        return f"no {noun}"
    return f"{number} {noun}" if number == 1 else f"{number:,} {plural or f'{noun}s'}"


def capital(sentence: str) -> str:
    """The sentence with its first letter large."""
    return sentence[:1].upper() + sentence[1:]


def joined(words: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))

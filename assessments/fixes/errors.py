"""Why a fix isn't offered."""

from __future__ import annotations


class CannotFix(Exception):
    """The edit does not fit this file: the value is an expression, the resource isn't there, or the
    place can't be edited without rewriting more than the rule asks for. The finding keeps its
    steps."""


class FixedAlready(CannotFix):
    """The text is as the rule wants it, perhaps since the edit for another finding."""

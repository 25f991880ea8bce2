"""Why a fix isn't offered."""

from __future__ import annotations


class CannotFix(Exception):
    """The edit does not fit this file: the value is an expression, the resource doesn't exist, or
    the place can't be edited without rewriting more than the rule asks for. The finding keeps its
    steps."""


class FixedAlready(CannotFix):
    """The text already satisfies the rule, perhaps because of the edit for another finding."""

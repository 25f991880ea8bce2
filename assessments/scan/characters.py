"""Characters that can't be stored: NUL, which PostgreSQL's text can't hold, and unpaired
surrogates, which UTF-8 can't. Escapes can put them into documents that are themselves plain
text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from assessments.scan.types import Message

REASON = (
    "It contains characters that can't be stored (NUL, or half of a surrogate pair). They are shown"
    " as \N{REPLACEMENT CHARACTER}."
)


def may_escape(text: str) -> bool:
    """Whether ``text`` has an escape that could stand for such a character."""
    return _ESCAPE.search(text) is not None


def replaced(value: Any) -> Any:
    """A JSON value with each such character replaced, in keys too."""
    if isinstance(value, str):
        return _BAD.sub("\N{REPLACEMENT CHARACTER}", value)
    if isinstance(value, dict):
        return {replaced(key): replaced(item) for key, item in value.items()}
    if isinstance(value, list):
        return [replaced(item) for item in value]
    return value


def storable[M: Message](message: M) -> M:
    """``message`` itself, or a copy with such characters replaced if it has any."""
    try:
        if b"\\u0000" not in message.to_json():
            return message
    except UnicodeEncodeError:
        pass
    return message.from_builtins(replaced(message.to_builtins()))


_BAD = re.compile("[\0\ud800-\udfff]")
_ESCAPE = re.compile(r"\\(?:0|x00|u0000|U00000000|[uU](?:0000)?[dD][89a-fA-F])")

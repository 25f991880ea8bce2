"""Which files are searched for secrets, and as what text."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from assessments.scan.intake import InputFile

HEAD = 8_000


def is_searched(file: InputFile) -> bool:
    """Whether ``file`` is text. One stray byte doesn't hide a password: a file that is not UTF-8
    is searched anyway."""
    return bool(file.content) and b"\0" not in file.content[:HEAD]


def searched_text(file: InputFile) -> str:
    return file.content.decode("utf-8-sig", errors="replace")

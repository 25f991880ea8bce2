"""What Terraform source says of other files, read from its text before any engine follows it."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_COUNT = 100
"""Copies of one block that are counted out. tfparse takes 28 s for 5,000 (measured), so 0.6 s for
this many."""

MAX_REFERENCES = 2_000
"""References of each sort that are followed in one file; a file with as many is held back."""

# Every repetition is bounded or possessive: the text is hostile, and a match must cost no more than
# its length.
_FILE_FUNCTION = re.compile(
    r"\b(?:file|filebase64|templatefile|fileset|fileexists|filemd5|filesha1|filesha256|filesha512|filebase64sha256|"
    r"filebase64sha512|abspath)[ \t]{0,20}\([ \t\r\n]{0,20}"
    r"(?P<argument>\\?\"(?:\$\{[^}\n]{0,200}+\}|[^\"\\\n]|\\(?!\")){0,400}+\\?\"|[^)\n]{0,200})"
)
_MODULE = re.compile(r"""^[ \t]*"?module"?[ \t]+"?(?P<name>[\w-]+)"?[ \t]*\{""", re.MULTILINE)
_SOURCE = re.compile(r"""\bsource"?[ \t]*[=:][ \t]*"(?P<source>[^"\n]*)\"""")
_COUNT = re.compile(
    r"^(?P<head>[ \t]*count[ \t]*=[ \t]*)(?P<count>\d+)[ \t]*(?P<tail>(?:#|//).*)?$", re.MULTILINE
)
_ANY_COUNT = re.compile(r"^([ \t]*count[ \t]*=[ \t]*).*$", re.MULTILINE)
_COMMENT = re.compile(r"^[ \t]*(?:#|//).*$", re.MULTILINE)
_HERE = re.compile(r"\$\{\s*path\.(?:module|root|cwd)\s*\}|\bpath\.(?:module|root|cwd)\b")


@dataclass(frozen=True)
class Reference:
    """One path that source asks for. ``path`` is normalised against the upload; None when it is not
    literal."""

    line: int
    text: str
    path: str | None


def file_references(text: str, *, path: str) -> Iterator[Reference]:
    """Every argument of ``file()`` and its relatives. ``path`` is the file's own place in the
    upload."""
    text = _without_comments(text)
    for match in islice(_FILE_FUNCTION.finditer(text), MAX_REFERENCES):
        argument = match["argument"].strip().replace('\\"', '"')
        yield Reference(
            _line(text, match.start()),
            argument[:80],
            _literal_path(argument, folder=posixpath.dirname(path)),
        )


def module_sources(text: str, *, path: str) -> Iterator[Reference]:
    """The ``source`` of each module block; ``path`` is None for a module of a registry or a
    repository."""
    text = _without_comments(text)
    is_json = path.endswith(".json")
    bodies = [(0, len(text))] if is_json else _module_bodies(text)
    matches = (match for start, end in bodies for match in _SOURCE.finditer(text, start, end))
    for match in islice(matches, MAX_REFERENCES):
        source = match["source"]
        local = source.startswith(("./", "../", "/", "~", "file:")) or source in {".", ".."}
        place = _joined(source, folder=posixpath.dirname(path)) if local else None
        yield Reference(_line(text, match.start()), source[:120], place)


def escapes(reference: Reference) -> bool:
    return reference.path is not None and (
        reference.path.startswith(("/", "~")) or reference.path.split("/")[0] == ".."
    )


def large_counts(text: str) -> Iterator[tuple[int, int]]:
    """(line, count) of each literal count above MAX_COUNT."""
    for match in _COUNT.finditer(text):
        if len(match["count"]) > 9 or int(match["count"]) > MAX_COUNT:
            yield _line(text, match.start()), int(match["count"][:12])


def with_bounded_counts(text: str) -> str:
    """Literal counts above MAX_COUNT become MAX_COUNT; no line moves."""

    def bound(match: re.Match[str]) -> str:
        large = len(match["count"]) > 9 or int(match["count"]) > MAX_COUNT
        return f"{match['head']}{MAX_COUNT}" if large else match[0]

    return _COUNT.sub(bound, text)


def with_single_counts(text: str) -> str:
    """Every count becomes 1: for source whose counts take too long to work out."""
    return _ANY_COUNT.sub(r"\g<1>1", text)


def _module_bodies(text: str) -> Iterator[tuple[int, int]]:
    """From each module's opening brace to the brace that closes it in the same column, or the next
    module."""
    starts = [match.end() for match in _MODULE.finditer(text)]
    for start, following in pairwise([*starts, len(text)]):
        closing = text.find("\n}", start, following)
        yield start, min(following, closing if closing >= 0 else len(text))


def _literal_path(argument: str, *, folder: str) -> str | None:
    argument = _HERE.sub(".", argument)
    if not argument.startswith('"') or not argument.endswith('"') or "${" in argument:
        return None
    return _joined(argument.strip('"'), folder=folder)


def _joined(path: str, *, folder: str) -> str:
    path = path.split("//")[0] if not path.startswith("/") else path
    if path.startswith(("/", "~", "file:")):
        return "/" + path.lstrip("/")
    return posixpath.normpath(posixpath.join(folder, path))


def _without_comments(text: str) -> str:
    return _COMMENT.sub("", text)


def _line(text: str, offset: int) -> int:
    return text.count("\n", 0, offset) + 1

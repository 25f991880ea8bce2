"""Code as HTML: Pygments' tokens in few classes, line by line, within bounds.

Anything beyond the bounds, or in a language without a lexer, is shown plain. No code gets into the
page unescaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from pygments.lexers.configs import DockerLexer, TerraformLexer
from pygments.lexers.data import JsonLexer, YamlLexer
from pygments.token import Token

if TYPE_CHECKING:
    from pygments.lexer import Lexer
    from pygments.token import _TokenType

MAX_CHARS = 40_000
"""For one piece of code; about 40 ms."""
LEXERS: dict[str, type[Lexer]] = {
    ".tf": TerraformLexer,
    ".tofu": TerraformLexer,
    ".hcl": TerraformLexer,
    ".tfvars": TerraformLexer,
    ".json": JsonLexer,
    ".template": YamlLexer,
    ".yaml": YamlLexer,
    ".yml": YamlLexer,
}
ONE_LINE_AT_A_TIME = {".tf", ".tofu", ".hcl", ".tfvars"}
"""Pygments searches for the end of a heredoc from each ``<<``: 40 kB of them take two minutes."""
CLASSES = (
    (Token.Comment, "hc"),
    (Token.Literal.String, "hs"),
    (Token.Literal.Scalar, "hs"),
    (Token.Literal.Number, "hn"),
    (Token.Keyword, "hk"),
    (Token.Name.Tag, "ha"),
    (Token.Name.Attribute, "ha"),
    (Token.Name.Builtin, "hk"),
    (Token.Name.Class, "hk"),
)


def highlighted(lines: Sequence[str], *, path: str) -> list[SafeString]:
    """Each of ``lines`` as HTML, colored according to the file type of ``path``."""
    text = "\n".join(lines)
    name = _lexer_name(path)
    if not name or len(text) > MAX_CHARS or any("\r" in line or "\n" in line for line in lines):
        return [mark_safe(escape(line)) for line in lines]  # noqa: S308 - escaped
    pieces = lines if name in ONE_LINE_AT_A_TIME else [text]
    return [
        mark_safe("".join(parts))  # noqa: S308 - escaped
        for piece in pieces
        for parts in [*_by_line(_lexer(name).get_tokens_unprocessed(f"{piece}\n"))][:-1]
    ]


def _by_line(tokens: Iterable[tuple[int, _TokenType, str]]) -> Iterator[list[str]]:
    line: list[str] = []
    for _, kind, value in tokens:
        css = _css(kind)
        for place, part in enumerate(value.split("\n")):
            if place:
                yield line
                line = []
            if part:
                text = escape(part)
                line.append(f'<span class="{css}">{text}</span>' if css else text)
    yield line


@cache
def _css(kind: _TokenType) -> str:
    parents = kind.split()
    return next((css for token, css in CLASSES if token in parents), "")


def _lexer_name(path: str) -> str:
    file = PurePosixPath(path)
    if "dockerfile" in file.name.lower():
        return "dockerfile"
    return file.suffix.lower() if file.suffix.lower() in LEXERS else ""


@cache
def _lexer(name: str) -> Lexer:
    return DockerLexer() if name == "dockerfile" else LEXERS[name]()

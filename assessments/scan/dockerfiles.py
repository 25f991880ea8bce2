"""How much of a Dockerfile engines see: on 20,000 lines Checkov takes 123 s and hadolint 72 s."""

from __future__ import annotations

import re

from assessments.scan.intake import InputFile

MAX_LINES = 2_000
"""Real Dockerfiles have a few hundred."""


def is_cut(file: InputFile) -> bool:
    return file.content.count(b"\n") > MAX_LINES


def first_lines(file: InputFile) -> InputFile:
    """The file up to the last instruction that ends within MAX_LINES."""
    if not is_cut(file):
        return file
    lines = file.content.split(b"\n")[:MAX_LINES]
    while lines and lines[-1].rstrip().endswith(b"\\"):
        lines.pop()
    return InputFile.of(file.path, b"\n".join(lines) + b"\n")


_HEREDOC = re.compile(rb"<<(-?)[\"']?(\w{1,100})[\"']?")
_INSTRUCTION = re.compile(rb"\s*(?:RUN|COPY|ADD)\s", re.IGNORECASE)


def without_comments_after_heredocs(file: InputFile) -> InputFile:
    """The file with any comment right after a here-document (docs.docker.com/reference/dockerfile,
    "Here-Documents") turned into an empty line: hadolint 2 stops there and reads nothing after it.
    Comments for hadolint itself stay."""
    if b"<<" not in file.content:
        return file
    lines = file.content.split(b"\n")
    changed = list(lines)
    waiting: list[tuple[bool, bytes]] = []
    ended = False
    for number, line in enumerate(lines):
        if waiting:
            tabs, word = waiting[0]
            text = line.rstrip(b"\r")
            if (text.lstrip(b"\t") if tabs else text) == word:
                del waiting[0]
                ended = not waiting
            continue
        if ended and line.lstrip().startswith(b"#") and b"hadolint" not in line:
            changed[number] = b""
        ended = False
        if _INSTRUCTION.match(line):
            waiting = [(bool(found[1]), found[2]) for found in _HEREDOC.finditer(line)]
    return InputFile.of(file.path, b"\n".join(changed))

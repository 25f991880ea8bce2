"""The lines of an upload that contain a secret, masked the same way as evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assessments.scan.classify import classify
from assessments.scan.merge import flagged_lines, flagged_values
from assessments.scan.redact import MASK, MAX_LINE_CHARS, Redactor, mask_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from assessments.scan.intake import InputFile
    from assessments.scan.types import CheckResult

MAX_READ_CHARS = 8_000
"""Per line; anything beyond is never shown."""


def masked_lines(
    files: Sequence[InputFile], checks: Iterable[CheckResult]
) -> dict[str, dict[int, str]]:
    """By path and 1-based number, the lines that change when masked.

    ``files`` are those that will be shown, ``checks`` the scan's. A value that is a secret in one
    file is masked in all.
    """
    flagged = flagged_lines(checks)
    classified = [classify(file) for file in files]
    documents = [document for item in classified for document in item.documents]
    redactors = [Redactor.of(files, documents=documents), Redactor(flagged_values(files, flagged))]
    found: dict[str, dict[int, str]] = {}
    for file in files:
        lines = {n for path, n in flagged if path == file.path}
        if changed := dict(_changed(file, redactors, lines)):
            found[file.path] = changed
    return found


def shown_lines(content: bytes) -> list[str]:
    """The lines of a file as far as they are shown, unmasked."""
    text = content.decode(errors="replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
    return [line.rstrip("\r")[:MAX_READ_CHARS] for line in text.split("\n")]


def _changed(
    file: InputFile, redactors: Sequence[Redactor], flagged: set[int]
) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(shown_lines(file.content), start=1):
        masked = line
        for redactor in redactors:
            masked = redactor.text(masked)
        if number in flagged and MASK not in masked:
            masked = mask_line(masked)
        if masked != line:
            yield number, masked[:MAX_LINE_CHARS]

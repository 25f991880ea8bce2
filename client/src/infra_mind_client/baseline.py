"""A baseline file: the fingerprints of accepted findings, one per line.

The text after the fingerprint is for people, and for diffs on code hosts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from infra_mind_client.errors import CannotAssessError
from infra_mind_client.review import Finding

_LINE = re.compile(r"^([0-9a-f]{64})(\s|$)")
_HEAD = "# Findings that are accepted. Written by infra-mind analyze --write-baseline.\n"


def read(path: Path) -> set[str]:
    """Raises CannotAssessError."""
    try:
        lines = path.read_text().splitlines()
    except (OSError, ValueError) as error:
        raise CannotAssessError(f"The baseline {path} can't be read: {error}") from error
    found = set()
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        if not (match := _LINE.match(line)):
            raise CannotAssessError(f"{path}:{number} does not begin with a fingerprint.")
        found.add(match[1])
    return found


def write(path: Path, findings: Iterable[Finding]) -> None:
    rows = sorted(
        f"{each.fingerprint} {each.rule} {each.file or each.resource}" for each in findings
    )
    path.write_text(_HEAD + "".join(f"{row}\n" for row in rows))

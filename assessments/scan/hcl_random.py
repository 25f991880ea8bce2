"""Terraform's ``random_*`` resources under other names while tfparse evaluates.

tfparse 0.6.22 gives their results another value at each pass, and repeats its passes over a module
until nothing changes or 32 have gone by: 32 for each level of modules that such a value is passed
down. Under a name that it doesn't know, a result is simply unknown, as it is before an apply.
"""

from __future__ import annotations

import json
import re
from typing import Any

from assessments.scan.intake import InputFile

MARK = "__im0"
NATIVE = re.compile(rb'^(\s*resource\s+"random_[a-z0-9]+)(?=")', re.MULTILINE)
JSON = re.compile(rb'("random_[a-z0-9]+)(?="\s*:)')


def renamed(file: InputFile) -> InputFile:
    """The file with the types of its random resources marked. No line moves."""
    pattern = JSON if file.path.endswith(".json") else NATIVE
    content = pattern.sub(rb"\1" + MARK.encode(), file.content)
    return file if content == file.content else InputFile.of(file.path, content)


def restored(answer: dict[str, Any]) -> dict[str, Any]:
    """The answer with the types' own names."""
    text = json.dumps(answer)
    return dict(json.loads(text.replace(MARK, ""))) if MARK in text else answer

"""The report as JSON: keys sorted, so that equal results are equal bytes."""

from __future__ import annotations

import json
from typing import Any


def as_json(document: dict[str, Any]) -> bytes:
    return json.dumps(document, sort_keys=True, indent=1, ensure_ascii=False).encode()

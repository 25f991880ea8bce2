"""Whether Checkov accepts a server's own rules: ``python -I own_rules.py < RULES``.

Reads a JSON list of [id, text of the YAML file] and writes the ids of those that Checkov could
parse, as a JSON list. The files are the operator's; no upload is involved.
"""

from __future__ import annotations

import json
import logging
import sys
import tempfile
from pathlib import Path
from typing import Any


def loaded(rules: list[list[str]]) -> list[str]:
    from checkov.common.checks_infra.registry import get_graph_checks_registry

    logging.disable(logging.CRITICAL)
    registry: Any = get_graph_checks_registry("terraform")
    with tempfile.TemporaryDirectory() as folder:
        for name, text in rules:
            (Path(folder) / f"{name}.yaml").write_text(text)
        registry.load_external_checks(folder)
    return sorted(str(check.id) for check in registry.checks)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(loaded(json.load(sys.stdin))))

"""What a process imports at its start."""

from __future__ import annotations

import subprocess
import sys

from infra_mind import supervisor

WORKER = """
import sys
import infra_mind.celery
infra_mind.celery.app.loader.import_default_modules()
wanted = "tasks_ui.pages", "tasks_ui.rest.api", "assessments.rest.api", "infra_mind.urls", "valkey"
print(*[name for name in wanted if name in sys.modules])
print("assessments.tasks" in sys.modules)
"""


def test_a_worker_imports_neither_pages_nor_the_api() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WORKER],
        cwd=supervisor.BASE_DIR,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.split("\n") == ["", "True", ""]

"""A whole assessment compared with just the Checkov command line, on the same files, in turn."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import pytest
from django.conf import settings
from django.contrib.auth.models import User

from tests.bench.conftest import IS_FULL
from tests.bench.test_large_inputs import DEPLOYMENT, TERRAFORM, repository, watch
from tests.stack import Stack

MOST_RATIO = 1.0
ROUNDS = 3
FRAMEWORKS = (
    *("terraform", "kubernetes", "cloudformation"),
    *("dockerfile", "github_actions", "secrets"),
)
"""Those that an assessment runs. By default the command line runs twenty more."""
REPOSITORIES = {
    "20 Terraform files": {f"stack/part-{n}.tf": TERRAFORM.format(n=n) for n in range(20)},
    "20 manifests": {
        f"k8s/app-{n}.yaml": DEPLOYMENT.format(n=n, team=n % 3, replicas=2) for n in range(20)
    },
    "60 mixed files": repository(60),
}


@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", REPOSITORIES if IS_FULL else ["20 manifests"])
def test_an_assessment_takes_less_time_than_checkov_alone(
    shared_stack: Stack, alice: User, tmp_path: Path, size: Callable[[int, int], int], name: str
) -> None:
    """Our workers are warm, as on a server; the command starts cold, as in a pipeline. Other work
    on the machine slows both equally, because they run in turn."""
    files = REPOSITORIES[name]
    for path, text in files.items():
        place = tmp_path / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    watch(shared_stack, alice, files)  # starts the scan server
    pairs = [
        (watch(shared_stack, alice, files).seconds, checkov_seconds(tmp_path))
        for _ in range(size(1, ROUNDS))
    ]
    ours, theirs = (median(seconds) for seconds in zip(*pairs, strict=True))
    print(
        f"\n{name}: an assessment {ours:.1f} s, Checkov alone {theirs:.1f} s,"
        f" ratio {ours / theirs:.2f}"
    )
    assert ours / theirs < (MOST_RATIO if IS_FULL else 5)


def checkov_seconds(folder: Path) -> float:
    command = [str(Path(settings.SCANNER_PYTHON).with_name("checkov")), "--directory", str(folder)]
    options = ["--skip-download", "--quiet", "--compact", "--framework", *FRAMEWORKS]
    started = time.monotonic()
    done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=300)
    assert "Passed checks" in done.stdout, done.stderr[-2000:]
    return time.monotonic() - started

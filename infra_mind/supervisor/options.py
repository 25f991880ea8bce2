"""What runs: the options of ``manage.py up`` and the command line of each process."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from infra_mind import hosts

BASE_DIR = Path(__file__).resolve().parent.parent.parent
QUEUES = "assessments,reports,default,priority"
# How long running tasks may take to finish. Someone is waiting at the terminal, and whatever is cut
# off resumes at the next start.
SOFT_SHUTDOWN_S = 4
ADMIN_USERNAME = "admin"  # the first account where other machines can connect
DEMO_USERNAME = "demo"
DEMO_PASSWORD = "infra-mind-demo"  # noqa: S105  public on purpose: only with the embedded database, on loopback


@dataclass(frozen=True, kw_only=True)
class Options:
    """What ``manage.py up`` takes from its environment."""

    home: Path
    scanner_python: Path = BASE_DIR / ".venv-scanner" / "bin" / "python"
    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 2
    concurrency: int = 2

    @property
    def url(self) -> str:
        """Where this machine reaches it: loopback, if it listens on every address."""
        address = hosts.reached_at(self.host)
        return f"http://{address}:{self.port}/"


def process_commands(options: Options) -> dict[str, list[str]]:
    """The application's processes, name to command line. docker-compose.yml and the tests start the
    same ones."""
    celery = ["celery", "-q", "-A", "infra_mind"]
    worker = [*celery, "worker", "--without-mingle", "--without-gossip", "-l", "INFO"]
    address = ["-b", options.host, "-p", str(options.port)]
    concurrency = ["-c", str(options.concurrency)]
    return {
        "web": ["daphne", *address, "--no-server-name", "-v", "0", "infra_mind.asgi:application"],
        **{
            f"worker{n}": [*worker, "-n", f"worker{n}@%h", "-Q", QUEUES, *concurrency]
            for n in range(1, options.workers + 1)
        },
        "priority": [*worker, "-n", "priority@%h", "-Q", "priority", "-c", "1"],
        "reconciler": ["python", "manage.py", "reconcile", "--forever"],
        "beat": [*celery, "beat", "-l", "INFO", "--pidfile=", "-s", str(options.home / "beat")],
    }


def executable(command: list[str]) -> list[str]:
    """``command`` run by this very interpreter, whatever PATH says."""
    program, *arguments = command
    module = [] if program == "python" else ["-m", program]
    return [sys.executable, *module, *arguments]

"""``manage.py up``: the whole of Infra Mind as one foreground command.

Starts the servers that the environment doesn't name (PostgreSQL, Valkey), prepares the database,
then keeps the application's processes running: their output is prefixed, and a process that dies is
restarted with backoff. Nothing is left behind when it stops:

- Ctrl-C or SIGTERM: SIGTERM to every process, SIGKILL after the grace period, then to whatever they
  started themselves (orphans come to the supervisor, which is their subreaper), the servers last.
- SIGKILL of the supervisor: the kernel signals the children (with_parent.py), the lock is released
  at once, and the next start ends what still runs.
"""

from infra_mind.supervisor.children import STOP_GRACE_S
from infra_mind.supervisor.options import (
    ADMIN_USERNAME,
    BASE_DIR,
    DEMO_PASSWORD,
    DEMO_USERNAME,
    SOFT_SHUTDOWN_S,
    Options,
    executable,
    process_commands,
)
from infra_mind.supervisor.output import LOG_FILES_KEPT, PREPARE, Output
from infra_mind.supervisor.supervise import CannotStartError, Supervisor, run

__all__ = [
    "ADMIN_USERNAME",
    "BASE_DIR",
    "DEMO_PASSWORD",
    "DEMO_USERNAME",
    "LOG_FILES_KEPT",
    "PREPARE",
    "SOFT_SHUTDOWN_S",
    "STOP_GRACE_S",
    "CannotStartError",
    "Options",
    "Output",
    "Supervisor",
    "executable",
    "process_commands",
    "run",
]

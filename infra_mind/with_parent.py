"""``python -IS with_parent.py SIGNAL COMMAND...``: become COMMAND, and get SIGNAL when the parent
dies.

A supervisor that is killed can't stop its children; on Linux the kernel does it instead. Elsewhere
the command just runs, and the next start ends what was left behind. This is a separate script
because a preexec_fn may deadlock in a process with threads.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main() -> None:
    name, command = sys.argv[1], sys.argv[2:]
    if sys.platform == "linux":
        parent = os.getppid()
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.Signals[f"SIG{name}"]), 0, 0, 0)
        if os.getppid() != parent:  # it died in between: too late for the signal
            sys.exit(1)
    os.execvp(command[0], command)  # noqa: S606


main()
